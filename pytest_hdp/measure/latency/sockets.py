"""The kinds of packets that a latency experiment compares, and their sockets at both ends."""

from __future__ import annotations

import random
import select
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pytest_hdp.judge.latency.result import AGAIN, HDP, RAW_UDP, UDP
from pytest_hdp.measure.latency.packets import TAG, UDP_NUMBER, datagram
from pytest_hdp.measure.path.endpoints import PathUnavailable, refusal
from pytest_hdp.packet.family import IPV6
from pytest_hdp.packet.view import view
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.rtnetlink import is_link_local
from pytest_hdp.vantage.station import Station

if TYPE_CHECKING:
    from pytest_hdp.measure.latency.packets import Packets
    from pytest_hdp.measure.path.endpoints import Endpoint
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.packet.family import Family
    from pytest_hdp.vantage.receiving import Observation
    from pytest_hdp.vantage.sockets import Program

    Receive = Callable[[int, int], tuple[bytes, list[tuple[int, int, bytes]], int, object]]

TCP_NUMBER, NO_PORT = 6, 0
DATAGRAMS, RAW_DATAGRAMS = -1, -2  # the keys of the UDP sockets, among protocol numbers
_LARGEST = 1 << 16
_STAMP = struct.Struct("@ll")  # struct timespec, of SCM_TIMESTAMPNS
_STAMP_ROOM = socket.CMSG_SPACE(_STAMP.size)
FLOWS = 16  # of two equal ways all take the same one in 1 of 32,768 runs
LABELS = tuple(random.Random(0).sample(range(1, 1 << 20), FLOWS))  # of flows; 0 is none (RFC 6437)
NO_LABEL = 0
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
        """Kinds of equal keys, which are a kind and itself again, share their sockets."""
        if not self.wellformed:
            return self.protocol
        return RAW_DATAGRAMS if self.raw else DATAGRAMS


def kinds(protocol: int, family: Family) -> tuple[Kind, ...]:
    """HDP under `protocol`, UDP, and HDP under the numbers that every box knows; then all of them again.

    Each twice, for what is sent more often finds its way through the kernel warmer.
    """
    others = (("TCP-numbered", TCP_NUMBER), ("ICMP-numbered", family.icmp))
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

    def send(self, handle: int, data: bytes, address: str, port: int = 0, label: int = 0) -> str | None:
        """See `Station.send`."""


class LatencySockets:
    """One end's sockets, which send and listen: each kind has its own, and of UDP's one for each flow.

    `apart`: in a station of their own beside the path's, so that looking for a packet reads no tap; only where the end
    is of this process. Else they are the end's station's, and what they see comes into `inbox`. `flows`: source ports.
    Raises PathUnavailable if a socket is refused.
    """

    def __init__(self, path: OpenPath, end: Endpoint, wanted: tuple[Kind, ...], *, apart: bool, flows: int) -> None:
        self.end = end
        self.inbox: deque[Observation] = deque()
        self.raw: dict[int, int] = {}  # by key: the raw socket's handle
        self.datagrams: dict[int, list[tuple[int, int]]] = {}  # by key, then flow: a UDP socket's handle, and its port
        self._path = path
        self._own: Station | None = None
        if apart:
            assert isinstance(end.station, Station), "only in this process"
            self._own = Station(end.station.factory)
        self.station: Sockets = self._own or end.station
        self._waiter = path.clock.waiter()
        self.receivers: dict[int, tuple[Receive, int]] = {}
        self._chance = random.Random(0)
        self._of_datagrams: set[int] = set()
        try:
            if self._own is not None and end.bind is None and not _by_itself(path, end):
                self._own.send_from(end.zoned)
            for kind in {kind.socket_key: kind for kind in wanted}.values():
                self._open(kind, flows)
        except OSError as error:
            self.close()
            raise PathUnavailable(f"latency under {kind.protocol} can't be measured: {refusal(error)}") from None

    def _open(self, kind: Kind, flows: int) -> None:
        run_id, key = self._path.run_id, kind.socket_key
        if not kind.wellformed:
            program = bpf.matching(run_id, (TAG,), family=self._path.family, tap=False)
            self.raw[key] = handle = self.station.listen(
                self._path.family.socket_family, kind.protocol, program, BUFFER
            )
            self._register(handle, key)
            return
        if kind.raw:
            self.raw[key] = handle = self.station.listen(self._path.family.socket_family, kind.protocol, bpf.drop_all())
            self._register(handle, key)  # a sending socket that epoll(7) watches costs 50 ns more, after the tap
        address = self.end.bind or self.end.address
        opened = self.datagrams[key] = []
        for _ in range(flows):
            opened.append(self.station.datagram(address, 0, bpf.matching_datagram(run_id, (TAG,)), BUFFER))
            self._of_datagrams.add(opened[-1][0])
            self._register(opened[-1][0], key)

    def _register(self, handle: int, key: int) -> None:
        if self._own is None:
            self._path.deliver_to(self.end, handle, self.inbox)
            return
        opened = self._own.opened(handle)
        self.receivers[opened.fileno()] = opened.recvmsg, key
        self._waiter.register(opened.fileno(), select.EPOLLIN)

    def is_datagram(self, handle: int) -> bool:
        """Whether what this socket hands over begins behind the UDP header."""
        return handle in self._of_datagrams

    def order(self, handle: int, data: bytes, address: str, port: int, label: int) -> None:
        """Send a packet; from a far host without waiting until it says that it has."""
        later = getattr(self.station, "send_later", None)
        if later is None:
            self.station.send(handle, data, address, port, label)
        else:
            later(handle, data, address, port, Ordered(), label)

    def receive(self, timeout: float, file: Callable[[int, bytes, bool, int], object]) -> None:
        """Wait for packets, and hand on each: kernel's time, bytes, whether of a UDP socket, time of the call's end.

        Only where the sockets are apart. One recvmsg(2) brings one packet, as in any program. Where several wait, one
        of each kind is read, in an order that is drawn; of the sockets of its flows that which waits longest.
        """
        ready = [self.receivers[descriptor] for descriptor, _ in self._waiter.poll(timeout)]
        if len(ready) > 1:  # epoll(7) tells first which became ready first
            ready = [(receive, key) for key, receive in {key: receive for receive, key in reversed(ready)}.items()]
            self._chance.shuffle(ready)
        for receive, key in ready:
            try:
                data, ancillary, _, _ = receive(_LARGEST, _STAMP_ROOM)
            except OSError:
                continue  # taken meanwhile, or an ICMP error about what was sent from here
            now = self._path.clock.time_ns()
            seconds, nanoseconds = _STAMP.unpack(ancillary[0][2]) if ancillary else divmod(now, 1_000_000_000)
            file(seconds * 1_000_000_000 + nanoseconds, data, key < 0, now)

    def close(self) -> None:
        """Close the sockets."""
        self._waiter.close()
        if self._own is not None:
            self._own.close()
            return
        for handle in (*self.raw.values(), *(handle for each in self.datagrams.values() for handle, _ in each)):
            self._path.forget(self.end, handle)
        self.raw.clear()
        self.datagrams.clear()


def _by_itself(path: OpenPath, end: Endpoint) -> bool:
    """Whether its kernel sends from this address of its own accord; to be told so costs each packet a little."""
    if is_link_local(end.address):
        return False
    if end is path.near:
        return True
    try:
        return end.station.route(path.near.address)[0] == end.address
    except OSError:
        return False


@dataclass(slots=True)
class Ordered:
    """What a far station tells of a packet that was ordered from it."""

    errno: str | None = None
    sent_at: int = 0


class LatencyEnds:
    """The sockets of both ends of a path, and under which addresses they reach each other.

    `flows`: of each kind that has ports; `labelled`: of every kind, since IPv6 has a label for each.
    """

    def __init__(self, path: OpenPath, wanted: tuple[Kind, ...], *, apart: bool) -> None:
        if path.far is None:
            raise ValueError("a latency needs an agent at the far end: give --hdp-agent")
        self.path = path
        self.kinds = wanted
        self.flows = FLOWS if path.routed else 1
        self.labelled = self.flows > 1 and path.family is IPV6
        self.near = LatencySockets(path, path.near, wanted, apart=apart, flows=self.flows)
        try:
            same = path.far is path.near
            self.far = self.near if same else LatencySockets(path, path.far, wanted, apart=apart, flows=1)
        except BaseException:
            self.near.close()
            raise
        self._seen_from: dict[tuple[int, int], tuple[str, int]] = {}
        self._seen_address: str | None = None

    def close(self) -> None:
        """Close the sockets at both ends."""
        self.near.close()
        if self.far is not self.near:
            self.far.close()

    def sending(self, kind: Kind, flow: int, sender: LatencySockets) -> tuple[int, str, int, int]:
        """How `sender` reaches the other one: handle, address, port, label. In reverse: what a NAT made of `near`.

        For all kinds that is where UDP came from, as for the control: an agent sends to one address and no other.
        """
        address, port = self._target(kind, flow, sender)
        label = LABELS[flow] if self.labelled else NO_LABEL
        if kind.socket_key in sender.raw:
            return sender.raw[kind.socket_key], address, NO_PORT, label
        opened = sender.datagrams[kind.socket_key]
        return opened[flow % len(opened)][0], address, port, label

    def _target(self, kind: Kind, flow: int, sender: LatencySockets) -> tuple[str, int]:
        receiver = self.far if sender is self.near else self.near
        opened = receiver.datagrams.get(kind.socket_key)
        port = opened[flow % len(opened)][1] if opened else NO_PORT
        if sender is self.near:
            return self.path.name.target, port
        address = self._seen_address or self.path.near.address
        return self._seen_from.get((kind.socket_key, flow), (address, port)) if opened else (address, port)

    def to_send(self, packets: Packets, kind: Kind, flow: int, sender: LatencySockets) -> dict[int, bytes]:
        """What the socket of `sender` is given to send of a kind in a flow, by position: a raw one adds no header."""
        rounds = [number for number, each in enumerate(packets.flows) if each == flow]
        width = len(self.kinds)
        positions = [number * width + column for column in self._columns(kind) for number in rounds]
        if not kind.raw:
            return {position: packets.data[position] for position in positions}
        opened = sender.datagrams[kind.socket_key]
        source = sender.end.address, opened[flow % len(opened)][1]
        target = self._target(kind, flow, sender)
        return {position: datagram(packets.data[position], source, target) for position in positions}

    def _columns(self, kind: Kind) -> list[int]:
        """A kind, and itself again."""
        return [number for number, each in enumerate(self.kinds) if each.socket_key == kind.socket_key]

    def met(self, kind: Kind, flow: int) -> bool:
        """Whether it is known who the near end is for the far end."""
        return (kind.socket_key, flow) in self._seen_from if kind.wellformed else self._seen_address is not None

    def learn(self, packets: Packets, data: bytes) -> None:
        """Learn from one of these that arrived at the far end's tap, byte for byte, who the near end is there.

        Only what is confirmed by other packets before (`meeting.py`): all that these are for is their times.
        """
        packet = view(data)
        if packet is None or packet.protocol != UDP_NUMBER:
            return
        if (position := packets.position(data, datagram=False)) is None:
            return
        kind = self.kinds[position % len(self.kinds)]
        key = kind.socket_key, packets.flows[position // len(self.kinds)]
        if not kind.wellformed or key in self._seen_from or not self.path.confirmed.free(packet.source):
            return
        if int.from_bytes(packet.payload[2:4], "big") == self.far.datagrams[kind.socket_key][0][1]:
            self._seen_from[key] = packet.source, int.from_bytes(packet.payload[:2], "big")
            self._seen_address = packet.source
