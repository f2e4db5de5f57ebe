"""`latency.json` is written whole and read with suspicion."""

import json

import pytest

from pytest_hdp.judge.latency.differences import Series
from pytest_hdp.judge.latency.record import to_record
from pytest_hdp.judge.latency.result import HDP, UDP, Setup, Way, conclude
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.report.latencyfile import read, write

PATH = PathInfo("loopback", "loopback", "127.0.0.1", "127.0.0.1", None)


@pytest.fixture
def record():
    setup = Setup(PATH, Direction.FORWARD, Way.ONE_WAY, 253, 200, 100, 1, 60.0, (1.0, 2.0), 0)
    times = range(1000, 1200)
    return to_record(conclude(setup, [Series(label, 253, times, times, range(200)) for label in (HDP, UDP)]))


def test_what_was_written_is_read(tmp_path, record):
    write(tmp_path / "latency.json", [record, record])
    results, problems = read(tmp_path / "latency.json")
    assert problems == []
    assert [to_record(each) for each in results] == [record, record]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text[:-20], "not JSON, or cut off"),
        (lambda text: "\x00" + text, "not JSON"),
        (lambda text: "[" * 100_000, "cut off in the middle"),
        (lambda text: text.replace('"schema": 1', '"schema": 99'), "of schema 99"),
        (lambda text: "[]", "no list of latency results"),
        (lambda text: text.replace('"forward"', '"\\u001b[31msideways"'), "result 1"),
    ],
)
def test_a_spoiled_file_is_one_harmless_line(tmp_path, record, spoil, said):
    file = tmp_path / "latency.json"
    write(file, [record])
    file.write_text(spoil(file.read_text(encoding="utf-8")), encoding="utf-8")
    results, (problem,) = read(file)
    assert results == []
    assert said in problem
    assert problem.isprintable()


def test_no_file_is_one_line(tmp_path):
    assert read(tmp_path / "none")[1] == [f"{tmp_path / 'none'}: cannot be read: No such file or directory"]


def test_one_bad_result_spoils_no_other(tmp_path, record):
    write(tmp_path / "latency.json", [record, {"setup": None}])
    results, (problem,) = read(tmp_path / "latency.json")
    assert len(results) == 1
    assert "result 2: setup is not a JSON object" in problem
    assert json.loads((tmp_path / "latency.json").read_text())["schema"] == 1
