"""A Linux router that rejects by its routes, within its limit of ICMP errors: who got one of them decides nothing."""

import shutil

import pytest

from pytest_hdp.judge.compare import changes
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import PathInfo, Result
from pytest_hdp.judge.verdict import Outcome, Verdict
from pytest_hdp.lab.boxes import Box, Router, filter_chain
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.schedule.engine import Measurement

PROHIBITED = (4, 47, 50, 51, 89, 97, 103, 112, 115, 132)
ROUTER = "203.0.113.6"  # the second on the way


class Dropping(Box):
    """Drops 253 without a word."""

    name = "dropping"
    description = "drops 253"

    @property
    def rules(self):
        return filter_chain("forward", "ip protocol 253 drop")


def measured(prohibited, others=(), locate="groups"):
    spec = LabSpec("own", "for this test", (Router(), Router(), Dropping()))
    context = path_specs.in_lab(spec, plan.Plan((), plan.LAB), None, expect_truth=False)[0].open()
    try:
        path = context.__enter__()
    except PathUnavailable as error:
        pytest.skip(f"privilege: {error}")
    try:
        for number in prohibited:
            asked = [shutil.which("ip"), "rule", "add", "ipproto", str(number), "iif", "inside", "prohibit"]
            status, told = path.lab.namespace("router2").run(asked)
            assert status == 0, told
        trains = tuple(map(Train, (*prohibited, *others)))
        return Measurement(path, plan.Plan(trains, plan.LAB, seed=3, locate=locate)).run()
    finally:
        context.__exit__(None, None, None)


def as_result(judgement):
    path = PathInfo("lab", "own", "192.0.2.2", "198.51.100.2", "lab")
    return Result("run", "2026-11-29T05:00:00Z", path, 4, "", judgement, None, Outcome.FAILED)


@pytest.mark.night
def test_what_a_router_rejects_is_asked_again_at_its_pace():
    found = measured(PROHIBITED[:5], locate="none")
    assert {judgement.verdict for judgement in found.values()} == {Verdict.REJECTED}


@pytest.mark.night
def test_beyond_its_time_the_sentence_says_whose_budget_was_spent_and_nothing_has_changed():
    first, second = measured(PROHIBITED, locate="none"), measured(PROHIBITED[::-1], locate="none")
    for judgement in (*first.values(), *second.values()):
        assert judgement.verdict in {Verdict.REJECTED, Verdict.LOST}
        assert judgement.budget_spent == (ROUTER if judgement.verdict is Verdict.LOST else None)
    lost = [judgement for judgement in first.values() if judgement.verdict is Verdict.LOST]
    assert lost
    told = f"{ROUTER} rejects others, and had no ICMP error left for this one: it may be rejected, too"
    assert all(told in judgement.explanation for judgement in lost)
    for train in first:
        assert not changes(as_result(first[train]), as_result(second[train]))


@pytest.mark.night
def test_what_another_box_drops_is_lost_whatever_a_router_has_left():
    found = measured(PROHIBITED[:2], (253,), locate="none")
    assert found[Train(253)].verdict is Verdict.LOST
    assert found[Train(253)].budget_spent is None
    assert "rejected" not in found[Train(253)].explanation
