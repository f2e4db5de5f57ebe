"""Rounds with observers at both ends in this process: many trains at once, shuffled, beside the control.

What is undecided gets further rounds, spaced wider and wider. Whose turn it is: see `turns`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.stand_in import Slot
from pytest_hdp.measure.path.waiting import GLANCE, Beside, Waiting, glance, look_until, pause
from pytest_hdp.measure.schedule.confirming import Confirming
from pytest_hdp.measure.schedule.meeting import ask_back, greet
from pytest_hdp.measure.schedule.search import Places
from pytest_hdp.measure.schedule.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.schedule.knowledge import Knowledge
    from pytest_hdp.vantage.receiving import Observation

FEW_CONTROLS = 2  # where only a few numbers are asked again
BURST = 0.0005  # seconds of the rate that are sent back to back between two looks at the sockets


class Volley:
    """Sends one probe of each of some trains, and the controls, in shuffled order at the plan's rate."""

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self._shuffle = random.Random(know.plan.seed)
        self._next = 0.0

    def order(self, trains: list[Train], direction: Direction) -> list[Train | Slot]:
        """Trains, and the control among them, as they are to be sent."""
        slots, control = self.know.stand_ins.slots(direction, self.know.plan.pace.control), self.know.control
        if direction is Direction.REVERSE and not control.path.confirmed.free(control.address(direction)):
            slots = [each for each in slots if each.stand_in is not None]  # only numbers' own addresses may be sent to
        order: list[Train | Slot] = [*trains, *slots]
        self._shuffle.shuffle(order)
        return order

    def send_one(self, item: Train | Slot, number: int, position: int) -> None:
        """Send what stands at a position of a round's order."""
        control = self.know.control
        if not isinstance(item, Slot):
            self.know.send(item, number)
        elif item.stand_in is not None:
            control.send(item.direction, number, stand_in=item.stand_in)
        else:
            control.send(item.direction, number, echo=control.is_echo(item.direction, position))

    def send(self, order: list[Train | Slot], number: int) -> Waiting[None]:
        """Send all of it, a little at a time."""
        now, rate = self.know.clock.monotonic, self.know.plan.pace.rate
        burst = max(1, int(rate * BURST))
        for start in range(0, len(order), burst):
            chunk = order[start : start + burst]
            yield from look_until(self.know.clock, self._next)
            self._next = max(self._next, now() - BURST) + len(chunk) / rate
            for position, item in enumerate(chunk):
                self.send_one(item, number, start + position)
            yield from glance(self.know.clock)


def turns_of(know: Knowledge) -> Turns:
    """The turns of a measurement: forward is over where it is settled, no place is looked for and none stands in."""

    def is_over(train: Train) -> bool:
        return train in know.settled and not know.stand_ins.holds(train)

    return Turns(know.plan.trains, is_over, lambda: know.held)


class Rounds:
    """The strategy for paths whose sockets are all of this process."""

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self.volley = Volley(know)
        self.beside = Beside()
        self.places = Places(know, self.beside, self.send_few, self.hear)
        self.turns = turns_of(know)
        self.confirming = Confirming(know, self.turns.may_go)

    def script(self) -> Waiting[None]:
        """Measure all of it."""
        know = self.know
        know.open_sockets()
        yield from greet(know)
        if Direction.REVERSE in know.directions:
            ask_back(know.control)  # what comes back does so during the first round
        yield from self.beside.all_of(self._all_rounds())

    def _all_rounds(self) -> Waiting[None]:
        know, pace = self.know, self.know.plan.pace
        spacing = pace.spacing
        while know.open_trains():
            asked = self._asked()
            oldest = max(map(self.turns.rounds, asked), default=0)
            if oldest >= pace.rounds:
                spacing = min(spacing * 2, max(pace.widest, pace.spacing))
            count = 1 + oldest // 4 if oldest >= pace.rounds else pace.rounds - oldest
            for _ in range(count if asked else 0):
                yield from self.round()
                yield from pause(know.clock, spacing)
            yield from self.wait_for_stragglers()
            know.note_drops()
            know.judge_each(self._judgeable(), self._may_go_on)
            self.places.look_for()
            if not asked and not self._asked() and know.open_trains():  # forward's places are looked for first
                yield from look_until(know.clock, know.clock.monotonic() + GLANCE, lambda: bool(self._asked()))

    def _may_go_on(self, train: Train) -> bool:
        return self.turns.rounds(train) < self.know.plan.pace.most_rounds

    def _asked(self) -> list[Train]:
        """The trains of the next round."""
        may = [each for each in self.know.open_trains() if self._may_go_on(each) and self.turns.may_go(each)]
        return self.confirming.without_waiting(may)

    def _judgeable(self) -> list[Train]:
        """Those that got the rounds which everyone gets."""
        least = self.know.plan.pace.rounds
        return [each for each in self.know.open_trains() if self.turns.rounds(each) >= least]

    def send_few(self, trains: Sequence[Train], direction: Direction, number: int) -> Waiting[None]:
        """Send one probe of some trains, with the control behind them."""
        yield from self.volley.send([*trains, *self.know.stand_ins.few(direction, FEW_CONTROLS)], number)

    def hear(self) -> Waiting[None]:
        """Wait until all is known of what was sent."""
        yield from pause(self.know.clock, self.know.timeout)
        self.know.note_drops()

    def round(self) -> Waiting[None]:
        """Send one probe of each train whose turn it is, forward and in reverse."""
        know = self.know
        number, trains = know.rounds, self._asked()
        know.rounds += 1
        self.turns.take(trains, number)
        for direction in know.directions:
            asked = [train for train in trains if train.direction is direction]
            # forward goes on without trains too: its control keeps a NAT's way back open
            if direction is Direction.REVERSE and asked:
                asked = yield from self.confirming.may_answer(asked)
            if direction is Direction.FORWARD or asked:
                yield from self.volley.send(self.volley.order(asked, direction), number)
        know.note_drops()

    def wait_for_stragglers(self) -> Waiting[bool]:
        """Wait until everything sent within the last timeout is accounted for, or the timeout is over."""
        know = self.know
        waiting = [entry for train in self._judgeable() for entry in know.ledger.trains.get(train, ())]

        def accounted_for() -> bool:
            nonlocal waiting
            since = know.clock.monotonic() - know.timeout
            waiting = [entry for entry in waiting if entry.asked_at > since and not entry.complete]
            return not waiting and not know.control.outstanding(since)

        return look_until(know.clock, know.clock.monotonic() + know.timeout, accounted_for)

    # As any strategy

    def file_observation(self, observer: Observer, observation: Observation) -> None:
        """File what was seen."""
        self.know.file_observation(observer, observation)

    def judge_now(self, train: Train) -> Judgement:
        """Judge a train by what is known when it has to end early."""
        return self.know.judge(train, more_rounds=False)

    def seconds_left(self) -> float | None:
        """Seconds that it will still take, as far as anybody knows."""
        return None

    def rounds_to_tell(self) -> int:
        """How many rounds the user is told of."""
        return self.know.rounds
