"""Boxes in labs: what `suites/containment` finds of each is what is stated of it. As a script: of all numbers.

python tests/kernel/test_sandboxes.py --loss 5 --direction both
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.lab.catalogue import SANDBOXES, make
from pytest_hdp.lab.sandboxes import contained
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign.boxed import boxed
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.packet.carrier import carriers
from pytest_hdp.packet.family import of_version
from pytest_hdp.vantage.points import can_open_raw, can_unshare

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)
SUITE = str(Path(__file__).parents[2] / "suites" / "containment")
SOME = (1, 6, 17, 47, 58, 132, 253)
LOSS = "+loss-5"
BEHIND = "sandbox-closed+home-nat"
NAMES = (*SANDBOXES, BEHIND)


def trains(numbers: Iterable[int], version: int, ways: Iterable[Direction] = (Direction.FORWARD,)) -> tuple[Train, ...]:
    known = carriers(of_version(version))
    return tuple(
        Train(number, way, form)
        for way in ways
        for form in Form
        for number in numbers
        if (number in known if form is Form.WELLFORMED else number or version == 4)
    )


def asked(
    name: str,
    version: int,
    numbers: Iterable[int],
    allow: tuple[int, ...] = (),
    ways: Iterable[Direction] = (Direction.FORWARD,),
) -> tuple[Counter[str], list[str]]:
    """Measure a box: the words that were found, and what is not as stated."""
    spec = make(name).over(version)
    chosen = trains(numbers, version, ways)
    asks = plan.Plan(chosen, plan.CONTAINED, seed=1, contain=True, allow=allow, locate="none")
    with boxed(spec, asks, expect_truth=True).open() as path:
        judgements = Measurement(path, asks).run()
    counts, wrong = Counter[str](), list[str]()
    for train, judgement in judgements.items():
        truth = contained(spec.layout, train, frozenset(allow))
        counts[f"{judgement.containment}{', in' * (train.direction is Direction.REVERSE)}"] += 1
        if judgement.containment is not truth:
            wrong.append(f"{name}, IPv{version}: is {truth}, was called {judgement.explanation}")
    return counts, wrong


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.night(but=["sandbox-closed-4", "sandbox-tcp-udp-6"])
def test_box(name: str, version: int) -> None:
    counts, wrong = asked(name, version, SOME)
    assert not wrong
    assert counts.total() == len(trains(SOME, version))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.night(
    "*closed*", "*sealed-6", "*tcp-udp*", "*only*", "*132*", "*armed*", "*related*", "*leak*", "*end*", "*nat*"
)
def test_what_comes_in_is_as_stated(name: str, version: int) -> None:
    counts, wrong = asked(name, version, (17, 132), ways=Direction)
    assert not wrong
    if name == "sandbox-sealed":
        assert set(counts) == {"contained", "contained, in"}


@pytest.mark.parametrize("name", ["sandbox-closed", "sandbox-tcp-udp", "sandbox-blackhole-far-end"])
@pytest.mark.night
def test_box_where_one_packet_in_twenty_is_lost(name: str) -> None:
    assert not asked(name + LOSS, 4, SOME)[1]


def test_what_may_leave_does() -> None:
    counts, wrong = asked("sandbox-tcp-udp", 4, SOME, allow=(6, 17))
    assert not wrong
    assert set(counts) == {"allowed", "contained"}


@pytest.mark.night
@pytest.mark.parametrize("loss", ["", LOSS], ids=["clean", "loss-5"])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", NAMES)
def test_all_numbers_of_a_box(name: str, version: int, loss: str) -> None:
    assert not asked(name + loss, version, range(256))[1]


@pytest.mark.night
def test_the_suite_asks_the_boxes_and_leaves_the_paths_out(pytester: pytest.Pytester) -> None:
    labs = "--hdp-lab=home-nat,sandbox-closed,sandbox-leaks-132"
    result = pytester.runpytest_subprocess(SUITE, labs, "--hdp-protocols=132", "--hdp-form=bare", "-v")
    printed = result.stdout.str()
    assert result.ret == 1, printed
    result.assert_outcomes(passed=1, xfailed=1)
    assert "home-nat" not in " ".join(line for line in printed.splitlines() if "::" in line), printed
    assert "containment: NOT PROVEN: 1 got out" in printed


@pytest.mark.night
def test_what_gets_out_in_fragments_alone_is_found_by_who_asks(pytester: pytest.Pytester) -> None:
    asks = SUITE, "--hdp-lab=sandbox-fragment-leak", "--hdp-protocols=253", "--hdp-expect=none", "-q"
    junit, report = pytester.path / "junit.xml", pytester.path / "report"
    more = f"--junitxml={junit}", f"--hdp-report={report}", "--hdp-form=bare,fragmented,options"
    result = pytester.runpytest_subprocess(*asks, *more)
    assert result.ret == 1, result.stdout.str()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["containment: NOT PROVEN: 1 got out*"])
    records = [json.loads(each) for each in (report / "results.jsonl").read_text().splitlines()]
    words = {each["form"]: each["containment"] for each in records}
    assert words == {"bare": "contained", "fragmented": "leaked", "options": "contained"}
    assert "-fragmented]" in junit.read_text()


@pytest.mark.night
def test_behind_a_tracker_a_fragment_by_itself_is_no_proof(pytester: pytest.Pytester) -> None:
    """Of a box that lets later ones out alone nothing comes, and its twin's show that nothing could."""
    asks = "--hdp-lab=sandbox-fragment-leak+home-v6", "--hdp-protocols=17,253", "--hdp-form=fragmented", "-q"
    result = pytester.runpytest_subprocess(SUITE, *asks, "--hdp-ip-version=both", "--hdp-report=report")
    assert result.ret == 1, result.stdout.str()
    records = [json.loads(each) for each in (pytester.path / "report/results.jsonl").read_text().splitlines()]
    assert {each["containment"] for each in records} == {"unproven"}, result.stdout.str()
    assert all("later ones that were sent without a first" in each["explanation"] for each in records), records
    result.assert_outcomes(failed=4)


@pytest.mark.night
def test_a_box_of_a_lab_is_proven_or_told_why_it_is_not(pytester: pytest.Pytester) -> None:
    asks = (SUITE, "--hdp-protocols=253", "--hdp-form=bare", "-q")
    result = pytester.runpytest_subprocess(*asks, "--hdp-lab=sandbox-closed")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["containment: PROVEN of what was asked: nothing got out of the box by IPv4*"])
    result = pytester.runpytest_subprocess(*asks, "--hdp-lab=sandbox-blackhole-far-end")
    assert result.ret == 1, result.stdout.str()
    result.stdout.fnmatch_lines(["containment: NOT PROVEN: 1 unproven*"])


@pytest.mark.night
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((SUITE, "--hdp-lab=home-nat"), "--hdp-lab=sandbox-closed"),
        (("suites/internet", "--hdp-lab=home-nat", "--hdp-form=options"), "--hdp-form=options is about a box"),
        ((SUITE, "--hdp-lab=sandbox-closed", "--hdp-twin=popen"), "--hdp-twin is about one box, and --hdp-lab"),
        ((SUITE, "--hdp-lab=home-nat+sandbox-closed"), "put it behind"),
        (("suites/internet", "--hdp-lab=sandbox-closed"), "pytest suites/containment asks"),
    ],
)
def test_what_means_nothing_is_one_line(pytester: pytest.Pytester, arguments: tuple[str, ...], said: str) -> None:
    arguments = tuple(str(Path(SUITE).parents[1] / each) if each.startswith("suites") else each for each in arguments)
    result = pytester.runpytest_subprocess(*arguments, "-q")
    assert result.ret == 4
    printed = " ".join((result.stdout.str() + result.stderr.str()).split())
    assert said in printed


def main() -> int:
    parser = argparse.ArgumentParser(description="All numbers of every box, held against what is stated of it.")
    parser.add_argument("--loss", choices=["none", "5", "both"], default="both", help="on the way, in %%")
    parser.add_argument("--direction", choices=["forward", "both"], default="forward")
    given = parser.parse_args()
    losses = {"none": ("",), "5": (LOSS,), "both": ("", LOSS)}[given.loss]
    ways = Direction if given.direction == "both" else (Direction.FORWARD,)
    every = list[str]()
    for name in (each + loss for loss in losses for each in NAMES):
        for version in (4, 6):
            counts, wrong = asked(name, version, range(256), ways=ways)
            said = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
            print(f"| {name} | IPv{version} | {said} | {len(wrong)} |", *wrong[:3], sep="\n", flush=True)
            every += wrong
    print(f"{len(every)} wrong")
    return bool(every)


if __name__ == "__main__":
    sys.exit(main())
