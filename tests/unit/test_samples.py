"""The recorded runs: every line reads back, and comes to the same outcome when it is assessed once more."""

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from pytest_hdp.judge.expect import assess, builtin
from pytest_hdp.judge.record import from_record, to_record
from pytest_hdp.judge.result import Result
from pytest_hdp.judge.verdict import Direction, Outcome, Verdict
from pytest_hdp.lab.boxes import Traffic
from pytest_hdp.lab.catalogue import make
from pytest_hdp.report.jsonl import read
from pytest_hdp.report.markdown import markdown
from pytest_hdp.report.page.document import page
from pytest_hdp.report.runs import load

SAMPLES = Path(__file__).parents[2] / "samples"
FOLDERS = {folder.name for folder in SAMPLES.iterdir() if (folder / "results.jsonl").exists()}
OTHERS = {"loopback", "agentless", "article-darwin", "article-linux"}
LABS = FOLDERS - OTHERS
WHOLE = {"home-nat": 510, "first-only": 510}
SIMULATED_ONLY = {Verdict.HELD_BY_SENDER}
"""No kernel that we have does this; tests/unit/judge/test_worlds.py has it."""

SCHEMA = json.loads((resources.files("pytest_hdp.judge") / "results.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def results(name: str) -> list[Result]:
    records, problems = read(SAMPLES / name / "results.jsonl")
    assert not problems
    found = [from_record(record) for record in records]
    assert all(isinstance(result, Result) for result in found)
    records[0].pop("made")
    again = [to_record(result) for result in found]  # with fields that the samples are older than
    assert [{name: each[name] for name in record} for each, record in zip(again, records, strict=True)] == records
    return found


def test_darwin_and_linux_side_by_side_are_the_two_runs():
    runs = load([SAMPLES / "article-darwin", SAMPLES / "article-linux"])
    assert (SAMPLES / "article" / "report.html").read_text(encoding="utf-8") == page(runs.records, runs.made)


def test_every_folder_is_told_of():
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert {name for name in FOLDERS if f"`{name}`" not in text} == set()
    assert OTHERS < FOLDERS
    assert len(LABS) > 15


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_every_line_keeps_to_the_schema(name):
    for line in (SAMPLES / name / "results.jsonl").read_text(encoding="utf-8").splitlines():
        VALIDATOR.validate(json.loads(line))


def test_real_runs_of_every_verdict_are_among_them():
    seen = {result.verdict for name in FOLDERS for result in results(name)}
    assert set(Verdict) - seen == SIMULATED_ONLY


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_page_and_table_are_what_this_version_makes_of_them(name):
    """Run `hdp report samples/NAME` when the page has changed."""
    runs = load([SAMPLES / name])
    [made] = runs.made
    assert (SAMPLES / name / "report.html").read_text(encoding="utf-8") == page(runs.records, runs.made)
    table = markdown(runs.records, command=made.get("command"), system=made.get("system"))
    assert (SAMPLES / name / "results.md").read_text(encoding="utf-8") == table


@pytest.mark.parametrize(
    ("name", "profile", "numbers"),
    [
        ("loopback", "linux-loopback", range(-1, 264)),
        ("article-darwin", "darwin-loopback", range(257)),
        ("article-linux", "linux-loopback", range(-1, 257)),
    ],
)
def test_loopback_is_what_the_profile_says(name, profile, numbers):
    found = results(name)
    assert [result.judgement.train.protocol for result in found] == list(numbers)
    for result in found:
        outcome, _ = assess(result.judgement, builtin(profile).expectation(result.judgement.train))
        assert outcome is result.outcome is not Outcome.FAILED


def test_the_article_is_not_made_to_say_more_than_it_does():
    darwin = {result.judgement.train.protocol: result for result in results("article-darwin")}
    assert darwin[1].verdict is Verdict.HELD_BY_RECEIVER  # what was counted there were ICMP errors
    assert "ICMP errors of the kernel" in darwin[1].judgement.explanation
    assert {n: each.judgement.errno for n, each in darwin.items() if each.judgement.errno} == {
        50: "EOPNOTSUPP", 51: "EOPNOTSUPP", 256: "EINVAL",
    }  # fmt: skip
    assert {n for n, each in darwin.items() if each.verdict is Verdict.HELD_BY_RECEIVER} == {1, 2, 6, 17}
    linux = {result.judgement.train.protocol: result for result in results("article-linux")}
    assert {linux[n].verdict for n in range(1, 256)} == {Verdict.INCONCLUSIVE}  # no server listened
    assert linux[256].judgement.wire_protocol == 0


@pytest.mark.parametrize("name", sorted(LABS))
def test_labs_are_what_their_boxes_do(name):
    lab = make(name)
    found = results(name)
    assert len(found) == WHOLE.get(name, 24)
    for result in found:
        train = result.judgement.train
        answer = train.direction is Direction.REVERSE
        truth = lab.expected(train.protocol, train.direction, train.form, Traffic(size=110, solicited=answer))
        assert result.verdict in {truth.verdict, *truth.also}
