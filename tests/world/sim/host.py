"""A host as its kernel behaves towards raw sockets, taps, UDP sockets and strangers' packets."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.clock import Endless
from sim.network import Fate
from sim.packet import UDP, Packet, error_about

if TYPE_CHECKING:
    from sim.network import Network
    from sim.station import SimStation

OUTGOING, INCOMING = 4, 0
HANDLED = frozenset({1, 2, 6, 17, 103, 136})  # numbers that a stock kernel does not call unreachable: FACTS 1
HANDLED6 = frozenset({0, 6, 17, 43, 44, 58, 59, 60, 103, 136})  # over IPv6: docs/ipv6-facts.md
ROUTED_BURST = 5  # errors that a Linux route that says no saves up: ip_rt_error_burst
ROOM = 256  # small packets that the default receive buffer holds: FACTS 5
MOST_PACKETS = 20_000  # of one measurement, whatever it is
TURNAROUND = 15_000  # ns in which a kernel answers by itself


@dataclass(slots=True)
class Bucket:
    """A token bucket of ICMP errors: `each` ns to earn one, `burst` saved up. `each` 0: no limit."""

    each: int = 0
    burst: int = 6
    _full_at: int = 0

    def take_routed(self, now: int) -> bool:
        """As `take`, for a route that says no: no more than five count, and one is paid before, also in vain.

        Linux asks the same bucket twice then: ip_error in net/ipv4/route.c, and icmp_send.
        """
        if self.each == 0:
            return True
        self._full_at = max(self._full_at, now + (self.burst - ROUTED_BURST) * self.each)
        if self._full_at - now > (self.burst - 1) * self.each:
            return False
        self._full_at += self.each
        return self.take(now)

    def take(self, now: int) -> bool:
        """Whether one is there; it is gone then."""
        if self.each == 0:
            return True
        begin = max(self._full_at, now)
        if begin - now > (self.burst - 1) * self.each:
            return False
        self._full_at = begin + self.each
        return True


Rule = Callable[[Packet], "str | None"]
"""A firewall's word on a packet: None lets it pass, "drop", or "reject TYPE CODE"."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Carries a host's packets inside others: under number 17 behind a UDP header, or under 4 as they are."""

    interface: str
    mine: str
    peer: str
    protocol: int
    port: int = 5555

    def carrier(self, packet: Packet) -> Packet:
        """The packet that a packet is carried in."""
        data = packet.data
        payload = udp(self.port, self.port, data) if self.protocol == UDP else data
        outer = Packet(self.mine, self.peer, self.protocol, payload, sent=packet.sent)
        outer.inner = packet
        return outer


@dataclass(slots=True)
class Host:
    """A host. `way`: the direction in which its packets leave.

    `leaves_by`, `comes_by`: the interface of a packet, where that is not `interface`; `tunnel`: all goes through it.

    `output`: a rule on what it sends, "drop" being EPERM to the sender, "hold" a silent loss before the interface.
    `inputs`: rules behind the interface. `answers`: whether it says that a protocol is unreachable.
    """

    name: str
    addresses: list[str]
    network: Network
    way: int
    interface: str = "eth0"
    output: Rule | None = None
    inputs: list[Rule] = field(default_factory=list)
    answers: bool = True
    echoes: bool = True
    handled: frozenset[int] = HANDLED
    bucket: Bucket = field(default_factory=Bucket)
    stations: list[SimStation] = field(default_factory=list)
    watchers: list[Callable[[Packet], None]] = field(default_factory=list)
    sent_to: dict[str, int] = field(default_factory=dict)
    down: bool = False
    leaves_by: Callable[[Packet], str | None] | None = None
    comes_by: Callable[[Packet], str | None] | None = None
    tunnel: Tunnel | None = None
    _identification: int = 1

    @property
    def address(self) -> str:
        """Its first address."""
        return self.addresses[0]

    def send(self, packet: Packet) -> str | None:
        """Send a packet of this host's own: None, or the errno's name."""
        self._identification = (self._identification + 1) & 0xFFFF
        packet.identification = self._identification
        packet.sent = len(self.network.fates)
        packet.valid = packet.payload[12:20] != self.network.run_id
        self.sent_to[packet.destination] = self.sent_to.get(packet.destination, 0) + 1
        if packet.sent > MOST_PACKETS:
            raise Endless(f"{packet.sent} packets in {self.network.clock.now / 1e9:.3f} s of simulated time")
        fate = Fate(packet.sent, self.name, packet.protocol, packet.destination, self.network.clock.now, packet.payload)
        self.network.fates.append(fate)
        if self.down:
            fate.died = "refused: no route"
            return "ENETUNREACH"
        said = self.output(packet) if self.output is not None else None
        if said == "drop":
            fate.died = f"refused by the firewall of {self.name}"
            return "EPERM"
        if said == "hold":
            fate.died = f"held by {self.name}"
            return None
        self._leave(packet, "")
        return None

    def _leave(self, packet: Packet, why: str) -> None:
        self._tap(packet, OUTGOING, self.leaves_by)
        self.network.note(packet, f"left {self.name}{why}")
        if self.tunnel is not None:
            packet = self.tunnel.carrier(packet)
            self._tap(packet, OUTGOING, None, self.interface)
        self.network.enter(packet, self.way)

    def receive(self, packet: Packet) -> None:
        """Take a packet that came to its interface."""
        if self.down:
            self.network.die(packet, f"{self.name} is down")
            return
        if self.tunnel is not None and packet.inner is not None:
            self._tap(packet, INCOMING, None, self.interface)
            packet = packet.inner.copy()
        if packet.sent >= 0 and packet.quote is None:
            self.network.fates[packet.sent].arrived += 1
        self.network.note(packet, f"arrived at {self.name}")
        self._tap(packet, INCOMING, self.comes_by)
        for watch in self.watchers:
            watch(packet)
        if packet.destination not in self.addresses or packet.ttl < 1:
            self.network.die(packet, f"not for {self.name}")
            return
        for rule in self.inputs:
            said = rule(packet)
            if said is not None:
                self.network.die(packet, f"firewall of {self.name}")
                if said != "drop":
                    kind, code = map(int, said.split()[1:])
                    self._complain(packet, kind, code)
                return
        self._deliver(packet)

    def _tap(
        self, packet: Packet, kind: int, chosen: Callable[[Packet], str | None] | None, interface: str = ""
    ) -> None:
        interface = interface or (self.tunnel.interface if self.tunnel is not None else self.interface)
        if chosen is not None:
            interface = chosen(packet) or interface
        data = packet.data
        for station in self.stations:
            station.tapped(data, kind, interface)

    def _deliver(self, packet: Packet) -> None:
        listened = False
        for station in self.stations:
            listened |= station.delivered(packet)
        if listened and packet.sent >= 0:
            self.network.fates[packet.sent].delivered += 1
        if packet.protocol == packet.icmp:
            self._echo(packet)
            return
        if (inside := packet.inside) is not None:
            heard = [station for station in self.stations if station.delivered(inside)]
            if not heard and self.answers and inside.protocol not in self.handled:
                self._complain(packet, 3, 2)
            return
        if packet.protocol == UDP:
            self._datagram(packet)
        elif not listened and self.answers and packet.protocol not in self.handled:
            self._complain(packet, 3, 2)

    def _echo(self, packet: Packet) -> None:
        asks, answer = (b"\x80", b"\x81") if packet.six else (b"\x08", b"\0")
        if packet.payload[:1] == asks and packet.quote is None and len(packet.payload) >= 8 and self.echoes:
            self._reply(packet, answer + b"\0" + packet.payload[2:])

    def _datagram(self, packet: Packet) -> None:
        ports = packet.ports
        if ports is None:
            return
        taken = [station for station in self.stations if station.datagram_for(packet, ports[1])]
        if taken:
            if packet.sent >= 0:
                self.network.fates[packet.sent].delivered += 1
        elif self.answers:
            self._complain(packet, 3, 3)

    def _complain(self, packet: Packet, kind: int, code: int) -> None:
        if packet.is_error or not self.bucket.take(self.network.clock.now):
            return
        error = error_about(packet, packet.destination, kind, code)
        self.network.note_error(error)
        self.network.clock.after(TURNAROUND, self._answer, error)

    def _reply(self, packet: Packet, payload: bytes) -> None:
        answer = Packet(packet.destination, packet.source, packet.icmp, payload)
        self.network.clock.after(TURNAROUND, self._answer, answer)

    def _answer(self, packet: Packet) -> None:
        if not self.down and (self.output is None or self.output(packet) is None):
            self._leave(packet, " as an answer")


def udp(source: int, destination: int, payload: bytes) -> bytes:
    """A UDP datagram without a checksum."""
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload
