"""What a page and a table of many paths cost: as much a record as those of few. Counted, not timed."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_hdp.report.markdown import markdown
from pytest_hdp.report.page.document import page


class Counted(dict[str, Any]):
    """A record that counts how often it is looked at."""

    looks = 0

    def get(self, key: str, default: Any = None) -> Any:
        Counted.looks += 1
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        Counted.looks += 1
        return super().__getitem__(key)


def looks(render, record, paths: int) -> float:
    """How often each record is looked at, where there are so many paths."""
    records = []
    for number in range(paths):
        for direction in ("forward", "reverse"):
            verdict, outcome = ("lost", "failed") if number % 3 else ("delivered", "passed")
            made = record(47, verdict, outcome, direction=direction, hops=[{"ttl": 1, "address": "192.0.2.1"}])
            path = {**made["path"], "kind": "internet", "target": f"198.51.{number >> 8}.{number & 255}"}
            records.append(Counted({**made, "path": Counted(path)}))
    Counted.looks = 0
    assert len(render(records)) > 100 * paths
    return Counted.looks / len(records)


@pytest.mark.parametrize("render", [page, markdown])
def test_a_record_is_looked_at_no_more_often_for_others_being_there(record, render):
    assert looks(render, record, 400) < 1.2 * looks(render, record, 40)
