"""Which probe is it? Untrusted packets in, evidence out; no I/O.

The ledger remembers the bytes of every probe that was sent. A packet that carries the run id and the index of a probe
is compared with them (`likeness`): equal bytes are *genuine*, for nobody else knows the keyed MAC among them.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train, TrainEvidence
from pytest_hdp.judge.pattern import Sent
from pytest_hdp.judge.verdict import SHAPED_FORMS, Direction
from pytest_hdp.measure.ledger.likeness import HDP_SIZE, MAC_OFFSET, likeness
from pytest_hdp.measure.ledger.probes import MOST_COPIES, Arrival, SentProbe
from pytest_hdp.measure.ledger.quotes import read_error
from pytest_hdp.packet import shapes

if TYPE_CHECKING:
    from pytest_hdp.packet.view import PacketView

# Kept of one probe, apart of those that prove something and of those that do not, which anybody can make up: nobody
# honest sends more, and a flood must neither fill the memory nor crowd out what counts.
MOST_REPORTS = 32
MOST_ADDED = 2048  # bytes by which a copy may be longer than its probe: no header and no padding is as long

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
        self.probes: dict[int, SentProbe] = {}
        self.trains: dict[Train, list[SentProbe]] = {}
        self.solicited: set[Train] = set()
        self._by_packet: dict[tuple[int, int], SentProbe] = {}  # number and IP-ID, of what was seen leaving or arriving

    def add(self, entry: SentProbe) -> None:
        """Register a probe before it is sent."""
        self.probes[entry.index] = entry
        self.trains.setdefault(entry.train, []).append(entry)

    def set_aside(self, since: int) -> None:
        """Count what was sent from that round on as no train's: it was sent to learn something else."""
        for entries in self.trains.values():
            entries[:] = [entry for entry in entries if entry.round < since]

    def index_of(self, data: bytes, start: int = 0) -> tuple[int, int] | None:
        """Where the run id stands in `data` at or after `start`, and the index after it; None for a stranger's."""
        position = data.find(self.run_id, start)
        if position < 0 or len(data) < position + MAC_OFFSET:
            return None
        return position, int.from_bytes(data[position + 8 : position + 12], "big")

    def probe(self, time: int, packet: PacketView | None, interface: str) -> tuple[SentProbe, Arrival] | None:
        """The probe that a packet is a copy of, or None of a stranger's."""
        if packet is None:
            return None
        payload = packet.payload
        if packet.is_icmp_error and not payload.startswith(self.run_id, HDP_SIZE):
            return None  # it quotes a probe, and is none; bare HDP under 58 reads as an error too
        found = self.index_of(payload)
        entry = self.probes.get(found[1]) if found is not None else None
        if found is None or entry is None or len(payload) > len(entry.data) + MOST_ADDED:
            return None
        if entry.train.form in SHAPED_FORMS:
            packet = shapes.taken_out(packet, entry.train.protocol & 255)
            found = self.index_of(packet.payload) or found
        alike = likeness(entry.train, entry.data, entry.start, packet, found[0])
        if alike is None:
            return None
        number = packet.identification
        if number is not None and len(self._by_packet) < MOST_COPIES * len(self.probes):  # a far end may make up many
            self._by_packet[packet.protocol, number] = entry
        return entry, Arrival(time, packet, alike, interface)

    def icmp_error(self, time: int, packet: PacketView | None, sends: Sends = _any, *, own: bool = False) -> bool:
        """File an ICMP error under the probe that it quotes. False if it is not an ICMP error about one of ours.

        `sends`: whether who saw it sends in a direction. Errors go to who sent what they are about: whoever else shows
        one has made it up. `own`: it came over no link.
        """
        found = read_error(self, time, packet, own=own)
        if found is None:
            return False
        entry, report = found
        if not sends(entry.train.direction):
            return True
        alike = sum(known.authenticated is report.authenticated for known in entry.icmp)
        if alike < MOST_REPORTS and not any(replace(known, time=time) == report for known in entry.icmp):
            entry.icmp.append(report)
        return True

    def of_packet(self, protocol: int, identification: int) -> SentProbe | None:
        """The probe that was last seen under this number with this IP-ID."""
        return self._by_packet.get((protocol, identification))

    def outcomes(self, train: Train, clean: Container[int], rounds: int | None) -> list[Sent]:
        """Which of a train's packets crossed the path, in order. `clean`: rounds that count; `rounds`: so many only."""
        return [
            Sent(entry.round, bool(entry.arrived or entry.delivered), bool(entry.left) and entry.round in clean)
            for entry in self.trains.get(train, ())
            if entry.errno is None and entry.handed and (rounds is None or entry.round < rounds)
        ]

    def refusals(self, direction: Direction) -> tuple[int, int]:
        """(refused, tried) of a direction's trains of which the sender's own firewall refused some, and not all."""
        tried = [entries for train, entries in self.trains.items() if train.direction is direction]
        counts = [(sum(entry.errno == "EPERM" for entry in entries), len(entries)) for entries in tried]
        at_times = [each for each in counts if 0 < each[0] < each[1]]
        return sum(refused for refused, _ in at_times), sum(sent for _, sent in at_times)

    def evidence(self, train: Train, socket_errno: str | None) -> TrainEvidence:
        """Everything seen of one train so far."""
        return TrainEvidence(
            train=train,
            socket_errno=socket_errno,
            probes=tuple(entry.evidence() for entry in self.trains.get(train, ()) if entry.handed),
            solicited=train in self.solicited,
        )
