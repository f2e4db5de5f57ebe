"""`hdp report DIR... [-o OUT]`: the page and the table once more, from one or several results files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    import argparse

    from pytest_hdp.report.runs import Runs

_USAGE = 4


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
    """Write both files. Returns the exit status: 0 done, 4 if a place has no results, or they can't be written."""
    from pytest_hdp.judge.result import Made
    from pytest_hdp.report.files import make_folder, write_whole
    from pytest_hdp.report.markdown import markdown
    from pytest_hdp.report.page.document import page
    from pytest_hdp.report.page.latency import histograms
    from pytest_hdp.report.runs import load

    if args.summary is None and args.output is None and len(args.places) > 1:
        return _complain("several runs: say with -o OUT which folder the report goes to")
    runs = load(args.places)
    for problem in runs.problems:
        print(f"hdp: {problem}", file=sys.stderr)
    status = _USAGE if runs.without else 0
    if args.summary is not None:
        return _summarise(runs, args.summary) or status
    if not runs.results:
        return status
    only = args.places[0]
    folder = args.output or (only if only.is_dir() else only.parent)
    made = runs.made[0] if len(runs.made) == 1 else Made()
    try:
        make_folder(folder)
        write_whole(
            folder / "report.html",
            page(runs.results, runs.made, histograms=histograms(runs.latency), problems=runs.problems),
        )
        write_whole(
            folder / "results.md",
            markdown(runs.results, command=made.command, system=made.system, unmeasured=runs.unmeasured),
        )
    except OSError as error:
        return _complain(f"{safe(folder)} can't be written: {error.strerror or error}")
    trains = f"{len(runs.results)} train{'s' * (len(runs.results) != 1)}"
    print(f"{safe(folder / 'report.html')}, {safe(folder / 'results.md')}: {trains}")
    return status


def _summarise(runs: Runs, file: Path) -> int:
    """Append to a job's summary, also that there is nothing to show. Returns the exit status."""
    from pytest_hdp.report.github import append_summary

    trouble = append_summary(file, runs.results, runs.unmeasured, runs.latency)
    return _complain(trouble) if trouble is not None else 0


def _complain(message: str) -> int:
    print(f"hdp: {message}", file=sys.stderr)
    return _USAGE
