"""What a page and a table of many paths cost: as much a record as those of few. Counted, not timed."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from pytest_hdp.judge.result import Result
from pytest_hdp.report.markdown import markdown
from pytest_hdp.report.page.document import page


class Counted(Result):
    """A result that counts how often it is looked at."""

    looks = 0

    def __getattribute__(self, name: str) -> Any:
        Counted.looks += 1
        return super().__getattribute__(name)


def looks(render, record, paths: int) -> float:
    """How often each record is looked at, where there are so many paths."""
    records = []
    for number in range(paths):
        for direction in ("forward", "reverse"):
            verdict, outcome = ("lost", "failed") if number % 3 else ("delivered", "passed")
            made = record(47, verdict, outcome, direction=direction, hops=[{"ttl": 1, "address": "192.0.2.1"}])
            path = replace(made.path, kind="internet", target=f"198.51.{number >> 8}.{number & 255}")
            made = replace(made, path=path)
            records.append(Counted(**{each.name: getattr(made, each.name) for each in fields(made)}))
    Counted.looks = 0
    assert len(render(records)) > 100 * paths
    return Counted.looks / len(records)


@pytest.mark.parametrize("render", [page, markdown])
def test_a_record_is_looked_at_no_more_often_for_others_being_there(record, render):
    assert looks(render, record, 400) < 1.2 * looks(render, record, 40)
