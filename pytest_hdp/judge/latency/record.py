"""A latency result as JSON values, and back. Reading is strict: a file may come from anywhere."""

from __future__ import annotations

from typing import Any

from pytest_hdp.judge.latency.result import LatencyResult
from pytest_hdp.untrusted.codec import Codec

SCHEMA = 1
_CODEC = Codec(LatencyResult)


def to_record(result: LatencyResult) -> dict[str, Any]:
    """Return the result's fields as JSON values, by the names that they have here; NaN becomes null."""
    return _CODEC.encode(result)


def from_record(record: object) -> LatencyResult:
    """Return the result that a JSON value holds. Unknown fields pass.

    Raises WrongValueError, whose text is one line that can be shown.
    """
    return _CODEC.decode(record)
