"""`results.jsonl`: one result record a line, written as they come, read back in whatever state it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from pytest_hdp.judge.record import from_record
from pytest_hdp.report.files import replace, write_whole
from pytest_hdp.untrusted.marks import WrongValueError
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LONGEST_LINE = 1 << 20
"""Bytes of a line that is still read; a record has about 1 KiB."""

MOST_PROBLEMS = 20
"""Problems told one by one; of a file that is no results file at all, the rest are only counted."""


def line_of(record: Mapping[str, Any]) -> str:
    """Return the record as one line of ASCII JSON with its newline. Raises TypeError or ValueError."""
    return json.dumps(record, separators=(", ", ": "), allow_nan=False) + "\n"


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write all records to `path` at once, whole or not at all. Raises OSError."""
    write_whole(path, "".join(map(line_of, records)))


class LineWriter:
    """Appends records to a new file, each handed to the kernel at once: they survive a `kill -9`.

    A context manager. An existing file is replaced when the writer is made. Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = replace(Path(path), os.O_APPEND)

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record, in one system call where the disk allows, so that processes may share a file."""
        rest = memoryview(line_of(record).encode("ascii"))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return (records, problems). Never raises: what cannot be read is told, one line for each problem.

    Lines cut off, not JSON, of a newer schema, or with a verdict that this version does not know are left
    out. Fields that this version does not know are kept.
    """
    try:
        with Path(path).open("rb") as stream:
            return _read(stream, safe(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        cause = getattr(error, "strerror", None) or error
        return [], [f"{safe(path)}: cannot be read: {safe(cause)}"]


def _read(stream: BinaryIO, name: str) -> tuple[list[dict[str, Any]], list[str]]:
    records: list[dict[str, Any]] = []
    problems: list[str] = []
    count = 0
    for count, line in enumerate(_lines(stream), start=1):
        if not line.strip():
            continue
        problem, record = _parsed(line)
        if problem is None and record is not None:
            records.append(record)
        else:
            problems.append(f"{name}, line {count}: {problem}")
    if not count:
        problems.append(f"{name}: empty: nothing was measured, or the run ended before the first result")
    if (more := len(problems) - MOST_PROBLEMS) > 0:
        problems[MOST_PROBLEMS:] = [f"{name}: {more} more lines like these"]
    return records, problems


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines, of an overlong one only the first LONGEST_LINE + 1 bytes."""
    while line := stream.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)


def _parsed(line: bytes) -> tuple[str | None, dict[str, Any] | None]:
    """Return (problem, None) or (None, record) of one line."""
    if len(line) > LONGEST_LINE:
        return f"longer than {LONGEST_LINE} bytes, so no result", None
    try:
        found = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        whole = line.endswith(b"\n")
        return ("not JSON" if whole else "cut off in the middle: the run was killed while writing it"), None
    if not isinstance(found, dict):
        return "not a JSON object", None
    try:
        from_record(found)
    except WrongValueError as error:
        return str(error), None
    return None, found
