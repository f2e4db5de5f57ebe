"""`results.jsonl`: one result record a line, written as they come, read back in whatever state it is: cut off, too."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from pytest_hdp.judge.record import from_record, to_record
from pytest_hdp.report.files import replace
from pytest_hdp.untrusted.marks import WrongValueError
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_hdp.judge.result import Result

LONGEST_LINE = 1 << 20
"""Bytes of a line that is still read; a record has about 1 KiB."""

MOST_PROBLEMS = 20
"""Problems told one by one; of a file that is no results file at all, the rest are only counted."""


def line_of(result: Result) -> str:
    """Return the result as one line of ASCII JSON with its newline."""
    return line_of_record(to_record(result))


def line_of_record(record: Mapping[str, Any]) -> str:
    """Return a result's record so."""
    return json.dumps(record, separators=(", ", ": "), allow_nan=False) + "\n"


class LineWriter:
    """Appends results to a new file, each handed to the kernel at once: they survive a `kill -9`.

    A context manager. An existing file is replaced when the writer is made. Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = replace(Path(path), os.O_APPEND)

    def write(self, line: str) -> None:
        """Append a result's line, in one system call where the disk allows, so that processes may share a file."""
        rest = memoryview(line.encode("ascii"))
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


def read(path: Path) -> tuple[list[Result], list[str]]:
    """Return (results, problems). Never raises: what cannot be read is told, one line for each problem.

    Lines cut off, not JSON, of a newer schema, or with a verdict that this version does not know are left out.
    """
    try:
        with Path(path).open("rb") as stream:
            return _read(stream, safe(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        cause = getattr(error, "strerror", None) or error
        return [], [f"{safe(path)}: cannot be read: {safe(cause)}"]


def _read(stream: BinaryIO, name: str) -> tuple[list[Result], list[str]]:
    results: list[Result] = []
    problems: list[str] = []
    count = 0
    for count, line in enumerate(_lines(stream), start=1):
        if not line.strip():
            continue
        try:
            results.append(_parsed(line))
        except WrongValueError as error:
            problems.append(f"{name}, line {count}: {error}")
    if not count:
        problems.append(f"{name}: empty: nothing was measured, or the run ended before the first result")
    elif not (results or problems):
        problems.append(f"{name}: holds no results")
    if (more := len(problems) - MOST_PROBLEMS) > 0:
        problems[MOST_PROBLEMS:] = [f"{name}: {more} more lines like these"]
    return results, problems


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines, of an overlong one only the first LONGEST_LINE + 1 bytes."""
    while line := stream.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)


def _parsed(line: bytes) -> Result:
    """Return the result of one line. Raises WrongValueError."""
    if len(line) > LONGEST_LINE:
        raise WrongValueError(f"longer than {LONGEST_LINE} bytes, so no result")
    try:
        found = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        whole = line.endswith(b"\n")
        problem = "not JSON" if whole else "cut off in the middle: the run was killed while writing it"
        raise WrongValueError(problem) from None
    if not isinstance(found, dict):
        raise WrongValueError("not a JSON object")
    return from_record(found)
