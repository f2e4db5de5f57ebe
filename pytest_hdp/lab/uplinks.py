"""A second way out of the client, by an interface and a router of its own straight to the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.result import Hop
from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import ESP, GRE, ICMP, UDP, USUAL, Box, Traffic, Where, filter_chain, listed, number_set
from pytest_hdp.lab.nodes import Link, Port, Route
from pytest_hdp.lab.truth import DELIVERED, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE = 47
_OUT, _IN = "203.0.113.249", "203.0.113.250"  # the client's, and its router's: beyond what a path of routers takes
_BEYOND, _TARGET = "203.0.113.253", "203.0.113.254"


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
    hop: ClassVar[Hop] = Hop(1, _IN)

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"{listed(self.numbers)} leave by a second uplink, whose router drops {listed(self.drops)}"

    @property
    def rules(self) -> str:
        """Ruleset of the second uplink's router."""
        dropped = [f"ip protocol {number_set(self.drops)} drop"] if self.drops else []
        return filter_chain("forward", *dropped, *([f"ip protocol {UDP} drop"] if self.ports else []))

    def takes(self, protocol: int, direction: Direction) -> bool:
        """Whether a train of this number goes there."""
        return direction is Direction.FORWARD and (protocol & 255) in self.numbers

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost there, or through."""
        lost = self.takes(protocol, direction) and (protocol & 255) in self.drops
        return Truth(Verdict.LOST, box=self.name, last_hop=self.hop) if lost else DELIVERED

    def settings(self, source: str) -> Iterator[str]:
        """Lines for `ip -batch` at the client, whose address is `source`, once its links are up."""
        yield f"route add default via {_IN} src {source} table {_TABLE}"
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


LINKS = (
    Link(Port("client", "eth1", _OUT, 30, "02:00:00:00:fe:01"), Port("uplink", "inside", _IN, 30, "02:00:00:00:fe:02")),
    Link(
        Port("uplink", "outside", _BEYOND, 30, "02:00:00:00:fe:03"),
        Port("target", "eth1", _TARGET, 30, "02:00:00:00:fe:04"),
    ),
)
"""From the client to the second uplink's router, and from there to the target."""


def routes_of(client: str, target: str) -> Iterator[Route]:
    """Return the routes of the second uplink's router: each end by its own neighbour."""
    yield Route(f"{client}/32", _OUT)
    yield Route(f"{target}/32", _TARGET)
