"""docs/ipv6-facts.md names tests that there are, and every test of facts is named there."""

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs/ipv6-facts.md").read_text(encoding="utf-8")
FOLDER = TOP / "tests/kernel/ipv6"


def written(pattern: str) -> set[tuple[str, str]]:
    return {
        (path.stem, name)
        for path in FOLDER.glob(pattern)
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


NAMED = set(re.findall(r"(test_\w+)::(test_\w+)", PAGE))


def test_every_test_that_is_named_is_there():
    assert NAMED - written("test_*.py") == set()


def test_every_test_of_facts_is_named():
    assert written("test_facts_*.py") - NAMED == set()


def test_every_fact_has_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and not line.startswith(("| fact", "| ---"))]
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row.rpartition("|")[0].rpartition("|")[2]] == []
