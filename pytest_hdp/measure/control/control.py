"""The control: well-formed UDP datagrams, and ICMP echoes of the same size, sent beside the trains in every round.

What came through is believed, and an address learnt from it, only if its bytes behind the UDP or ICMP header are those
that were sent: whoever has not seen them can't make them, for the keyed MAC is among them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Means, Train, meaning_of
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.control.counting import CARRIER_HEADER, UDP, ControlEntry
from pytest_hdp.measure.control.roundtrip import RoundTrip
from pytest_hdp.measure.control.whereabouts import Probed
from pytest_hdp.measure.ledger.likeness import HDP_SIZE, MAC_OFFSET, TAG_SIZE, as_sent
from pytest_hdp.measure.ledger.probes import MOST_COPIES
from pytest_hdp.measure.path.capture import CONTROL
from pytest_hdp.measure.path.sending import build_payload, echo_request, sealed, sender_in_mid_run, stamp
from pytest_hdp.packet.family import of_one_host
from pytest_hdp.packet.icmp import Meaning, error_in
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.packet.view import PacketView
    from pytest_hdp.vantage.receiving import Observation

PACKET_OUTGOING = 4
MEETING = -1  # round number of the control packets that only find out whether there is a path
NANOSECONDS = 1_000_000_000
_RUN_ID = 8  # bytes, at the start of the tag
KINDS = (Means.USUAL, Means.INTERFACE, Means.ECHOES)  # the first of these that comes through is what counts
LONGEST_TRANSIT = 2.0  # seconds that a packet is taken to have been under way, where that is not known
SLACK = 100_000_000  # ns by which a far end may be ahead of when it was to send


@dataclass(slots=True)
class Control:
    """Sends control packets over a path, and keeps what became of them.

    `source_seen`: by direction, the address and port from which the receiver saw the control come (what a NAT made
    of it), once one arrived; port 0: of anything but a datagram. `times`: how long the path takes. `asked_back`: it was
    tried whether what the far end sends there comes back. `passed_by`: where echoes left the receiver's host again.
    """

    path: OpenPath
    content: bytes
    entries: dict[int, ControlEntry] = field(default_factory=dict)
    source_seen: dict[Direction, tuple[str, int]] = field(default_factory=dict)
    times: RoundTrip = field(default_factory=RoundTrip)
    asked_back: bool = False
    passed_by: str = ""
    _aimed: dict[Direction, tuple[str, int]] = field(default_factory=dict)
    _came: set[tuple[Direction, Means]] = field(default_factory=set)
    _starts: dict[int, set[int]] = field(default_factory=dict)
    _probed: Probed = field(default_factory=Probed)

    def __post_init__(self) -> None:
        self._starts.update({UDP: {CARRIER_HEADER}, self.path.family.icmp: {CARRIER_HEADER}})

    @property
    def round_trip(self) -> float | None:
        """Seconds there and back, smoothed; None before any is known."""
        return self.times.smoothed

    def send(
        self, direction: Direction, number: int, *, echo: bool = False, stand_in: Train | None = None
    ) -> ControlEntry:
        """Send one control packet in round `number`: a UDP datagram, an ICMP echo request, or one like a train's."""
        protocol = stand_in.protocol if stand_in is not None else self.path.family.icmp if echo else UDP
        entry = ControlEntry(self.path.next_index(), number, direction, echo, protocol, stand_in)
        self.entries[entry.index] = entry
        hdp = entry.data = self._hdp(entry)
        train = stand_in or Train(entry.protocol, direction, Form.WELLFORMED)
        if self.path.witness is not None:
            self.path.witness.sent_other(CONTROL, entry.index, number, train, hdp)
        entry.asked_at, entry.sent_at = self.path.clock.monotonic(), self.path.clock.time_ns()
        end = self.path.sender_end(direction)
        address = self.address(direction) if stand_in is None else self.address_of(stand_in)
        if not echo and stand_in is None:
            self.path.send(end, self.path.controls[id(end)][0], hdp, address, entry, self.port(direction))
            return entry
        sender = sender_in_mid_run(self.path, direction, entry.protocol)
        if isinstance(sender, str):
            entry.errno = sender
            return entry
        if stand_in is None:
            request = echo_request(entry.index, hdp, end.address, address)
        else:
            request = build_payload(self.path, stand_in, hdp, address)
            entry.start = request.find(hdp)
            entry.data = request[entry.start :]
            self._starts.setdefault(entry.protocol, set()).add(entry.start)
        self.path.send(end, sender, request, address, entry)
        return entry

    def is_echo(self, direction: Direction, position: int) -> bool:
        """Which kind the control at a position of a round is: all echoes without observers at the receiver, else some.

        Most, where no datagram comes through and echoes do.
        """
        if self.path.receiver_end(direction) is None:
            return True
        return (position % 8 == 7) is not (self.means(direction) is Means.ECHOES)

    def aim(self, direction: Direction, address: str, port: int) -> None:
        """Send this direction's datagrams there from now on."""
        self._aimed[direction] = address, port

    def address(self, direction: Direction) -> str:
        """Where packets of this direction are sent: the target, or the source as the far end sees it."""
        if direction in self._aimed:
            return self._aimed[direction][0]
        if direction is Direction.FORWARD:
            return self.path.name.target
        return self.source_seen.get(Direction.FORWARD, (self.path.near.address,))[0]

    def address_of(self, train: Train) -> str:
        """Where packets of a train, or like it, are sent: in reverse, to where its number came from."""
        usual = self.address(train.direction)
        if train.direction is Direction.FORWARD:
            return usual
        return self.path.traffic.answers_to(train, usual, self.path.near.address)

    def observe(self, observer: Observer, observation: Observation, packet: PacketView | None) -> bool:
        """File an observation if it is of a control packet; False if it is not."""
        _, when, _, data, _, _ = observation
        if observer.kind == "control":
            entry = self._entry(data)
            if entry is None or data != entry.data:
                return False
            if observer.end is self.path.receiver_end(entry.direction) and not entry.delivered_at:
                entry.delivered_at = when
                self._came.add((entry.direction, Means.USUAL))
                self.came_after(entry.asked_at, when - entry.sent_at)
            return True
        if packet is None or packet.protocol not in self._starts:
            return False
        if packet.is_icmp_error and observer.kind == "tap" and self._observe_error(observer, observation, packet):
            return True
        entry = self._control(packet)
        if entry is None or not as_sent(entry.data, packet, packet.payload[entry.start :]):
            return False
        if observer.kind == "tap":
            self._observe_tap(entry, observer, observation, packet)
        return True

    def _control(self, packet: PacketView) -> ControlEntry | None:
        """The control that a packet seems to be: its tag lies where it was sent, under the number it was sent."""
        for start in self._starts.get(packet.protocol, ()):
            entry = self._entry(packet.payload[start:])
            if entry is not None and (entry.start, entry.protocol) == (start, packet.protocol):
                return entry
        return None

    def _entry(self, seen: bytes) -> ControlEntry | None:
        """The control whose index stands behind the run id, at the place where both are in what was sent."""
        if seen[HDP_SIZE : HDP_SIZE + _RUN_ID] != self.path.run_id:
            return None
        return self.entries.get(int.from_bytes(seen[HDP_SIZE + _RUN_ID : HDP_SIZE + MAC_OFFSET], "big"))

    def _observe_error(self, observer: Observer, observation: Observation, packet: PacketView) -> bool:
        """File an ICMP error that quotes a control, with its MAC at least."""
        error = error_in(packet)
        quoted = view(error.quote) if error is not None else None
        entry = self._control(quoted) if quoted is not None else None
        if error is None or quoted is None or entry is None:
            return False
        seen = quoted.payload[entry.start :]
        if not entry.data.startswith(seen) or len(seen) < HDP_SIZE + TAG_SIZE:
            return False
        if observation[2] != PACKET_OUTGOING and observer.end is self.path.sender_end(entry.direction):
            said = packet.source, error.type, error.code
            if meaning_of(said) is Meaning.EXPIRED:
                entry.expired_at = packet.source
            if meaning_of(said).drops:
                entry.error = entry.error or said
        return True

    def _observe_tap(self, entry: ControlEntry, observer: Observer, seen: Observation, packet: PacketView) -> None:
        _, when, kind, _, _, interface = seen
        outgoing, icmp = kind == PACKET_OUTGOING, packet.family
        if entry.protocol == icmp.icmp and entry.start and packet.payload[0] != icmp.echo_request:
            if packet.is_echo_reply and not outgoing and observer.end is self.path.sender_end(entry.direction):
                entry.reply_ttl = packet.hop_limit
                self.note_reply(entry, when)
        elif outgoing and observer.end is self.path.sender_end(entry.direction):
            entry.left_at = entry.left_at or when
            entry.left_by += [(packet.hop_limit, interface)] * (len(entry.left_by) < MOST_COPIES)
        elif not outgoing and observer.end is self.path.receiver_end(entry.direction):
            if entry.stand_in is None:
                self._came.add((entry.direction, Means.ECHOES if entry.echo else Means.INTERFACE))
                self.path.traffic.control_came_from(entry.direction, packet.source)
            elif entry.direction is Direction.FORWARD and not entry.arrived_at:
                self._probed.note(packet)
                self.path.traffic.came_from(entry.stand_in, packet.source)
            entry.arrived_at = entry.arrived_at or when
            self.came_after(entry.asked_at, when - entry.sent_at)
            if entry.direction is Direction.REVERSE:
                self.path.came_back(entry.index)
            self._learn_source(entry, observer, packet)
        elif outgoing and entry.echo and entry.direction is Direction.FORWARD and observer.end is self.path.far:
            self.passed_by = interface

    def _learn_source(self, entry: ControlEntry, observer: Observer, packet: PacketView) -> None:
        """Learn from the first datagram; from an echo until then, unless packets have gone to where it came from."""
        if entry.stand_in is not None:
            return
        source, port = packet.source, int.from_bytes(packet.payload[:2], "big")
        known = self.source_seen.get(entry.direction)
        if known is not None and (entry.echo or known[1] or self.path.confirmed.tried(known[0])):
            return
        if of_one_host(source):
            self.source_seen[entry.direction] = source, 0 if entry.echo else port
            self.path.learn_address(observer.end, packet.destination)

    def probe_came(self, asked_at: float, took: int, packet: PacketView) -> None:
        """Take note of a probe that came forward as sent, once: of its addresses, and of how long it took (ns)."""
        self.came_after(asked_at, took)
        if Direction.FORWARD not in self.source_seen:
            self._probed.note(packet)

    def learn_from_probes(self) -> None:
        """Where no control came forward: take it from the probes that did where the far end saw us."""
        if Direction.FORWARD in self.source_seen or self.path.far is None:
            return
        likeliest = self._probed.likeliest(self.path.near.address)
        if likeliest is not None and of_one_host(likeliest[0]):
            self.source_seen[Direction.FORWARD] = likeliest[0], 0
            self.path.learn_address(self.path.far, likeliest[1])

    def note_reply(self, entry: ControlEntry, when: int) -> None:
        """Take an echo's reply, which came at this time (ns): the first one counts."""
        if entry.replied_at:
            return
        entry.replied_at = when
        # a far end's clock is not ours, and it sends when it gets round to it: there, from its own tap to its own tap
        far = self.path.sender_end(entry.direction).remote is not None
        since = entry.left_at if far else entry.sent_at
        if since and 0 <= when - since <= self._longest(entry):  # else a clock was set, or a far end makes it up
            self.times.learn((when - since) / NANOSECONDS)

    def came_after(self, asked_at: float, took: int) -> None:
        """Note how long a packet was under way (ns): all that is known of the delay where no echo comes back.

        Where the ends have no common clock, since it was asked for: it took no longer, unless nobody looked for long.
        """
        if self.round_trip is not None:
            return
        since = self.path.clock.monotonic() - asked_at
        remote = any(end is not None and end.remote is not None for end in (self.path.near, self.path.far))
        seconds = min(since, LONGEST_TRANSIT) if remote else took / NANOSECONDS
        if 0 <= seconds <= since + SLACK / NANOSECONDS:
            self.times.transit = max(self.times.transit, seconds)

    def _longest(self, entry: ControlEntry) -> int:
        """Nanoseconds since it was sent at most, by the clock that nobody can set."""
        return int((self.path.clock.monotonic() - entry.asked_at) * NANOSECONDS) + SLACK

    @property
    def patience(self) -> float:
        """Seconds after which an answer is not to be expected any more."""
        return self.times.patience

    def means(self, direction: Direction) -> Means:
        """By what this direction's control is counted, as far as anything has come through."""
        if self.path.receiver_end(direction) is None:
            return Means.USUAL
        return next((each for each in KINDS if (direction, each) in self._came), Means.NOTHING)

    def outstanding(self, since: float = -math.inf) -> bool:
        """Some control packet sent after `since` (seconds of the clock) has neither arrived nor been answered yet."""
        asked = [each for each in self.entries.values() if each.asked_at > since]
        return any(not (each.errno or each.delivered_at or each.replied_at) for each in asked)

    def of_round(self, number: int) -> list[ControlEntry]:
        """The control packets of one round, in the order they were sent."""
        return [each for each in self.entries.values() if each.round == number]

    def _hdp(self, entry: ControlEntry) -> bytes:
        spare = 0 if entry.stand_in is not None else CARRIER_HEADER  # so that the packets are of one size
        content, now = self.content[: max(0, len(self.content) - spare)], self.path.clock.time_ns()
        return sealed(self.path, entry.protocol, entry.index, content, *stamp(entry.stand_in, now))

    def port(self, direction: Direction) -> int:
        """Where datagrams of this direction are sent."""
        if direction in self._aimed:
            return self._aimed[direction][1]
        if direction is Direction.REVERSE and (seen := self.source_seen.get(Direction.FORWARD)) and seen[1]:
            return seen[1]
        end = self.path.receiver_end(direction)
        return self.path.controls[id(end)][1] if end is not None else 9  # discard, RFC 863
