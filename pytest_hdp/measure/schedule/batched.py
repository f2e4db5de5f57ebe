"""Measuring with an agent at a far host: packets are handed over in batches, and every question costs a round trip.

So nothing waits for answers that need not: further rounds are sent meanwhile, and judged is what was sent so long ago
that all that became of it is known. If the agent goes, what is settled by then stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.stand_in import Slot
from pytest_hdp.measure.path.waiting import GLANCE, Beside, Waiting, glance, hear, look_until, pause
from pytest_hdp.measure.schedule.confirming import Confirming
from pytest_hdp.measure.schedule.meeting import ask_back, greet_from_afar
from pytest_hdp.measure.schedule.rounds import FEW_CONTROLS, Volley, turns_of
from pytest_hdp.measure.schedule.search import Places

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.schedule.knowledge import Knowledge
    from pytest_hdp.vantage.receiving import Observation


class Batched:
    """The strategy for paths with an end, or both, at the other end of a channel."""

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self.volley = Volley(know)
        self.beside = Beside()
        self.places = Places(know, self.beside, self._send_few, self._hear)
        self.turns = turns_of(know)
        self.confirming = Confirming(know, self._may_go)
        self._known = 0  # rounds of which all is known
        self._undecided: set[Train] = set()  # by the rounds that everyone gets
        self._learning: tuple[int, Callable[[], bool]] | None = None  # of so many rounds, and whether all is known
        self._far_busy = 0.0

    def script(self) -> Waiting[None]:
        """Measure all of it."""
        know = self.know
        self._open_sockets()
        yield from greet_from_afar(know)
        if Direction.REVERSE in know.directions:
            ask_back(know.control)
        yield from self.beside.all_of(self._all_rounds())

    def _all_rounds(self) -> Waiting[None]:
        know = self.know
        while know.open_trains() and know.path.gone is None:
            asked = self._asked()
            if asked:
                yield from self._round(asked)
                yield from pause(know.clock, self._spacing(asked))
                asked = self._asked()
            if self._learning is None or (self._learning[0] < know.rounds and not asked):
                self._learning = know.rounds, self._hearing()
            if not asked:
                yield from look_until(know.clock, know.clock.monotonic() + GLANCE, self._learning[1])
            if self._learning[1]():
                self._learn(self._learning[0])
                self._learning = None
                self._judge()
        if know.path.gone is not None:
            self._learn(know.rounds)
            know.judge_each(know.open_trains(), lambda _: False)
            self.places.look_for()

    def _spacing(self, asked: Collection[Train]) -> float:
        pace = self.know.plan.pace
        return pace.spacing if self._undecided.isdisjoint(asked) else max(pace.widest, pace.spacing)

    def _asked(self) -> list[Train]:
        """The trains of the next round: those that lack rounds which everyone gets, and the undecided."""
        know, pace = self.know, self.know.plan.pace
        may = [
            each
            for each in know.open_trains()
            if self.turns.rounds(each) < (pace.most_rounds if each in self._undecided else pace.rounds)
            and self._may_go(each)
            and not know.stand_ins.pending(each.direction, self._known)
        ]
        return self.confirming.without_waiting(may)

    def _may_go(self, train: Train) -> bool:
        """In reverse, when what is on its way forward under the same number has arrived, too."""
        return self.turns.may_go(train) and self.turns.last_before(train) < self._known

    def _judge(self) -> None:
        """Judge by the rounds of which all is known."""
        know, known = self.know, self._known
        trains = [each for each in know.open_trains() if self._known_rounds(each) >= know.plan.pace.rounds]
        know.judge_each(trains, self._may_go_on, known)
        self._undecided.update(trains)
        self.places.look_for()

    def _known_rounds(self, train: Train) -> int:
        """In how many of the rounds of which all is known it was this train's turn."""
        return self.turns.rounds_before(train, self._known)

    def _may_go_on(self, train: Train) -> bool:
        """Whether more will be known of it."""
        return self._known_rounds(train) < self.know.plan.pace.most_rounds

    def _open_sockets(self) -> None:
        """Those of the control's echoes too: later each would be a question to the far end."""
        know = self.know
        know.path.open_ahead(
            [*know.plan.trains, *(Train(know.path.family.icmp, direction) for direction in know.directions)]
        )
        for direction in know.directions:
            know.path.sender(direction, know.path.family.icmp)
        know.open_sockets()

    def _hearing(self) -> Callable[[], bool]:
        """What is returned says whether all is known of what was sent by now.

        First the far end must have sent all of it; then comes the time in which a packet arrives if it ever does; then
        the far end must have told all that it saw.
        """
        know = self.know
        sent = know.path.ask()
        told: Callable[[], bool] | None = None
        until = 0.0

        def heard() -> bool:
            nonlocal told, until
            now = know.clock.monotonic()
            if not until and sent():
                until = now + know.timeout - know.path.lag
            if until and now >= until and told is None:
                told = know.path.ask()
            return told is not None and told()

        return heard

    def _hear(self) -> Waiting[None]:
        """Wait until all is known of what was sent."""
        rounds = self.know.rounds
        yield from hear(self.know.clock, self._hearing())
        self._learn(rounds)

    def _learn(self, rounds: int) -> None:
        self.know.note_drops(far_since=self._known)
        self._known = max(self._known, rounds)

    def _round(self, trains: list[Train]) -> Waiting[None]:
        """Reverse and forward go at the same time: what a far end sends is handed over first."""
        know = self.know
        number = know.rounds
        know.rounds += 1
        self.turns.take(trains, number)
        for direction in reversed(know.directions):
            asked = [train for train in trains if train.direction is direction]
            if direction is Direction.REVERSE and asked:
                asked = yield from self.confirming.may_answer(asked)
            if direction is Direction.FORWARD or asked:
                yield from self._send_all(asked, direction, number)
        yield from look_until(know.clock, self._far_busy)
        know.note_drops(far_since=self._known)

    def _send_all(self, trains: list[Train], direction: Direction, number: int) -> Waiting[None]:
        """From a far end, all in one message, to be sent there one by one at the plan's rate."""
        know, order = self.know, self._order(trains, direction)
        far = know.path.sender_end(direction).remote
        if far is None:
            yield from self.volley.send(order, number)
            return
        for position, item in enumerate(order):
            self.volley.send_one(item, number, position)
            far.pause(1 / know.plan.pace.rate)
        self._far_busy = know.clock.monotonic() + len(order) / know.plan.pace.rate
        yield from glance(know.clock)

    def _send_few(self, trains: Sequence[Train], direction: Direction, number: int) -> Waiting[None]:
        order: list[Train | Slot] = [*trains, *self.know.stand_ins.few(direction, FEW_CONTROLS)]
        for position, item in enumerate(order):
            self.volley.send_one(item, number, position)
        yield from glance(self.know.clock)

    def _order(self, trains: list[Train], direction: Direction) -> list[Train | Slot]:
        """With fewer controls once the rounds for everyone are over: what they lose is well known by then.

        That of what stands in for them is not: it counts from then on only.
        """
        order = self.volley.order(trains, direction)
        if self.know.rounds <= self.know.plan.pace.rounds:
            return order
        return [item for at, item in enumerate(order) if not (isinstance(item, Slot) and not item.stand_in and at % 3)]

    # As any strategy

    def file_observation(self, observer: Observer, observation: Observation) -> None:
        """File what was seen."""
        self.know.file_observation(observer, observation)

    def judge_now(self, train: Train) -> Judgement:
        """Judge a train by the rounds of which all is known."""
        return self.know.judge(train, more_rounds=False, rounds=self._known)

    def seconds_left(self) -> float | None:
        """Seconds that it will still take, as far as anybody knows."""
        return None

    def rounds_to_tell(self) -> int:
        """How many rounds the user is told of."""
        return self.know.rounds
