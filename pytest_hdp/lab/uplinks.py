"""A second way out of the client, by an interface and a router of its own straight to the target."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.result import Hop
from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import ESP, GRE, ICMP, UDP, USUAL, Box, Traffic, Where, filter_chain, listed, number_set
from pytest_hdp.lab.nodes import Link, Port, Route
from pytest_hdp.lab.truth import DELIVERED, Truth
from pytest_hdp.lab.versions import PLANS, Version

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE = 47


@dataclass(frozen=True, slots=True)
class Uplink(Box):
    """Policy routing: these numbers leave by a second uplink, of which the router drops some.

    What comes back takes the path of the rest. `ports`: source ports of datagrams that leave there too, "" for none.
    """

    numbers: frozenset[int] = frozenset({GRE, ESP})
    drops: frozenset[int] = frozenset({GRE})
    ports: str = ""
    name: ClassVar[str] = "policy-routed"
    where: ClassVar[Where] = Where.BESIDE
    features: ClassVar[str] = "a kernel with policy routing by protocol (ip rule ipproto: Linux 4.17)"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"{listed(self.numbers)} leave by a second uplink, whose router drops {listed(self.drops)}"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the second uplink's router."""
        dropped = [f"{version.selector} {number_set(self.drops)} drop"] if self.drops else []
        dead = [f"{version.selector} {UDP} drop"] if self.ports else []
        return filter_chain("forward", *dropped, *dead, version=version)

    def hop(self, ip_version: int) -> Hop:
        """Its router, as a hop."""
        return Hop(1, PLANS[ip_version].uplink[0][1])

    def takes(self, protocol: int, direction: Direction) -> bool:
        """Whether a train of this number goes there."""
        return direction is Direction.FORWARD and (protocol & 255) in self.numbers

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost there, or through."""
        lost = self.takes(protocol, direction) and (protocol & 255) in self.drops
        return Truth(Verdict.LOST, box=self.name, last_hop=self.hop(traffic.ip_version)) if lost else DELIVERED

    def settings(self, source: str, ip_version: int) -> Iterator[str]:
        """Lines for `ip -batch` at the client, whose address is `source`, once its links are up."""
        plan = PLANS[ip_version]
        yield f"route add {plan.everywhere} via {plan.uplink[0][1]} src {source} table {_TABLE}"
        yield from (f"rule add ipproto {number} lookup {_TABLE}" for number in sorted(self.numbers))
        if self.ports:
            yield f"rule add ipproto {UDP} sport {self.ports} lookup {_TABLE}"


@dataclass(frozen=True, slots=True)
class Multipath(Uplink):
    """Two ways of equal cost out of the client, by number and for UDP by source port: the second one is dead."""

    numbers: frozenset[int] = frozenset(range(3, 256, 2)) - {ICMP, UDP}
    drops: frozenset[int] = frozenset(range(3, 256, 2)) - {ICMP, UDP}
    ports: str = "46000-65534"
    name: ClassVar[str] = "multipath"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "two uplinks of equal cost, by number and UDP source port; that of odd numbers and high ports is dead"


def links_of(ip_version: int) -> tuple[Link, Link]:
    """Return the links from the client to the second uplink's router, and from there to the target."""
    (out, into, near), (beyond, target, far) = PLANS[ip_version].uplink
    return (
        Link(
            Port("client", "eth1", out, near, "02:00:00:00:fe:01"),
            Port("uplink", "inside", into, near, "02:00:00:00:fe:02"),
        ),
        Link(
            Port("uplink", "outside", beyond, far, "02:00:00:00:fe:03"),
            Port("target", "eth1", target, far, "02:00:00:00:fe:04"),
        ),
    )


def routes_of(client: str, target: str, ip_version: int) -> Iterator[Route]:
    """Return the routes of the second uplink's router: each end by its own neighbour."""
    (out, _, _), (_, beyond, _) = PLANS[ip_version].uplink
    yield Route(str(ip_network(client)), out)
    yield Route(str(ip_network(target)), beyond)
