"""Packets sent and seen with plain sockets, so that a lab's truth is shown without the project's own measurement."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pytest

from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.lab.wires import BurstLoss, Loss
from pytest_hdp.packet.carrier import wrap
from pytest_hdp.packet.checksums import checksum, pseudo_header

MARK = b"lab-test"
START = 1_790_000_000_000_000_000
FILLER = bytes(range(16))
OUTGOING = 4
ETH_P_ALL = 3
ETHERTYPES = {4: 0x0800, 6: 0x86DD}
ICMP = {4: 1, 6: 58}
ECHO = {4: (8, 0), 6: (128, 129)}
ERRORS = {4: (3, 11), 6: (1, 2, 3, 4)}
INSIDE = 253
EXTENSIONS = {
    0: bytes([INSIDE, 0, 1, 4, 0, 0, 0, 0]),
    43: bytes([INSIDE, 0, 253, 0, 0, 0, 0, 0]),
    44: bytes([INSIDE, 0, 0, 0, 0, 1, 2, 3]),
    60: bytes([INSIDE, 0, 1, 4, 0, 0, 0, 0]),
}
"""Well-formed headers of IPv6 of eight bytes: options that say nothing, a route that has been gone, all of a packet."""
IPV4_ALONE = {1, 2, 55}
IPV6_CHECKSUM = 7
ECHO_ID = 0x4C41
CHUNK = 60
BEFORE_OVERFLOW = 80  # packets: a socket that may not ask for more room holds 256 small ones
PATIENCE = 20.0


@dataclass
class Seen:
    """What became of the packets of one number. `heard`: a socket can listen to it."""

    errnos: list[str] = field(default_factory=list)
    left: list[bytes] = field(default_factory=list)
    arrived: list[bytes] = field(default_factory=list)
    delivered: list[bytes] = field(default_factory=list)
    icmp: list[tuple[str, int, int]] = field(default_factory=list)
    heard: bool = True

    @property
    def sources(self) -> set[str]:
        return {source_of(packet) for packet in self.arrived}


class Direct:
    """Sends and sees at both ends of a lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.version = lab.spec.ip_version
        self.family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        self.taps = {node: self._tap(node) for node in (lab.client, lab.target)}
        self.echo = lab.socket_factory(lab.client)(self.family, socket.SOCK_RAW, ICMP[self.version])
        self.echoes = 0
        self.receiver = lab.target
        self.seen: dict[int, Seen] = {}
        self.quotes: list[bytes] = []
        self._answered: list[int] = []
        loses = any(isinstance(box, Loss | BurstLoss) for box in lab.boxes)
        self.retry = 0.02 if loses else 0.3  # seconds until an echo is taken for lost

    def close(self) -> None:
        for opened in (*self.taps.values(), self.echo):
            opened.close()
        self.lab.close()

    def exchange(
        self,
        numbers: Iterable[int],
        direction: Direction = Direction.FORWARD,
        form: Form = Form.BARE,
        count: int = 3,
        *,
        sender: str | None = None,
        ttl: int = 64,
        tos: int = 0,
        size: int = 0,
        awaited: Callable[[int], int] = lambda _: 0,
    ) -> dict[int, Seen]:
        """Send `count` packets of each number, and return what was seen of them once the path is quiet.

        `awaited`: how many of a number are waited for, a second at most: some boxes hold packets back.
        """
        forward = direction is Direction.FORWARD
        node = sender or (self.lab.client if forward else self.lab.target)
        receiver = self.lab.target if forward else self.lab.client
        second = self.lab.layout.second_link
        source = (
            second.left.address
            if sender and second
            else self.lab.client_address
            if forward
            else self.lab.target_address
        )
        destination = self.lab.target_address if forward else self.lab.outside_address
        wanted = list(numbers)
        self.seen = {number: Seen(heard=number > 0) for number in wanted}
        self.receiver = receiver
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            listeners = {number: self._raw(receiver, number) for number in chunk if number}
            for number in chunk:
                self._send(node, number, form, (source, destination), count, ttl, tos, size)
            self.settle()
            self._await({number: awaited(number) for number in chunk})
            for number, opened in listeners.items():
                with opened:
                    self.seen[number].delivered += [each for each in _queued(opened) if self._of(number, each)]
        return self.seen

    def _of(self, number: int, data: bytes) -> bool:
        """Whether what a socket got is a probe of this number: over IPv6 it gets no header."""
        if self.version == 4:
            return is_probe(data)
        return MARK in data and number_in(data) == number and (number != 58 or data.index(MARK) < 40)

    def _await(self, wanted: dict[int, int]) -> None:
        deadline = time.monotonic() + 1
        while any(len(self.seen[number].arrived) < least for number, least in wanted.items()):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            select.select(list(self.taps.values()), (), (), left)
            self._read()
        self.settle()

    def settle(self) -> None:
        """Wait until an echo has gone to the target and come back behind all else, reading the taps meanwhile."""
        self.echoes += 1
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            request = struct.pack(
                "!BBHHH", ECHO[self.version][0], 0, 0, ECHO_ID, self.echoes
            )  # over IPv6 it is summed up
            checked = 0xFFFF - sum(struct.unpack("!4H", request)) % 0xFFFF
            self.echo.sendto(request[:2] + struct.pack("!H", checked) + request[4:], (self.lab.target_address, 0))
            until = time.monotonic() + self.retry
            while (left := until - time.monotonic()) > 0:
                select.select(list(self.taps.values()), (), (), left)
                if self._read():
                    return
        raise AssertionError("the path is gone: no echo came back")

    def _read(self) -> bool:
        """Sort what the taps saw; whether the awaited echo came back."""
        back = False
        for node, tap in self.taps.items():
            for packet, kind in _tapped(tap):
                protocol, payload = protocol_of(packet), packet[header_of(packet) :]
                if node == self.lab.client and kind != OUTGOING:
                    self._answered.append(protocol)
                asked = number_in(packet) if self.version == 6 and MARK in packet else protocol
                if (
                    protocol == ICMP[self.version]
                    and payload[:2] == bytes([ECHO[self.version][1], 0])
                    and payload[4:8] == struct.pack("!HH", ECHO_ID, self.echoes)
                ):
                    back |= node == self.lab.client
                elif is_error(packet) and kind != OUTGOING:
                    self._note_icmp(packet, payload)
                elif is_probe(packet) and kind == OUTGOING and node != self.receiver and asked in self.seen:
                    self.seen[asked].left.append(packet)
                elif is_probe(packet) and kind != OUTGOING and node == self.receiver and asked in self.seen:
                    self.seen[asked].arrived.append(packet)
        return back

    def replies(self, protocol: int) -> int:
        """How many packets of this number came to the client."""
        return self._answered.count(protocol)

    def _note_icmp(self, packet: bytes, payload: bytes) -> None:
        self.quotes.append(payload[8:])
        quoted = payload[8 + 9] if len(payload) > 17 else -1
        if self.version == 6:
            quoted = number_in(payload) if MARK in payload and names_itself(payload) else -1
        if quoted in self.seen:
            self.seen[quoted].icmp.append((source_of(packet), payload[0], payload[1]))

    def _send(
        self, node: str, number: int, form: Form, ends: tuple[str, str], count: int, ttl: int, tos: int, size: int
    ) -> None:
        if self.version == 6:
            self._send6(node, number, form, ends, count, ttl, tos, size)
            return
        with self._raw(node, number or socket.IPPROTO_RAW) as opened:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, int(not number))
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
            for sequence in range(count):
                payload = content(number, sequence, form, ends, size)
                if not number:  # no socket gives it its header
                    header = struct.pack(
                        "!BBHHHBBH4s4s", 0x45, tos, 0, 0, 0, ttl, 0, 0, bytes(4), socket.inet_aton(ends[1])
                    )
                    payload = header + payload
                try:
                    opened.sendto(payload, (ends[1], 0))
                except OSError as error:
                    self.seen[number].errnos.append(errno.errorcode[error.errno])
                if sequence % BEFORE_OVERFLOW == BEFORE_OVERFLOW - 1:
                    self.settle()
            self._read()

    def _send6(
        self, node: str, number: int, form: Form, ends: tuple[str, str], count: int, ttl: int, tos: int, size: int
    ) -> None:
        """Send with a header of our own, which the kernel leaves as it is, payload and all, and 0 goes too."""
        with self.lab.socket_factory(node)(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as opened:
            for sequence in range(count):
                payload = content(number, sequence, form, ends, size)
                header = struct.pack("!IHBB", 6 << 28 | tos << 20, len(payload), number, ttl)
                header += b"".join(socket.inet_pton(socket.AF_INET6, each) for each in ends)
                try:
                    opened.sendto(header + payload, (ends[1], 0))
                except OSError as error:
                    self.seen[number].errnos.append(errno.errorcode[error.errno])
                if sequence % BEFORE_OVERFLOW == BEFORE_OVERFLOW - 1:
                    self.settle()
            self._read()

    def _raw(self, node: str, number: int) -> socket.socket:
        opened = self.lab.socket_factory(node)(self.family, socket.SOCK_RAW, number)
        if self.version == 6 and number in (58, 135):  # else only what has a right checksum is handed over
            opened.setsockopt(socket.IPPROTO_RAW, IPV6_CHECKSUM, -1)
        return opened

    def _tap(self, node: str) -> socket.socket:
        opened = self.lab.socket_factory(node)(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        opened.bind(("eth0", ETH_P_ALL))
        return opened


def content(number: int, sequence: int, form: Form, ends: tuple[str, str], size: int = 0) -> bytes:
    """Return an IP payload as HDP sends it: ports, time, then a mark to find it by and some filler to be damaged."""
    sent = START + number * 1_000_000 + sequence  # not the clock's: netfilter's reject hangs on a sum of all bytes
    hdp = struct.pack("!HHQ", 420, 420, sent) + MARK + struct.pack("!HI", number, sequence) + FILLER
    hdp += bytes(max(0, size - 20 - len(hdp)))
    if form is Form.WELLFORMED:
        return wellformed(number, hdp, ends)
    return hdp


def wellformed(number: int, hdp: bytes, ends: tuple[str, str]) -> bytes:
    """Return HDP in what the number promises, if it promises anything over this version of IP."""
    if ":" not in ends[0]:
        return wrap(number, hdp, source=ends[0], destination=ends[1]) or hdp
    if number in EXTENSIONS:
        return EXTENSIONS[number] + hdp
    if number == 58:
        message = struct.pack("!BBHHH", 128, 0, 0, 420, 1) + hdp
        source, destination = (socket.inet_pton(socket.AF_INET6, each) for each in ends)
        summed = checksum(pseudo_header(source, destination, 58, len(message)) + message)
        return message[:2] + summed.to_bytes(2, "big") + message[4:]
    carried = None if number in IPV4_ALONE else wrap(number, hdp, source=ends[0], destination=ends[1])
    return hdp if carried is None else carried


def header_of(packet: bytes) -> int:
    return 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4


def protocol_of(packet: bytes) -> int:
    return packet[6] if packet[0] >> 4 == 6 else packet[9]


def source_of(packet: bytes) -> str:
    if packet[0] >> 4 == 6:
        return socket.inet_ntop(socket.AF_INET6, packet[8:24])
    return socket.inet_ntoa(packet[12:16])


def is_error(packet: bytes) -> bool:
    """Whether it is an ICMP error. HDP under 58 begins as one, and quotes nothing."""
    version, payload = packet[0] >> 4, packet[header_of(packet) :]
    if protocol_of(packet) != ICMP[version] or payload[0] not in ERRORS[version]:
        return False
    return version == 4 or MARK not in payload or payload.index(MARK) >= 8 + 40


def is_probe(packet: bytes) -> bool:
    """Whether this is one of our packets, and no ICMP error about one, nor the reply to an echo request."""
    if MARK not in packet or is_error(packet):
        return False
    version = packet[0] >> 4
    return protocol_of(packet) != ICMP[version] or packet[header_of(packet)] != ECHO[version][1]


def number_in(data: bytes) -> int:
    """Return the number that a packet says it was sent under."""
    return int(struct.unpack_from("!H", data, data.index(MARK) + len(MARK))[0])


def names_itself(data: bytes) -> bool:
    """Whether number and sequence are those that its time was made of: a forger damages bytes of what it quotes."""
    sent = struct.unpack_from("!Q", data, data.index(MARK) - 8)[0]
    return bool(sent == START + number_in(data) * 1_000_000 + sequence_of(data))


def sequence_of(packet: bytes) -> int:
    at = packet.index(MARK) + len(MARK)
    return int(struct.unpack_from("!I", packet, at + 2)[0])


def _tapped(tap: socket.socket) -> Iterator[tuple[bytes, int]]:
    while True:
        try:
            packet, address = tap.recvfrom(65535)
        except BlockingIOError:
            return
        if address[1] in ETHERTYPES.values():
            yield packet, address[2]


def _queued(opened: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield opened.recv(65535)
        except BlockingIOError:
            return


@pytest.fixture
def _one_processor() -> Iterator[None]:
    """Keep all of a lab on one processor: each has a backlog of its own, and packets of two overtake each other."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usual)})
    yield
    os.sched_setaffinity(0, usual)


@pytest.fixture
def open_lab(_one_processor: None) -> Iterator[Callable[..., Direct]]:
    """Return a function that builds a lab, by name or specification, and gives sockets at its ends."""
    opened: list[Direct] = []

    def build(which: str | LabSpec, seed: int = 1, ip_version: int = 4) -> Direct:
        spec = make(which) if isinstance(which, str) else which
        lab = Lab(spec.over(ip_version), seed=seed)
        try:
            lab.__enter__()
        except LabUnavailable as error:
            if "needs network namespaces" not in str(error):
                raise
            pytest.skip(f"privilege: {error}")
        opened.append(Direct(lab))
        return opened[-1]

    yield build
    for direct in opened:
        direct.close()
