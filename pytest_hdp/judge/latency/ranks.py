"""Do groups of values lie at the same place? Kruskal and Wallis's test by ranks, in pure Python.

It asks nothing of the values' distribution, which for latencies is never a normal one. Values that are equal share the
mean of their ranks, and the statistic is corrected for them (Kruskal and Wallis, Use of Ranks in One-Criterion Variance
Analysis, JASA 1952, sect. 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby


def same_place(groups: Sequence[Sequence[float]]) -> float:
    """Return the p-value of "all groups come from one distribution" against "some lie higher"; 1 if nothing tells.

    By the chi-square distribution, which for groups of five or more is on the safe side.
    """
    there = sum(map(bool, groups))
    return chi_square_above(statistic(groups), there - 1) if there > 1 else 1.0


def statistic(groups: Sequence[Sequence[float]]) -> float:
    """Return Kruskal and Wallis's H, corrected for ties; 0 if all values are equal, or of one group."""
    groups = [group for group in groups if group]
    total = sum(map(len, groups))
    if len(groups) < 2:
        return 0.0
    rank_sums = [0.0] * len(groups)
    ties = rank = 0
    ordered = sorted((value, number) for number, group in enumerate(groups) for value in group)
    for _, equal in groupby(ordered, key=lambda each: each[0]):
        members = [number for _, number in equal]
        count = len(members)
        for number in members:
            rank_sums[number] += rank + (count + 1) / 2
        rank += count
        ties += count**3 - count
    correction = 1 - ties / (total**3 - total)
    if correction <= 0:
        return 0.0
    spread = sum(rank_sum**2 / len(group) for rank_sum, group in zip(rank_sums, groups, strict=True))
    return max(0.0, (12 / (total * (total + 1)) * spread - 3 * (total + 1)) / correction)


def chi_square_above(x: float, freedom: int) -> float:
    """Return P(X > x) for X chi-square of so many degrees of freedom: Abramowitz and Stegun, 26.4.4 and 26.4.5."""
    half = x / 2
    odd = freedom % 2
    found = math.erfc(math.sqrt(half)) if odd else 0.0
    term = math.exp(-half) * (math.sqrt(2 * x / math.pi) if odd else 1.0)
    for number in range(1 + odd, freedom + odd, 2):
        found += term
        term *= x / (number + 1)
    return min(1.0, found)
