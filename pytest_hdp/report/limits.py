"""Which results of a run tell of a limit that numbers share; the words for it are those of `judge/crowd.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.crowd import sharing_text
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
    return [sharing_text(fastest, max(map(_count, sharing)))]


def _count(limit: SharedLimit) -> int:
    """How many numbers share a limit, as a result says: results of others may not be among those that are told."""
    try:
        return len(parse_protocols(limit.numbers))
    except ValueError:
        return 1
