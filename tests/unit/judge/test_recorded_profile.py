"""A run recorded as a profile: compact, and what differed by target or vantage point told for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from expecting import OUT, V, judged, observations
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_hdp.judge.evidence import Train, behind
from pytest_hdp.judge.expectations.assess import assess
from pytest_hdp.judge.expectations.profile_file import load_profile
from pytest_hdp.judge.expectations.recorded import record
from pytest_hdp.judge.result import IcmpCount, Judgement, PathInfo, Result
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.packet.chain import CHAINS


def result(judgement: Judgement) -> Result:
    path = PathInfo("lab", "home", "192.0.2.1", "198.51.100.2", None)
    return Result("run", "now", path, 4, "?", judgement, None, OUT.PASSED)


@settings(max_examples=4 * settings.default.max_examples)
@given(observations, st.text(max_size=20))
def test_a_recorded_run_is_all_as_expected(run: list[Judgement], name: str) -> None:
    text = record([result(judgement) for judgement in run], name or "x", system="Linux")
    profile = load_profile(text, "recorded.toml")
    assert profile.name == (name.encode("utf-8", "replace").decode() or "x")
    assert profile.path == ("lab" if run else None)
    for judgement in run:
        expectation = profile.expectation(judgement.train)
        assert (expectation is None) is (judgement.verdict is V.INCONCLUSIVE)
        assert assess(judgement, expectation)[0] is not OUT.FAILED
        if expectation is not None:
            changed = V.LOST if judgement.verdict is V.DELIVERED else V.DELIVERED
            assert assess(judged(changed), expectation)[0] is OUT.FAILED


def test_what_is_not_all_of_a_run_speaks_of_nothing_else() -> None:
    text = record([result(judged(V.LOST, protocol=47))], whole=False)
    assert text.splitlines()[-6:] == [
        "[[expect]]",
        'protocols = "47"',
        'verdict = "lost"',
        'direction = "forward"',
        'form = "bare"',
        'targets = ["home"]',
    ]


def test_a_recorded_run_is_compact() -> None:
    run = [result(judged(V.DELIVERED if n not in {0, 50, 51} else V.LOST, protocol=n)) for n in range(256)]
    text = record(run, "mine")
    assert text.splitlines() == [
        "[profile]",
        'name = "mine"',
        'path = "lab"',
        "",
        "[[expect]]",
        'protocols = "0,50-51"',
        'verdict = "lost"',
        "",
        "[[expect]]",
        'protocols = "1-49,52-255"',
        'verdict = "delivered"',
    ]


def test_what_a_routers_spent_budget_decided_is_recorded_as_either() -> None:
    by_router = (IcmpCount("203.0.113.1", 3, 13, 1, authenticated=True),)
    by_other = (IcmpCount("203.0.113.9", 3, 13, 1, authenticated=True),)
    run = [
        replace(judged(V.REJECTED, protocol=47), icmp=by_router),
        replace(judged(V.LOST, protocol=50), budget_spent="203.0.113.1"),
        replace(judged(V.REJECTED, protocol=51), icmp=by_other),
        judged(V.LOST, protocol=89),
    ]
    profile = load_profile(record(map(result, run)), "recorded.toml")
    either = {number: profile.expectation(Train(number)).also for number in (47, 50, 51, 89)}
    assert either == {47: {V.LOST}, 50: {V.REJECTED}, 51: frozenset(), 89: frozenset()}
    assert assess(judged(V.REJECTED, protocol=50), profile.expectation(Train(50)))[0] is OUT.XFAILED


def over(name: str, judgement: Judgement, vantage: str | None = None) -> Result:
    each = result(judgement)
    return replace(each, path=replace(each.path, name=name, vantage=vantage))


def test_what_targets_did_differently_is_recorded_for_each() -> None:
    run = [over(name, judged(V.DELIVERED, protocol=number)) for name in ("a", "b", "c") for number in (6, 17)]
    run += [over("a", judged(V.LOST)), over("b", judged(V.DELIVERED)), over("c", judged(V.INCONCLUSIVE))]
    text = record(run)
    assert text.count("[[expect]]") == 3
    profile = load_profile(text, "recorded.toml")
    found = {name: profile.for_target(name).expectation(Train(47)) for name in ("a", "b", "c", "d")}
    assert {name: each and each.verdict for name, each in found.items()} == {
        "a": V.LOST,
        "b": V.DELIVERED,
        "c": None,
        "d": None,
    }
    assert profile.for_target("c").expectation(Train(6)).verdict is V.DELIVERED


def test_what_vantage_points_saw_differently_is_recorded_for_each() -> None:
    run = [over("a", judged(V.LOST), "paris"), over("a", judged(V.DELIVERED), "tokyo")]
    run += [over("b", judged(V.DELIVERED), "paris"), over("b", judged(V.DELIVERED), "tokyo")]
    profile = load_profile(record(run), "recorded.toml")
    for each in run:
        known = profile.from_vantage(each.path.vantage).for_target(each.path.name)
        assert known.expectation(Train(47)).verdict is each.verdict
    assert profile.from_vantage("office").for_target("a").expectation(Train(47)) is None


def test_a_train_measured_twice_with_two_verdicts_is_left_out() -> None:
    run = [result(judged(V.DELIVERED)), result(judged(V.LOST)), result(judged(V.DELIVERED, protocol=50))]
    profile = load_profile(record(run), "recorded.toml")
    assert profile.expectation(Train(47)) is None
    assert profile.expectation(Train(50)) is not None


@pytest.mark.parametrize(
    "left_out", [{"direction": Direction.REVERSE}, {"form": Form.WELLFORMED}], ids=["direction", "form"]
)
def test_what_is_left_out_is_not_covered_by_what_the_other_direction_or_form_did(left_out: dict[str, Any]) -> None:
    run = [result(judged(V.DELIVERED, **left_out)), result(judged(V.LOST, **left_out)), result(judged(V.LOST))]
    profile = load_profile(record(run), "recorded.toml")
    assert profile.expectation(Train(47)) is not None
    assert profile.expectation(Train(47, **left_out)) is None


def test_what_stood_behind_headers_is_left_out_and_covered_by_nothing_that_is_recorded() -> None:
    over_dst = [behind(CHAINS[name], transport) for name in ("dst8", "dst64") for transport in (6, 17)]
    verdicts = (V.DELIVERED, V.LOST, V.LOST, V.DELIVERED)
    run = [result(replace(judged(verdict), train=train)) for train, verdict in zip(over_dst, verdicts, strict=True)]
    run += [result(judged(V.DELIVERED, protocol=60, form=Form.WELLFORMED)), result(judged(V.LOST, protocol=6))]
    text = record(run)
    assert text.startswith("# What was sent behind extension headers is left out")
    profile = load_profile(text, "recorded.toml")
    assert profile.expectation(Train(60, form=Form.WELLFORMED)).verdict is V.DELIVERED
    assert profile.expectation(Train(6)).verdict is V.LOST
    assert [profile.expectation(train) for train in over_dst] == [None] * 4
    alone = load_profile(record(run[:4]), "recorded.toml")
    assert alone.expectations == ()
    assert not record(run[4:]).startswith("#")
