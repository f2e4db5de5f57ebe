"""Where everything is in a lab: nodes, links, addresses, routes and hops, over one version of IP. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from pytest_hdp.judge.result import Hop
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.lab.boxes import Box, Router, Where
from pytest_hdp.lab.nodes import Link, Port, Route
from pytest_hdp.lab.uplinks import Uplink, links_of, routes_of
from pytest_hdp.lab.versions import PLANS, VERSIONS, Plan, Version

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_ROUTERS = 60


@dataclass(frozen=True)
class Geometry:
    """Where everything is on the path of these boxes, in order from the client to the target.

    Raises ValueError for more routers than there are addresses.
    """

    boxes: tuple[Box, ...]
    second_client: bool = field(default=False)
    ip_version: int = 4

    def __post_init__(self) -> None:
        if len(self.routers) > _MOST_ROUTERS:
            raise ValueError(f"a lab has at most {_MOST_ROUTERS} routers, not {len(self.routers)}")
        if self.uplink is not None and any(type(box) not in {Router, type(self.uplink)} for box in self.boxes):
            raise ValueError(f"box {self.uplink.name} is a second way beside plain routers: leave other boxes out")

        if any(box.contains for box in self.boxes) and (translator := self._translator_before_a_policy()):
            raise ValueError(f"box {translator} hides whose packets they are from the policy behind it: put it behind")

    def _translator_before_a_policy(self) -> str | None:
        last = max(number for number, box in enumerate(self.boxes) if box.contains)
        return next((box.name for box in self.boxes[:last] if box.translates or box.translates6), None)

    def over(self, ip_version: int) -> Self:
        """Return the same path over this version of IP."""
        return replace(self, ip_version=ip_version)

    @property
    def version(self) -> Version:
        """What is peculiar to its version of IP."""
        return VERSIONS[self.ip_version]

    @cached_property
    def routers(self) -> tuple[Box, ...]:
        """The boxes that are routers, from left to right."""
        return tuple(box for box in self.boxes if box.where is Where.ROUTER)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes on the path: "client", "router1", ..., "target"."""
        return ("client", *(f"router{number}" for number in range(1, len(self.routers) + 1)), "target")

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links of the path, from left to right; link i joins node i and node i + 1."""
        wires: list[list[Box]] = [[]]
        for box in self.boxes:
            if box.where is Where.ROUTER:
                wires.append([])
            elif box.where is Where.WIRE:
                wires[-1].append(box)
        return tuple(self._link(number, tuple(on_it)) for number, on_it in enumerate(wires))

    @cached_property
    def uplink(self) -> Uplink | None:
        """The second way out of the client, if there is one; the last one is."""
        return next((box for box in reversed(self.boxes) if isinstance(box, Uplink)), None)

    @cached_property
    def uplink_links(self) -> tuple[Link, ...]:
        """The links from the client to that way's router, and from there to the target."""
        return links_of(self.ip_version) if self.uplink is not None else ()

    @cached_property
    def second_link(self) -> Link | None:
        """The link of the second client to the first router, if there are both."""
        if not (self.second_client and self.routers):
            return None
        here, there, prefix = self._plan.second
        left = Port("second", "eth0", here, prefix, "02:00:00:00:ff:01")
        return Link(left, Port("router1", "inside2", there, prefix, "02:00:00:00:ff:02"))

    @cached_property
    def all_links(self) -> tuple[Link, ...]:
        """The links of the path, and those beside it."""
        return (*self.links, *([self.second_link] if self.second_link else ()), *self.uplink_links)

    @property
    def target_address(self) -> str:
        """The target's address."""
        return self._plan.last[1]

    @property
    def client_address(self) -> str:
        """The client's own address."""
        return self.links[0].left.address

    @cached_property
    def outside_address(self) -> str:
        """The address under which the target knows the client: that of the outermost NAT, or the client's own."""
        return self.source_beyond(len(self.routers))

    def source_beyond(self, number: int) -> str:
        """Return the client's address as those behind the node of this number know it: a NAT's, or its own."""
        address = self.client_address
        for nat in self.nats():
            if nat <= number:
                address = self.routers[nat - 1].outside(address) or self.links[nat].left.address
        return address

    def hops(self, direction: Direction = Direction.FORWARD) -> list[Hop]:
        """The routers in the order of the TTLs that expire there, with the address they answer from."""
        if direction is Direction.FORWARD:
            return [Hop(number, link.right.address) for number, link in enumerate(self.links[:-1], 1)]
        return [Hop(number, link.left.address) for number, link in enumerate(reversed(self.links[1:]), 1)]

    def routes(self, node: str) -> Iterator[Route]:
        """Routes of a node beyond its own links. Nobody outside a NAT has a route to what is inside."""
        if node == "uplink":
            yield from routes_of(self.client_address, self.target_address, self.ip_version)
            return
        here = len(self.nodes) if node == "second" else self.nodes.index(node)
        if node == "second" and self.second_link:
            yield Route(self._plan.everywhere, self.second_link.right.address)
        elif node == "client":
            yield Route(self._plan.everywhere, self.links[0].right.address)
        elif node == "target":
            yield Route(self._plan.everywhere, self.links[-1].left.address)
        else:
            yield from self._router_routes(here)

    def _link(self, number: int, wires: tuple[Box, ...]) -> Link:
        last = len(self.routers)
        if number == last:
            left, right, prefix = self._plan.last
        elif number == 0:
            left, right, prefix = self._plan.first
        else:
            hidden = any(nat <= number for nat in self.nats()) and any(nat > number for nat in self.nats())
            left, right, prefix = self._plan.middle(number, hidden=hidden)
        macs = [f"02:00:00:00:{number:02x}:{side:02x}" for side in (1, 2)]
        here, there = self.nodes[number], self.nodes[number + 1]
        outgoing = "eth0" if number == 0 else "outside"
        incoming = "eth0" if number == last else "inside"
        left_end, right_end = Port(here, outgoing, left, prefix, macs[0]), Port(there, incoming, right, prefix, macs[1])
        return Link(left_end, right_end, wires, self.routers[number - 1].link_mtu if number else None)

    @property
    def _plan(self) -> Plan:
        return PLANS[self.ip_version]

    def nats(self) -> list[int]:
        """Return the numbers of the nodes that translate."""
        return [number for number, box in enumerate(self.routers, 1) if box.hides(self.ip_version)]

    def _router_routes(self, here: int) -> Iterator[Route]:
        for nat in self.nats():
            announced = self.routers[nat - 1].announced if self.ip_version == 6 else None
            if announced and nat < here and not any(nat < other < here for other in self.nats()):
                yield Route(announced, self.links[here - 1].left.address)
        for number, link in enumerate(self.links):
            if number > here:
                yield Route(link.left.network, self.links[here].right.address)
            elif number < here - 1 and not any(number < nat < here for nat in self.nats()):
                yield Route(link.left.network, self.links[here - 1].left.address)
                if number == 0 and self.second_link:
                    yield Route(self.second_link.left.network, self.links[here - 1].left.address)
