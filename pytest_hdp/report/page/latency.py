"""What the page shows of a latency comparison: histograms on one axis, each with its sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_hdp.judge.latency.result import HDP, UDP, LatencyResult
from pytest_hdp.untrusted.text import safe

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
    """Return them as the page's data: what is compared (HDP and UDP, one direction and level) on one axis.

    Texts are harmless, bins left out that a logarithmic axis has no place for. `low`, `high`: the range that tells
    something, which is where all but one packet in a hundred of each kind are; `beyond`: how many are outside of it.
    """
    figures: dict[str, dict[str, Any]] = {}
    for each in histograms:
        kind, _, about = each.label.partition(", ")
        figure = figures.setdefault(about, {"label": safe(about or kind), "sentence": "", "series": []})
        figure["sentence"] = figure["sentence"] or safe(each.sentence)
        bins = [list(one) for one in each.bins[:MOST_BINS] if all(map(math.isfinite, one)) and 0 < one[0] < one[1]]
        if bins:
            figure["series"].append({"label": safe(kind), "bins": bins})
    for figure in figures.values():
        ranges = [_telling(one["bins"]) for one in figure["series"]]
        figure["low"] = min((low for low, _ in ranges), default=1)
        figure["high"] = max((high for _, high in ranges), default=2)
        figure["beyond"] = sum(
            count
            for one in figure["series"]
            for start, end, count in one["bins"]
            if start < figure["low"] or end > figure["high"]
        )
    return list(figures.values())


def _telling(bins: list[list[float]]) -> tuple[float, float]:
    """Return where all but the lowest and the highest half per cent are; the whole range of fewer than 200."""
    total = sum(count for _, _, count in bins)
    spare = total // 200
    below = above = 0
    first, last = 0, len(bins) - 1
    while first < last and below + bins[first][2] <= spare:
        below += int(bins[first][2])
        first += 1
    while first < last and above + bins[last][2] <= spare:
        above += int(bins[last][2])
        last -= 1
    return bins[first][0], bins[last][1]
