"""Is one protocol slower than another? Paired differences, their median, and an interval that holds what it says.

Packets are sent in rounds, one of each kind, in random order. Of a round both members of a pair are taken, or neither:
what slows the host or the path for a while slows both, and cancels. The estimate is the median of these differences.

Its interval is the percentile bootstrap's (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13). For
the median nothing needs to be drawn: a resample's median is at most the k-th smallest of n values exactly when at least
half of n draws, each with probability k/n, fall among the k smallest, which is a binomial tail (Efron, The Jackknife,
the Bootstrap and Other Resampling Plans, 1982, ch. 10; order statistics: David and Nagaraja, Order Statistics, 2003,
sect. 2.1 and 7.1). So the interval is what infinitely many resamples would give, the same each time, in microseconds.
A clock that goes in steps makes most differences the same, and such an interval a point, though what is within a step
of it would have looked no different. So it is widened by a step at both ends.

Times are integer nanoseconds, None where a packet was lost; results are in microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Annotated

from pytest_hdp.judge.latency.flows import nearest, undetected
from pytest_hdp.judge.latency.reading import unequal, waited
from pytest_hdp.judge.statistics import at_least
from pytest_hdp.untrusted.marks import NAN, SINCE

CONFIDENCE = 0.95
FALSE_ALARM = 0.0001
"""How often an honest measurement is called invalid because the same thing, measured twice, seemed to differ."""
ENOUGH = 100
"""Pairs below which nothing is said."""
ROUNDED = 1
"""Nanoseconds to which a clock's readings are rounded."""
BINS_PER_DECADE = 20
SHARES = (
    ("min", 0.0),
    ("p5", 0.05),
    ("p25", 0.25),
    ("median", 0.5),
    ("p75", 0.75),
    ("p95", 0.95),
    ("p99", 0.99),
    ("max", 1.0),
)

Times = Sequence[int | None]


class Level(StrEnum):
    """Between which two points: the kernels' timestamps, or the calls of the programs."""

    KERNEL = "kernel"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Series:
    """What was measured of one kind of packet, by round: ns from end to end, None for a lost one.

    `order`: the rounds in the order in which they arrived, a copy's too. `flows`: by round, in which flow (source port)
    it was sent; () for a number without ports, all of which is one flow. `lone`: of packets that were sent before, far
    apart, the flow and the kernel's time.
    """

    label: str
    protocol: int
    kernel: Times
    user: Times
    order: Sequence[int] = ()
    flows: Sequence[int] = ()
    lone: Sequence[tuple[int, int | None]] = ()

    def at(self, level: Level) -> Times:
        """The times at one level."""
        return self.kernel if level is Level.KERNEL else self.user

    @property
    def came(self) -> list[bool]:
        """By round, whether it arrived."""
        arrived = set(self.order)
        return [number in arrived for number in range(len(self.kernel))]


@dataclass(frozen=True, slots=True)
class Difference:
    """The median of `a` minus `b` over pairs, microseconds, with its interval at `confidence`.

    `pairs`: of how many both members arrived. NaN in all three if of none. `flows`: in how many flows `b` was sent.
    `spread`: by how much these flows differ among themselves, 0 where they do not. Then `median` is against the flows
    that are most like `a`, and the interval is wider by the spread, since no one knows which of them `a` is like.
    `of_a`: in how many flows `a` was sent, by IPv6's labels. If in several, it is the same for pairs of flows.
    """

    a: str
    b: str
    level: Level
    pairs: int
    median: Annotated[float, NAN]
    low: Annotated[float, NAN]
    high: Annotated[float, NAN]
    confidence: float
    flows: Annotated[int, SINCE] = 1
    spread: Annotated[float, SINCE] = 0.0
    of_a: Annotated[int, SINCE] = 1

    @property
    def covers_zero(self) -> bool:
        """Whether no difference is among what is possible."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Histogram:
    """Latencies of one kind at one level. `bins`: (from, to, how many), microseconds, log-spaced, empty ones left out.

    The edges are the same for every histogram: 10^(k / 20) microseconds.
    """

    label: str
    level: Level
    bins: tuple[tuple[float, float, int], ...]
    sentence: Annotated[str, SINCE] = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One kind of packet. `kernel`, `user`: percentiles by name (`SHARES`), microseconds, None if none arrived.

    `jitter_median`, `jitter_p99`: how much the spacing of two packets in a row changed on the way (RFC 3393), without
    its sign, microseconds, by the kernels' timestamps. `reordered`: as RFC 4737 counts them.
    """

    label: str
    protocol: int
    sent: int
    arrived: int
    duplicated: int
    reordered: int
    kernel: dict[str, float] | None
    user: dict[str, float] | None
    jitter_median: float | None
    jitter_p99: float | None


def difference(a: Series, b: Series, level: Level, confidence: float = CONFIDENCE) -> Difference:
    """Compare two series, round by round; see `Difference` for what is made of flows that differ."""
    flows = b.flows or a.flows or [0] * len(a.at(level))
    by_flow: dict[int, list[int]] = {}
    for x, y, flow in zip(a.at(level), b.at(level), flows, strict=True):
        if x is not None and y is not None:
            by_flow.setdefault(flow, []).append(x - y)
    count = sum(map(len, by_flow.values()))
    if not count:
        return Difference(a.label, b.label, level, 0, math.nan, math.nan, math.nan, confidence)
    chosen, spread = nearest(by_flow)
    pairs = sorted(each for flow in chosen for each in by_flow[flow])
    ranks = median_interval(len(pairs), confidence)
    middle = (pairs[(len(pairs) - 1) // 2] + pairs[len(pairs) // 2]) / 2
    step = clock_step([*a.at(level), *b.at(level)])
    wider = step + (spread or undetected(by_flow)) + _of_reading(a, b, level)
    low, high = pairs[ranks[0]] - wider, pairs[ranks[1]] + wider
    bounds = middle / 1000, low / 1000, high / 1000
    of_a = len(set(a.flows)) if a.flows else 1
    return Difference(a.label, b.label, level, count, *bounds, confidence, len(by_flow), spread / 1000, of_a)


def _of_reading(a: Series, b: Series, level: Level) -> int:
    """Nanoseconds by which the order of reading may mislead, where one loses more than the other: see `reading`."""
    if level is Level.KERNEL or not unequal(a.came, b.came):
        return 0
    return max(waited(each.kernel, each.user) for each in (a, b))


def widened(found: Difference, spread: float) -> Difference:
    """Return a difference between two kinds that have one flow each, and flows of another one differ by `spread` us."""
    if not spread or found.spread:
        return found
    return replace(found, low=found.low - spread, high=found.high + spread, spread=spread)


def clock_step(times: Times) -> int:
    """How far apart times may be, in ns, that the clock can't tell from each other.

    A counter that goes on by 10 ns at a time, as some processors' do, gives times of 240 and 241, 250 and 251: it is
    rounded to nanoseconds besides. Few times lie far apart by chance; then this is too much, never too little.
    """
    distinct = sorted({time for time in times if time is not None})
    starts = [distinct[0], *(y for x, y in pairwise(distinct) if y - x > ROUNDED)] if distinct else []
    steps = sorted(y - x for x, y in pairwise(starts))
    usual = [step for step in steps if step < 1.5 * steps[0]]
    return (percentile(usual, 0.5) if usual else ROUNDED) + ROUNDED


@lru_cache(maxsize=1024)
def median_interval(n: int, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """Ranks, from 0, of the values that bound the median of `n`: the exact percentile bootstrap, see above.

    For an even n a resample's median lies between two values; the outer one is taken.
    """
    tail = (1 - confidence) / 2
    low = _rank(n, (n + 1) // 2, tail)
    return low, n - 1 - low


def _rank(n: int, half: int, tail: float) -> int:
    """The least rank k, from 0, at which P(a resample's median is at most the k-th value) exceeds `tail`."""
    low, high = 0, n - 1
    while low < high:
        middle = (low + high) // 2
        if at_least(half, n, (middle + 1) / n) > tail:
            high = middle
        else:
            low = middle + 1
    return low


def percentile(ordered: Sequence[int], share: float) -> int:
    """The value below or at which this share of sorted values lies: the nearest rank."""
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def percentiles(times: Times) -> dict[str, float] | None:
    """Percentiles by name in microseconds, None if there is no time at all."""
    ordered = sorted(time for time in times if time is not None)
    return {name: percentile(ordered, share) / 1000 for name, share in SHARES} if ordered else None


def side(series: Series) -> Side:
    """Summarise one kind."""
    arrived = len(set(series.order))
    steps = sorted(_steps(series.kernel))
    return Side(
        label=series.label,
        protocol=series.protocol,
        sent=len(series.kernel),
        arrived=arrived,
        duplicated=len(series.order) - arrived,
        reordered=reordered(series.order),
        kernel=percentiles(series.kernel),
        user=percentiles(series.user),
        jitter_median=percentile(steps, 0.5) / 1000 if steps else None,
        jitter_p99=percentile(steps, 0.99) / 1000 if steps else None,
    )


def _steps(times: Times) -> list[int]:
    """|(arrival i - arrival i-1) - (departure i - departure i-1)|, which is the change of latency between the two."""
    return [abs(y - x) for x, y in pairwise(times) if x is not None and y is not None]


def reordered(order: Sequence[int]) -> int:
    """How many arrived after one that was sent later: RFC 4737 section 3. Copies do not count."""
    latest, late, seen = -1, 0, set[int]()
    for number in order:
        if number in seen:
            continue
        seen.add(number)
        late += number < latest
        latest = max(latest, number)
    return late


def histogram(series: Series, level: Level, sentence: str = "") -> Histogram:
    """Count latencies in bins that are the same for every series."""
    counts: dict[int, int] = {}
    for time in series.at(level):
        if time is not None:
            # A clock that was set back meanwhile makes a time of less than nothing: into the lowest bin, 1 ns.
            number = math.floor(math.log10(max(time, 1) / 1000) * BINS_PER_DECADE)
            counts[number] = counts.get(number, 0) + 1
    return Histogram(
        series.label,
        level,
        tuple((_edge(number), _edge(number + 1), counts[number]) for number in sorted(counts)),
        sentence,
    )


def _edge(number: int) -> float:
    return float(f"{10 ** (number / BINS_PER_DECADE):.6g}")


def alike(a: Series, b: Series, level: Level, comparisons: int) -> Difference:
    """The same thing measured twice; the interval is so wide that all comparisons mislead once in 10,000 runs.

    A 95 % interval fails to cover the truth in 5 % of honest measurements, which no test may rest on. Both are sent in
    the same flow of each round.
    """
    return difference(replace(a, flows=()), replace(b, flows=()), level, 1 - FALSE_ALARM / comparisons)
