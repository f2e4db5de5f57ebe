"""`hdp compare A B`: what changed between two results files."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.compare import compare
from pytest_hdp.judge.result import Result
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    import argparse

SAME = 0
CHANGED = 1
GONE = 3
UNUSABLE = 4


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `compare` to the subparsers of `hdp`."""
    parser = subparsers.add_parser(
        "compare",
        help="what changed between two results files",
        description="What changed from A to B. Exit status: 0 nothing, 1 something, 3 nothing, but most of what A knew "
        "of a path is not known any more, 4 they can't be compared.",
    )
    for side in ("A", "B"):
        parser.add_argument(side.lower(), metavar=side, type=Path, help="results.jsonl, or the folder that it is in")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="also exit 1 where silent or inconclusive stands beside another verdict, and for trains of one side only",
    )
    parser.add_argument(
        "--partial", action="store_true", help="compare what is left of a file that was cut off or damaged"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON object, for programs")
    shape.add_argument("--markdown", action="store_true", help="for an issue, or a job summary")
    parser.set_defaults(run=main)


class _Unusable(Exception):  # noqa: N818
    """A file that can't be compared; its text is one line."""


def main(options: argparse.Namespace) -> int:
    """Print the comparison. Returns the exit status."""
    from pytest_hdp.report import comparison

    try:
        before, after = (_results(path, partial=options.partial) for path in (options.a, options.b))
        found = compare(before, after)
        if not found.pairs:
            raise _Unusable(f"{safe(options.a)} and {safe(options.b)} have no train in common: other paths or numbers?")
    except _Unusable as error:
        print(f"hdp compare: {error}", file=sys.stderr)
        return UNUSABLE
    one, two = comparison.Side.of(str(options.a), before), comparison.Side.of(str(options.b), after)
    status = CHANGED if found.differs(strict=options.strict) else GONE if found.gone else SAME
    if options.json:
        said = comparison.as_json(found, one, two, status=status)
    elif options.markdown:
        said = comparison.markdown(found, one, two)
    else:
        said = "\n".join(comparison.text(found, one, two, shutil.get_terminal_size().columns))
    print("\n".join(_printable(line) for line in said.splitlines()))
    return status


def _results(path: Path, *, partial: bool) -> list[Result]:
    from pytest_hdp.report.jsonl import read

    with contextlib.suppress(OSError, ValueError):  # reading it says why
        path = path / "results.jsonl" if path.is_dir() else path
    results, problems = read(path)
    if problems and not (partial and results):
        more = f" (and {len(problems) - 1} more like this)" if len(problems) > 1 else ""
        hint = "; --partial compares the rest" if results else ""
        raise _Unusable(f"{problems[0]}{more}{hint}")
    for problem in problems:
        print(f"hdp compare: left out: {problem}", file=sys.stderr)
    return results


def _printable(line: str) -> str:
    """The line, with what this terminal's encoding lacks escaped."""
    encoding = sys.stdout.encoding or "ascii"
    return line.encode(encoding, "backslashreplace").decode(encoding)
