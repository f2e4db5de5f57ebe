"""docs/kernels.md says what docs/night.tsv says, which has every step of the night and nothing else."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
RESULTS, PAGE = TOP / "docs" / "night.tsv", TOP / "docs" / "kernels.md"
TABLE = TOP / ".ci" / "kernels" / "table.py"


def check(results: Path) -> int:
    return subprocess.run([sys.executable, TABLE, results, PAGE, "--check"], check=False).returncode


def test_the_page_is_made_from_the_results():
    assert check(RESULTS) == 0


@pytest.mark.parametrize("column", ["outcome", "counts", "system"])
def test_other_results_are_another_page(tmp_path: Path, column: str):
    text = RESULTS.read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    rows[-1][column] = "other"
    other = tmp_path / "night.tsv"
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    other.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert check(other) == 1


def test_a_part_without_results_is_named_as_not_run(tmp_path: Path):
    results = RESULTS.read_text(encoding="utf-8").splitlines(keepends=True)
    other, page = tmp_path / "night.tsv", tmp_path / "kernels.md"
    other.write_text("".join(line for line in results if not line.startswith("uml\t")), encoding="utf-8")
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    subprocess.run([sys.executable, TABLE, other, page], check=True)
    assert "\n| uml: **not run** |" in page.read_text(encoding="utf-8")


def test_an_unknown_part_is_one_line():
    done = subprocess.run([TOP / ".ci" / "night", "linux-hurd"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(".ci/night: no part linux-hurd; there are: uml linux-bullseye ")
    assert done.stderr.count("\n") == 1
