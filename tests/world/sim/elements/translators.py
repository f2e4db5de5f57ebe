"""Translators of addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.elements.base import GENERIC_TIMEOUT, Effect, View, looks_valid
from sim.network import FORWARD
from sim.packet import ICMP, UDP, Packet

if TYPE_CHECKING:
    from sim.network import Network


ECHO_REQUEST = b"\x08"


def flow_key(packet: Packet, way: int) -> tuple[object, ...]:
    """What tells a flow, the same for both ways: number, the far peer, and ports, or the echo's name and who asks."""
    ports = packet.ports if packet.protocol == UDP else None
    peer, mine = (packet.destination, ports) if way == FORWARD else (packet.source, ports and ports[::-1])
    if packet.protocol == ICMP and packet.valid:
        asks = packet.payload[:1] == ECHO_REQUEST
        return packet.protocol, peer, (packet.payload[4:8], asks is (way == FORWARD))
    return packet.protocol, peer, mine


@dataclass(slots=True, eq=False)
class Nat:
    """Source translation from the near side. `style`: "address" translates any number by address alone; "linux" lets
    what it can't read pass untranslated; "ports" knows TCP, UDP and ICMP, and drops the rest; "some" translates these
    three and lets the rest pass as it is. `pool`: another outside address, which odd numbers get; one that ends with a
    dot: each number gets its own, by its last octet.
    """

    name: str
    outside: str
    style: str = "linux"
    timeout: int = GENERIC_TIMEOUT
    pool: str = ""
    _inside: dict[tuple[object, ...], tuple[str, int]] = field(default_factory=dict)

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        if packet.quote is not None:
            return self._error(packet, way, network)
        why = self._refuses(packet, way) or (self._answer(packet, network.clock.now) if way != FORWARD else None)
        if why is not None:
            network.die(packet, f"{self.name} {why}")
            return None
        if way == FORWARD and self._translates(packet):
            self._inside[flow_key(packet, way)] = packet.source, network.clock.now
            packet.source = self._outside(packet.protocol)
        return 0

    def _translates(self, packet: Packet) -> bool:
        """Whether it gives a packet another source; if not, it leaks."""
        if self.style == "some" and packet.protocol not in (1, 6, 17):
            return False
        return self.style in ("address", "ports") or looks_valid(packet)

    def _refuses(self, packet: Packet, way: int) -> str | None:
        known = packet.protocol in (1, 6, 17) and looks_valid(packet)
        if self.style == "ports" and not known:
            return f"knows no {packet.protocol}"
        return None if way == FORWARD or self._translates(packet) else "has no state"

    def _answer(self, packet: Packet, now: int) -> str | None:
        if packet.protocol == ICMP and packet.payload[:1] == ECHO_REQUEST:
            return "has no state: an echo request is nobody's answer"
        key = flow_key(packet, -FORWARD)
        inside = self._inside.get(key) if packet.destination == self._outside(packet.protocol) else None
        if inside is None or now - inside[1] > self.timeout:
            return "has no state"
        self._inside[key] = inside[0], now
        packet.destination = inside[0]
        return None

    def _error(self, packet: Packet, way: int, network: Network) -> int | None:
        """An error about what was translated gets the inner addresses back, inside and out."""
        quote = packet.quote
        assert quote is not None, "it is an error"
        if way == FORWARD:
            return 0
        mine = packet.destination == self._outside(quote.protocol)
        inside = self._inside.get(flow_key(quote, FORWARD)) if mine else None
        if inside is None:
            network.die(packet, f"{self.name} has no state for the error")
            return None
        packet.destination = quote.source = inside[0]
        return 0

    def _outside(self, protocol: int) -> str:
        if self.pool.endswith("."):
            return f"{self.pool}{protocol}"
        return self.pool if self.pool and protocol % 2 else self.outside

    def effect(self, view: View) -> Effect | None:
        """As Router.effect; what is solicited comes back."""
        known = view.number in (1, 6, 17)
        if self.style == "ports" and not (known and view.valid):
            return Effect("drop", where=self.name)
        if self.style == "some" and not known:
            return Effect("leak" if view.way == FORWARD else "drop", where=self.name)
        if view.valid or self.style in ("address", "ports"):
            return Effect("translate", (self._outside(view.number),), self.name, self)
        return Effect("leak" if view.way == FORWARD else "drop", where=self.name)


@dataclass(slots=True, eq=False)
class OneToOne:
    """A cloud's translator before the far host: its public address is the target's, its own is a private one."""

    name: str
    public: str
    private: str

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        self._translate(packet, way)
        if packet.quote is not None:
            self._translate(packet.quote, -way)
        return 0

    def _translate(self, packet: Packet, way: int) -> None:
        if way == FORWARD and packet.destination == self.public:
            packet.destination = self.private
        elif way != FORWARD and packet.source == self.private:
            packet.source = self.public

    def effect(self, view: View) -> Effect | None:
        """As Router.effect."""
        return None if view.way == FORWARD else Effect("pass-translated", where=self.name)
