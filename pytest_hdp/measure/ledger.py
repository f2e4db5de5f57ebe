"""Which probe is it? Untrusted packets in, evidence out; no I/O.

The ledger remembers the bytes of every probe that was sent. A packet that carries the run id and the index of a probe
is compared with them: equal bytes are *genuine* (nobody else knows the keyed MAC among them); bytes that differ are
attributed to the probe only if most of the MAC is as sent, which a stranger cannot guess; all else is a stranger's.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import lru_cache

from pytest_hdp.judge.evidence import IcmpReport, Probe, Reply, Sighting, Train, TrainEvidence
from pytest_hdp.judge.pattern import Sent
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.likeness import HDP_SIZE, MAC_OFFSET, PAYLOAD, TAG_SIZE, Likeness, likeness, ports_kept
from pytest_hdp.measure.quotes import changed_fields, read_error
from pytest_hdp.packet.checksums import transport_checksum
from pytest_hdp.packet.ip import IPv4, parse_ipv4
from pytest_hdp.vantage.exchange import NOBODY_KNOWS

ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
# Kept of one probe, apart of those that prove something and of those that do not, which anybody can make up: nobody
# honest sends more, and a flood must neither fill the memory nor crowd out what counts.
MOST_REPORTS = 32
MOST_COPIES = 8  # kept of one probe at one place, for the same reason
MOST_ADDED = 2048  # bytes by which a copy may be longer than its probe: no header and no padding is as long


@dataclass(slots=True)
class Copy:
    """One packet as a tap or a socket handed it over: time (ns), bytes from the IPv4 header on, interface."""

    time: int
    data: bytes
    alike: Likeness
    interface: str
    _packet: IPv4 | None = None

    @property
    def genuine(self) -> bool:
        """All of it is as sent, and it is no tunnel's packet around it."""
        return self.alike.change is None and self.alike.tunnel is None

    @property
    def packet(self) -> IPv4:
        """All of its fields; read only when asked for, since of most copies nobody asks."""
        if self._packet is None:
            self._packet = parse_ipv4(self.data)
            assert self._packet is not None, "the ledger makes no copy of less than a header"
        return self._packet

    @property
    def protocol(self) -> int:
        """The number in its header."""
        return self.data[9]


@dataclass(slots=True)
class Entry:
    """A probe that was sent, or whose sending was refused, and what has been seen of it.

    `data`: the IP payload as sent; the HDP header stands at `start`, `size` bytes of header, tag and content follow.
    `sent_at`: ns of the wall clock, which may be set; `asked_at`: seconds of the clock that nobody can set. `handed`:
    to sendto(), unless who sends it was interrupted before. `carried`: came to the receiver inside a tunnel's packets.
    """

    index: int
    round: int
    train: Train
    data: bytes
    start: int = 0
    size: int = 0
    sent_at: int = 0
    asked_at: float = 0.0
    handed: bool = True
    errno: str | None = None
    left: list[Copy] = field(default_factory=list)
    arrived: list[Copy] = field(default_factory=list)
    delivered: list[Copy] = field(default_factory=list)
    carried: list[Copy] = field(default_factory=list)
    icmp: list[IcmpReport] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    _told: tuple[tuple[str | None, tuple[int, ...]], Probe] | None = None

    def keep(self, copies: list[Copy], copy: Copy) -> None:
        """Add a copy to those seen at one place, if there are not too many; the first genuine one always."""
        if len(copies) < MOST_COPIES or (copy.genuine and not any(each.genuine for each in copies)):
            copies.append(copy)

    def evidence(self) -> Probe:
        """What has been seen of it so far; made anew only when something was added."""
        kept: tuple[Sized, ...] = (
            self.left, self.arrived, self.delivered, self.carried, self.icmp, self.replies,
        )  # fmt: skip
        counts = tuple(map(len, kept))
        if self._told is None or self._told[0] != (self.errno, counts):  # a far end refuses what was handed over, later
            self._told = (self.errno, counts), _probe_evidence(self)
        return self._told[1]

    @property
    def complete(self) -> bool:
        """Nothing that may still come could add to what is known."""
        return (
            self.errno is not None
            or any(copy.genuine for copy in self.delivered)
            or any(copy.protocol != self.train.protocol for copy in self.left)
        )


Sends = Callable[[Direction], bool]


def _any(_: Direction) -> bool:
    return True


class Ledger:
    """All probes of one measurement, by index. `purpose`: a word for what they are sent for.

    `solicited`: the trains of which a packet was sent after the other way had been opened to their number.
    """

    def __init__(self, run_id: bytes, purpose: str = "probe") -> None:
        self.run_id = run_id
        self.purpose = purpose
        self.probes: dict[int, Entry] = {}
        self.trains: dict[Train, list[Entry]] = {}
        self.strangers = 0
        self.solicited: set[Train] = set()
        self._by_packet: dict[tuple[int, int], Entry] = {}  # number and IP-ID, of what was seen leaving or arriving

    def add(self, entry: Entry) -> None:
        """Register a probe before it is sent."""
        self.probes[entry.index] = entry
        self.trains.setdefault(entry.train, []).append(entry)

    def index_of(self, data: bytes, start: int = 0) -> tuple[int, int] | None:
        """Where the run id stands in `data` at or after `start`, and the index after it; None for a stranger's."""
        position = data.find(self.run_id, start)
        if position < 0 or len(data) < position + MAC_OFFSET:
            return None
        return position, int.from_bytes(data[position + 8 : position + 12], "big")

    def probe(self, time: int, data: bytes, interface: str) -> tuple[Entry, Copy] | None:
        """The probe that an IPv4 packet is a copy of, or None (and the stranger is counted)."""
        payload = payload_of(data)
        if payload is None:
            self.strangers += 1
            return None
        if data[9] == 1 and payload[:1] in _ERROR_TYPES:
            return None  # it quotes a probe, and is none
        found = self.index_of(payload)
        entry = self.probes.get(found[1]) if found is not None else None
        if found is None or entry is None or len(payload) > len(entry.data) + MOST_ADDED:
            self.strangers += 1
            return None
        alike = likeness(entry.train, entry.data, entry.start, data, payload, found[0])
        if alike is None:
            self.strangers += 1
            return None
        if len(self._by_packet) < MOST_COPIES * len(self.probes):  # a far end may make up as many as there are
            self._by_packet[data[9], data[4] << 8 | data[5]] = entry
        return entry, Copy(time, data, alike, interface)

    def icmp_error(self, time: int, data: bytes, sends: Sends = _any) -> bool:
        """File an ICMP error under the probe that it quotes. False if it is not an ICMP error about one of ours.

        `sends`: whether who saw it sends in a direction. Errors go to who sent what they are about: whoever else shows
        one has made it up.
        """
        found = read_error(self, time, data)
        if found is None:
            return False
        entry, report = found
        if not sends(entry.train.direction):
            return True
        alike = sum(known.authenticated is report.authenticated for known in entry.icmp)
        if alike < MOST_REPORTS and not any(replace(known, time=time) == report for known in entry.icmp):
            entry.icmp.append(report)
        return True

    def of_packet(self, protocol: int, identification: int) -> Entry | None:
        """The probe that was last seen under this number with this IP-ID."""
        return self._by_packet.get((protocol, identification))

    def outcomes(self, train: Train, clean: Container[int], rounds: int | None) -> list[Sent]:
        """Which of a train's packets crossed the path, in order. `clean`: rounds that count; `rounds`: so many only."""
        return [
            Sent(entry.round, bool(entry.arrived or entry.delivered), bool(entry.left) and entry.round in clean)
            for entry in self.trains.get(train, ())
            if entry.errno is None and entry.handed and (rounds is None or entry.round < rounds)
        ]

    def evidence(self, train: Train, socket_errno: str | None) -> TrainEvidence:
        """Everything seen of one train so far."""
        return TrainEvidence(
            train=train,
            socket_errno=socket_errno,
            probes=tuple(entry.evidence() for entry in self.trains.get(train, ()) if entry.handed),
            solicited=train in self.solicited,
        )


_ERROR_TYPES = frozenset(bytes([number]) for number in ICMP_ERRORS)
_ICMP = b"\x01"
_FRAGMENT = 0x3FFF  # of flags and offset: more fragments follow, or it is not the first


def payload_of(data: bytes) -> bytes | None:
    """What `parse_ipv4` calls the payload, at a tenth of its price: all that is asked of most packets."""
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    header = (data[0] & 15) * 4
    if header < 20 or header > len(data):
        return None
    total = data[2] << 8 | data[3]
    return data[header : total if total >= header else len(data)]


def _sightings(entry: Entry, copies: Sequence[Copy], left: Copy | None) -> tuple[Sighting, ...]:
    if len(copies) == 1:
        return (_sighting(entry.train, copies[0], left),)
    return tuple([_sighting(entry.train, copy, left) for copy in copies])


def _sighting(train: Train, copy: Copy, left: Copy | None) -> Sighting:
    data, change = copy.data, copy.alike.change
    changed = changed_fields(data, left.data) if left is not None else ()
    if change is None and left is not None and not ports_kept(train, data, left.data):
        change = PAYLOAD
    if change is not None:
        changed = (*changed, change)
    source, destination = _dotted(data[12:16]), _dotted(data[16:20])
    genuine = change is None and copy.genuine
    return Sighting(
        copy.time, data[9], genuine, source, destination, data[8], changed, copy.interface, copy.alike.moved,
        _checksum(train, data),
    )  # fmt: skip


def _checksum(train: Train, data: bytes) -> str | None:
    """The state of the transport checksum of a whole message that has one."""
    if train.form is not Form.WELLFORMED or (data[6] << 8 | data[7]) & _FRAGMENT:
        return None
    return transport_checksum(data[9], data[12:16], data[16:20], payload_of(data) or b"")


@lru_cache(maxsize=1024)
def _dotted(address: bytes) -> str:
    return ".".join(map(str, address))


def _probe_evidence(entry: Entry) -> Probe:
    reference = entry.left[0] if entry.left else None
    seen = entry.left or entry.arrived or entry.delivered or any(each.authenticated for each in entry.icmp)
    return Probe(
        index=entry.index,
        round=entry.round,
        sent_at=entry.sent_at,
        errno=None if entry.errno == NOBODY_KNOWS and seen else entry.errno,
        left=_sightings(entry, entry.left, None),
        arrived=_sightings(entry, entry.arrived, reference),
        delivered=_sightings(entry, entry.delivered, reference),
        carried=tuple(copy.protocol for copy in entry.carried),
        icmp=tuple(entry.icmp),
        replies=tuple(entry.replies),
    )


def content_of(entry: Entry, copy: Copy) -> bytes | None:
    """The encoded content of a copy of a probe: what follows the tag; None if it is cut off before."""
    position = copy.packet.payload.find(entry.data[entry.start + HDP_SIZE : entry.start + HDP_SIZE + MAC_OFFSET])
    start = position + TAG_SIZE
    if position < 0 or len(copy.packet.payload) < start:
        return None
    trailer = len(entry.data) - entry.start - entry.size  # of the carrier, after the content
    return copy.packet.payload[start : len(copy.packet.payload) - trailer]
