"""The gate: is HDP slower than UDP by more than a margin, in the middle or in the tail, or does it lose more?

Five comparisons share one error rate by Bonferroni's inequality, each having a fifth of it: medians and 99th
percentiles, in the network and at user level, and loss. A path that honestly keeps the margin fails in at most 1 of 20
runs, and far less often if it keeps it by more than nothing.

Where UDP's own flows differ, HDP is held against those that are most like it, and has their spread to spare.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_hdp.judge.latency.differences import Difference, Level, Series, difference, percentile
from pytest_hdp.judge.latency.flows import nearest
from pytest_hdp.judge.latency.reading import unequal
from pytest_hdp.judge.statistics import at_least, clearly_more, upper_bound

ERROR_RATE = 0.05
COMPARISONS = 5
ALPHA = ERROR_RATE / COMPARISONS
TAIL = 0.99
SPARE_LOSS = 0.01
"""So much more HDP may lose, and as much again as UDP does: no number of pairs shows that it loses none."""
LEAST_SLOWEST = 8  # packets of both that are looked at, as the slowest


class Gate(StrEnum):
    """What a margin makes of a difference."""

    NONE = "no margin given"
    KEPT = "kept"
    UNDECIDED = "undecided"
    EXCEEDED = "exceeded"


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison, and in words what it found."""

    gate: Gate
    told: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A kind of packet, each time that it was sent: once in each round, and again."""

    once: Series
    again: Series | None

    def pairs(self, other: Compared, level: Level, rounds: Sequence[int]) -> list[tuple[int, int]]:
        """What arrived of both in these rounds: this kind's time, and the other's."""
        series = [(a.at(level), b.at(level)) for a, b in zip(self.both, other.both, strict=False)]
        found = [(a[number], b[number]) for a, b in series for number in rounds]
        return [(x, y) for x, y in found if x is not None and y is not None]

    @property
    def lost(self) -> list[int]:
        """By round, how many packets did not arrive."""
        return [sum(not came for came in one) for one in zip(*(each.came for each in self.both), strict=True)]

    @property
    def copies(self) -> int:
        """How many are sent in a round."""
        return len(self.both)

    @property
    def both(self) -> list[Series]:
        """Once, and again."""
        return [self.once] if self.again is None else [self.once, self.again]


def check(hdp: Compared, others: Mapping[Level, Compared], margin: float, where: Mapping[Level, str]) -> list[Check]:
    """Make all five comparisons of HDP with UDP as it is measured at each level; `where`: that level in words."""
    found = []
    for level, udp in others.items():
        middle = difference(hdp.once, udp.once, level, 1 - ALPHA)
        found.append(_middle(middle, margin, where[level]))
        found.append(_tail(hdp, udp, level, middle.spread, margin, where[level]))
    found.append(loss(hdp, others[Level.KERNEL]))
    return found


def verdict(checks: Sequence[Check]) -> Gate:
    """The worst of them."""
    return max((each.gate for each in checks), key=list(Gate).index)


def in_words(checks: Sequence[Check], margin: float) -> str:
    """What decided, with its counts."""
    gate = verdict(checks)
    if gate is Gate.KEPT:
        return f"within the margin of {margin:.12g} us (median, p99; {checks[-1].told})"
    decisive = ", ".join(each.told for each in checks if each.gate is gate)
    if gate is Gate.UNDECIDED:
        return f"undecided against the margin of {margin:.12g} us: {decisive}"
    return f"{decisive}: more than the margin of {margin:.12g} us"


def _middle(found: Difference, margin: float, where: str) -> Check:
    told = f"median {where} (n = {found.pairs:,})"
    if found.low > margin:
        return Check(Gate.EXCEEDED, told)
    return Check(Gate.KEPT if found.high <= margin else Gate.UNDECIDED, told)


def _tail(hdp: Compared, udp: Compared, level: Level, spread: float, margin: float, where: str) -> Check:
    pairs = hdp.pairs(udp, level, _like(hdp.once, udp.once, level))
    told = f"p99 {where} (n = {len(pairs):,})"
    if level is Level.USER and unequal(hdp.once.came, udp.once.came):
        return Check(Gate.UNDECIDED, told)  # whoever lost more has been read sooner
    if pairs and _heavier(pairs, (margin + spread) * 1000) <= ALPHA / 2:
        a, b = (percentile(sorted(each), TAIL) / 1000 for each in zip(*pairs, strict=True))
        return Check(Gate.EXCEEDED, f"p99 {where} {a:,.0f} us against {b:,.0f} (n = {len(pairs):,})")
    kept = pairs and _heavier([(y, x) for x, y in pairs], (spread - margin) * 1000) <= ALPHA / 2
    return Check(Gate.KEPT if kept else Gate.UNDECIDED, told)


def _like(hdp: Series, udp: Series, level: Level) -> list[int]:
    """The rounds in which UDP went by a flow that is like HDP's."""
    every = range(len(udp.at(level)))
    if not udp.flows:
        return list(every)
    by_flow: dict[int, list[int]] = {}
    for x, y, flow in zip(hdp.at(level), udp.at(level), udp.flows, strict=True):
        if x is not None and y is not None:
            by_flow.setdefault(flow, []).append(x - y)
    chosen, _ = nearest(by_flow) if by_flow else (frozenset(udp.flows), 0.0)
    return [number for number in every if udp.flows[number] in chosen]


def _heavier(pairs: Sequence[tuple[int, int]], allowed: float) -> float:
    """Return the p-value of "the first, less what is allowed, are among the slowest no oftener than the second".

    Of all together the slowest hundredth is taken, at least eight, and pairs of which one member is in it. If it made
    no difference which member is which, it would be either as often: the sign test, or McNemar's (Psychometrika 1947).
    What slows both members of a pair does not count, so it sees more than two percentiles by themselves would show.
    """
    shifted = [(x - allowed, y) for x, y in pairs]
    ordered = sorted((time for pair in shifted for time in pair), reverse=True)
    border = ordered[min(len(ordered) - 1, max(LEAST_SLOWEST, math.ceil((1 - TAIL) * len(ordered))))]
    first = sum(x > border >= y for x, y in shifted)
    second = sum(y > border >= x for x, y in shifted)
    return at_least(first, first + second, 0.5)


def loss(hdp: Compared, udp: Compared) -> Check:
    """Compare how many were lost. Where UDP's own flows differ in that, with those that are most like HDP's.

    That HDP loses no more is no more presumed than that it is no slower: an upper bound of the difference says so.
    """
    lost, udp_lost = hdp.lost, udp.lost
    rounds = list(range(len(lost)))
    if udp.once.flows:
        by_flow: dict[int, list[int]] = {}
        for flow, a, b in zip(udp.once.flows, lost, udp_lost, strict=True):
            by_flow.setdefault(flow, []).append(a - b)
        chosen, _ = nearest(by_flow, _mean)  # by means, since the median of a rare loss is none
        rounds = [number for number in rounds if udp.once.flows[number] in chosen]
    gone, control_gone = (sum(each[number] for number in rounds) for each in (lost, udp_lost))
    sent, control_sent = hdp.copies * len(rounds), udp.copies * len(rounds)
    told = f"loss {gone:,} of {sent:,} against {control_gone:,} of {control_sent:,}"
    if clearly_more(gone, sent, control_gone, control_sent, ALPHA, 1):
        return Check(Gate.EXCEEDED, told)
    confidence = 1 - ALPHA / 2  # of either bound
    least = 1 - upper_bound(control_sent - control_gone, control_sent, confidence)
    most = upper_bound(gone, sent, confidence) - least
    if most > SPARE_LOSS + control_gone / max(1, control_sent):
        return Check(Gate.UNDECIDED, told)
    return Check(Gate.KEPT, f"at most {100 * most:.2g} % more lost" if most > 0 else "no more lost")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
