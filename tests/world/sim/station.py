"""A pytest_hdp.vantage.station.Station whose sockets are those of a simulated host."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_hdp.packet.ip import parse_ipv4
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.station import Observation
from sim.bpf import accepts, compiled
from sim.host import udp
from sim.packet import UDP, Packet

if TYPE_CHECKING:
    from sim.host import Host

SENDING = 2_000  # ns that one sendto(2) takes
ROOM = 256  # small packets that the default receive buffer holds: FACTS 5


@dataclass(slots=True)
class Socket:
    """One open socket. `kind`: "tap", "raw", "datagram" or "sender"."""

    handle: int
    kind: str
    protocol: int = 0
    program: tuple[tuple[int, int, int, int], ...] = ()
    address: str = ""
    port: int = 0
    room: int = ROOM
    ttl: int = 64
    drops: int = 0
    waiting: int = 0
    header: bool = False


@dataclass(slots=True)
class SimStation:
    """Sockets under small handles, at one host."""

    host: Host
    _sockets: dict[int, Socket] = field(default_factory=dict)
    _queue: deque[Observation] = field(default_factory=deque)
    _source: str = ""
    _descriptor: int = -1
    refusals: dict[int, int] = field(default_factory=dict)
    counts_policy: bool = False

    def __post_init__(self) -> None:
        self.host.stations.append(self)
        self._descriptor = self.host.network.clock.descriptor(self)

    def fileno(self) -> int:
        """A descriptor that SimWaiter knows."""
        return self._descriptor

    def readable(self) -> bool:
        """Whether poll() has something."""
        return bool(self._queue)

    def close(self) -> None:
        """Close everything."""
        self._sockets.clear()
        self._queue.clear()

    def discard(self, handle: int) -> None:
        """Close one socket."""
        del self._sockets[handle]

    def open_ahead(self, family: int, kind: int, protocols: Sequence[int]) -> None:
        """Nothing: it costs nothing here."""

    def tap(self, interface: str | None, program: Any, buffer: int | None = None) -> int:
        """As Station.tap."""
        return self._keep(Socket(self._next, "tap", program=_compiled(program), room=1 << 16)).handle

    def listen(self, family: int, protocol: int, program: Any, buffer: int | None = None, address: str = "") -> int:
        """As Station.listen."""
        self._check(protocol)
        room = ROOM if buffer is None else max(1, buffer // 832)
        return self._keep(Socket(self._next, "raw", protocol, _compiled(program), room=room)).handle

    def sender(self, family: int, protocol: int, header_included: bool = False) -> int:
        """As Station.sender."""
        self._check(protocol)
        return self._keep(Socket(self._next, "sender", protocol, header=header_included)).handle

    def datagram(self, address: str, port: int = 0, program: Any = None, buffer: int | None = None) -> tuple[int, int]:
        """As Station.datagram."""
        if address not in (*self.host.addresses, "0.0.0.0"):
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        port = port or 40_000 + self._next
        opened = self._keep(
            Socket(self._next, "datagram", UDP, _compiled(program) if program is not None else (), address, port, 4096)
        )
        return opened.handle, port

    def set_ttl(self, handle: int, ttl: int) -> None:
        """As Station.set_ttl."""
        self._sockets[handle].ttl = ttl

    def send_from(self, address: str) -> None:
        """As Station.send_from."""
        if address not in self.host.addresses:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        self._source = address

    def route(self, target: str) -> tuple[str, str, int]:
        """As Station.route."""
        return self.host.address, self.host.interface, 1500

    def send(self, handle: int, data: bytes, address: str, port: int = 0) -> str | None:
        """As Station.send."""
        self.host.network.clock.spend(SENDING)
        opened = self._sockets[handle]
        source = self._source or (opened.address if opened.address not in ("", "0.0.0.0") else self.host.address)
        if opened.header:
            packet = _from_bytes(data)
        else:
            payload = udp(opened.port, port, data) if opened.kind == "datagram" else data
            packet = Packet(source, address, opened.protocol & 255, payload, ttl=opened.ttl)
        return self.host.send(packet)

    def poll(self, timeout: float) -> list[Observation]:
        """As Station.poll."""
        self.host.network.clock.wait(timeout, self.readable)
        seen = list(self._queue)
        self._queue.clear()
        for opened in self._sockets.values():
            opened.waiting = 0
        return seen

    def drops(self) -> dict[int, int]:
        """As Station.drops."""
        return {each.handle: each.drops for each in self._sockets.values() if each.kind in ("tap", "raw")}

    # What the host hands over

    @property
    def taps(self) -> bool:
        """Whether anybody taps."""
        return any(each.kind == "tap" for each in self._sockets.values())

    def tapped(self, data: bytes, kind: int, interface: str) -> None:
        """A packet passes the interface."""
        for opened in self._sockets.values():
            if opened.kind == "tap" and accepts(opened.program, data):
                self._see(opened, kind, data, "", interface)

    def delivered(self, packet: Packet) -> bool:
        """Give a packet to the raw sockets of its number; whether there was one."""
        listened = False
        for opened in list(self._sockets.values()):
            if opened.kind == "raw" and opened.protocol == packet.protocol:
                listened = True
                data = packet.data
                if accepts(opened.program, data):
                    self._see(opened, -1, data, packet.source, "")
        return listened

    def datagram_for(self, packet: Packet, port: int) -> bool:
        """Give a datagram to the UDP socket of its port; whether there was one."""
        for opened in self._sockets.values():
            if opened.kind == "datagram" and opened.port == port:
                if not opened.program or accepts(opened.program, packet.payload):
                    self._see(opened, -1, packet.payload[8:], packet.source, "")
                return True
        return False

    def refuse(self, protocol: int) -> None:
        """Count a policy's refusal as a drop, as raw_rcv() does (net/ipv4/raw.c)."""
        for opened in self._sockets.values():
            if opened.kind == "raw" and opened.protocol == protocol:
                opened.drops += 1

    def _see(self, opened: Socket, kind: int, data: bytes, address: str, interface: str) -> None:
        if opened.waiting >= opened.room:
            opened.drops += 1
            return
        opened.waiting += 1
        now = self.host.network.clock.time_ns()
        self._queue.append((opened.handle, now, kind, data, address, interface))

    @property
    def _next(self) -> int:
        return len(self._sockets) + 1 if not self._sockets else max(self._sockets) + 1

    def _keep(self, opened: Socket) -> Socket:
        self._sockets[opened.handle] = opened
        return opened

    def _check(self, protocol: int) -> None:
        number = self.refusals.get(protocol)
        if number is None and protocol == 0:
            number = errno.EPROTONOSUPPORT
        if number is None and not 0 < protocol <= 262:
            number = errno.EINVAL
        if number is not None:
            raise OSError(number, os.strerror(number))


def _compiled(program: bytes | Iterable[tuple[int, int, int, int]]) -> tuple[tuple[int, int, int, int], ...]:
    return compiled(program if isinstance(program, bytes) else bpf.assemble(program))


def _from_bytes(data: bytes) -> Packet:
    parsed = parse_ipv4(data)
    assert parsed is not None, "a header of the sender's own is whole"
    return Packet(parsed.source, parsed.destination, parsed.protocol, parsed.payload, ttl=parsed.ttl)
