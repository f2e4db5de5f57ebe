"""The latency experiment: HDP against UDP, and against what carries TCP's and ICMP's numbers, in the same breath.

Rounds of one packet of each kind, twice, in random order. The schedule is open loop: when a packet is sent
does not depend on what became of those before. sleep() overshoots by 0.1 ms, so the last 0.3 ms are spent awake. Both
times are kernels': of the outgoing copy at the sender's tap, and SO_TIMESTAMPNS of the receiving socket.

Where both ends share a clock the time is taken one way. Else no clock is compared with another one: the far end
answers each packet with one of the same kind, and what counts is (near received - near left) - (far left - far
received), each difference on one clock. An answer is ordered from here, so the far host's own time includes the way of
that order; over so many milliseconds clocks that differ by 50 ppm gain 50 ns each, for every kind alike.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.latency.differences import Series, percentile
from pytest_hdp.judge.latency.result import LatencyResult, Setup, Way, conclude
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.latency.packets import Packets
from pytest_hdp.measure.latency.sockets import LatencyEnds, kinds
from pytest_hdp.measure.latency.timing import Book, OneWay, RoundTrip
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.path.waiting import drive, pause
from pytest_hdp.measure.schedule.meeting import Unconfirmed, meet

if TYPE_CHECKING:
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.vantage.receiving import Observation

LONE = 4  # rounds before all others, whose packets are so far apart that none meets the queue of another
WARM_UP = LONE + 20  # rounds that are thrown away
APART = 0.015  # seconds between two of the lone ones
SETTLING = 0.02  # seconds that the kernel may take to turn its timestamps on, after the first socket asked
LATE = 50_000  # ns after which a round is put off
LEAST_PATIENCE = 0.3
MOST_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """What to measure. `pairs`: rounds after the warm-up; `gap`: seconds between packets on average.

    `rest`: seconds between rounds, for reading taps; `content`: of an HDP packet; `margin_us`: see `Setup`.
    """

    protocol: int = 253
    pairs: int = 2000
    gap: float = 0.00006
    rest: float = 0.00025
    content: bytes = b"pytest-hdp: how long does a packet take?"
    seed: int = 0
    margin_us: float | None = None


class Comparison:
    """Measures one path, in whichever direction is asked for. A context manager; holds the sockets.

    `one_way`: None for what the path allows (`shared_clock`). `measured`: the last run's times, packet by packet.
    Raises PathUnavailable if a socket is refused, ValueError without observers at the far end or for a number that no
    packet can bear.
    """

    def __init__(self, path: OpenPath, plan: LatencyPlan, *, one_way: bool | None = None) -> None:
        if not 0 < plan.protocol < 256:
            raise ValueError(f"a latency is that of a number from 1 to 255, not of {plan.protocol}")
        self.path = path
        self.plan = plan
        self.kinds = kinds(plan.protocol, path.family)
        self.one_way = path.shared_clock if one_way is None else one_way
        self.ends = LatencyEnds(path, self.kinds, apart=self.one_way)
        self.measured: list[Series] = []
        self._met: str | None = None  # why nothing may be sent from the far end, or ""

    def __enter__(self) -> Comparison:
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.close()

    @property
    def directions(self) -> tuple[Direction, ...]:
        """What there is to measure: a round trip has no direction, nor has loopback."""
        both = self.one_way and self.ends.far is not self.ends.near
        return (Direction.FORWARD, Direction.REVERSE) if both else (Direction.FORWARD,)

    def run(self, direction: Direction = Direction.FORWARD) -> LatencyResult:
        """Measure. Takes about `pairs * (kinds * gap + rest)` seconds.

        Raises Unconfirmed before anything is sent from the far end that nobody may be there to take, and
        PathUnavailable if an agent is gone.
        """
        with self.begun(direction) as run:
            for one in run.rounds():
                for due in one:
                    run.trip.wait(due)
            run.trip.finish(run.patience())
        return self.concluded(run)

    @contextmanager
    def begun(self, direction: Direction = Direction.FORWARD) -> Iterator[Run]:
        """All that is sent in a direction, ready to be sent; until the end nothing disturbs. Raises as `run`."""
        self.refuse_if_gone()
        self._meet(answered=not self.one_way or direction is Direction.REVERSE)
        book = Book(Packets(self.path, self.kinds, self._flows(self.plan.pairs + WARM_UP), self.plan.content))
        drive(self.path, pause(self.path.clock, SETTLING))
        for kind in self.kinds:
            for each in (direction,) if self.one_way else Direction:
                self.path.traffic.note(each, kind.protocol)
        trip = OneWay(self.ends, book, direction) if self.one_way else RoundTrip(self.ends, book, self.plan.content)
        with _undisturbed(self.path, trip.file_observation):
            yield Run(self, direction, book, trip)

    def concluded(self, run: Run, beside: int = 0) -> LatencyResult:
        """What was found by what was sent; `beside`: how many others went on at the same time. Raises as `run`."""
        self.path.sync()  # one that does not answer any more is gone, though its connection stands
        self.refuse_if_gone()
        book, direction = run.book, run.direction
        begin = WARM_UP * len(self.kinds)
        late = sorted(called - due for called, due in zip(book.called[begin:], book.due[begin:], strict=True))
        setup = Setup(
            path=replace(self.path.name, source=self.path.near.address),
            direction=direction,
            way=Way.ONE_WAY if self.one_way else Way.ROUND_TRIP,
            protocol=self.plan.protocol,
            rounds=self.plan.pairs,
            size=book.packets.size,
            seed=self.plan.seed,
            gap_us=self.plan.gap * 1e6,
            late_us=(percentile(late, 0.5) / 1000, percentile(late, 0.99) / 1000),
            put_off=run.put_off,
            margin_us=self.plan.margin_us,
            flows=self.ends.flows,
            beside=beside,
        )
        rounds = self._answerable(book, answered=not self.one_way or direction is Direction.REVERSE)
        self.measured = [self._series(book, run.trip, number, rounds) for number in range(len(self.kinds))]
        return conclude(setup, self.measured)

    def refuse_if_gone(self) -> None:
        """Raise PathUnavailable if an agent is not there any more."""
        if (why := self.path.gone) is not None:
            raise PathUnavailable(why)

    def _flows(self, rounds: int) -> list[int]:
        """By round, in which flow: all of them in turn, in an order that meets no other beat."""
        chance, flows = random.Random(self.plan.seed), range(self.ends.flows)
        turns = -(-rounds // len(flows))
        return [flow for _ in range(turns) for flow in chance.sample(flows, len(flows))][:rounds]

    def _meet(self, *, answered: bool) -> None:
        """Find out, once, where the far end sees us. `answered`: it is to send there."""
        if self._met is None:
            self._met = ""
            try:
                if self.path.routed:
                    meet(self.path)
            except Unconfirmed as error:
                self._met = str(error)
        if answered and self._met:
            raise Unconfirmed(self._met)

    def _answerable(self, book: Book, *, answered: bool) -> list[int]:
        """The rounds after the warm-up; where answers are sent, those of flows of which it is known where to.

        A translator with several addresses may give some flows one that nobody has confirmed. If it is known of none,
        all: then UDP itself does not get through.
        """
        every = range(WARM_UP, len(book.packets.flows))
        with_ports = [kind for kind in self.kinds if kind.wellformed]
        known = {flow for flow in range(self.ends.flows) if all(self.ends.met(kind, flow) for kind in with_ports)}
        return [each for each in every if not (answered and known) or book.packets.flows[each] in known]

    def _series(self, book: Book, trip: OneWay | RoundTrip, number: int, rounds: list[int]) -> Series:
        """Of one kind, by the rounds that count."""
        width = len(self.kinds)
        place = {each * width + number: at for at, each in enumerate(rounds)}
        order = [place[each] for each in trip.order if each in place]
        kind = self.kinds[number]
        in_flows = kind.wellformed or self.ends.labelled
        flows = [book.packets.flows[each] for each in rounds] if in_flows else ()
        alone, _ = trip.times(range(number, LONE * width, width))
        lone = list(zip(book.packets.flows, alone, strict=False))
        return Series(kind.label, kind.protocol, *trip.times(list(place)), order, flows, lone)


class Run:
    """What is sent in one direction, round by round. `put_off`: rounds that began later than they were to."""

    def __init__(self, comparison: Comparison, direction: Direction, book: Book, trip: OneWay | RoundTrip) -> None:
        self.path, self.plan = comparison.path, comparison.plan
        self.direction, self.book, self.trip = direction, book, trip
        self.put_off = 0
        self._refuse_if_gone = comparison.refuse_if_gone
        ends, kinds, flows = comparison.ends, comparison.kinds, range(comparison.ends.flows)
        self._width = len(kinds)
        self._sends = [[ends.sending(kind, flow, trip.sender) for kind in kinds] for flow in flows]
        self._data: dict[int, bytes] = {}
        for kind in kinds:
            for flow in flows:
                self._data.update(ends.to_send(book.packets, kind, flow, trip.sender))
        self._begin = 0

    def rounds(self) -> Iterator[Iterator[int]]:
        """Each round's packets: when one is due, by the clock's monotonic_ns(); asked for the next, it is sent.

        A round begins when its first one is asked for. If the host lets us do so late, it is put off whole.
        """
        schedule = list(self._schedule(len(self._data) // self._width))
        self._begin = self.path.clock.monotonic_ns()
        for one, flow in zip(schedule, self.book.packets.flows, strict=True):
            yield self._round(one, flow)

    def _round(self, one: list[tuple[int, int]], flow: int) -> Iterator[int]:
        time, book, sends, width = self.path.clock, self.book, self._sends[flow], self._width
        clock, wall = time.monotonic_ns, time.time_ns  # to wait by, which nobody sets, and as the kernel stamps
        data, send, due_at, called_at = self._data, self.trip.sender.station.send, book.due, book.called
        if (now := clock()) > self._begin + LATE:
            self._begin, self.put_off = now, self.put_off + 1
        due = self._begin
        for number, offset in one:
            yield (due := self._begin + offset)
            handle, address, port, label = sends[number % width]
            late = clock() - due
            called_at[number] = called = wall()
            due_at[number] = called - late
            send(handle, data[number], address, port, label)
        self._begin = due
        self._refuse_if_gone()

    def _schedule(self, rounds: int) -> Iterator[list[tuple[int, int]]]:
        """By round, positions and when they are due, ns from its start. Gaps vary, so that they meet no other beat."""
        chance = random.Random(self.plan.seed)
        gap, rest = self.plan.gap * 1e9, self.plan.rest * 1e9
        width = self._width
        for number in range(rounds):
            due, apart = rest, APART * 1e9 if number < LONE else gap
            one = []
            for each in chance.sample(range(width), width):
                due += apart * (0.5 + chance.random())
                one.append((number * width + each, int(due)))
            yield one

    def patience(self) -> float:
        """Seconds to wait for the last ones: many times what the others took."""
        book = self.book
        took = sorted(seen - called for seen, called in zip(book.seen, book.called, strict=True) if seen)
        slow = percentile(took, 0.99) / 1e9 if took else MOST_PATIENCE
        return min(MOST_PATIENCE, LEAST_PATIENCE + 4 * slow)


@contextmanager
def _undisturbed(path: OpenPath, file: Callable[[Observer, Observation], None]) -> Iterator[None]:
    """Without the garbage collector, which would halt one packet in thousands."""
    collecting = gc.isenabled()
    gc.disable()
    path.subscribers.append(file)
    try:
        yield
    finally:
        path.subscribers.remove(file)
        if collecting:
            gc.enable()
