"""The recorded runs: every line reads back, and comes to the same outcome when it is assessed once more."""

import json
import shutil
import subprocess
from collections import Counter
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from pytest_hdp.judge.expectations.assess import assess
from pytest_hdp.judge.expectations.packaged import builtin
from pytest_hdp.judge.record import schema, to_record
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
OTHERS = {"loopback", "capture", "agentless", "article-darwin", "article-linux"}
LABS = FOLDERS - OTHERS
WHOLE = {"home-nat": 512, "first-only": 510}
SIMULATED_ONLY = {Verdict.HELD_BY_SENDER}
"""No kernel that we have does this; tests/unit/judge/test_worlds.py has it."""

VALIDATOR = jsonschema.Draft202012Validator(schema())


def results(name: str) -> list[Result]:
    found, problems = read(SAMPLES / name / "results.jsonl")
    assert not problems
    records = list(map(json.loads, (SAMPLES / name / "results.jsonl").read_text(encoding="utf-8").splitlines()))
    again = [to_record(result) for result in found]  # with fields that the samples are older than
    assert [{name: each[name] for name in record} for each, record in zip(again, records, strict=True)] == records
    return found


def test_darwin_and_linux_side_by_side_are_the_two_runs():
    runs = load([SAMPLES / "article-darwin", SAMPLES / "article-linux"])
    assert (SAMPLES / "article" / "report.html").read_text(encoding="utf-8") == page(runs.results, runs.made)


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
    assert (SAMPLES / name / "report.html").read_text(encoding="utf-8") == page(runs.results, runs.made)
    table = markdown(runs.results, command=made.command, system=made.system)
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
        expectation = (
            builtin(profile).on_kernel(frozenset({"mptcp"})).for_version(4).expectation(result.judgement.train)
        )
        outcome, _ = assess(result.judgement, expectation)
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


ROLES = (": delivered, probe", "ICMP error about: probe", "looking for the hop", "control,")
TSHARK = shutil.which("tshark")
CAPTURE = SAMPLES / "capture" / "capture.pcapng"
DISSECTOR = resources.files("pytest_hdp.report") / "hdp.lua"


def dissected(*fields: str, options: tuple[str, ...] = ()) -> list[list[str]]:
    """These fields of each packet of the capture, as tshark with our dissector reads it; no complaint allowed."""
    if TSHARK is None:
        pytest.skip("needs tshark: apt install tshark")
    named = [argument for field in fields for argument in ("-e", field)]
    command = [
        TSHARK,
        "-X",
        f"lua_script:{DISSECTOR}",
        "-r",
        str(CAPTURE),
        "-T",
        "fields",
        "-E",
        "separator=|",
        *options,
        *named,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if line.strip() and "Running as user" not in line]
    assert (done.returncode, complaints) == (0, [])
    return [line.split("|") for line in done.stdout.splitlines()]


def test_the_capture_opens_and_each_packet_of_ours_is_hdp():
    names = ("frame.comment", "hdp.srcport", "hdp.dstport", "hdp.timestamp.ns", "hdp.tag.index", "hdp.tag.run")
    packets = dissected(*names, "_ws.malformed", "frame.time_epoch")
    runs = set()
    for comment, source, destination, stamp, index, run, malformed, seen in packets:
        assert malformed == "", comment
        if "control," in comment and "protocol 1," in comment:
            continue  # an echo, which Wireshark shows as one
        assert (source, destination) == ("420", "420"), comment
        assert f"index {index}," in comment
        assert 0 <= float(seen) - int(stamp) / 1e9 < 10  # what the header says is when it was sent
        runs.add(run)
    assert len(runs) == 1
    said = Counter(word for comment, *_ in packets for word in ROLES if word in comment)
    assert said == {": delivered, probe": 2, "ICMP error about: probe": 2, "looking for the hop": 8, "control,": 106}


def test_where_hdp_is_asked_for_under_every_number_no_tag_is_made_up():
    found = dissected("ip.proto", "hdp.tag.index", options=("-o", "hdp.every:TRUE", "-Y", "hdp"))
    assert {index for number, index in found if number == "17"} == {""}  # a datagram's header is read as HDP
    assert all(0 < int(index) < 200 for number, index in found if number == "253")
    assert {number for number, _ in found} >= {"6", "17", "47", "253"}


def test_the_capture_is_of_the_run_beside_it():
    left = Counter(
        int(comment.split(", protocol ")[1].split(",")[0])
        for comment, way in dissected("frame.comment", "frame.packet_flags_direction")
        if ", probe, index" in comment and "ICMP" not in comment and way == "0x00000002"
    )
    found = results("capture")
    assert left == {each.judgement.train.protocol: each.judgement.left for each in found}
    assert {each.judgement.train.protocol: each.verdict for each in found} == {
        6: Verdict.DELIVERED, 47: Verdict.REJECTED, 253: Verdict.REJECTED,
    }  # fmt: skip
    assert CAPTURE.stat().st_size < 60_000
