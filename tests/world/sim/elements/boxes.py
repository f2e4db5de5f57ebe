"""Boxes that change packets, send them other ways, twice or in circles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sim.elements.base import Effect, View, flow_of
from sim.elements.routers import Router
from sim.network import FORWARD
from sim.packet import Packet

if TYPE_CHECKING:
    from sim.network import Network


@dataclass(slots=True, eq=False)
class Mangle:
    """Changes the packets of these numbers: `change` is given the packet, `fields` are what a record should name.

    `to`: the number that it gives them, if that is another.
    """

    name: str
    numbers: frozenset[int]
    ways: frozenset[int]
    change: Callable[[Packet], None]
    kind: str
    fields: tuple[str, ...] = ()
    to: int | None = None

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        if way in self.ways and packet.protocol in self.numbers and packet.quote is None:
            self.change(packet)
        return 0

    def effect(self, view: View) -> Effect | None:
        """As Router.effect."""
        if view.way not in self.ways or view.number not in self.numbers:
            return None
        return Effect(self.kind, self.fields, self.name)

    def after(self, view: View) -> View:
        """A train behind it: routers there choose by what it has made of all packets."""
        if self.effect(view) is None or self.kind != "modify":
            return view
        packet = Packet("", "", view.number, view.data)
        if view.data:
            self.change(packet)
        size = view.size + len(packet.payload) - len(view.data)
        return replace(view, number=view.number if self.to is None else self.to, size=size, data=packet.payload)


@dataclass(slots=True, eq=False)
class Double:
    """Sends these numbers on twice."""

    name: str
    numbers: frozenset[int]
    apart: int = 10_000

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        if packet.protocol in self.numbers and packet.quote is None:
            at = network.position(self)
            network.clock.after(self.apart, network.carry, packet.copy(), at + way, way)
        return 0

    def effect(self, view: View) -> Effect | None:
        """As Router.effect."""
        return Effect("pass", where=self.name) if view.number in self.numbers else None


Pick = Callable[[int, int, bytes], int]
"""Which branch a packet takes: by number, way, and the ports of those that have some."""


def by_number(salt: int) -> Pick:
    """Each number has its branch, both ways."""
    return lambda number, _way, _ports: number * 2654435761 + salt >> 7


def by_address_and_number(salt: int) -> Pick:
    """Each number has its branch, and another one on the way back."""
    return lambda number, way, _ports: (number * 2654435761 + salt >> 7) + (number + salt & 1) * (way != FORWARD)


def by_port(salt: int) -> Pick:
    """Ports tell, where there are any; all else goes one way."""
    return lambda _number, _way, ports: sum(ports) + salt if ports else salt


@dataclass(slots=True, eq=False)
class Branches:
    """Equal-cost ways: a packet goes one of them by its number, way and ports. Each is a list of elements."""

    name: str
    ways: tuple[tuple[object, ...], ...]
    pick: Pick

    @property
    def parts(self) -> tuple[object, ...]:
        """All elements of all branches."""
        return tuple(each for way in self.ways for each in way)

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take. An error goes the way of what it is about."""
        about, went = (packet, way) if packet.quote is None else (packet.quote, -way)
        ports = flow_of(about.protocol, about.payload)
        held = 0
        for element in self._elements(about.protocol, went, ports, way):
            taken = element.take(packet, way, network)  # type: ignore[attr-defined]
            if taken is None:
                return None
            held += taken
        return held

    def route(self, view: View) -> tuple[object, ...]:
        """What a train passes here, in its order."""
        return self._elements(view.number, view.way, flow_of(view.number, view.data), view.way)

    def _elements(self, number: int, went: int, ports: bytes, way: int) -> tuple[object, ...]:
        chosen = self.ways[self.pick(number, went, ports) % len(self.ways)]
        return chosen if way == FORWARD else chosen[::-1]


@dataclass(slots=True, eq=False)
class Loop:
    """Behind a router that sends these numbers to another one, which sends them back, until the TTL is spent."""

    name: str
    numbers: frozenset[int]
    first: Router
    second: Router

    @property
    def parts(self) -> tuple[object, ...]:
        """Its second router is nowhere else."""
        return (self.second,)

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        if way != FORWARD or packet.protocol not in self.numbers or packet.quote is not None:
            return 0
        last = self.second if packet.ttl % 2 else self.first
        packet.ttl = 1
        network.die(packet, f"TTL in {self.name}, at {last.name}")
        last.complain(packet, way, network, 11, 0)
        return None

    def effect(self, view: View) -> Effect | None:
        """As Router.effect."""
        if view.way != FORWARD or view.number not in self.numbers:
            return None
        return Effect("loop", (self.first, self.second), self.name)
