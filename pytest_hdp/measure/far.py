"""Measuring with an agent at a far host: packets are handed over in batches, and every question costs a round trip.

So nothing waits for answers that need not: further rounds are sent meanwhile, and judged is what was sent so long ago
that all that became of it is known. If the agent goes, what is settled by then stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control import ICMP, MEETING
from pytest_hdp.measure.engine import MEETING_TRIES, Measurement
from pytest_hdp.measure.meeting import COPIES, ask_back

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Circumstances, TrainEvidence
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.path import OpenPath
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.measure.progress import OnProgress

GLANCE = 0.05  # seconds between two looks at whether an agent has answered


def measurement(path: OpenPath, plan: Plan, on_progress: OnProgress | None = None) -> Measurement:
    """The kind of measurement that a path with eyes at its end takes."""
    far = path.near.remote is not None or (path.far is not None and path.far.remote is not None)
    return (FarMeasurement if far else Measurement)(path, plan, on_progress)


class FarMeasurement(Measurement):
    """Measures trains over a path with an end, or both, at the other end of a channel."""

    def __init__(self, path: OpenPath, plan: Plan, on_progress: OnProgress | None = None) -> None:
        super().__init__(path, plan, on_progress)
        self._known = 0  # rounds of which all is known
        self._learning: tuple[int, Callable[[], bool]] | None = None  # of so many rounds, and whether all is known
        self._judged_by: int | None = None
        self._far_busy = 0.0

    def _open_sockets(self) -> None:
        """Those of the control's echoes too: later each would be a question to the far end."""
        self.path.open_ahead([*self.plan.trains, *(Train(ICMP, direction) for direction in self.directions)])
        for direction in self.directions:
            self.path.sender(direction, ICMP)
        super()._open_sockets()

    def stop(self) -> dict[Train, Judgement]:
        """End early, and judge by the rounds of which all is known."""
        self._judged_by = self._known
        return super().stop()

    def _script(self) -> Generator[None]:
        self._open_sockets()
        yield from self._meet()
        if Direction.REVERSE in self.directions:
            ask_back(self.control)
        pace = self.plan.pace
        while self.rounds < pace.rounds and self.path.gone is None:
            yield from self._round(self._open_trains())
            self._learning = self._learning or (self.rounds, self._hearing())
            yield from self._pause(pace.spacing)
        self._learning = None
        yield from self._hear(self.rounds)
        self._judge_open(more_rounds=self._may_go_on)
        while self._open_trains():
            yield from self._go_on()
        yield from self._locate()
        self.path.subscribers.remove(self._file)

    @property
    def _may_go_on(self) -> bool:
        return self.rounds < self.plan.pace.most_rounds and self.path.gone is None

    def _go_on(self) -> Generator[None]:
        """Send rounds to the undecided while those before become known, and judge by these."""
        spacing = max(self.plan.pace.widest, self.plan.pace.spacing)
        if self._may_go_on and self.rounds == self._known:
            yield from self._round(self._open_trains())
            yield from self._pause(spacing)
        sent, heard = self.rounds, self._hearing()
        while self._may_go_on and not heard():
            yield from self._round(self._open_trains())
            yield from self._pause(spacing)
        if not self._may_go_on:
            yield from self._hear(self.rounds)
            self._judge_open(more_rounds=False)
            return
        self._learn(sent)
        self._judged_by = sent
        self._judge_open(more_rounds=True)
        self._judged_by = None

    def _look(self, timeout: float) -> Generator[None]:
        """Learn of the first rounds, too, while they go on: `stop` may come at any time."""
        yield from super()._look(timeout)
        if self._learning is not None and self._learning[1]():
            self._learn(self._learning[0])
            self._learning = None

    def _hear(self, rounds: int) -> Generator[None]:
        """Wait until all is known of what was sent, which is so many rounds."""
        heard = self._hearing()
        while not heard():
            yield from self._look(GLANCE)
        self._learn(rounds)

    def _hearing(self) -> Callable[[], bool]:
        """What is returned says whether all is known of what was sent by now.

        First the far end must have sent all of it; then comes the time in which a packet arrives if it ever does; then
        the far end must have told all that it saw.
        """
        sent = self.path.ask()
        told: Callable[[], bool] | None = None
        until = 0.0

        def heard() -> bool:
            nonlocal told, until
            now = self.path.clock.monotonic()
            if not until and sent():
                until = now + self.timeout - self.path.lag
            if until and now >= until and told is None:
                told = self.path.ask()
            return told is not None and told()

        return heard

    def _learn(self, rounds: int) -> None:
        self._note_drops()
        self._known = rounds

    def _note_drops(self) -> None:
        """As always at the near end; a drop at the far end spoils all rounds since it was last asked."""
        for eye in self.path.new_drops():
            first = self._known if eye.end.remote is not None else self.rounds - 1
            for number in range(first - 1, self.rounds):
                by_protocol = self._spoiled.setdefault(number, {})
                by_protocol.setdefault(eye.protocol, set()).add(f"the {eye.kind} at {eye.end.address} overflowed")

    def _meet(self) -> Generator[None]:
        for attempt in range(MEETING_TRIES):
            for _ in range(COPIES):
                self.control.send(Direction.FORWARD, MEETING)
                self.control.send(Direction.FORWARD, MEETING, echo=True)
            deadline = self.path.clock.monotonic() + self.timeout * (attempt + 1)
            while not self.control.met and (left := deadline - self.path.clock.monotonic()) > 0:
                yield from self._look(left)
            if any(entry.delivered_at or entry.replied_at for entry in self.control.entries.values()):
                return

    def _round(self, trains: list[Train]) -> Generator[None]:
        """In the first round reverse follows forward; later it answers the round before, and goes at the same time."""
        number = self.rounds
        self.rounds += 1
        for direction in reversed(self.directions) if number else self.directions:
            asked = [train for train in trains if train.direction is direction]
            if direction is Direction.REVERSE:
                if not asked:
                    continue
                if not number:
                    yield from self._pause(self.control.round_trip or 0.0)
                if not (yield from self._confirm(asked)):
                    continue
            yield from self._send_all(asked, direction, number)
        yield from self._pause(self._far_busy - self.path.clock.monotonic())
        self._note_drops()

    def _send_all(self, trains: list[Train], direction: Direction, number: int) -> Generator[None]:
        """From a far end, all in one message, to be sent there one by one at the plan's rate."""
        far = self.path.sender_end(direction).remote
        if far is None:
            yield from super()._send_all(trains, direction, number)
            return
        order = self._shuffled(trains, direction)
        for position, item in enumerate(order):
            self._send_one(item, number, position)
            far.pause(1 / self.plan.pace.rate)
        self._far_busy = self.path.clock.monotonic() + len(order) / self.plan.pace.rate
        yield from self._look(0)

    def _shuffled(self, trains: list[Train], direction: Direction) -> list[Train | Direction]:
        """With fewer controls once the rounds for everyone are over: what they lose is well known by then."""
        order = super()._shuffled(trains, direction)
        if self.rounds <= self.plan.pace.rounds:
            return order
        return [item for at, item in enumerate(order) if not (isinstance(item, Direction) and at % 3)]

    def _judge(self, train: Train, *, more_rounds: bool) -> Judgement:
        errno = self.path.sender(train.direction, train.protocol)
        evidence = self.ledger.evidence(train, errno if isinstance(errno, str) else None)
        circumstances = self._circumstances(train, more_rounds=more_rounds)
        if self._judged_by is not None:
            evidence, circumstances = _until(self._judged_by, evidence, circumstances)
        return judge(evidence, circumstances)


def _until(rounds: int, evidence: TrainEvidence, circumstances: Circumstances) -> tuple[TrainEvidence, Circumstances]:
    probes = tuple(probe for probe in evidence.probes if probe.round < rounds)
    control = tuple(each for each in circumstances.control if each.round < rounds)
    return replace(evidence, probes=probes), replace(circumstances, control=control)
