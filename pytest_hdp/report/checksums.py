"""Trains that came through with a transport checksum that does not fit any more: raw sockets do not look, stacks do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.report import fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.judge.result import Result


def is_stale(result: Result) -> bool:
    """Say whether its checksum was stale on arrival."""
    return result.judgement.transport_checksum == "stale"


def stale_checksums(results: Iterable[Result]) -> list[str]:
    """Return "33 (DCCP): transport checksum stale on arrival, ..." for those of one course of which that is so."""
    stale = list(filter(is_stale, results))
    if not stale:
        return []
    return [f"{fields.subjects(stale)}: transport checksum stale on arrival, so that a real stack would drop it"]
