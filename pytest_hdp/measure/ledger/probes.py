"""A probe that was sent, and what was seen of it: copies at each place, ICMP errors about it, replies. No I/O."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pytest_hdp.judge.evidence import IcmpReport, Probe, Reply, Sighting, Train
from pytest_hdp.judge.verdict import SHAPED_FORMS, Form
from pytest_hdp.measure.ledger.likeness import (
    HDP_SIZE,
    MAC_OFFSET,
    PAYLOAD,
    TAG_SIZE,
    Likeness,
    headers_before,
    ports_kept,
)
from pytest_hdp.packet.checksums import transport_checksum
from pytest_hdp.packet.ip import EXTENSION_HEADERS, first_header, parse_ipv6
from pytest_hdp.vantage.remote.channel import NOBODY_KNOWS

if TYPE_CHECKING:
    from pytest_hdp.packet.view import PacketView

MOST_COPIES = 8  # kept of one probe at one place: nobody honest sends more, and a flood must not fill the memory


@dataclass(slots=True)
class Arrival:
    """One packet as a tap or a socket handed it over: time (ns), the packet, the interface."""

    time: int
    packet: PacketView
    alike: Likeness
    interface: str

    @property
    def genuine(self) -> bool:
        """All of it is as sent, and it is no tunnel's packet around it."""
        return self.alike.change is None and self.alike.tunnel is None

    @property
    def protocol(self) -> int:
        """The number in its header."""
        return self.packet.protocol


@dataclass(slots=True)
class SentProbe:
    """A probe that was sent, or whose sending was refused, and what has been seen of it.

    `data`: the IP payload as sent; the HDP header stands at `start`, `size` bytes of header, tag and content follow.
    `sent_at`: ns of the wall clock, which may be set; `asked_at`: seconds of the clock that nobody can set. `handed`:
    to sendto(), unless who sends it was interrupted before. `carried`: came to the receiver inside a tunnel's packets.
    `onward`: left the receiver's host again.
    `heard`: there is a socket at the receiver for its number; else its interface is where it ends. `under`: the number
    behind its extension header, if the socket of that got it. `later_only`: of its
    fragments only the later one is sent.
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
    heard: bool = True
    errno: str | None = None
    left: list[Arrival] = field(default_factory=list)
    arrived: list[Arrival] = field(default_factory=list)
    delivered: list[Arrival] = field(default_factory=list)
    carried: list[Arrival] = field(default_factory=list)
    onward: list[Arrival] = field(default_factory=list)
    icmp: list[IcmpReport] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    under: int | None = None
    later_only: bool = False
    _told: tuple[tuple[str | int | None, ...], Probe] | None = None

    def keep(self, copies: list[Arrival], copy: Arrival) -> None:
        """Add a copy to those seen at one place, if there are not too many; the first genuine one always.

        Of what was sent in fragments one stands for all.
        """
        if self.train.form is Form.FRAGMENTED and any(each.genuine for each in copies):
            return
        if len(copies) < MOST_COPIES or (copy.genuine and not any(each.genuine for each in copies)):
            copies.append(copy)

    def evidence(self) -> Probe:
        """What has been seen of it so far; made anew only when something was added."""
        kept: tuple[Sized, ...] = (
            self.left, self.arrived, self.delivered, self.carried, self.onward, self.icmp, self.replies,
        )  # fmt: skip
        known = self.errno, self.under, *map(len, kept)  # a far end refuses what was handed over, later
        if self._told is None or self._told[0] != known:
            self._told = known, evidence_of(self)
        return self._told[1]

    @property
    def complete(self) -> bool:
        """Nothing that may still come could add to what is known."""
        return (
            self.errno is not None
            or any(copy.genuine for copy in (self.delivered if self.heard else self.arrived))
            or any(copy.protocol != self.train.protocol for copy in self.left)
        )


class Part:
    """One of the packets in which a probe leaves. An errno is the probe's once all of them were refused."""

    def __init__(self, entry: SentProbe, parts: list[Part]) -> None:
        self.index, self.sent_at = entry.index, entry.sent_at
        self._entry, self._parts = entry, parts
        self._errno: str | None = None
        parts.append(self)

    @property
    def errno(self) -> str | None:
        """The name of the errno with which this packet was refused, at once or later; None if it was not."""
        return self._errno

    @errno.setter
    def errno(self, name: str | None) -> None:
        self._errno = name
        taken = any(each.errno is None for each in self._parts)
        self._entry.errno = None if taken else name


class Recorder(Protocol):
    """Who has to know all that is sent over a path, to recognise it in a capture."""

    def sent(self, entry: SentProbe, role: str) -> None:
        """Remember a probe that is about to be sent; `role`: a word for what it is sent for."""

    def sent_other(self, role: str, index: int, number: int, train: Train, hdp: bytes) -> None:
        """Remember what is no probe: a control, or a packet sent by hand."""


def _sightings(entry: SentProbe, copies: Sequence[Arrival], left: Arrival | None) -> tuple[Sighting, ...]:
    if len(copies) == 1:
        return (_sighting(entry.train, copies[0], left),)
    return tuple([_sighting(entry.train, copy, left) for copy in copies])


def _sighting(train: Train, copy: Arrival, left: Arrival | None) -> Sighting:
    packet, change = copy.packet, copy.alike.change
    changed = packet.changes_from(left.packet) if left is not None else ()
    if change is None and left is not None and not ports_kept(train, packet, left.packet):
        change = PAYLOAD
    if change is not None:
        changed = (*changed, change)
    genuine = change is None and copy.genuine
    return Sighting(
        copy.time, packet.protocol, genuine, packet.source, packet.destination, packet.hop_limit, changed,
        copy.interface, copy.alike.moved, _checksum(train, packet),
        packet.flow_label, *_chain(train, packet),
        packet.is_first_fragment and train.form not in SHAPED_FORMS,
    )  # fmt: skip


def _chain(train: Train, packet: PacketView) -> tuple[tuple[int, ...], tuple[int, int] | None]:
    """The extension headers of a well-formed packet, and as which one a bare one's bytes are read."""
    if packet.version == 4 or packet.protocol not in EXTENSION_HEADERS:
        return (), None
    if train.form is Form.WELLFORMED:
        whole = parse_ipv6(packet.data)
        return whole.extension_headers if whole is not None else (), None
    return (), first_header(packet.protocol, packet.payload)


def _checksum(train: Train, packet: PacketView) -> str | None:
    """The state of the transport checksum of a whole message that has one."""
    if train.form is not Form.WELLFORMED or packet.is_fragment:
        return None
    number, message = packet.protocol, packet.payload
    if number == train.protocol:  # else its first header was taken off, or is called something else
        number, message = train.transport, message[headers_before(train) :]
    return transport_checksum(number, packet.source_bytes, packet.destination_bytes, message)


def evidence_of(entry: SentProbe) -> Probe:
    """What has been seen of a probe so far, made anew: see `SentProbe.evidence`."""
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
        onward=tuple((copy.interface, copy.packet.destination) for copy in entry.onward),
        icmp=tuple(entry.icmp),
        replies=tuple(entry.replies),
        under=entry.under,
    )


def content_of(entry: SentProbe, copy: Arrival) -> bytes | None:
    """The encoded content of a copy of a probe: what follows the tag; None if it is cut off before."""
    position = copy.packet.payload.find(entry.data[entry.start + HDP_SIZE : entry.start + HDP_SIZE + MAC_OFFSET])
    start = position + TAG_SIZE
    if position < 0 or len(copy.packet.payload) < start:
        return None
    trailer = len(entry.data) - entry.start - entry.size  # of the carrier, after the content
    return copy.packet.payload[start : len(copy.packet.payload) - trailer]
