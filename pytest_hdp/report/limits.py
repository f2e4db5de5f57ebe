"""Trains of which the sweep itself lost packets, by a limit that numbers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.packet.numbers import parse_protocols
from pytest_hdp.report import fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.report.fields import Record


def shared_limits(records: Iterable[Record]) -> list[str]:
    """Return "249 numbers share a limit of about 10 packets a second" for one course of which that is so."""
    sharing = [record for record in records if fields.part(record, "shared_limit")]
    if not sharing:
        return []
    rates = [fields.part(record, "shared_limit").get("rate") for record in sharing]
    rate = max((each for each in rates if isinstance(each, int | float)), default=0.0)
    how = f"about {float(f'{rate:.2g}'):g} packets a second" if rate >= 1 else "less than one packet a second"
    numbers = max(map(_count, sharing))
    return [f"{'1 number shares' if numbers == 1 else f'{numbers} numbers share'} a limit of {how}"]


def _count(record: Record) -> int:
    """How many numbers a record says that share its limit: records of others may not be among those that are told."""
    text = fields.word(fields.part(record, "shared_limit"), "numbers")
    try:
        return len(parse_protocols(text))
    except ValueError:
        return 1
