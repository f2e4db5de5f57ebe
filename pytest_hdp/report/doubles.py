"""Trains whose packets came more than once: a mirror, a loop of bridges, a bond that sends on all its links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.report import fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.judge.result import Result


def times(result: Result) -> int:
    """Return how often the packets that came did so, on average: 0 unless there are as many surplus copies."""
    came = max(result.judgement.arrived, result.judgement.delivered)
    surplus = result.judgement.duplicated
    return 1 + surplus // came if 0 < came <= surplus else 0


def often(count: int) -> str:
    """Return "twice", or "3 times"."""
    return "twice" if count == 2 else f"{count} times"


def doubles(results: Iterable[Result]) -> list[str]:
    """Return "47 (GRE): packets came twice" for the trains of one course of which that is so, equal ones together.

    Of more than a few different ones, the least is told.
    """
    counted = alike(filter(times, results), times)
    if len(counted) > 2:
        everyone = [result for those in counted.values() for result in those]
        return [f"{fields.subjects(everyone)}: packets came {often(min(counted))}, or more often"]
    return [f"{fields.subjects(counted[count])}: packets came {often(count)}" for count in sorted(counted)]
