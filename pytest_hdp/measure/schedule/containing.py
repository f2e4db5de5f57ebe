"""Does anything leave the box? All of the box's packets first, then the same from its twin, before the same observers.

A twin that sends first could make a leaking box look tight: to a translator that both share the number is the twin's
then. So its own rounds come last, and only its controls go among those of the box: they show, round by round, that what
left would have been seen.

What may leave the box may also open the way for what may not. So this is sent before any allowed packet of the same
pair, and again after.

Does anything come in unasked? That is asked first, in the same order, by the far end: once the box or its twin has sent
packets of a number, what comes is an answer. What is sent to an address that nobody has confirmed is bounded
(`confirmed`), and nothing ever comes back from a tight box. So its address is free where our own kernel named it and
its twin, of which that is so too, was reached at its own. What a kernel elsewhere calls the box's address may be a
stranger's, and whoever is in the box may make it up: no more than the bound goes there.

Of what is sent in fragments the twin sends later ones by themselves, too: who puts fragments together would swallow
one that gets out of the box so, and lets those of the twin pass that come with their first ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, NamedTuple

from pytest_hdp.judge.containment import TCP, ruled
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.path.endpoints import Observer, PathUnavailable
from pytest_hdp.measure.path.senders import UDP
from pytest_hdp.measure.path.sending import USUAL_PORTS
from pytest_hdp.measure.path.waiting import Waiting, answered, glance, look_until, never, pause
from pytest_hdp.measure.schedule.knowledge import Knowledge
from pytest_hdp.measure.schedule.meeting import greet, greet_from_afar
from pytest_hdp.measure.schedule.rulings import Rulings, is_nowhere
from pytest_hdp.measure.schedule.side import Watched
from pytest_hdp.vantage import bpf

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.vantage.receiving import Observation

BURST, FAR_BURST = 0.0005, 0.02  # seconds of the rate that are handed over between two looks
ECHOES = 3  # one in so many of the controls


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
        self._rulings = Rulings(self.box, self.twin)
        self._climbed: dict[Train, Judgement] = {}  # of what came in, before anything went out
        self._ways = [way for way in (Direction.REVERSE, Direction.FORWARD) if self._trains(way)]

    def script(self) -> Waiting[None]:
        """Measure all of it."""
        know = self.know
        for side in self._sides:
            side.know.path.witness = know.path.witness
            self._open_sockets(side.know)
        for way in self._ways:
            if way is Direction.FORWARD:
                self._watch_connections()
            yield from self._both(way)
            if way is Direction.REVERSE:
                self._climbed = {train: know.judge(train, more_rounds=False) for train in self._trains(way)}
        if self._ways == [Direction.REVERSE] and know.path.near.remote is not None:
            yield from self._rounds(self.box, (), 1, Direction.FORWARD)  # does its tap see anything at all?
            yield from self._hear()
        for train in know.plan.trains:
            know.settled[train] = self.judge_now(train)

    def _trains(self, way: Direction) -> list[Train]:
        return [train for train in self.know.plan.trains if train.direction is way]

    def _both(self, way: Direction) -> Waiting[None]:
        """The box's packets, then its twin's, in one direction."""
        twin, confirmed = self.twin, self.know.path.confirmed
        if way is Direction.REVERSE:
            confirmed.own = {self.know.path.name.target}
        if twin is not None:
            yield from (greet_from_afar if self._far else greet)(twin.know, way)
            if confirmed.free(twin.know.path.near.address):
                confirmed.own = self.know.path.own
        yield from self._box(way)
        if twin is not None:
            yield from self._rounds(twin, self._trains(way), self.know.plan.pace.rounds, way)
            yield from self._hear()

    @property
    def _far(self) -> bool:
        path = self.know.path
        return any(end is not None and end.remote is not None for end in (path.near, path.far, *path.others))

    def _open_sockets(self, know: Knowledge) -> None:
        path = know.path
        path.open_ahead(know.plan.trains)
        for train in know.plan.trains:
            path.listener(train.direction, train.protocol)
        for train in know.plan.trains:  # an end that listens to a number sends it by the same socket
            path.sender(train.direction, train.protocol, train.form)
        path.sync()
        path.new_drops()  # what overflowed before anything was sent says nothing about what will be

    def _watch_connections(self) -> None:
        """Look outside for connections that a stack makes in the box's name, and in the box for who accepts one."""
        path, asked = self.know.path, {train.protocol for train in self._trains(Direction.FORWARD)}
        if TCP not in asked or path.near.address == path.family.anywhere:
            return
        twin = path.twin.near if path.twin is not None else None
        for end in (path.near, path.far, *path.others):
            if end is not None and end.raw is not False and end is not twin:
                port = USUAL_PORTS.destination_port
                wanted = bpf.asks({TCP}, port, path.family)
                if end is path.near:
                    wanted = bpf.answers(path.name.target, {TCP}, port)
                try:
                    path.watch(end, end.station.tap(None, wanted, path.buffer), Observer(end, "answers"))
                except OSError as error:
                    raise PathUnavailable(
                        f"nobody can look for connections at {end.called or path.name.agent}: {error.strerror}"
                    ) from None

    def _box(self, way: Direction) -> Waiting[None]:
        """What may not pass; then what may; then all together: does the one open the way for the other?"""
        plan, trains = self.know.plan, self._trains(way)
        if way is Direction.REVERSE and is_nowhere(self.know.path):
            trains = []
        allowed = [train for train in trains if train.protocol in plan.allow]
        before = plan.pace.rounds // 2 if allowed else plan.pace.rounds
        rest = [train for train in trains if train.protocol not in plan.allow]
        yield from self._rounds(self.box, rest, before, way, without=frozenset(plan.allow))
        if allowed:
            self.box.late[way] = self.know.rounds
            yield from self._rounds(self.box, allowed, before, way)
            yield from self._rounds(self.box, trains, plan.pace.rounds - before, way)
        yield from self._hear()
        self.box.listening = way is Direction.REVERSE  # to connections that others make, which comes then

    def _rounds(
        self, side: Watched, trains: Sequence[Train], count: int, way: Direction, *, without: Set[int] = frozenset()
    ) -> Waiting[None]:
        """Send one packet of each train, and controls, so often; of the box's own none of the numbers `without`.

        In reverse none of the box's where what may be sent to it is counted: all of that is the trains'.
        """
        know = self.know
        own = side is self.box and (way is Direction.FORWARD or know.path.confirmed.free(know.path.near.address))
        senders = [each for each in self._sides if each is not self.box or own]
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
            yield from self._send(order, number, way)
            yield from pause(know.clock, know.plan.pace.spacing)
            self._note_drops()

    def _send(self, order: Sequence[_Packet], number: int, way: Direction) -> Waiting[None]:
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
                    side.know.control.send(way, number, echo=echo)
                if (far := side.know.path.sender_end(way).remote) is not None:
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
        """The ladder's verdict of what the box sent, and whether it stayed in there; or of what came in."""
        self.know.forget_circumstances()
        return ruled(
            self._climbed.get(train) or self.know.judge(train, more_rounds=False),
            self._rulings.ruling(train, self._spoiled),
        )

    # As any strategy

    def file_observation(self, observer: Observer, observation: Observation) -> None:
        """File what was seen: at an end of theirs, by a witness, or at the far end, where either may come to."""
        ends = {id(side.know.path.near): side for side in self._sides}
        if observer.kind == "answers":
            self.box.connection(observer, observation)
        elif (own := ends.get(id(observer.end))) is not None:
            own.looked |= own.know.file_observation(observer, observation) and observer.kind == "tap"
        else:
            there = observer.end is self.know.path.far
            for side in self._sides:
                (side.know.file_observation if there else side.witness)(observer, observation)

    def seconds_left(self) -> float | None:
        """Seconds that it will still take, at the pace so far."""
        plan, done = self.know.plan, self.know.rounds
        rounds = plan.pace.rounds * (len(self._sides) + (0.5 if plan.allow else 0)) * len(self._ways)
        return (self.know.clock.monotonic() - self._began) / done * max(0.0, rounds - done) if done else None

    def rounds_to_tell(self) -> int:
        """How many rounds the user is told of."""
        return self.know.rounds
