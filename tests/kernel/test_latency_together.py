"""Round trips over several paths at the same time: nothing of one path comes close to what another one sends."""

import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from pytest_hdp.judge.latency.result import HDP, UDP
from pytest_hdp.lab.catalogue import make
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.latency import together
from pytest_hdp.measure.latency.experiment import LONE, WARM_UP, Comparison, LatencyPlan
from pytest_hdp.measure.latency.together import SPACE, may_be_beside, most_beside, run_together, undisturbed
from pytest_hdp.vantage.points import can_open_raw, can_unshare

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)
PAIRS = 60
PLAN = LatencyPlan(pairs=PAIRS, gap=0.002, rest=0.002)
WIDTH = 10  # packets of a round
BASE, LATER = 500, 2000  # microseconds that every packet spends in a lab that delays, and that 253 does besides


class Sent:
    """When each path's near end sent its packets of the experiment, by the clock that nobody sets."""

    def __init__(self, paths, comparisons, patch) -> None:
        self.times: list[tuple[int, int]] = []  # when, which path
        for number, (path, comparison) in enumerate(zip(paths, comparisons, strict=True)):
            near = comparison.ends.near
            ours = {*near.raw.values(), *(handle for each in near.datagrams.values() for handle, _ in each)}
            patch.setattr(path.near.station, "send", self._noting(path.near.station.send, number, ours))

    def _noting(self, send, number, ours):
        def sending(handle, *arguments):
            if handle in ours:
                self.times.append((time.monotonic_ns(), number))
            return send(handle, *arguments)

        return sending


@pytest.fixture
def two(monkeypatch):
    """Two labs, and an experiment there and back over each of them."""
    with ExitStack() as stack:
        asked = [path_specs.in_lab(make(name), plan.Plan((), plan.LAB), None, expect_truth=False)[0] for name in (
            "delay-253-2ms", "transparent",
        )]  # fmt: skip
        paths = [stack.enter_context(route.open()) for route in asked]
        comparisons = [stack.enter_context(Comparison(path, PLAN, one_way=False)) for path in paths]
        yield comparisons, Sent(paths, comparisons, monkeypatch)


def test_each_finds_its_own(two):
    comparisons, sent = two
    delayed, straight = run_together(comparisons).values()
    assert (delayed.setup.beside, straight.setup.beside) == (1, 1)
    for result in (delayed, straight):
        arrived = {side.label: side.arrived for side in result.sides}
        assert 0 < arrived[HDP] <= PAIRS  # a lab's relay may not be let run for long
        assert 0 < arrived[UDP] <= PAIRS
    hdp, udp = delayed.sides[:2]
    assert udp.kernel["min"] > 2 * BASE
    assert hdp.kernel["min"] > 2 * (BASE + LATER)
    assert straight.sides[0].kernel["min"] < 2 * BASE

    order = [number for _, number in sent.times]
    alone = LONE * WIDTH
    assert order[: 2 * alone] == [0] * alone + [1] * alone  # nothing of another path is near those
    assert len(order) == 2 * (PAIRS + WARM_UP) * WIDTH
    turns = [(later - at, one != other) for (at, one), (later, other) in zip(sent.times, sent.times[1:], strict=False)]
    assert min(apart for apart, changed in turns[2 * alone :] if changed) >= SPACE
    assert sum(changed for _, changed in turns) > PAIRS  # side by side, and not one after the other


@pytest.mark.night
def test_a_host_that_is_too_busy_measures_one_after_the_other(two, monkeypatch):
    """Where every packet leaves late, by this rule, no round begins before the other path's is over."""
    monkeypatch.setattr(together, "TOO_LATE", -1_000_000_000)
    comparisons, sent = two
    assert len(run_together(comparisons)) == 2
    order = [number for _, number in sent.times][2 * LONE * WIDTH + 2 * WIDTH :]  # by then it is known
    rounds = [set(order[at : at + WIDTH]) for at in range(0, len(order), WIDTH)]
    assert {len(each) for each in rounds} == {1}


@pytest.mark.night
def test_what_the_others_may_have_done_is_measured_alone(two):
    result = next(iter(run_together(two[0]).values()))
    sides = tuple(replace(side, arrived=side.sent) for side in result.sides)
    fewer = tuple(replace(side, arrived=side.sent - 1) for side in sides)
    assert undisturbed(replace(result, trouble="", enough=True, sides=fewer))
    assert not undisturbed(replace(result, trouble="not valid: ...", enough=True, sides=sides))
    assert undisturbed(replace(result, trouble="too few", enough=False, sides=sides))
    assert not undisturbed(replace(result, trouble="too few", enough=False, sides=fewer))
    none = tuple(replace(side, arrived=0) for side in sides)
    assert undisturbed(replace(result, trouble="too few", enough=False, sides=none)), "a host that has an outage"


def test_so_many_at_a_time_that_their_packets_have_room():
    assert [most_beside(replace(PLAN, pairs=pairs)) for pairs in (1, 300, 1000, 6000, 10_000, 1_000_000)] == [
        12, 12, 12, 2, 1, 0,
    ]  # fmt: skip


def test_one_way_packets_follow_too_fast_for_others_between_them(two):
    assert not may_be_beside(two[0][0].path)
