"""Boxes that make up packets, or send again what others sent. None of them can know the measurement's key."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.elements.base import MILLISECOND, Effect, View
from sim.packet import Packet, error_about

if TYPE_CHECKING:
    from sim.network import Network

INDEX, MAC = 8, 12  # where the index and the MAC stand behind the beginning of the run id: DESIGN


def _with_another_mac(packet: Packet, network: Network, chance: random.Random) -> bytes:
    """The payload with all made up behind the tag's index."""
    start = max(0, packet.payload.find(network.run_id)) + MAC
    return packet.payload[:start] + chance.randbytes(max(0, len(packet.payload) - start))


@dataclass(slots=True, eq=False)
class Forger:
    """Answers packets of these numbers with ICMP errors that prove nothing, and lets the packets pass.

    `style`: "tag" quotes another tag, "short" quotes 8 bytes, "bare" no tag at all. `count`: so many for each packet,
    from so many sources. `kind`, `code`: what they say.
    """

    name: str
    numbers: frozenset[int]
    chance: random.Random
    style: str
    source: str
    kind: int = 3
    code: int = 13
    count: int = 1

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        if packet.protocol not in self.numbers or packet.quote is not None:
            return 0
        for number in range(self.count):
            source = self.source if self.count == 1 else f"203.0.113.{number + 10}"
            about = packet.copy()
            if self.style == "tag":
                about.payload = _with_another_mac(packet, network, self.chance)
            elif self.style == "bare":
                about.payload = self.chance.randbytes(40)
            error = error_about(about, source, self.kind, self.code, short=self.style == "short")
            network.send_back(error, self, way)
        return 0

    def effect(self, view: View) -> Effect | None:
        """As Router.effect."""
        return Effect("pass", where=self.name) if view.number in self.numbers else None


@dataclass(slots=True, eq=False)
class Imitator:
    """Sends probes of its own beside those of these numbers: with another MAC, another index, or another number."""

    name: str
    numbers: frozenset[int]
    chance: random.Random
    style: str

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        if packet.protocol not in self.numbers or packet.quote is not None or packet.sent < 0:
            return 0
        if network.run_id not in packet.payload:
            return 0
        forged = packet.copy()
        forged.sent = -1
        forged.payload = _with_another_mac(packet, network, self.chance)
        if self.style == "number":
            forged.protocol = self.chance.choice((199, 201, 250))
        elif self.style == "index":
            at = packet.payload.find(network.run_id) + INDEX
            own = int.from_bytes(packet.payload[at : at + 4], "big")
            other = (own + self.chance.randrange(1, 400)).to_bytes(4, "big")
            forged.payload = packet.payload[:at] + other + packet.payload[at + len(other) :]
        network.clock.after(1_000, network.carry, forged, network.position(self) + way, way)
        return 0

    def effect(self, view: View) -> Effect | None:
        """As Router.effect."""
        return Effect("pass", where=self.name) if view.number in self.numbers else None


@dataclass(slots=True, eq=False)
class Replayer:
    """Sends what it saw of these numbers again, `count` times, `later` ns apart."""

    name: str
    numbers: frozenset[int]
    count: int
    later: int = MILLISECOND
    most: int = 2_000
    _sent: int = field(default=0)

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        if packet.protocol not in self.numbers or packet.quote is not None:
            return 0
        at = network.position(self) + way
        for number in range(self.count):
            if self._sent < self.most:
                self._sent += 1
                network.clock.after(self.later * (number + 1), network.carry, packet.copy(), at, way)
        return 0

    def effect(self, view: View) -> Effect | None:
        """As Router.effect."""
        return Effect("pass", where=self.name) if view.number in self.numbers else None
