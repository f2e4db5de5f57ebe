"""Trains whose packets came more than once: a mirror, a loop of bridges, a bond that sends on all its links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.report import fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.report.fields import Record


def times(record: Record) -> int:
    """Return how often the packets that came did so, on average: 0 unless there are as many surplus copies."""
    came = max(fields.number(record, "arrived") or 0, fields.number(record, "delivered") or 0)
    surplus = fields.number(record, "duplicated") or 0
    return 1 + surplus // came if 0 < came <= surplus else 0


def often(count: int) -> str:
    """Return "twice", or "3 times"."""
    return "twice" if count == 2 else f"{count} times"


def doubles(records: Iterable[Record]) -> list[str]:
    """Return "47 (GRE): packets came twice" for the trains of one course of which that is so, equal ones together.

    Of more than a few different ones, the least is told.
    """
    counted: dict[int, list[Record]] = {}
    for record in records:
        if (count := times(record)) > 0:
            counted.setdefault(count, []).append(record)
    if len(counted) > 2:
        everyone = [record for those in counted.values() for record in those]
        return [f"{fields.subjects(everyone)}: packets came {often(min(counted))}, or more often"]
    return [f"{fields.subjects(counted[count])}: packets came {often(count)}" for count in sorted(counted)]
