"""What the page shows of a latency comparison: histograms on one axis, each with its sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_hdp.judge.latency_result import HDP, UDP, LatencyResult
from pytest_hdp.report.safe import safe

MOST_BINS = 400


@dataclass(frozen=True, slots=True)
class Histogram:
    """One distribution. `bins`: (from, to, how many), in microseconds; `sentence`: what it says, with its interval."""

    label: str
    bins: tuple[tuple[float, float, int], ...]
    sentence: str


def histograms(results: Iterable[LatencyResult]) -> list[Histogram]:
    """Return those of HDP and of UDP, at both levels, the first of each comparison with its sentence."""
    found: list[Histogram] = []
    for result in results:
        kept = [each for each in result.histograms if each.label.partition(",")[0] in {HDP, UDP}]
        found += [Histogram(each.label, each.bins, "" if i else result.sentence) for i, each in enumerate(kept)]
    return found


def shown(histograms: Iterable[Histogram]) -> list[dict[str, Any]]:
    """Return them as the page's data: texts harmless, bins left out that a logarithmic axis has no place for."""
    return [
        {
            "label": safe(each.label),
            "sentence": safe(each.sentence),
            "bins": [
                list(one) for one in each.bins[:MOST_BINS] if all(map(math.isfinite, one)) and 0 < one[0] < one[1]
            ],
        }
        for each in histograms
    ]
