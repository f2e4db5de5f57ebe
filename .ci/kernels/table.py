"""Makes the tables of docs/kernels.md from docs/night.tsv: table.py RESULTS PAGE [--check]. Standard library only."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"
KINDS = {
    "Kernels": ("uml", "linux-"),
    "Fresh Debian, README's two commands": ("fresh-",),
    "Lowest versions of all dependencies": ("lowest",),
    "Truth": ("truth",),
}
"""Headings, and how the names of their parts begin."""


def parts_of_the_night() -> list[str]:
    """Return the parts in the order in which .ci/night runs them."""
    script = (Path(__file__).parents[1] / "night").read_text(encoding="utf-8")
    return script.split("\nparts=(")[1].split(")")[0].split()


def cell(row: dict[str, str]) -> str:
    """Return what a step found: pytest's counts, in bold if it did not pass."""
    text = row["counts"].replace("|", "\\|")
    return text if row["outcome"] == "passed" else f"**{row['outcome']}: {text}**"


def table(parts: list[str], rows: list[dict[str, str]]) -> list[str]:
    """Return the lines of a table: systems down, steps across, in the order in which they were run."""
    systems = {part: f"{part}: **not run**" for part in parts} | {row["part"]: row["system"] for row in rows}
    steps = list(dict.fromkeys((row["step"], row["who"]) for row in rows))
    found = {(row["part"], row["step"], row["who"]): cell(row) for row in rows}
    heads = ["system", *(f"{step}, as {'root' if who == 'root' else 'a user'}" for step, who in steps)]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for part, system in systems.items():
        cells = [system, *(found.get((part, *step), "") for step in steps)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def page_with(page: str, results: str) -> str:
    """Return the page with the tables of these results in it."""
    rows = list(csv.DictReader(results.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    lines: list[str] = []
    for heading, starts in KINDS.items():
        parts = [part for part in parts_of_the_night() if part.startswith(starts)]
        chosen = [row for part in parts for row in rows if row["part"] == part]
        lines += [f"## {heading}", "", *table(parts, chosen), ""]
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}" + rest.partition(END)[2]


def main() -> int:
    """Write the page anew; with --check, say by the exit status whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    page = options.page.read_text(encoding="utf-8")
    wanted = page_with(page, options.results.read_text(encoding="utf-8"))
    if options.check:
        return int(page != wanted)
    options.page.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
