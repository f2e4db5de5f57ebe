"""A measurement: one strategy at work over one open path, driven by whoever asks for a train's judgement.

Nothing runs in the background: whoever asks pumps the whole measurement until that train is settled, and others beside
it if they like (`side_by_side.py`): a step never waits, it says until when the next one may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.progress import Teller
from pytest_hdp.measure.schedule.agentless import Agentless
from pytest_hdp.measure.schedule.alone import leave_open
from pytest_hdp.measure.schedule.batched import Batched
from pytest_hdp.measure.schedule.containing import Containing
from pytest_hdp.measure.schedule.knowledge import Knowledge
from pytest_hdp.measure.schedule.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ledger.ledger import Ledger
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.path.waiting import Waiting
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.measure.progress import OnProgress
    from pytest_hdp.vantage.receiving import Observation


class Strategy(Protocol):
    """What to send when, and when enough is known."""

    def script(self) -> Waiting[None]:
        """The whole measurement, from opening sockets to the last judgement."""

    def file_observation(self, observer: Observer, observation: Observation) -> None:
        """File what was seen at the path's ends."""

    def judge_now(self, train: Train) -> Judgement:
        """Judge a train by what is known, since it has to end early."""

    def seconds_left(self) -> float | None:
        """Seconds that it will still take; None where nobody can say."""

    def rounds_to_tell(self) -> int:
        """How many rounds the user is told of; 0 where rounds would mean nothing to them."""


def strategy_for(path: OpenPath, plan: Plan) -> Callable[[Knowledge], Strategy]:
    """What kind of measurement a path takes: at the target's own pace where nobody watches its end."""
    if plan.contain:
        return Containing
    return Agentless if path.far is None else rounds_for(path)


def rounds_for(path: OpenPath) -> Callable[[Knowledge], Strategy]:
    """How rounds are sent over a path: at once, or in batches where an end is far away."""
    return Batched if any(end is not None and end.remote is not None for end in (path.near, path.far)) else Rounds


class Measurement:
    """Measures one plan over one open path. Pure waiting: no threads, no timers.

    `wakes_at`: by the path's clock, when the next step is due if nothing is seen before.
    """

    def __init__(
        self,
        path: OpenPath,
        plan: Plan,
        on_progress: OnProgress | None = None,
        strategy: Callable[[Knowledge], Strategy] | None = None,
    ) -> None:
        self.path = path
        self.plan = plan
        self._planned = frozenset(plan.trains)
        self.know = Knowledge(path, plan)
        self.strategy = (strategy or strategy_for(path, plan))(self.know)
        self.wakes_at = 0.0
        self._begun = False
        self._failure: Exception | None = None
        self._progress = Teller(on_progress, path.clock)
        self._work = self.strategy.script()
        path.subscribers.append(self.strategy.file_observation)

    @property
    def ledger(self) -> Ledger:
        """All probes that it sent."""
        return self.know.ledger

    @property
    def rounds(self) -> int:
        """How many rounds were begun."""
        return self.know.rounds

    def judge_until_settled(self, train: Train) -> Judgement:
        """The judgement of one train of the plan, measuring until it is settled.

        Raises RuntimeError if the measurement ended in an error before it was, and for a train that was not planned.
        """
        while not self.knows(train):
            self.path.wait(self.wakes_at - self.path.clock.monotonic())
            self.step()
        if self.done:
            self._report(over=True)
        return self.know.settled[train]

    def knows(self, train: Train) -> bool:
        """Whether a train is settled. Raises RuntimeError for one that is not in the plan: it never would be."""
        if train not in self._planned:
            raise RuntimeError(f"this measurement did not plan {train}: say before it begins that it is wanted")
        return train in self.know.settled

    def step(self) -> None:
        """Go on without waiting, as far as it goes. Raises what ended the measurement, a second time as RuntimeError.

        That the path is gone is raised as such each time.
        """
        try:
            if self._begun:
                self.path.look(0)
            self._begun = True
            self.wakes_at = next(self._work)
        except StopIteration:  # the last step settles what is left, and yields no more
            self._leave()
            if isinstance(self._failure, PathUnavailable):
                raise self._failure from None
            if not self.done:
                raise RuntimeError(f"this measurement ended early: {self._failure}") from self._failure
        except Exception as error:
            self._failure = error
            self._work.close()
            self._report(over=True)
            raise
        else:
            self.path.flush()
            if self._progress.due():
                self._report()

    def run(self) -> dict[Train, Judgement]:
        """All judgements, in the plan's order."""
        return {train: self.judge_until_settled(train) for train in self.plan.trains}

    @property
    def done(self) -> bool:
        """Whether every train is settled, so that the path is not needed any more."""
        return self.know.done

    @property
    def over(self) -> bool:
        """Whether nothing more will be sent: it is done, or something has ended it."""
        return self.done or self._failure is not None

    def stop(self) -> dict[Train, Judgement]:
        """End early: judge by what is known what is not settled yet, unless nothing was sent of it."""
        self._work.close()
        if not self.done:
            self.path.look(0)  # what was sent last has left by now, and nobody has looked
        self._report(over=True)
        self._leave()
        know = self.know
        know.forget_circumstances()
        leave_open(know)
        know.settle_all(list(know.to_locate.values()))
        for train in know.open_trains():
            if know.ledger.trains.get(train):
                know.settled[train] = self.strategy.judge_now(train)
        return dict(know.settled)

    def _leave(self) -> None:
        if self.strategy.file_observation in self.path.subscribers:
            self.path.subscribers.remove(self.strategy.file_observation)

    def _report(self, *, over: bool = False) -> None:
        """Tell whoever asked how far it got; `over`: nothing more will come."""
        know, left, rounds = self.know, self.strategy.seconds_left(), self.strategy.rounds_to_tell()
        left = left if left is not None else self._progress.rest_of_rounds(self.plan, rounds)
        self._progress.tell(self.plan, rounds, know.settled, know.to_locate, left=left, over=over)
