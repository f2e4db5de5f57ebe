"""A chain of elements between two hosts, and what becomes of the packets that pass along it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sim.clock import SimClock
    from sim.host import Host
    from sim.packet import Packet

FORWARD, REVERSE = 1, -1


@dataclass(slots=True)
class Fate:
    """What really became of one packet that a host sent. `died`: where and why, of its last copy that did."""

    number: int
    sender: str
    protocol: int
    destination: str
    at: int
    payload: bytes
    arrived: int = 0
    delivered: int = 0
    died: str = ""


class Element(Protocol):
    """Something on the way. `take` returns the nanoseconds for which it holds a packet, or None if it keeps it."""

    name: str

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """Take a packet that goes this way (FORWARD from near to far, or REVERSE)."""


@dataclass(slots=True)
class Network:
    """The way from the near host to the far one, and back through the same elements.

    `errors`: about which packets ICMP errors were really sent, by source, type and code; `heard`: and came to a host.
    """

    clock: SimClock
    elements: list[Element] = field(default_factory=list)
    hosts: dict[int, Host] = field(default_factory=dict)
    fates: list[Fate] = field(default_factory=list)
    notes: list[str] | None = None
    run_id: bytes = b""
    errors: dict[tuple[str, int, int], set[int]] = field(default_factory=dict)
    heard: dict[tuple[str, int, int], set[int]] = field(default_factory=dict)

    def enter(self, packet: Packet, way: int) -> None:
        """Put a host's packet on the way, from its end."""
        self.carry(packet, 0 if way == FORWARD else len(self.elements) - 1, way)

    def carry(self, packet: Packet, at: int, way: int) -> None:
        """Carry a packet on from an element, until it is held, kept, or there."""
        elements = self.elements
        while 0 <= at < len(elements):
            held = elements[at].take(packet, way, self)
            at += way
            if held is None:
                return
            if held > 0:
                self.clock.after(held, self.carry, packet, at, way)
                return
        _note(packet, self.heard)
        self.hosts[way].receive(packet)

    def send_back(self, packet: Packet, element: Element, way: int) -> None:
        """Send a packet of an element's own against the way of the one that it is about."""
        at = self.position(element)
        self.note_error(packet)
        self.clock.after(5_000, self.carry, packet, at - way, -way)

    def note_error(self, error: Packet) -> None:
        """Note whom an ICMP error is about."""
        _note(error, self.errors)

    def position(self, element: Element) -> int:
        """Where in the chain an element is, or the one that it is part of."""
        for at, each in enumerate(self.elements):
            if each is element or element in getattr(each, "parts", ()):
                return at
        raise ValueError(element)

    def die(self, packet: Packet, where: str) -> None:
        """Note that a copy of a packet goes no further."""
        if packet.sent >= 0:
            self.fates[packet.sent].died = where
        if self.notes is not None:
            self.notes.append(f"{self.clock.now / 1e6:12.3f} ms  {describe(packet)} died: {where}")

    def note(self, packet: Packet, what: str) -> None:
        """Note anything else, if somebody wants to read it."""
        if self.notes is not None:
            self.notes.append(f"{self.clock.now / 1e6:12.3f} ms  {describe(packet)} {what}")


def _note(error: Packet, found: dict[tuple[str, int, int], set[int]]) -> None:
    if error.quote is not None:
        key = error.source, error.payload[0], error.payload[1]
        found.setdefault(key, set()).add(error.quote.sent)


def describe(packet: Packet) -> str:
    """A packet in one line of a trace."""
    about = f" about ({describe(packet.quote)})" if packet.quote is not None else ""
    kind = f" {packet.payload[0]}/{packet.payload[1]}" if packet.quote is not None else ""
    return (
        f"#{packet.sent} {packet.protocol}{kind} {packet.source} > {packet.destination} ttl {packet.ttl} "
        f"{len(packet.payload)} B{about}"
    )
