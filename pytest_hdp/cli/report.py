"""`hdp report DIR... [-o OUT]`: the page and the table once more, from one or several results files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    import argparse

_USAGE = 4
MOST_TOLD = 10


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `report` to the subparsers of `hdp`; the parsed arguments are for `main`."""
    parser = subparsers.add_parser(
        "report",
        help="make report.html and results.md from results.jsonl; several runs become a matrix",
        description="Makes report.html and results.md from one or several results files; nothing is measured or sent.",
    )
    parser.add_argument(
        "places", nargs="+", type=Path, metavar="DIR", help="a folder of --hdp-report, or a results.jsonl"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="folder to write to (default: DIR, if it is one)"
    )
    parser.add_argument(
        "--summary",
        type=Path,
        metavar="FILE",
        help="append to FILE what a job's summary shows, and write nothing else: --summary=$GITHUB_STEP_SUMMARY",
    )
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    """Write both files. Returns the exit status: 0 done, 4 if there is nothing to show or they can't be written."""
    from pytest_hdp.judge.result import Made
    from pytest_hdp.report.files import make_folder, write_whole
    from pytest_hdp.report.markdown import markdown
    from pytest_hdp.report.page.document import page
    from pytest_hdp.report.page.latency import histograms
    from pytest_hdp.report.runs import load

    if args.summary is not None:
        return _summarise(args.places, args.summary)
    if args.output is None and len(args.places) > 1:
        return _complain("several runs: say with -o OUT which folder the report goes to")
    runs = load(args.places)
    if not runs.results:
        return _complain(runs.problems[0] if runs.problems else "no results there")
    for problem in runs.problems[:MOST_TOLD]:
        print(f"hdp: left out: {problem}", file=sys.stderr)
    only = args.places[0]
    folder = args.output or (only if only.is_dir() else only.parent)
    made = runs.made[0] if len(runs.made) == 1 else Made()
    try:
        make_folder(folder)
        write_whole(
            folder / "report.html",
            page(runs.results, runs.made, histograms=histograms(runs.latency), problems=runs.problems),
        )
        unmeasured = [line for each in runs.made for line in each.missing]
        write_whole(
            folder / "results.md",
            markdown(runs.results, command=made.command, system=made.system, unmeasured=unmeasured),
        )
    except OSError as error:
        return _complain(f"{safe(folder)} can't be written: {error.strerror or error}")
    trains = f"{len(runs.results)} train{'s' * (len(runs.results) != 1)}"
    print(f"{safe(folder / 'report.html')}, {safe(folder / 'results.md')}: {trains}")
    return 0


def _summarise(places: Sequence[Path], file: Path) -> int:
    """Append to a job's summary, also that there is nothing to show. Returns the exit status."""
    from pytest_hdp.report.github import append_summary
    from pytest_hdp.report.runs import load

    runs = load(places)
    unmeasured = [line for each in runs.made for line in each.missing]
    nothing = () if runs.results else runs.problems[:MOST_TOLD] or ("no results there",)
    if (trouble := append_summary(file, runs.results, (*unmeasured, *nothing))) is not None:
        return _complain(trouble)
    return _complain(nothing[0]) if nothing else 0


def _complain(message: str) -> int:
    print(f"hdp: {message}", file=sys.stderr)
    return _USAGE
