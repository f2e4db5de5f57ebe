"""The sockets of a latency experiment at one end, and the packets of each kind, made before the clock runs."""

from __future__ import annotations

import select
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pytest_hdp.judge.latency_result import AGAIN, HDP, RAW_UDP, UDP
from pytest_hdp.measure.ends import PathUnavailable, refusal
from pytest_hdp.measure.sending import sealed
from pytest_hdp.packet import carrier
from pytest_hdp.packet.ip import parse_ipv4
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.station import Station

if TYPE_CHECKING:
    from pytest_hdp.measure.ends import End
    from pytest_hdp.measure.path import OpenPath
    from pytest_hdp.vantage.station import Observation, Program

    Receive = Callable[[int, int], tuple[bytes, list[tuple[int, int, bytes]], int, object]]

UDP_NUMBER, TCP_NUMBER, ICMP_NUMBER = 17, 6, 1
NO_PORT = 0
DATAGRAMS = -1  # the key of the UDP socket, among protocol numbers
_TAG, _UDP_HEADER, _IP_HEADER = 12, 8, 20  # where the tag stands behind the IP header, and sizes
_INDEX = 8  # in the tag, behind the run id
_LARGEST = 1 << 16
_STAMP = struct.Struct("@ll")  # struct timespec, of SCM_TIMESTAMPNS
_STAMP_ROOM = socket.CMSG_SPACE(_STAMP.size)
BUFFER = 4 << 20  # bytes asked for, for what comes while the taps are read


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of packet. `wellformed`: a UDP datagram, to a UDP socket and from one; else HDP behind the IP header.

    `raw`: the datagram comes from a raw socket, as HDP does. What the kernel does for a UDP socket's packet only, after
    a tap has seen it leave, is 10 to 20 ns, and no difference of any network.
    """

    label: str
    protocol: int
    wellformed: bool = False
    raw: bool = False

    @property
    def socket_key(self) -> int:
        """Kinds of equal keys are sent from one socket."""
        return DATAGRAMS if self.wellformed and not self.raw else self.protocol


def kinds(protocol: int) -> tuple[Kind, ...]:
    """HDP under `protocol`, UDP, and HDP under the numbers that every box knows; then all of them again.

    Each twice, for what is sent more often finds its way through the kernel warmer.
    """
    others = (("TCP-numbered", TCP_NUMBER), ("ICMP-numbered", ICMP_NUMBER))
    once = [Kind(HDP, protocol), Kind(UDP, UDP_NUMBER, wellformed=True)]
    once += [Kind(RAW_UDP, UDP_NUMBER, wellformed=True, raw=True)]
    once += [Kind(label, number) for label, number in others if number != protocol]
    return (*once, *(replace(kind, label=kind.label + AGAIN) for kind in once))


class Sockets(Protocol):
    """What is asked of a station, near or far."""

    def listen(self, family: int, protocol: int, program: Program, buffer: int | None = None, address: str = "") -> int:
        """See `Station.listen`."""

    def datagram(
        self, address: str, port: int = 0, program: Program | None = None, buffer: int | None = None
    ) -> tuple[int, int]:
        """See `Station.datagram`."""

    def send(self, handle: int, data: bytes, address: str, port: int = 0) -> str | None:
        """See `Station.send`."""


class Post:
    """One end's sockets, one for each kind, which sends and listens.

    `apart`: in a station of their own beside the path's, so that looking for a packet reads no tap; only where the end
    is of this process. Else they are the end's station's, and what they see comes into `inbox`.
    Raises PathUnavailable if a socket is refused.
    """

    def __init__(self, path: OpenPath, end: End, wanted: tuple[Kind, ...], *, apart: bool) -> None:
        self.end = end
        self.inbox: deque[Observation] = deque()
        self.handles: dict[int, int] = {}
        self.port = NO_PORT
        self._path = path
        self._own: Station | None = None
        if apart:
            assert isinstance(end.station, Station), "only in this process"
            self._own = Station(end.station.factory)
        self.station: Sockets = self._own or end.station
        self._waiter = path.clock.waiter()
        self._receivers: dict[int, tuple[Receive, bool]] = {}
        try:
            for kind in wanted:
                if kind.socket_key not in self.handles:
                    handle = self.handles[kind.socket_key] = self._open(path, kind)
                    self._register(handle, kind)
        except OSError as error:
            self.close()
            raise PathUnavailable(f"latency under {kind.protocol} can't be measured: {refusal(error)}") from None

    def _open(self, path: OpenPath, kind: Kind) -> int:
        if kind.raw:
            return self.station.listen(socket.AF_INET, kind.protocol, bpf.drop_all())
        if kind.wellformed:
            program = bpf.matching_datagram(path.run_id, (_TAG,))
            address = getattr(self.end, "bind", None) or self.end.address
            handle, self.port = self.station.datagram(address, 0, program, BUFFER)
            return handle
        return self.station.listen(socket.AF_INET, kind.protocol, bpf.matching(path.run_id, (_TAG,)), BUFFER)

    def _register(self, handle: int, kind: Kind) -> None:
        if self._own is None:
            self._path.deliver_to(self.end, handle, self.inbox)
            return
        opened = self._own.opened(handle)
        self._receivers[opened.fileno()] = opened.recvmsg, kind.wellformed
        self._waiter.register(opened.fileno(), select.EPOLLIN)

    def order(self, handle: int, data: bytes, address: str, port: int) -> None:
        """Send a packet; from a far host without waiting until it says that it has."""
        later = getattr(self.station, "send_later", None)
        if later is None:
            self.station.send(handle, data, address, port)
        else:
            later(handle, data, address, port, Ordered())

    def receive(self, timeout: float, file: Callable[[int, bytes, bool, int], object]) -> None:
        """Wait for packets, and hand on each: kernel's time, bytes, whether of the UDP socket, time of the call's end.

        Only where the sockets are apart. One recvmsg(2) brings one packet, as in any program.
        """
        for descriptor, _ in self._waiter.poll(timeout):
            receive, datagram = self._receivers[descriptor]
            try:
                data, ancillary, _, _ = receive(_LARGEST, _STAMP_ROOM)
            except OSError:
                continue  # taken meanwhile, or an ICMP error about what was sent from here
            now = self._path.clock.time_ns()
            seconds, nanoseconds = _STAMP.unpack(ancillary[0][2]) if ancillary else divmod(now, 1_000_000_000)
            file(seconds * 1_000_000_000 + nanoseconds, data, datagram, now)

    def close(self) -> None:
        """Close the sockets."""
        self._waiter.close()
        if self._own is not None:
            self._own.close()
            return
        for handle in self.handles.values():
            self._path.forget(self.end, handle)
        self.handles.clear()


@dataclass(slots=True)
class Ordered:
    """What a far station tells of a packet that was ordered from it."""

    errno: str | None = None
    sent_at: int = 0


class Ends:
    """Both posts of a path, and under which addresses they reach each other."""

    def __init__(self, path: OpenPath, wanted: tuple[Kind, ...], *, apart: bool) -> None:
        if path.far is None:
            raise ValueError("a latency needs eyes at the far end: give --hdp-agent")
        self.path = path
        self.kinds = wanted
        self.near = Post(path, path.near, wanted, apart=apart)
        try:
            self.far = self.near if path.far is path.near else Post(path, path.far, wanted, apart=apart)
        except BaseException:
            self.near.close()
            raise
        self._seen_from: tuple[str, int] | None = None

    def close(self) -> None:
        """Close the sockets at both ends."""
        self.near.close()
        if self.far is not self.near:
            self.far.close()

    def sending(self, kind: Kind, sender: Post) -> tuple[int, str, int]:
        """How `sender` reaches the other one: handle, address, port. In reverse that is what a NAT made of `near`.

        For all kinds that is where UDP came from, as for the control: an agent sends to one address and no other.
        """
        handle = sender.handles[kind.socket_key]
        if sender is self.near:
            address, port = self.path.name.target, self.far.port
        else:
            address, port = self._seen_from or (self.path.near.address, self.near.port)
        return handle, address, NO_PORT if kind.socket_key != DATAGRAMS else port

    def wire(self, packets: Packets, sender: Post) -> list[bytes]:
        """What the sockets of `sender` are given to send, by position: a raw one adds no UDP header."""
        width, data = len(self.kinds), list(packets.data)
        for number, kind in enumerate(self.kinds):
            if not kind.raw:
                continue
            _, address, _ = self.sending(kind, sender)
            port = self.far.port if sender is self.near else self._seen_from[1] if self._seen_from else self.near.port
            for position in range(number, len(data), width):
                data[position] = _datagram(data[position], (sender.end.address, sender.port), (address, port))
        return data

    @property
    def met(self) -> bool:
        """Whether it is known who the near end is for the far end."""
        return self._seen_from is not None

    def learn(self, packets: Packets, data: bytes) -> None:
        """Learn from one of these that arrived at the far end's tap, byte for byte, who the near end is there.

        Only what is confirmed by other packets before (`meeting.py`): all that these are for is their times.
        """
        if self.met or data[9:10] != bytes([UDP_NUMBER]) or packets.position(data, datagram=False) is None:
            return
        packet = parse_ipv4(data)
        if packet is None or not self.path.confirmed.free(packet.source):
            return
        if int.from_bytes(packet.payload[2:4], "big") == self.far.port:
            self._seen_from = packet.source, int.from_bytes(packet.payload[:2], "big")


def _datagram(payload: bytes, source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """UDP header and payload, with the checksum that a UDP socket's datagram has on the wire."""
    wrapped = carrier.wrap(
        UDP_NUMBER,
        payload,
        source=source[0],
        destination=destination[0],
        source_port=source[1],
        destination_port=destination[1],
    )
    assert wrapped is not None, "UDP has a carrier"
    return wrapped


class Packets:
    """The packets of all kinds and rounds, by position: round * kinds + kind. Prebuilt, since a tag takes 3 us.

    A datagram's UDP header takes the place of the first 8 bytes of HDP's 12. So all packets are of one size, and their
    tags stand at one offset: the filters of our own taps, which run between the two timestamps, cost the same for each.
    """

    def __init__(self, path: OpenPath, wanted: tuple[Kind, ...], rounds: int, content: bytes) -> None:
        self.first = path.next_index()
        self.data: list[bytes] = []
        now = path.clock.time_ns()
        for number in range(rounds * len(wanted)):
            kind = wanted[number % len(wanted)]
            index = self.first if not number else path.next_index()
            whole = sealed(path, kind.protocol, index, content, now)
            self.data.append(whole[_UDP_HEADER:] if kind.wellformed else whole)
        self.size = _IP_HEADER + len(self.data[0])

    def position(self, data: bytes, *, datagram: bool) -> int | None:
        """Which packet these bytes are, as a UDP socket (`datagram`), a raw socket or a tap hands them over.

        None for a stranger's, and for one whose bytes were changed behind the IP or UDP header.
        """
        header = 0 if datagram else (data[0] & 15) * 4 if data else 0
        skipped = _UDP_HEADER if datagram else 0
        at = header + _TAG + _INDEX - skipped
        number = int.from_bytes(data[at : at + 4], "big") - self.first
        if not 0 <= number < len(self.data):
            return None
        sent = self.data[number]
        behind = header + _UDP_HEADER  # of a datagram that a raw socket or a tap saw
        whole = data[header:] == sent or (not datagram and data[9] == UDP_NUMBER and data[behind:] == sent)
        return number if whole else None
