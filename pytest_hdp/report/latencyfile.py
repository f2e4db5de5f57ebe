"""`latency.json`: what the latency experiments of a run found, one JSON object, written whole, read with suspicion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.latency.record import SCHEMA, from_record
from pytest_hdp.report.files import write_whole
from pytest_hdp.untrusted.marks import WrongValueError
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hdp.judge.latency.result import LatencyResult

LARGEST = 64 << 20
"""Bytes of a file that is still read; a result has about 20 KiB."""


def write(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write `{"schema": 1, "results": [...]}`. Raises OSError."""
    text = json.dumps({"schema": SCHEMA, "results": list(records)}, indent=1, allow_nan=False)
    write_whole(path, text + "\n")


def read(path: Path) -> tuple[list[LatencyResult], list[str]]:
    """Return (results, problems), one line for each problem. Never raises."""
    name = safe(path)
    try:
        if Path(path).stat().st_size > LARGEST:
            return [], [f"{name}: larger than {LARGEST} bytes, so no latency file"]
        found = json.loads(Path(path).read_bytes().decode("utf-8"))
    except OSError as error:
        return [], [f"{name}: cannot be read: {safe(error.strerror or error)}"]
    except (ValueError, RecursionError):
        return [], [f"{name}: not JSON, or cut off in the middle"]
    if not isinstance(found, dict) or not isinstance(found.get("results"), list):
        return [], [f"{name}: no list of latency results"]
    if found.get("schema") != SCHEMA:
        return [], [f"{name}: of schema {safe(found.get('schema'))}, and this version reads {SCHEMA}"]
    results: list[LatencyResult] = []
    problems: list[str] = []
    for number, each in enumerate(found["results"], start=1):
        try:
            results.append(from_record(each))
        except WrongValueError as error:
            problems.append(f"{name}, result {number}: {safe(error)}")
    return results, problems
