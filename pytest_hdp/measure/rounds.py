"""Rounds with eyes at both ends in this process: all trains at once, shuffled, beside the control.

What is undecided gets further rounds, spaced wider and wider.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.leisure import ask_at_leisure
from pytest_hdp.measure.meeting import ask_back, confirm, greet
from pytest_hdp.measure.search import find_places
from pytest_hdp.measure.waiting import Waiting, glance, look_until, pause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ends import Eye
    from pytest_hdp.measure.knowledge import Knowledge
    from pytest_hdp.vantage.station import Observation

FEW_CONTROLS = 2  # where only a few numbers are asked again
BURST = 0.0005  # seconds of the rate that are sent back to back between two looks at the sockets


class Volley:
    """Sends one probe of each of some trains, and the controls, in shuffled order at the plan's rate."""

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self._shuffle = random.Random(know.plan.seed)
        self._next = 0.0

    def order(self, trains: list[Train], direction: Direction) -> list[Train | Direction]:
        """Trains, and a direction in the place of each control, as they are to be sent."""
        order: list[Train | Direction] = [*trains, *[direction] * self.know.plan.pace.control]
        self._shuffle.shuffle(order)
        return order

    def send_one(self, item: Train | Direction, number: int, position: int) -> None:
        """Send what stands at a position of a round's order."""
        if isinstance(item, Direction):
            control = self.know.control
            control.send(item, number, echo=control.is_echo(item, position))
        else:
            self.know.send(item, number)

    def send(self, order: list[Train | Direction], number: int) -> Waiting[None]:
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


def let_forward_arrive(know: Knowledge, number: int) -> Waiting[None]:
    """Wait until what was sent forward in a round has arrived, so that what goes back is an answer.

    While no echo tells how long that takes, half of the round's datagrams have to be there, or a timeout be over.
    """
    control, clock = know.control, know.clock
    if control.round_trip is None:
        came = control.half_came(number, Direction.FORWARD)
        yield from look_until(clock, clock.monotonic() + know.timeout, came)
    yield from pause(clock, control.round_trip or 0.0)


class Rounds:
    """The strategy for paths whose sockets are all of this process."""

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self.volley = Volley(know)

    def script(self) -> Waiting[None]:
        """Measure all of it."""
        know, pace = self.know, self.know.plan.pace
        know.open_sockets()
        yield from greet(know)
        if Direction.REVERSE in know.directions:
            ask_back(know.control)  # what comes back does so during the first round
        for _ in range(pace.rounds):
            yield from self.round()
            yield from pause(know.clock, pace.spacing)
        spacing = pace.spacing
        while True:
            yield from self.wait_for_stragglers()
            know.note_drops()
            know.judge_open(more_rounds=know.rounds < pace.most_rounds)
            if not know.open_trains():
                yield from ask_at_leisure(know, self.send_few, self.hear)
                yield from find_places(know)
                return
            spacing = min(spacing * 2, max(pace.widest, pace.spacing))
            for _ in range(min(1 + know.rounds // 4, pace.most_rounds - know.rounds)):
                yield from pause(know.clock, spacing)
                yield from self.round()

    def send_few(self, trains: Sequence[Train], direction: Direction, number: int) -> Waiting[None]:
        """Send one probe of some trains, with the control behind them."""
        yield from self.volley.send([*trains, *[direction] * FEW_CONTROLS], number)

    def hear(self) -> Waiting[None]:
        """Wait until all is known of what was sent."""
        yield from pause(self.know.clock, self.know.timeout)
        self.know.note_drops()

    def round(self) -> Waiting[None]:
        """Send one probe of each open train: forward, and when those have arrived, reverse, so that it is an answer."""
        know = self.know
        number, trains = know.rounds, know.open_trains()
        know.rounds += 1
        for direction in know.directions:
            asked = [train for train in trains if train.direction is direction]
            if direction is Direction.REVERSE:
                if not asked:
                    continue  # forward goes on without trains too: its control keeps a NAT's way back open
                yield from let_forward_arrive(know, number)
                if not (yield from confirm(know, asked)):
                    continue
            yield from self.volley.send(self.volley.order(asked, direction), number)
        know.note_drops()

    def wait_for_stragglers(self) -> Waiting[bool]:
        """Wait until everything sent within the last timeout is accounted for, or the timeout is over."""
        know = self.know
        waiting = [entry for train in know.open_trains() for entry in know.ledger.trains.get(train, ())]

        def accounted_for() -> bool:
            nonlocal waiting
            since = know.clock.monotonic() - know.timeout
            waiting = [entry for entry in waiting if entry.asked_at > since and not entry.complete]
            return not waiting and not know.control.outstanding(since)

        return look_until(know.clock, know.clock.monotonic() + know.timeout, accounted_for)

    # As any strategy

    def file(self, eye: Eye, observation: Observation) -> None:
        """File what was seen."""
        self.know.file(eye, observation)

    def judge_now(self, train: Train) -> Judgement:
        """Judge a train by what is known when it has to end early."""
        return self.know.judge(train, more_rounds=False)

    def seconds_left(self) -> float | None:
        """Seconds that it will still take, as far as anybody knows."""
        return None

    def rounds_to_tell(self) -> int:
        """How many rounds the user is told of."""
        return self.know.rounds
