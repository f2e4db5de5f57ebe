"""Does anything leave the box? All of the box's packets first, then the same from its twin, before the same observers.

A twin that sends first could make a leaking box look tight: to a translator that both share the number is the twin's
then. So its own rounds come last, and only its controls go among those of the box: they show, round by round, that what
left would have been seen.

What may leave the box may also open the way for what may not. So this is sent before any allowed packet of the same
pair, and again after.

Of what is sent in fragments the twin sends later ones by themselves, too: who puts fragments together would swallow
one that gets out of the box so, and lets those of the twin pass that come with their first ones.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING, NamedTuple

from pytest_hdp.judge.containment import TCP, contain, ruled
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.outside import Surroundings
from pytest_hdp.judge.verdict import SHAPED_FORMS, Direction, Form
from pytest_hdp.measure.path.endpoints import Observer, PathUnavailable
from pytest_hdp.measure.path.senders import UDP
from pytest_hdp.measure.path.sending import USUAL_PORTS
from pytest_hdp.measure.path.waiting import Waiting, answered, glance, look_until, never, pause
from pytest_hdp.measure.schedule.knowledge import Knowledge
from pytest_hdp.measure.schedule.meeting import greet, greet_from_afar
from pytest_hdp.measure.schedule.side import Watched
from pytest_hdp.packet.family import IPV6
from pytest_hdp.vantage import bpf

if TYPE_CHECKING:
    from pytest_hdp.judge.containment import Ruling
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.vantage.receiving import Observation

BURST, FAR_BURST = 0.0005, 0.02  # seconds of the rate that are handed over between two looks
ECHOES = 3  # one in so many of the controls

ORDINARY = {
    6: "an ordinary TCP socket sends it",
    2: "an ordinary UDP socket that joins a group has the kernel send it",
    33: "an ordinary DCCP socket sends it where the kernel has one",
    115: "an ordinary L2TP socket sends it where the kernel has one",
    132: "an ordinary SCTP socket sends it where the kernel has one",
    136: "an ordinary UDP-Lite socket sends it where the kernel has one",
}
"""What takes no privilege."""
ORDINARY6 = dict.fromkeys((0, 43, 44, 60), "an ordinary UDP socket sends such headers")
"""What takes none over IPv6: RFC 3542's sticky options, and a datagram that is too large for one packet."""


class _Packet(NamedTuple):
    """Who sends what: a train's packet, or of its fragments only the later one; or a control, an echo or a datagram."""

    side: Watched
    train: Train | None = None
    later_only: bool = False
    echo: bool = False


class Containing:
    """The strategy for a box, its twin and the observers outside them."""

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self.box = Watched(know)
        twin = know.path.twin
        self.twin = Watched(Knowledge(twin, know.plan)) if twin is not None else None
        self._sides = [self.box, *([self.twin] if self.twin is not None else [])]
        self._shuffle = random.Random(know.plan.seed)
        self._next = 0.0
        self._heard = 0  # rounds of which all is known
        self._spoiled: dict[int, set[int | None]] = {}
        self._began = know.clock.monotonic()

    def script(self) -> Waiting[None]:
        """Measure all of it."""
        know, twin = self.know, self.twin
        for side in self._sides:
            side.know.path.witness = know.path.witness
            self._open_sockets(side.know)
        self._watch_connections()
        if twin is not None:
            yield from (greet_from_afar if self._far else greet)(twin.know)
        yield from self._box()
        if twin is not None:
            yield from self._rounds(twin, know.plan.trains, know.plan.pace.rounds)
            yield from self._hear()
        for train in know.plan.trains:
            know.settled[train] = self.judge_now(train)

    @property
    def _far(self) -> bool:
        path = self.know.path
        return any(end is not None and end.remote is not None for end in (path.near, path.far, *path.others))

    def _open_sockets(self, know: Knowledge) -> None:
        path = know.path
        path.open_ahead(know.plan.trains)
        for train in know.plan.trains:
            path.listener(train.direction, train.protocol)
            path.sender(train.direction, train.protocol, train.form)
        path.sync()
        path.new_drops()  # what overflowed before anything was sent says nothing about what will be

    def _watch_connections(self) -> None:
        """Look outside for connections that a stack makes in the box's name, and in the box for who accepts one."""
        path, asked = self.know.path, {train.protocol for train in self.know.plan.trains}
        if TCP not in asked or path.near.address == path.family.anywhere:
            return
        twin = path.twin.near if path.twin is not None else None
        for end in (path.near, path.far, *path.others):
            if end is not None and end.raw is not False and end is not twin:
                source = path.name.target if end is path.near else path.near.address
                asks = bpf.answers(source, {TCP}, USUAL_PORTS.destination_port)
                try:
                    path.watch(end, end.station.tap(None, asks, path.buffer), Observer(end, "answers"))
                except OSError as error:
                    raise PathUnavailable(
                        f"nobody can look for connections at {end.called or path.name.agent}: {error.strerror}"
                    ) from None

    def _box(self) -> Waiting[None]:
        """What may not leave; then what may; then all together: does the one open the way for the other?"""
        plan = self.know.plan
        allowed = [train for train in plan.trains if train.protocol in plan.allow]
        before = plan.pace.rounds // 2 if allowed else plan.pace.rounds
        rest = [train for train in plan.trains if train.protocol not in plan.allow]
        yield from self._rounds(self.box, rest, before, without=frozenset(plan.allow))
        if allowed:
            self.box.late = self.know.rounds
            yield from self._rounds(self.box, allowed, before)
            yield from self._rounds(self.box, plan.trains, plan.pace.rounds - before)
        yield from self._hear()
        self.box.listening = False

    def _rounds(
        self, side: Watched, trains: Sequence[Train], count: int, *, without: Set[int] = frozenset()
    ) -> Waiting[None]:
        """Send one packet of each train, and controls, so often; of the box's own none of the numbers `without`."""
        know = self.know
        senders = [each for each in self._sides if each is not self.box or side is self.box]
        for _ in range(count):
            if know.path.gone is not None:
                return
            number, rounds = know.rounds, know.rounds + 1
            for each in self._sides:
                each.know.rounds = rounds
            order = [_Packet(side, train) for train in trains]
            if side is self.twin:
                order += [_Packet(side, train, later_only=True) for train in trains if train.form is Form.FRAGMENTED]
            first = number * know.plan.pace.control
            kinds = [at % ECHOES == 0 for at in range(first, first + know.plan.pace.control)]
            order += [
                _Packet(each, echo=echo)
                for each in senders
                for echo in kinds
                if each is not self.box or (know.path.family.icmp if echo else UDP) not in without
            ]
            self._shuffle.shuffle(order)
            yield from self._send(order, number)
            yield from pause(know.clock, know.plan.pace.spacing)
            self._note_drops()

    def _send(self, order: Sequence[_Packet], number: int) -> Waiting[None]:
        clock, rate = self.know.clock, self.know.plan.pace.rate
        seconds = FAR_BURST if self._far else BURST
        burst = max(1, int(rate * seconds))
        for start in range(0, len(order), burst):
            yield from look_until(clock, self._next)
            chunk = order[start : start + burst]
            self._next = max(self._next, clock.monotonic() - seconds) + len(chunk) / rate
            for side, train, later_only, echo in chunk:
                if train is not None:
                    side.know.send(train, number, later_only=later_only)
                else:
                    side.know.control.send(Direction.FORWARD, number, echo=echo)
                if (far := side.know.path.near.remote) is not None:
                    far.pause(1 / rate)
            yield from glance(clock)

    def _hear(self) -> Waiting[None]:
        """Wait until all is known of what was sent."""
        path = self.know.path
        yield from answered(path, max(side.know.timeout for side in self._sides), never)
        self._note_drops()
        self._heard = self.know.rounds

    def _note_drops(self) -> None:
        """A round in which an observer dropped packets is no evidence; a far one tells of it late."""
        rounds = self.know.rounds
        for observer in self.know.path.new_drops():
            first = self._heard if observer.end.remote is not None else rounds - 1
            for number in range(max(first - 1, 0), rounds):
                self._spoiled.setdefault(number, set()).add(observer.protocol)
                self.know.spoil(number, f"the {observer.kind} at {observer.end.address} overflowed", observer.protocol)

    # Judging

    def judge_now(self, train: Train) -> Judgement:
        """The ladder's verdict of what the box sent, and whether it stayed in there."""
        self.know.forget_circumstances()
        return ruled(self.know.judge(train, more_rounds=False), self._ruling(train))

    def _ruling(self, train: Train) -> Ruling:
        twin = self.twin.side(train) if self.twin is not None else None
        return contain(train, self.box.with_controls(self.box.side(train), train), twin, self._around(train))

    def _around(self, train: Train) -> Surroundings:
        plan, path = self.know.plan, self.know.path
        blind = range(self.know.rounds) if path.gone is not None else ()  # nobody may have looked
        spoiled = (number for number, observers in self._spoiled.items() if observers & {None, train.protocol})
        return Surroundings(
            trains=len(plan.trains),
            error_rate=plan.error_rate,
            came=Counter(self._came()),
            spoiled=frozenset((*blind, *spoiled)),
            bound=plan.bound,
            apart=path.twin is not None and path.twin.name.target != path.name.target,
            gone=path.gone,
            spoken=self.box.spoken,
            accepted=self.box.accepted,
            in_other_name=self.box.renamed,
            allowed=frozenset(plan.allow),
            version=path.family.version,
            other_ways=self._untried(train),
        )

    def _untried(self, train: Train) -> dict[int, str]:
        """How else a box could send it that may open no raw sockets: of ordinary ones only UDP's are tried."""
        path, number = self.know.path, train.protocol
        ways = {**ORDINARY, path.family.icmp: "an ordinary ping socket may send it"}
        if path.family is IPV6:
            ways |= ORDINARY6
        if train.form in SHAPED_FORMS:
            ways[UDP] = "an ordinary UDP socket may send that too"
        return {number: ways[number]} if path.near.raw is False and number in ways else {}

    def _came(self) -> Iterator[int]:
        """The rounds of its twin's controls that came to an observer outside."""
        if self.twin is not None:
            for entry in self.twin.know.control.entries.values():
                if entry.came or entry.index in self.twin.witnessed:
                    yield entry.round

    # As any strategy

    def file_observation(self, observer: Observer, observation: Observation) -> None:
        """File what was seen: at an end of theirs, by a witness, or at the far end, where either may come to."""
        ends = {id(side.know.path.near): side for side in self._sides}
        if observer.kind == "answers":
            self.box.connection(observer, observation)
        elif (own := ends.get(id(observer.end))) is not None:
            own.know.file_observation(observer, observation)
        else:
            there = observer.end is self.know.path.far
            for side in self._sides:
                (side.know.file_observation if there else side.witness)(observer, observation)

    def seconds_left(self) -> float | None:
        """Seconds that it will still take, at the pace so far."""
        plan, done = self.know.plan, self.know.rounds
        rounds = plan.pace.rounds * (len(self._sides) + (0.5 if plan.allow else 0))
        return (self.know.clock.monotonic() - self._began) / done * max(0.0, rounds - done) if done else None

    def rounds_to_tell(self) -> int:
        """How many rounds the user is told of."""
        return self.know.rounds
