"""Trains of which the sweep itself lost packets, by a limit that numbers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.crowd import rate_text
from pytest_hdp.packet.numbers import parse_protocols

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.judge.details import SharedLimit
    from pytest_hdp.judge.result import Result


def shared_limits(results: Iterable[Result]) -> list[str]:
    """Return "249 numbers share a limit of about 10 packets a second" for one course of which that is so."""
    sharing = [limit for result in results if (limit := result.judgement.shared_limit) is not None]
    if not sharing:
        return []
    fastest = max(sharing, key=lambda each: each.rate)
    numbers = max(map(_count, sharing))
    return [f"{'1 number shares' if numbers == 1 else f'{numbers} numbers share'} a limit of {rate_text(fastest)}"]


def _count(limit: SharedLimit) -> int:
    """How many numbers share a limit, as a result says: results of others may not be among those that are told."""
    try:
        return len(parse_protocols(limit.numbers))
    except ValueError:
        return 1
