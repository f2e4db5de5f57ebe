"""Round trips over several paths at the same time, in one thread: a packet of each in turn, spaced.

One experiment sends a packet every few milliseconds, for the sake of the host that answers; this host and its line
have time for others meanwhile. What could disturb is kept apart. The packets that tell how long one takes which is
alone go one path after the other. After that no packet leaves sooner than `SPACE` after one of another path. And no
more rounds go on at a time than this host keeps up with: where most packets leave late, half of them wait.
"""

from __future__ import annotations

import heapq
import math
import select
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from pytest_hdp.judge.latency.result import RAW_UDP, UDP
from pytest_hdp.measure.latency.experiment import APART, LONE
from pytest_hdp.measure.latency.timing import SPIN, RoundTrip
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.path.waiting import GLANCE

if TYPE_CHECKING:
    from pytest_hdp.judge.latency.result import LatencyResult
    from pytest_hdp.measure.latency.experiment import Comparison, LatencyPlan, Run
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.vantage.clock import Waiter

MOST = 12  # paths at a time: of 200 packets a second, 100 bytes each, that is 2 Mbit/s
MOST_ROUNDS = 12_000  # of all together, since each keeps its packets, 5 kB a round, until it is over
SPACE = 200_000  # ns between two packets of different paths: at 4 Mbit/s, 100 bytes have left by then
TOO_LATE = 2_000_000  # ns after it was due: if most packets of a round leave later, fewer go on at a time


def may_be_beside(path: OpenPath) -> bool:
    """Whether a latency over this path may be measured beside others: there and back, ordered packet by packet here."""
    return path.far is not None and not path.shared_clock and path.near.remote is None


def most_beside(plan: LatencyPlan) -> int:
    """How many paths such a plan may be carried out over at a time."""
    return min(MOST, MOST_ROUNDS // plan.pairs)


def run_together(comparisons: Sequence[Comparison]) -> dict[int, LatencyResult]:
    """Measure them all, each of a path for which `may_be_beside` holds: what was found, by place in the sequence.

    A path that is gone, or over which nothing may be sent, is left out: alone, it says why.
    """
    with ExitStack() as stack:
        going: dict[int, _Going] = {}
        for number, comparison in enumerate(comparisons):
            try:
                going[number] = _Going(stack.enter_context(comparison.begun()))
                going[number].alone(LONE)
            except PathUnavailable:
                going.pop(number, None)
        if going:
            with closing(comparisons[0].path.clock.waiter()) as waiter:
                _Turns(list(going.values()), waiter).take()
    found: dict[int, LatencyResult] = {}
    for number, each in going.items():
        try:
            found[number] = comparisons[number].concluded(each.run, beside=len(going) - 1)
        except PathUnavailable:
            continue
    return found


def undisturbed(result: LatencyResult) -> bool:
    """Whether nothing came out that the others may have done: it is valid, or of UDP all came, or nothing at all."""
    of_udp = [side for side in result.sides if side.label in {UDP, RAW_UDP}]
    return result.valid or (not result.enough and all(side.arrived in {0, side.sent} for side in of_udp))


class _Going:
    """One path's run. `sending`: the round that goes on; `until`: when its last packets are waited for no longer.

    `late`: how many packets of that round more were late than were not.
    """

    def __init__(self, run: Run) -> None:
        assert isinstance(run.trip, RoundTrip), "one way, packets follow each other too fast"
        self.run, self.path, self.trip = run, run.path, run.trip
        self.rounds = run.rounds()
        self.sending: Iterator[int] = iter(())
        self.until = math.inf
        self.late = 0

    def alone(self, rounds: int) -> None:
        """Send the first rounds while no other path sends anything, and wait for the answers."""
        for _, one in zip(range(rounds), self.rounds, strict=False):
            for due in one:
                self.trip.wait(due)
        self.trip.wait(self.path.clock.monotonic_ns() + int((APART + self.path.lag) * 1e9))

    def look(self) -> None:
        """Take in what came, and hand over the answers that it asks for."""
        self.path.look(0)
        self.trip.receive()
        self.path.flush()

    @property
    def over(self) -> bool:
        """Whether nothing more is waited for."""
        return self.path.gone is not None or self.trip.complete or self.path.clock.monotonic() > self.until


class _Turns:
    """Whose packet is next. `most`: rounds at a time, as many as this host keeps up with."""

    def __init__(self, going: Sequence[_Going], waiter: Waiter) -> None:
        self._resting = deque(going)
        self._due: list[tuple[int, int, _Going]] = []  # a heap: when, a number of its own, whose
        self._last: list[_Going] = []  # all is sent, and answers are on their way
        self._most, self._all = len(going), len(going)
        self._count, self._sent_at = 0, 0
        self._waiter, self._clock = waiter, going[0].path.clock.monotonic_ns
        self._by_descriptor: Mapping[int, _Going] = {each.path.fileno(): each for each in going}
        for descriptor in self._by_descriptor:
            waiter.register(descriptor, select.EPOLLIN)

    def take(self) -> None:
        """Send everything, and wait for the last ones."""
        while self._resting or self._due or self._last:
            while self._resting and len(self._due) < self._most:
                self._begin(self._resting.popleft())
            if self._due:
                self._send_next()
            elif self._last:
                self._look(self._clock() + int(GLANCE * 1e9), once=True)
            self._last = [each for each in self._last if not each.over]

    def _begin(self, going: _Going) -> None:
        """Begin its next round; after the last one, wait for what is on its way."""
        if (one := next(going.rounds, None)) is None:
            going.until = going.path.clock.monotonic() + 2 * going.run.patience()
            self._last.append(going)
            return
        going.sending = one
        self._go_on(going)

    def _send_next(self) -> None:
        """Wait for the time of the next packet, and send it."""
        due, _, going = self._due[0]
        self._look(max(due, self._sent_at + SPACE))
        heapq.heappop(self._due)
        going.late += 1 if self._clock() - due > TOO_LATE else -1
        more = self._go_on(going)
        self._sent_at = self._clock()
        if not more:
            self._most = max(1, self._most // 2) if going.late > 0 else min(self._all, self._most + 1)
            going.late = 0

    def _look(self, until: int, *, once: bool = False) -> None:
        """Take in what comes, at least once, until then; the last of it awake, since sleep overshoots."""
        while True:
            left = until - self._clock()
            for descriptor, _ in self._waiter.poll(max(0, left - SPIN) / 1e9):
                self._by_descriptor[descriptor].look()
            if once or self._clock() >= until:
                return

    def _go_on(self, going: _Going) -> bool:
        """Send what is due of its round; False if that was the last of it."""
        try:
            due = next(going.sending)
        except StopIteration:
            self._resting.append(going)
            return False
        except PathUnavailable:
            return False
        heapq.heappush(self._due, (due, self._count, going))
        self._count += 1
        return True
