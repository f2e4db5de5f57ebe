"""The recorded runs: every line reads back, and comes to the same outcome when it is assessed once more."""

from pathlib import Path

import pytest

from pytest_hdp.judge.expect import assess, builtin
from pytest_hdp.judge.record import from_record, to_record
from pytest_hdp.judge.result import Result
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.lab.boxes import Traffic
from pytest_hdp.lab.catalogue import make
from pytest_hdp.report.jsonl import read

SAMPLES = Path(__file__).parents[2] / "samples"
FOLDERS = {folder.name for folder in SAMPLES.iterdir() if folder.is_dir()}


def results(name: str) -> list[Result]:
    records, problems = read(SAMPLES / name / "results.jsonl")
    assert not problems
    found = [from_record(record) for record in records]
    assert all(isinstance(result, Result) for result in found)
    again = [to_record(result) for result in found]  # with fields that the samples are older than
    assert [{name: each[name] for name in record} for each, record in zip(again, records, strict=True)] == records
    return found


def test_every_folder_is_tested_and_told_of():
    assert {"loopback", "home-nat", "first-only"} == FOLDERS
    page = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in FOLDERS)


def test_loopback_is_what_the_profile_says():
    profile = builtin("linux-loopback")
    found = results("loopback")
    assert [result.judgement.train.protocol for result in found] == list(range(-1, 264))
    for result in found:
        outcome, _ = assess(result.judgement, profile.expectation(result.judgement.train))
        assert outcome is result.outcome


@pytest.mark.parametrize("name", sorted(FOLDERS - {"loopback"}))
def test_labs_are_what_their_boxes_do(name):
    lab = make(name)
    found = results(name)
    assert len(found) == 510
    for result in found:
        train = result.judgement.train
        answer = train.direction is Direction.REVERSE
        truth = lab.expected(train.protocol, train.direction, train.form, Traffic(solicited=answer))
        assert result.verdict in {truth.verdict, *truth.also}
