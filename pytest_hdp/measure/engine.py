"""The measurement: all trains at once, in shuffled rounds beside the control, each settled as its evidence is complete.

Nothing runs in the background: whoever asks for a train's judgement pumps the whole measurement until it is settled,
and others beside it if they like (`beside.py`): a step never waits, it says until when the next one may.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Circumstances, Train
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.circumstances import eyes_of, shared_by
from pytest_hdp.measure.control import MEETING, Control
from pytest_hdp.measure.ends import PathUnavailable
from pytest_hdp.measure.filing import file
from pytest_hdp.measure.ledger import Ledger
from pytest_hdp.measure.locate import Locator, ask_again
from pytest_hdp.measure.located import located, representatives, worth_locating
from pytest_hdp.measure.meeting import ask_back, confirm
from pytest_hdp.measure.progress import Teller
from pytest_hdp.measure.sending import send_probe
from pytest_hdp.packet.encoding import encode

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ends import Eye
    from pytest_hdp.measure.path import OpenPath
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.measure.progress import OnProgress
    from pytest_hdp.vantage.station import Observation

BURST = 0.0005  # seconds of the rate that are sent back to back between two looks at the sockets
MEETING_TRIES = 5


class Measurement:
    """Measures one plan over one open path. Pure waiting: no threads, no timers."""

    def __init__(self, path: OpenPath, plan: Plan, on_progress: OnProgress | None = None) -> None:
        self.path = path
        self.plan = plan
        self.ledger = Ledger(path.run_id)
        self.content = encode(plan.content, plan.encoding)
        self.control = Control(path, self.content)
        self.rounds = 0
        self._settled: dict[Train, Judgement] = {}
        self._to_locate: dict[Train, Judgement] = {}
        self._books: list[tuple[Control, Ledger]] = [(self.control, self.ledger)]
        self._shared: dict[object, Circumstances] = {}
        self._spoiled: dict[int, dict[int | None, set[str]]] = {}
        self._shuffle = random.Random(plan.seed)
        self._next_send = 0.0
        self._failure: Exception | None = None
        self.wakes_at = 0.0  # by the clock: when the next step is due, if nothing is seen before
        self._progress = Teller(on_progress, path.clock)
        self._work = self._script()
        path.subscribers.append(self._file)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Those that the plan's trains run in."""
        return tuple(sorted({train.direction for train in self.plan.trains}))

    def settle(self, train: Train) -> Judgement:
        """The judgement of one train of the plan, measuring until it is settled.

        Raises RuntimeError if the measurement ended in an error before it was.
        """
        while not self.knows(train):
            self.path.wait(self.wakes_at - self.path.clock.monotonic())
            self.step()
        if self.done:
            self._report(over=True)
        return self._settled[train]

    def knows(self, train: Train) -> bool:
        """Whether a train is settled."""
        return train in self._settled

    def step(self) -> None:
        """Go on without waiting, as far as it goes. Raises what ended the measurement, a second time as RuntimeError.

        That the path is gone is raised as such each time.
        """
        try:
            next(self._work)
        except StopIteration:  # the last step settles what is left, and yields no more
            if isinstance(self._failure, PathUnavailable):
                raise self._failure from None
            if not self.done:
                raise RuntimeError(f"this measurement ended early: {self._failure}") from self._failure
        except Exception as error:
            self._failure = error
            self._report(over=True)
            raise

    def run(self) -> dict[Train, Judgement]:
        """All judgements, in the plan's order."""
        return {train: self.settle(train) for train in self.plan.trains}

    @property
    def done(self) -> bool:
        """Whether every train is settled, so that the path is not needed any more."""
        return len(self._settled) == len(self.plan.trains)

    def stop(self) -> dict[Train, Judgement]:
        """End early: judge by what is known what is not settled yet, unless nothing was sent of it."""
        self._work.close()
        self._report(over=True)
        if self._file in self.path.subscribers:
            self.path.subscribers.remove(self._file)
        self._settled |= self._to_locate
        for train in self._open_trains():
            if self.ledger.trains.get(train):
                self._settled[train] = self._judge(train, more_rounds=False)
        return dict(self._settled)

    def _script(self) -> Generator[None]:
        """The whole measurement as one coroutine; it yields whenever it has looked at the sockets."""
        self._open_sockets()
        yield from self._meet()
        if Direction.REVERSE in self.directions:
            ask_back(self.control)  # what comes back does so during the first round
        pace = self.plan.pace
        for _ in range(pace.rounds):
            yield from self._round(self._open_trains())
            yield from self._pause(pace.spacing)
        spacing = pace.spacing
        while True:
            yield from self._wait_for_stragglers()
            self._note_drops()
            more = self.rounds < pace.most_rounds
            self._judge_open(more_rounds=more)
            if not self._open_trains():
                yield from self._locate()
                self.path.subscribers.remove(self._file)
                return
            spacing = min(spacing * 2, max(pace.widest, pace.spacing))
            for _ in range(min(1 + self.rounds // 4, pace.most_rounds - self.rounds)):
                yield from self._pause(spacing)
                yield from self._round(self._open_trains())

    def _open_trains(self) -> list[Train]:
        return [each for each in self.plan.trains if each not in self._settled and each not in self._to_locate]

    def _open_sockets(self) -> None:
        """Open every socket before anything is sent; what socket() refuses is settled by that."""
        self.path.open_ahead(self.plan.trains)
        for train in self.plan.trains:
            self.path.listener(train.direction, train.protocol)
        for train in self.plan.trains:
            if isinstance(self.path.sender(train.direction, train.protocol), str):
                self._settled[train] = self._judge(train, more_rounds=False)
        self.path.settle()
        self.path.new_drops()  # what overflowed before anything was sent says nothing about what will be

    def _meet(self) -> Generator[None]:
        """Send controls until one came through: is there a path, how long does it take, what does a NAT make of us?"""
        for attempt in range(MEETING_TRIES):
            self.control.send(Direction.FORWARD, MEETING)
            self.control.send(Direction.FORWARD, MEETING, echo=True)
            deadline = self.path.clock.monotonic() + self.timeout * (attempt + 1)
            while self.path.clock.monotonic() < deadline and self.control.outstanding(0):
                yield from self._look(deadline - self.path.clock.monotonic())
            if any(entry.delivered_at or entry.replied_at for entry in self.control.entries.values()):
                return

    def _confirm(self, trains: list[Train]) -> Generator[None, None, bool]:
        return (yield from confirm(self.control, self.ledger, trains, self.content, self._look, self.timeout))

    @property
    def timeout(self) -> float:
        """Seconds that a probe is waited for."""
        if self.plan.timeout is not None:
            return self.plan.timeout
        return max(self.plan.pace.least_timeout, self.control.patience) + self.path.lag

    def _round(self, trains: list[Train]) -> Generator[None]:
        """Send one probe of each train: forward, and when those have arrived, in reverse, so that it is an answer."""
        number = self.rounds
        self.rounds += 1
        for direction in self.directions:
            asked = [train for train in trains if train.direction is direction]
            if direction is Direction.REVERSE:
                if not asked:
                    continue  # forward goes on without trains too: its control keeps a NAT's way back open
                yield from self._pause(self.control.round_trip or 0.0)
                if not (yield from self._confirm(asked)):
                    continue
            yield from self._send_all(asked, direction, number)
        self._note_drops()

    def _send_all(self, trains: list[Train], direction: Direction, number: int) -> Generator[None]:
        """Send one probe of each train and the controls, in shuffled order, at the plan's rate."""
        order = self._shuffled(trains, direction)
        burst = max(1, int(self.plan.pace.rate * BURST))
        for start in range(0, len(order), burst):
            chunk = order[start : start + burst]
            yield from self._pause(self._next_send - self.path.clock.monotonic())
            self._next_send = (
                max(self._next_send, self.path.clock.monotonic() - BURST) + len(chunk) / self.plan.pace.rate
            )
            for position, item in enumerate(chunk):
                self._send_one(item, number, start + position)
            yield from self._look(0)

    def _send_one(self, item: Train | Direction, number: int, position: int) -> None:
        if isinstance(item, Direction):
            self.control.send(item, number, echo=self.control.is_echo(item, position))
        else:
            send_probe(self.path, self.ledger, item, number, self.content, self.control.address(item.direction))

    def _shuffled(self, trains: list[Train], direction: Direction) -> list[Train | Direction]:
        order: list[Train | Direction] = [*trains, *[direction] * self.plan.pace.control]
        self._shuffle.shuffle(order)
        return order

    def _pause(self, seconds: float) -> Generator[None]:
        deadline = self.path.clock.monotonic() + seconds
        while (left := deadline - self.path.clock.monotonic()) > 0:
            yield from self._look(left)

    def _wait_for_stragglers(self) -> Generator[None]:
        """Wait until everything sent within the last timeout is accounted for, or the timeout is over."""
        waiting = [entry for train in self._open_trains() for entry in self.ledger.trains.get(train, ())]
        deadline = self.path.clock.monotonic() + self.timeout
        while (left := deadline - self.path.clock.monotonic()) > 0:
            since = self.path.clock.time_ns() - int(self.timeout * 1e9)
            waiting = [entry for entry in waiting if entry.sent_at > since and not entry.complete]
            if not waiting and not self.control.outstanding(since):
                return
            yield from self._look(left)

    def _look(self, timeout: float) -> Generator[None]:
        self.path.flush()
        self.wakes_at = self.path.clock.monotonic() + timeout
        yield
        self.path.look(0)
        if self._progress.due():
            self._report()

    def _report(self, *, over: bool = False) -> None:
        """Tell whoever asked how far it got; `over`: nothing more will come."""
        left = self._progress.rest_of_rounds(self.plan, self.rounds)
        self._progress.tell(self.plan, self.rounds, self._settled, self._to_locate, left=left, over=over)

    def _file(self, eye: Eye, observation: Observation) -> None:
        file(self.path, self._books, eye, observation)

    def _note_drops(self) -> None:
        """A drop may have hit a straggler of the round before: it spoils both."""
        for eye in self.path.new_drops():
            for number in (self.rounds - 1, self.rounds - 2):
                by_protocol = self._spoiled.setdefault(number, {})
                by_protocol.setdefault(eye.protocol, set()).add(f"the {eye.kind} at {eye.end.address} overflowed")

    def _judge_open(self, *, more_rounds: bool) -> None:
        self._shared.clear()
        for train in self._open_trains():
            judgement = self._judge(train, more_rounds=more_rounds)
            if judgement.final or not more_rounds:
                worth = worth_locating(judgement, self.plan.locate) and self.path.routed
                (self._to_locate if worth else self._settled)[train] = judgement

    def _locate(self) -> Generator[None]:
        """Find where the lost and rejected trains died, and settle them."""
        climbs: list[tuple[Locator, dict[Train, list[Judgement]]]] = []
        for direction in self.directions if self.path.gone is None else ():
            found = [each for train, each in self._to_locate.items() if train.direction is direction]
            if groups := representatives(found, every=self.plan.locate == "all"):
                locator = Locator(self.path, direction, self.content, self._look)
                climbs.append((locator, groups))
                self._books.append((locator.control, locator.ledger))
                address, port = self.control.address(direction), self.control.port(direction)
                yield from locator.climb(groups, address, port, self.timeout)
        yield from ask_again([locator for locator, _ in climbs], self._look)
        for locator, groups in climbs:
            for train, group in groups.items():
                self._to_locate |= {each.train: located(each, locator.found(train)) for each in group}
        self._settled |= self._to_locate
        self._to_locate.clear()
        del self._books[1:]

    def _judge(self, train: Train, *, more_rounds: bool) -> Judgement:
        errno = self.path.sender(train.direction, train.protocol)
        evidence = self.ledger.evidence(train, errno if isinstance(errno, str) else None)
        return judge(evidence, self._circumstances(train, more_rounds=more_rounds))

    def _circumstances(self, train: Train, *, more_rounds: bool) -> Circumstances:
        """What it shares with all trains whose eyes dropped packets in the same rounds, made once for one look."""
        spoiled = {number: eyes_of(by_protocol, train.protocol) for number, by_protocol in self._spoiled.items()}
        key = (train.direction, more_rounds, tuple(spoiled.items()))
        if key not in self._shared:
            self._shared[key] = shared_by(
                self.path, self.control, self.ledger, self.plan, train.direction, spoiled, more_rounds=more_rounds
            )
        return self._shared[key]
