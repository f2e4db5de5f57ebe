"""A pytest_hdp.vantage.station.Station whose sockets are those of a simulated host."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_hdp.packet.view import view
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.receiving import Observation, Overflow
from sim.bpf import Filter, compiled
from sim.host import ROOM, udp
from sim.packet import UDP, Packet

if TYPE_CHECKING:
    from sim.host import Host

SENDING = 2_000  # ns that one sendto(2) takes
ANY = ("0.0.0.0", "::")
TAKEN = 832  # bytes of a receive buffer that a small packet takes: FACTS 5


@dataclass(slots=True)
class Socket:
    """One open socket. `kind`: "tap", "raw", "datagram" or "sender"."""

    handle: int
    kind: str
    protocol: int = 0
    accepts: Filter | None = None
    address: str = ""
    port: int = 0
    interface: str | None = None
    room: int = ROOM
    ttl: int = 64
    drops: int = 0
    refused: int = 0
    waiting: int = 0
    header: bool = False
    overflow: Overflow = field(default_factory=lambda: Overflow(certain=False))


@dataclass(slots=True)
class SimStation:
    """Sockets under small handles, at one host. `tap_room`, `room`: packets that a receive buffer holds.

    `refusals`: errnos of socket(), by number; `ahead`: ns by which its stamps are ahead of the clock. `waiting`: called
    with each thing that there is to read; who has that needs no time to send or to look.
    """

    host: Host
    _sockets: dict[int, Socket] = field(default_factory=dict)
    _queue: deque[Observation] = field(default_factory=deque)
    _source: str = ""
    _descriptor: int = -1
    refusals: dict[int, int] = field(default_factory=dict)
    tap_room: int = 1 << 16
    room: int = ROOM
    ahead: int = 0
    _taps: list[Socket] = field(default_factory=list)
    _raw: dict[int, list[Socket]] = field(default_factory=dict)
    _datagrams: list[Socket] = field(default_factory=list)
    _opened: int = 0
    waiting: Callable[[], None] | None = None

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
        for handle in list(self._sockets):
            self.discard(handle)
        self._queue.clear()

    def discard(self, handle: int) -> None:
        """Close one socket."""
        opened = self._sockets.pop(handle)
        group = self._group(opened)
        if group is not None:
            group.remove(opened)

    def open_ahead(self, family: int, kind: int, protocols: Sequence[int]) -> None:
        """Nothing: it costs nothing here."""

    def tap(self, interface: str | None, program: Any, buffer: int | None = None) -> int:
        """As Station.tap."""
        return self._keep(
            Socket(
                self._next, "tap", 0, _compiled(program), interface=interface, room=self.tap_room,
                overflow=Overflow(certain=True),
            )
        ).handle  # fmt: skip

    def listen(self, family: int, protocol: int, program: Any, buffer: int | None = None, address: str = "") -> int:
        """As Station.listen."""
        self._check(protocol)
        room = self.room if buffer is None else max(1, buffer // 832)
        return self._keep(Socket(self._next, "raw", protocol, _compiled(program), room=room)).handle

    def sender(self, family: int, protocol: int, header_included: bool = False) -> int:
        """As Station.sender."""
        self._check(protocol)
        return self._keep(Socket(self._next, "sender", protocol, header=header_included)).handle

    def sender_of_zero(self, family: int = 2) -> int:
        """As Station.sender_of_zero."""
        return self._keep(Socket(self._next, "sender", 0)).handle

    def datagram(self, address: str, port: int = 0, program: Any = None, buffer: int | None = None) -> tuple[int, int]:
        """As Station.datagram."""
        if address not in (*self.host.addresses, *ANY):
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        handle = self._next
        port = port or 40_000 + handle
        opened = self._keep(
            Socket(
                handle, "datagram", UDP, _compiled(program) if program is not None else None, address, port, room=4096
            )
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

    def route(self, target: str, protocol: int | None = None) -> tuple[str, str, int]:
        """As Station.route."""
        return self.host.address, self.host.interface, 1500

    def send(self, handle: int, data: bytes, address: str, port: int = 0, label: int = 0) -> str | None:
        """As Station.send."""
        if self.waiting is None:
            self.host.network.clock.spend(SENDING)
        opened = self._sockets[handle]
        source = self._source or (opened.address if opened.address not in ("", *ANY) else self.host.address)
        if opened.header:
            packet = _from_bytes(data)
        else:
            payload = udp(opened.port, port, data) if opened.kind == "datagram" else data
            packet = Packet(source, address, opened.protocol & 255, payload, ttl=opened.ttl)
        return self.host.send(packet)

    def poll(self, timeout: float) -> list[Observation]:
        """As Station.poll."""
        if self.waiting is None:
            self.host.network.clock.wait(timeout, self.readable)
        if not self._queue:
            return []
        seen = list(self._queue)
        self._queue.clear()
        for handle in {observation[0] for observation in seen} & self._sockets.keys():
            opened = self._sockets[handle]
            opened.overflow.read(opened.waiting, opened.waiting * TAKEN)
            opened.waiting = 0
        return seen

    def drops(self) -> dict[int, int]:
        """As Station.drops."""
        return {
            each.handle: each.overflow.total(each.waiting * TAKEN, each.room * TAKEN, each.drops)
            for each in self._sockets.values()
            if each.kind in ("tap", "raw")
        }

    # What the host hands over

    def tapped(self, data: bytes, kind: int, interface: str) -> None:
        """A packet passes an interface."""
        for opened in self._taps:
            if opened.interface in (None, interface) and opened.accepts(data):  # type: ignore[misc]
                self._see(opened, kind, data, "", interface)

    def delivered(self, packet: Packet) -> bool:
        """Give a packet to the raw sockets of its number; whether there was one."""
        listening = self._raw.get(packet.protocol)
        if not listening:
            return False
        data = packet.data
        seen = data[packet.header :] if packet.six else data  # raw IPv6 sockets get no header, nor do their filters
        for opened in listening:
            if opened.accepts(seen):  # type: ignore[misc]
                self._see(opened, -1, data, packet.source, "")
        return True

    def datagram_for(self, packet: Packet, port: int) -> bool:
        """Give a datagram to the socket of its port; whether there was one."""
        for opened in self._datagrams:
            if opened.port == port and opened.address in (packet.destination, *ANY):
                if opened.accepts is None or opened.accepts(packet.payload):
                    self._see(opened, -1, packet.payload[8:], packet.source, "")
                return True
        return False

    def tell(self, handle: int, time: int, kind: int, data: bytes, address: str) -> None:
        """Tell something that no socket saw."""
        self._tell((handle, time, kind, data, address, ""))

    def refuse(self, protocol: int) -> None:
        """Count a policy's refusal as a drop, as raw_rcv() does (net/ipv4/raw.c)."""
        for opened in self._raw.get(protocol, ()):
            opened.drops += 1
            opened.refused += 1

    def _see(self, opened: Socket, kind: int, data: bytes, address: str, interface: str) -> None:
        if opened.waiting >= opened.room:
            opened.drops += 1
            return
        opened.waiting += 1
        stamp = self.host.network.clock.time_ns() + self.ahead
        self._tell((opened.handle, stamp, kind, data, address, interface))

    def _tell(self, observation: Observation) -> None:
        self.host.network.clock.told += 1
        self._queue.append(observation)
        if self.waiting is not None:
            self.waiting()

    @property
    def overflowed(self) -> bool:
        """Whether any socket here ever dropped a packet for want of room."""
        return any(each.drops > each.refused for each in self._sockets.values())

    @property
    def _next(self) -> int:
        self._opened += 1
        return self._opened

    def _keep(self, opened: Socket) -> Socket:
        self._sockets[opened.handle] = opened
        group = self._group(opened)
        if group is not None:
            group.append(opened)
        return opened

    def _group(self, opened: Socket) -> list[Socket] | None:
        if opened.kind == "raw":
            return self._raw.setdefault(opened.protocol, [])
        return {"tap": self._taps, "datagram": self._datagrams}.get(opened.kind)

    def refused(self, protocol: int) -> int:
        """The errno of socket(), or 0."""
        if protocol in self.refusals:
            return self.refusals[protocol]
        if protocol == 0:
            return errno.EPROTONOSUPPORT
        return 0 if 0 < protocol <= 262 else errno.EINVAL

    def _check(self, protocol: int) -> None:
        number = self.refused(protocol)
        if number:
            raise OSError(number, os.strerror(number))


def _compiled(program: bytes | Iterable[tuple[int, int, int, int]]) -> Filter:
    return compiled(program if isinstance(program, bytes) else bpf.assemble(program))


def _from_bytes(data: bytes) -> Packet:
    parsed = view(data)
    assert parsed is not None, "a header of the sender's own is whole"
    return Packet(parsed.source, parsed.destination, parsed.protocol, parsed.payload, ttl=parsed.hop_limit)
