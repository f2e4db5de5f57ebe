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
from pytest_hdp.measure.latency.sockets import Ends, kinds
from pytest_hdp.measure.latency.timing import Book, OneWay, RoundTrip
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.path.waiting import drive, pause
from pytest_hdp.measure.schedule.meeting import Unconfirmed, meet

if TYPE_CHECKING:
    from pytest_hdp.measure.path.endpoints import Eye
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.vantage.station import Observation

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
    Raises PathUnavailable if a socket is refused, ValueError without eyes at the far end or for a number that no packet
    can bear.
    """

    def __init__(self, path: OpenPath, plan: LatencyPlan, *, one_way: bool | None = None) -> None:
        if not 0 < plan.protocol < 256:
            raise ValueError(f"a latency is that of a number from 1 to 255, not of {plan.protocol}")
        self.path = path
        self.plan = plan
        self.kinds = kinds(plan.protocol, path.family)
        self.one_way = path.shared_clock if one_way is None else one_way
        self.ends = Ends(path, self.kinds, apart=self.one_way)
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
        self._refuse_if_gone()
        self._meet(answered=not self.one_way or direction is Direction.REVERSE)
        book = Book(Packets(self.path, self.kinds, self._flows(self.plan.pairs + WARM_UP), self.plan.content))
        drive(self.path, pause(self.path.clock, SETTLING))
        for kind in self.kinds:
            for each in (direction,) if self.one_way else Direction:
                self.path.traffic.note(each, kind.protocol)
        trip = OneWay(self.ends, book, direction) if self.one_way else RoundTrip(self.ends, book, self.plan.content)
        with _undisturbed(self.path, trip.file):
            put_off = self._send_all(book, trip)
        self._refuse_if_gone()
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
            put_off=put_off,
            margin_us=self.plan.margin_us,
            flows=self.ends.flows,
        )
        rounds = self._answerable(book, answered=not self.one_way or direction is Direction.REVERSE)
        self.measured = [self._series(book, trip, number, rounds) for number in range(len(self.kinds))]
        return conclude(setup, self.measured)

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

    def _schedule(self, rounds: int) -> Iterator[list[tuple[int, int]]]:
        """By round, positions and when they are due, ns from its start. Gaps vary, so that they meet no other beat."""
        chance = random.Random(self.plan.seed)
        gap, rest = self.plan.gap * 1e9, self.plan.rest * 1e9
        width = len(self.kinds)
        for number in range(rounds):
            due, apart = rest, APART * 1e9 if number < LONE else gap
            one = []
            for each in chance.sample(range(width), width):
                due += apart * (0.5 + chance.random())
                one.append((number * width + each, int(due)))
            yield one

    def _send_all(self, book: Book, trip: OneWay | RoundTrip) -> int:
        """Send everything. A round whose time has come before the host let us begin it is put off: returns how many."""
        flows, packets = range(self.ends.flows), book.packets
        sends = [[self.ends.sending(kind, flow, trip.sender) for kind in self.kinds] for flow in flows]
        width, wait, time = len(self.kinds), trip.wait, self.ends.path.clock
        clock, wall = time.monotonic_ns, time.time_ns  # to wait by, which nobody sets, and as the kernel stamps
        data: dict[int, bytes] = {}
        for kind in self.kinds:
            for flow in flows:
                data.update(self.ends.wire(packets, kind, flow, trip.sender))
        send, due_at, called_at = trip.sender.station.send, book.due, book.called
        schedule = list(self._schedule(len(data) // width))
        begin, put_off = clock(), 0
        for one, flow in zip(schedule, packets.flows, strict=True):
            if (now := clock()) > begin + LATE:
                begin, put_off = now, put_off + 1
            for number, offset in one:
                due = begin + offset
                wait(due)
                handle, address, port = sends[flow][number % width]
                late = clock() - due
                called_at[number] = called = wall()
                due_at[number] = called - late
                send(handle, data[number], address, port)
            begin = due
            if self.path.gone is not None:
                self._refuse_if_gone()
        trip.finish(self._patience(book))
        return put_off

    def _refuse_if_gone(self) -> None:
        if (why := self.path.gone) is not None:
            raise PathUnavailable(why)

    def _patience(self, book: Book) -> float:
        """Seconds to wait for the last ones: many times what the others took."""
        took = sorted(seen - called for seen, called in zip(book.seen, book.called, strict=True) if seen)
        slow = percentile(took, 0.99) / 1e9 if took else MOST_PATIENCE
        return min(MOST_PATIENCE, LEAST_PATIENCE + 4 * slow)

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
        flows = [book.packets.flows[each] for each in rounds] if kind.wellformed else ()
        alone, _ = trip.times(range(number, LONE * width, width))
        lone = list(zip(book.packets.flows, alone, strict=False))
        return Series(kind.label, kind.protocol, *trip.times(list(place)), order, flows, lone)


@contextmanager
def _undisturbed(path: OpenPath, file: Callable[[Eye, Observation], None]) -> Iterator[None]:
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
