"""The control: well-formed UDP datagrams, and ICMP echoes of the same size, sent beside the trains in every round.

What came through is believed, and an address learnt from it, only if its bytes behind the UDP or ICMP header are those
that were sent: whoever has not seen them can't make them, for the keyed MAC is among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Means, Reference, Train
from pytest_hdp.judge.facts import REJECTING
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure import counting
from pytest_hdp.measure.capture import CONTROL
from pytest_hdp.measure.confirmed import possible
from pytest_hdp.measure.counting import ControlEntry
from pytest_hdp.measure.ledger import HDP_SIZE, ICMP_ERRORS, MAC_OFFSET, TAG_SIZE, as_sent, payload_of
from pytest_hdp.measure.sending import sealed
from pytest_hdp.packet.icmp import build_echo, parse_error

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import RoundControl
    from pytest_hdp.measure.ends import Eye
    from pytest_hdp.measure.path import OpenPath
    from pytest_hdp.vantage.station import Observation

UDP, ICMP = 17, 1
PACKET_OUTGOING = 4
ECHO_REPLY, ECHO_REQUEST = 0, 8
TIME_EXCEEDED = 11
MEETING = -1  # round number of the control packets that only find out whether there is a path
CARRIER_HEADER = 8  # bytes of a UDP or an ICMP echo header
NANOSECONDS = 1_000_000_000
_RUN_ID = 8  # bytes, at the start of the tag
KINDS = (Means.USUAL, Means.INTERFACE, Means.ECHOES)  # the first of these that comes through is what counts
_ERROR_TYPES = frozenset(bytes([number]) for number in ICMP_ERRORS)
SLACK = 100_000_000  # ns by which a far end may be ahead of when it was to send


@dataclass(slots=True)
class Control:
    """Sends control packets over a path, and keeps what became of them.

    `source_seen`: by direction, the address and port from which the receiver saw the control come (what a NAT made
    of it), once one arrived; port 0: an echo's. `round_trip`, `variation`: seconds, smoothed as by RFC 6298.
    `transit`: the longest that a datagram took, where both ends have one clock. `asked_back`: it was tried whether what
    the far end sends there comes back.
    """

    path: OpenPath
    content: bytes
    entries: dict[int, ControlEntry] = field(default_factory=dict)
    source_seen: dict[Direction, tuple[str, int]] = field(default_factory=dict)
    round_trip: float | None = None
    variation: float = 0.0
    transit: float = 0.0
    asked_back: bool = False
    _aimed: dict[Direction, tuple[str, int]] = field(default_factory=dict)
    _came: set[tuple[Direction, Means]] = field(default_factory=set)

    def send(self, direction: Direction, number: int, *, echo: bool = False) -> ControlEntry:
        """Send one control packet in round `number`: a UDP datagram, or an ICMP echo request."""
        entry = ControlEntry(self.path.next_index(), number, direction, echo)
        self.entries[entry.index] = entry
        payload = entry.data = self._payload(entry, ICMP if echo else UDP)
        end = self.path.sender_end(direction)
        if self.path.witness is not None:
            train = Train(ICMP if echo else UDP, direction, Form.WELLFORMED)
            self.path.witness.sent_other(CONTROL, entry.index, number, train, payload)
        entry.asked_at, entry.sent_at = self.path.clock.monotonic(), self.path.clock.time_ns()
        if echo:
            sender = self.path.sender(direction, ICMP)
            if isinstance(sender, int):
                request = build_echo(entry.index >> 16 & 0xFFFF, entry.index & 0xFFFF, payload)
                self.path.send(end, sender, request, self.address(direction), entry)
        else:
            handle, _ = self.path.controls[id(end)]
            self.path.send(end, handle, payload, self.address(direction), entry, self.port(direction))
        return entry

    def is_echo(self, direction: Direction, position: int) -> bool:
        """Which kind the control at a position of a round is: all echoes without eyes at the receiver, else some.

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
        seen = self.source_seen.get(Direction.FORWARD)
        return seen[0] if seen is not None else self.path.near.address

    @property
    def any_came(self) -> bool:
        """Something has arrived, or was answered."""
        return any(each.came for each in self.entries.values())

    @property
    def met(self) -> bool:
        """A datagram has arrived, and an echo has been answered."""
        entries = self.entries.values()
        return any(each.delivered_at for each in entries) and any(each.replied_at for each in entries)

    @property
    def nowhere(self) -> bool:
        """There is no address to send to in reverse: between hosts the source's own may be a stranger's."""
        ends = (self.path.near, self.path.far)
        return any(end is not None and end.remote is not None for end in ends) and not self.source_seen

    def withheld(self, direction: Direction) -> str | None:
        """Why nothing may be sent in a direction, if nothing may."""
        if direction is Direction.FORWARD:
            return None
        if self.nowhere:
            return "nothing came from there, so there is no address to send to"
        if self.path.confirmed.free(address := self.address(direction)):
            return None
        return self.path.confirmed.refusal(address) or f"nobody has confirmed {address}, the address that it saw"

    def observe(self, eye: Eye, observation: Observation) -> bool:
        """File an observation if it is of a control packet; False if it is not."""
        _, when, kind, data, _, _ = observation
        if eye.kind == "control":
            entry = self._entry(data)
            if entry is None or data != entry.data:
                return False
            if eye.end is self.path.receiver_end(entry.direction) and not entry.delivered_at:
                entry.delivered_at = when
                self._came.add((entry.direction, Means.USUAL))
                self._came_after(entry, when - entry.sent_at)
            return True
        payload = payload_of(data)
        if payload is None or data[9] not in (UDP, ICMP):
            return False
        if data[9] == ICMP and payload[:1] in _ERROR_TYPES:
            return eye.kind == "tap" and self._observe_error(eye, kind, data, payload)
        seen = payload[CARRIER_HEADER:]
        entry = self._entry(seen)
        if entry is None or entry.echo is not (data[9] == ICMP) or not as_sent(entry.data, data, seen):
            return False
        if eye.kind == "tap":
            self._observe_tap(entry, eye, when, kind, data)
        return True

    def _entry(self, seen: bytes) -> ControlEntry | None:
        """The control whose index stands behind the run id, at the place where both are in what was sent."""
        if seen[HDP_SIZE : HDP_SIZE + _RUN_ID] != self.path.run_id:
            return None
        return self.entries.get(int.from_bytes(seen[HDP_SIZE + _RUN_ID : HDP_SIZE + MAC_OFFSET], "big"))

    def _observe_error(self, eye: Eye, kind: int, data: bytes, payload: bytes) -> bool:
        """File an ICMP error that quotes a control, with its MAC at least."""
        error = parse_error(payload)
        quoted = payload_of(error.quote) if error is not None else None
        entry = self._entry(quoted[CARRIER_HEADER:]) if quoted is not None else None
        if error is None or quoted is None or entry is None:
            return False
        seen = quoted[CARRIER_HEADER:]
        same = entry.echo is (error.quote[9] == ICMP) and entry.data.startswith(seen)
        if not same or len(seen) < HDP_SIZE + TAG_SIZE:
            return False
        if kind != PACKET_OUTGOING and eye.end is self.path.sender_end(entry.direction):
            source = ".".join(map(str, data[12:16]))
            if error.type == TIME_EXCEEDED:
                entry.expired_at = source
            if error.type in REJECTING:
                entry.error = entry.error or (source, error.type, error.code)
        return True

    def _observe_tap(self, entry: ControlEntry, eye: Eye, when: int, kind: int, data: bytes) -> None:
        outgoing = kind == PACKET_OUTGOING
        header = (data[0] & 15) * 4
        if entry.echo and data[header] != ECHO_REQUEST:
            if data[header] == ECHO_REPLY and not outgoing and eye.end is self.path.sender_end(entry.direction):
                self._replied(entry, when)
        elif outgoing and eye.end is self.path.sender_end(entry.direction):
            entry.left_at = entry.left_at or when
        elif not outgoing and eye.end is self.path.receiver_end(entry.direction):
            entry.arrived_at = entry.arrived_at or when
            self._came.add((entry.direction, Means.ECHOES if entry.echo else Means.INTERFACE))
            if entry.direction is Direction.REVERSE:
                self.path.came_back(entry.index)
            self._learn_source(entry, eye, data, header)

    def _learn_source(self, entry: ControlEntry, eye: Eye, data: bytes, header: int) -> None:
        """Learn from the first datagram; from an echo until then, unless packets have gone to where it came from."""
        source, port = ".".join(map(str, data[12:16])), int.from_bytes(data[header : header + 2], "big")
        known = self.source_seen.get(entry.direction)
        if known is not None and (entry.echo or known[1] or self.path.confirmed.tried(known[0])):
            return
        if possible(source):
            self.source_seen[entry.direction] = source, 0 if entry.echo else port
            self.path.learn_address(eye.end, ".".join(map(str, data[16:20])))

    def _replied(self, entry: ControlEntry, when: int) -> None:
        if entry.replied_at:
            return
        entry.replied_at = when
        # a far end's clock is not ours, and it sends when it gets round to it: there, from its own tap to its own tap
        far = self.path.sender_end(entry.direction).remote is not None
        since = entry.left_at if far else entry.sent_at
        if since and 0 <= when - since <= self._longest(entry):  # else a clock was set, or a far end makes it up
            self.learn((when - since) / NANOSECONDS)

    def _came_after(self, entry: ControlEntry, took: int) -> None:
        """Note how long a datagram was under way: all that is known of the delay where no echo comes back."""
        remote = any(end is not None and end.remote is not None for end in (self.path.near, self.path.far))
        if not remote and 0 <= took <= self._longest(entry):
            self.transit = max(self.transit, took / NANOSECONDS)

    def _longest(self, entry: ControlEntry) -> int:
        """Nanoseconds since it was sent at most, by the clock that nobody can set."""
        return int((self.path.clock.monotonic() - entry.asked_at) * NANOSECONDS) + SLACK

    def learn(self, took: float) -> None:
        """Take a round trip of so many seconds into account: RFC 6298 section 2."""
        if self.round_trip is None:
            self.round_trip, self.variation = took, took / 2
        else:
            self.variation += (abs(self.round_trip - took) - self.variation) / 4
            self.round_trip += (took - self.round_trip) / 8

    @property
    def patience(self) -> float:
        """Seconds after which an answer is not to be expected any more: RFC 6298 section 2, with its K of 4."""
        return 2 * self.transit if self.round_trip is None else self.round_trip + 4 * self.variation

    def means(self, direction: Direction) -> Means:
        """By what this direction's control is counted, as far as anything has come through."""
        if self.path.receiver_end(direction) is None:
            return Means.USUAL
        return next((each for each in KINDS if (direction, each) in self._came), Means.NOTHING)

    def reference(self, direction: Direction) -> Reference:
        """What this direction's control is."""
        sent = self._sent(direction)
        return Reference(self.means(direction), counting.refused_with(sent), counting.errors_of(sent))

    def rounds(self, direction: Direction, spoiled: dict[int, tuple[str, ...]]) -> tuple[RoundControl, ...]:
        """The control of each round in one direction; `spoiled`: by round, the eyes that dropped packets."""
        eyes = self.path.receiver_end(direction) is not None
        return counting.by_round(self._sent(direction), Reference(self.means(direction)), spoiled, eyes=eyes)

    def _sent(self, direction: Direction) -> list[ControlEntry]:
        return [each for each in self.entries.values() if each.direction is direction]

    def outstanding(self, since: float = -math.inf) -> bool:
        """Some control packet sent after `since` (seconds of the clock) has neither arrived nor been answered yet."""
        return any(
            entry.asked_at > since and not (entry.errno or entry.delivered_at or entry.replied_at)
            for entry in self.entries.values()
        )

    def of_round(self, number: int) -> list[ControlEntry]:
        """The control packets of one round, in the order they were sent."""
        return [each for each in self.entries.values() if each.round == number]

    def half_came(self, number: int, direction: Direction) -> Callable[[], bool]:
        """What is returned says whether an echo was answered, or half of a round's datagrams have arrived."""
        mine = [each for each in self.of_round(number) if each.direction is direction and not each.echo]
        return lambda: self.round_trip is not None or (bool(mine) and 2 * sum(each.came for each in mine) >= len(mine))

    def _payload(self, entry: ControlEntry, protocol: int) -> bytes:
        content = self.content[: max(0, len(self.content) - CARRIER_HEADER)]  # so that the packets are of one size
        return sealed(self.path, protocol, entry.index, content, self.path.clock.time_ns())

    def port(self, direction: Direction) -> int:
        """Where datagrams of this direction are sent."""
        if direction in self._aimed:
            return self._aimed[direction][1]
        if direction is Direction.REVERSE and (seen := self.source_seen.get(Direction.FORWARD)) and seen[1]:
            return seen[1]
        end = self.path.receiver_end(direction)
        return self.path.controls[id(end)][1] if end is not None else 9  # discard, RFC 863
