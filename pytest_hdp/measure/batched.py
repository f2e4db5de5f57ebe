"""Measuring with an agent at a far host: packets are handed over in batches, and every question costs a round trip.

So nothing waits for answers that need not: further rounds are sent meanwhile, and judged is what was sent so long ago
that all that became of it is known. If the agent goes, what is settled by then stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control import ICMP
from pytest_hdp.measure.leisure import ask_at_leisure
from pytest_hdp.measure.meeting import ask_back, confirm, greet_from_afar
from pytest_hdp.measure.rounds import FEW_CONTROLS, Volley, let_forward_arrive
from pytest_hdp.measure.search import find_places
from pytest_hdp.measure.waiting import Waiting, glance, look_until, pause

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ends import Eye
    from pytest_hdp.measure.knowledge import Knowledge
    from pytest_hdp.vantage.station import Observation

GLANCE = 0.05  # seconds between two looks at whether an agent has answered


class Batched:
    """The strategy for paths with an end, or both, at the other end of a channel."""

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self.volley = Volley(know)
        self._known = 0  # rounds of which all is known
        self._learning: tuple[int, Callable[[], bool]] | None = None  # of so many rounds, and whether all is known
        self._far_busy = 0.0

    def script(self) -> Waiting[None]:
        """Measure all of it."""
        know, pace = self.know, self.know.plan.pace
        self._open_sockets()
        yield from greet_from_afar(know)
        if Direction.REVERSE in know.directions:
            ask_back(know.control)
        while know.rounds < pace.rounds and know.path.gone is None:
            yield from self._learn_meanwhile(self._round())
            self._learning = self._learning or (know.rounds, self._hearing())
            yield from self._learn_meanwhile(pause(know.clock, pace.spacing))
        self._learning = None
        yield from self._hear(know.rounds)
        know.judge_open(more_rounds=self._may_go_on)
        while know.open_trains():
            yield from self._go_on()
        yield from ask_at_leisure(know, self._send_few, lambda: self._hear(know.rounds))
        yield from find_places(know)

    @property
    def _may_go_on(self) -> bool:
        return self.know.rounds < self.know.plan.pace.most_rounds and self.know.path.gone is None

    def _open_sockets(self) -> None:
        """Those of the control's echoes too: later each would be a question to the far end."""
        know = self.know
        know.path.open_ahead([*know.plan.trains, *(Train(ICMP, direction) for direction in know.directions)])
        for direction in know.directions:
            know.path.sender(direction, ICMP)
        know.open_sockets()

    def _go_on(self) -> Waiting[None]:
        """Send rounds to the undecided while those before become known, and judge by these."""
        know = self.know
        spacing = max(know.plan.pace.widest, know.plan.pace.spacing)
        if self._may_go_on and know.rounds == self._known:
            yield from self._round()
            yield from pause(know.clock, spacing)
        sent, heard = know.rounds, self._hearing()
        while self._may_go_on and not heard():
            yield from self._round()
            yield from pause(know.clock, spacing)
        if not self._may_go_on:
            yield from self._hear(know.rounds)
            know.judge_open(more_rounds=False)
            return
        self._learn(sent)
        know.judge_open(more_rounds=True, rounds=sent)

    def _learn_meanwhile(self, work: Waiting[object]) -> Waiting[None]:
        """Learn of the first rounds, too, while they go on: the user may end it at any time."""
        for until in work:
            yield until
            if self._learning is not None and self._learning[1]():
                self._learn(self._learning[0])
                self._learning = None

    def _hear(self, rounds: int) -> Waiting[None]:
        """Wait until all is known of what was sent, which is so many rounds."""
        heard, now = self._hearing(), self.know.clock.monotonic
        while not heard():
            yield now() + GLANCE
        self._learn(rounds)

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

    def _learn(self, rounds: int) -> None:
        self.know.note_drops(far_since=self._known)
        self._known = rounds

    def _round(self) -> Waiting[None]:
        """In the first round reverse follows forward; later it answers the round before, and goes at the same time."""
        know = self.know
        number, trains = know.rounds, know.open_trains()
        know.rounds += 1
        for direction in reversed(know.directions) if number else know.directions:
            asked = [train for train in trains if train.direction is direction]
            if direction is Direction.REVERSE:
                if not asked:
                    continue
                if not number:
                    yield from let_forward_arrive(know, number)
                if not (yield from confirm(know, asked)):
                    continue
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
        order: list[Train | Direction] = [*trains, *[direction] * FEW_CONTROLS]
        for position, item in enumerate(order):
            self.volley.send_one(item, number, position)
        yield from glance(self.know.clock)

    def _order(self, trains: list[Train], direction: Direction) -> list[Train | Direction]:
        """With fewer controls once the rounds for everyone are over: what they lose is well known by then."""
        order = self.volley.order(trains, direction)
        if self.know.rounds <= self.know.plan.pace.rounds:
            return order
        return [item for at, item in enumerate(order) if not (isinstance(item, Direction) and at % 3)]

    # As any strategy

    def file(self, eye: Eye, observation: Observation) -> None:
        """File what was seen."""
        self.know.file(eye, observation)

    def judge_now(self, train: Train) -> Judgement:
        """Judge a train by the rounds of which all is known."""
        return self.know.judge(train, more_rounds=False, rounds=self._known)

    def seconds_left(self) -> float | None:
        """Seconds that it will still take, as far as anybody knows."""
        return None

    def rounds_to_tell(self) -> int:
        """How many rounds the user is told of."""
        return self.know.rounds
