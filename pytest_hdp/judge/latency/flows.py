"""Flows of one protocol: do they take as long as each other, and which of them are like HDP's one flow?

Routers with several equal ways hash addresses, number and ports: each flow keeps to one way. A number without ports has
one flow between two addresses; UDP has as many as ports. So where UDP's own flows differ, HDP is held against those
that are most like it, and a difference no greater than that between flows is nobody's but the hash's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from statistics import median, variance
from typing import TypeVar

from pytest_hdp.judge.latency.ranks import same_place, statistic

CAUTION = 0.9
"""Of what noise alone makes of the flows so much is taken off, so as to err to the wide side."""
STUDENT = 2.13
"""The 97.5th percentile of Student's t with fifteen degrees of freedom, for sixteen flows."""
DIFFERENT = 0.001
"""Flows that honestly are alike are taken for different as often: then an interval is wider than it had to be."""
APART = 0.01
Flow = TypeVar("Flow", bound=Hashable)


def nearest(
    by_flow: Mapping[Flow, Sequence[float]], middle_of: Callable[[Sequence[float]], float] = median
) -> tuple[frozenset[Flow], float]:
    """Of differences by flow, the flows in which they are nearest to 0, and how far apart the flows lie.

    All of them, and 0, where the flows do not differ.
    """
    if same_place(list(by_flow.values())) >= DIFFERENT:
        return frozenset(by_flow), 0.0
    middle = {flow: middle_of(values) for flow, values in by_flow.items() if values}
    ordered = sorted(middle, key=lambda flow: middle[flow])
    ends = [_like(first, by_flow, middle) for first in (ordered[0], ordered[-1])]
    least, most = (middle_of([value for flow in end for value in by_flow[flow]]) for end in ends)
    return frozenset(_like(min(middle, key=lambda flow: abs(middle[flow])), by_flow, middle)), most - least


def _like(first: Flow, by_flow: Mapping[Flow, Sequence[float]], middle: Mapping[Flow, float]) -> list[Flow]:
    """One flow, and by distance those that do not differ from it.

    One alone, picked because its middle lies nearest to somewhere, would be nearer than the truth.
    """
    taken = [first]
    for flow in sorted(middle, key=lambda flow: abs(middle[flow] - middle[first])):
        if flow == first:
            continue
        if same_place([by_flow[each] for each in (*taken, flow)]) < APART:
            break
        taken.append(flow)
    return taken


def undetected(by_flow: Mapping[Flow, Sequence[float]]) -> float:
    """How far HDP's one flow may be off UDP's middle, by what flows seem to differ, where that is not sure.

    The variance of flows' medians beyond what noise makes of it, by the method of moments: under noise alone Kruskal
    and Wallis's statistic is, on average, the number of flows less one. HDP's flow is one more draw of these.
    """
    middle = [median(values) for values in by_flow.values() if values]
    expected = CAUTION * (len(middle) - 1)
    if expected < 0.5 or (seen := statistic(list(by_flow.values()))) <= expected:
        return 0.0
    return STUDENT * math.sqrt(variance(middle) * (1 - expected / seen) * (1 + 1 / len(middle)))
