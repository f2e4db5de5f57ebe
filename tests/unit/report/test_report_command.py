"""`hdp report` of runs of which not all is there: told wherever it says what they found, and never all as expected."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp.cli import main
from pytest_hdp.judge.latency.differences import Series
from pytest_hdp.judge.latency.record import to_record as latency_record
from pytest_hdp.judge.latency.result import HDP, UDP, Setup, Way, conclude
from pytest_hdp.judge.result import Made, PathInfo
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.report.jsonl import line_of
from pytest_hdp.report.latencyfile import write

if TYPE_CHECKING:
    from pathlib import Path

WAYS = {
    "cut": (lambda text: text[:-200], "could not be read whole: line 3: cut off in the middle", 0),
    "damaged": (lambda text: text.replace('"delivered"', '"de'), "could not be read: line 1: not JSON; line 2", 4),
    "one line damaged": (
        lambda text: text.replace('{"schema"', "{schema", 1),
        "could not be read whole: line 1: not JSON",
        0,
    ),
    "empty": (lambda _: "", "could not be read: empty", 4),
    "blank lines": (lambda _: "\n\n", "could not be read: holds no results", 4),
    "missing": (None, "could not be read: No such file", 4),
}
FINE = ("all as expected", "Everything as expected", "Nothing unexpected")


def results(record: Any, name: str, **made: str) -> str:
    run = [record(number, path={**PATH, "name": name}) for number in (6, 47, 132)]
    return "".join(map(line_of, [replace(run[0], made=Made(**made)), *run[1:]]))


PATH = {"kind": "lab", "name": "", "source": "192.0.2.2", "target": "198.51.100.2", "agent": "lab"}


@pytest.fixture
def runs(tmp_path: Path, record: Any, request: pytest.FixtureRequest) -> list[str]:
    """The folders of a whole run, and of one that is not."""
    for name in ("monday", "friday"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.jsonl").write_text(results(record, name))
    spoil = request.param[0]
    spoiled = tmp_path / "friday" / "results.jsonl"
    if spoil is None:
        spoiled.unlink()
    else:
        spoiled.write_text(spoil(spoiled.read_text()))
    return [str(tmp_path / "monday"), str(tmp_path / "friday")]


every_way = pytest.mark.parametrize(
    ("runs", "told", "status"), [(way, *way[1:]) for way in WAYS.values()], ids=WAYS, indirect=["runs"]
)


@every_way
def test_the_page_and_the_table_say_so(runs: list[str], told: str, status: int, tmp_path: Path, capsys: Any):
    assert main(["report", *runs, "-o", str(tmp_path / "both")]) == status
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"hdp: {tmp_path}/friday/results.jsonl {told}")
    for written in ("report.html", "results.md"):
        text = (tmp_path / "both" / written).read_text()
        assert told in text
        assert "friday/results.jsonl not read" in text
        assert not any(fine in text.partition("; nothing unexpected in what was")[0] for fine in FINE), written


@every_way
def test_a_jobs_summary_says_so(runs: list[str], told: str, status: int, tmp_path: Path, capsys: Any):
    summary = tmp_path / "summary.md"
    assert main(["report", *runs, f"--summary={summary}"]) == status
    [line] = capsys.readouterr().err.splitlines()
    assert told in line
    assert told in summary.read_text()
    assert "friday/results.jsonl not read" in summary.read_text()
    assert not any(fine in summary.read_text() for fine in FINE)


@every_way
def test_alone_too(runs: list[str], told: str, status: int, tmp_path: Path):
    page = tmp_path / "friday" / "report.html"
    assert main(["report", runs[1]]) == status
    assert page.exists() is (status == 0)
    assert status == 4 or "not read whole" in page.read_text()


def test_of_several_runs_it_is_told_which_one_did_not_measure_all(tmp_path: Path, record: Any):
    rest = "the rest of the run could not be measured: it was interrupted"
    for name, made in (("monday", {}), ("friday", {"unmeasured": rest})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.jsonl").write_text(results(record, name, **made))
    summary = tmp_path / "summary.md"
    assert main(["report", str(tmp_path / "monday"), str(tmp_path / "friday"), f"--summary={summary}"]) == 0
    assert f"friday: {rest}" in summary.read_text()


def test_of_a_file_made_of_two_runs_neither_hides_what_the_other_did_not_measure(tmp_path: Path, record: Any):
    text = results(record, "a", command="one") + results(record, "b", unmeasured="b could not be measured: no route")
    (tmp_path / "results.jsonl").write_text(text)
    assert main(["report", str(tmp_path)]) == 0
    assert "b could not be measured: no route" in (tmp_path / "results.md").read_text()


def test_a_jobs_summary_has_the_latencies_too(tmp_path: Path, record: Any):
    (tmp_path / "results.jsonl").write_text(results(record, "monday"))
    times = range(1000, 1200)
    path = PathInfo("lab", "monday", "192.0.2.2", "198.51.100.2", "lab")
    setup = Setup(path, Direction.FORWARD, Way.ONE_WAY, 253, 200, 96, 1, 60.0, (0.0, 0.0), 0)
    found = conclude(setup, [Series(label, 253, times, times, range(200)) for label in (HDP, UDP)])
    write(tmp_path / "latency.json", [latency_record(found)])
    summary = tmp_path / "summary.md"
    assert main(["report", str(tmp_path), f"--summary={summary}"]) == 0
    assert "- monday, forward: no difference between HDP and UDP" in summary.read_text()
