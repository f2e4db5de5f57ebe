"""The latency experiment over real sockets: known delays, a NAT, loss, and two clocks that disagree by an hour."""

import importlib.util
import os
import socket
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_hdp.judge.latency.differences import ENOUGH, Level
from pytest_hdp.judge.latency.result import AGAIN, HDP, RAW_UDP, UDP, Gate, Way
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.wires import Delay
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.latency.experiment import Comparison, LatencyPlan
from pytest_hdp.measure.path.endpoints import Endpoint
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.vantage.netns.socket_pool import Opener
from pytest_hdp.vantage.points import can_open_raw, can_unshare
from pytest_hdp.vantage.station import Station

_spec = importlib.util.spec_from_file_location("latency_truth", Path(__file__).with_name("latency_truth.py"))
latency_truth = importlib.util.module_from_spec(_spec)
sys.modules["latency_truth"] = latency_truth
_spec.loader.exec_module(latency_truth)

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)
HOUR = 3_600_000_000_000
LAG = 0.02  # seconds
DRIFT = 50  # microseconds: what a clock that is 50 ppm fast gains in the second that an answer takes at most
PAIRS = 150
BASE = 500  # microseconds that every packet spends in the boxes that delay 253


def lab(name: str) -> path_specs.PathSpec:
    return path_specs.in_lab(make(name), plan.Plan((), plan.LAB), None, expect_truth=False)[0]


def measured(path: OpenPath, **settings) -> dict[Direction, object]:
    one_way = settings.pop("one_way", None)
    settings.setdefault("pairs", PAIRS)
    with Comparison(path, LatencyPlan(**settings), one_way=one_way) as comparison:
        return {direction: comparison.run(direction) for direction in comparison.directions}


def test_loopback():
    path_spec = path_specs.loopback(plan.Plan(()), None, buffer=None, expect_default=False)
    with path_spec.open() as path:
        assert path.shared_clock
        (found,) = measured(path).values()
    assert found.setup.way is Way.ONE_WAY
    assert {side.label: side.arrived for side in found.sides} == dict.fromkeys(
        (HDP, UDP, RAW_UDP, "TCP-numbered", "ICMP-numbered"), PAIRS
    )
    for side in found.sides:
        assert 0 < side.kernel["min"] < side.user["min"]  # a program sees more of the host than the kernel's stamps do
    for each in found.differences:
        assert each.pairs == PAIRS
        assert abs(each.median) < 100


@pytest.mark.night(but=["delay-253-2ms*"])
@pytest.mark.parametrize(("name", "told"), [("delay-253-200us", 200), ("delay-253-2ms", 2000)])
def test_a_known_delay_is_found_in_both_directions(name, told):
    with lab(name).open() as path:
        found = measured(path)
    for direction in Direction:
        hdp, udp = found[direction].sides[:2]
        assert hdp.kernel["min"] >= BASE + told  # the relay lets nothing go early, however busy the machine
        assert BASE <= udp.kernel["min"] < hdp.kernel["min"]
        assert found[direction].against(UDP, Level.KERNEL).median > 0
        starts = [histogram.bins[0][0] for histogram in found[direction].histograms[:2]]
        assert starts[0] > starts[1]


@pytest.mark.night
@pytest.mark.parametrize("told", ["1", "200"])
def test_what_is_found_is_what_the_box_did(told):
    """Taps of our own tell that; a busy machine makes it more than the box was told to do."""
    found = latency_truth.run(told, 200, seed=1)
    width = found.found.high - found.found.low
    assert abs(found.found.median - found.did) < width + 20


def test_less_than_a_microsecond_is_resolved_on_a_veth_pair():
    found = latency_truth.run("veth", 400, seed=1).found
    assert -1 < found.low <= found.high < 1


@pytest.mark.night
def test_a_nat_is_met_with_what_it_made_of_the_source():
    with lab("home-nat").open() as path:
        found = measured(path)[Direction.REVERSE]
    arrived = {side.label: side.arrived for side in found.sides}
    assert arrived[HDP] == arrived[UDP] == arrived[RAW_UDP] == PAIRS
    assert arrived["TCP-numbered"] == arrived["ICMP-numbered"] == 0  # the tracker calls them invalid
    assert found.enough
    assert "measured twice" not in found.sentence or "?" not in found.sentence
    assert all(each.a.startswith((HDP, UDP, RAW_UDP)) for each in found.controls if each.pairs)


@pytest.mark.night
def test_what_does_not_arrive_is_not_compared():
    with lab("allowlist").open() as path:
        found = measured(path)[Direction.FORWARD]
    assert not found.enough
    assert "0 of 150 HDP, 150 of 150 UDP" in found.sentence


@pytest.mark.night
def test_loss_is_counted_and_pairs_are_whole():
    with lab("loss-20").open() as path:
        found = measured(path, pairs=400)[Direction.FORWARD]
    hdp, udp = found.sides[:2]
    assert 400 * 0.6 < hdp.arrived < 400 * 0.95
    pairs = found.against(UDP, Level.KERNEL).pairs
    assert ENOUGH <= pairs < min(hdp.arrived, udp.arrived)


@pytest.mark.night
def test_copies_and_overtaking_are_counted():
    with lab("duplicate").open() as path:
        assert measured(path)[Direction.FORWARD].sides[0].duplicated > PAIRS / 4
    with lab("delay+reorder").open() as path:
        assert measured(path)[Direction.FORWARD].sides[0].reordered > 0


@pytest.mark.night
def test_another_number():
    with lab("transparent").open() as path:
        found = measured(path, protocol=6)[Direction.FORWARD]
        with pytest.raises(ValueError, match="from 1 to 255"):
            Comparison(path, LatencyPlan(protocol=256))
    assert [side.label for side in found.sides] == [HDP, UDP, RAW_UDP, "ICMP-numbered"]
    assert found.sides[0].protocol == 6


class Elsewhere:
    """A station on a host whose clock is an hour ahead and gains 50 ppm, and from which word takes 20 ms to come."""

    def __init__(self, station):
        self.station = station
        self.readable = os.eventfd(1)
        self.coming = []

    def __getattr__(self, name):
        return getattr(self.station, name)

    def fileno(self):
        return self.readable  # always: so that nobody sleeps while something is on its way

    def poll(self, timeout):
        now = time.monotonic()
        for each in self.station.poll(0):
            self.coming.append((now + LAG, (each[0], each[1] + HOUR + each[1] // 20_000, *each[2:])))
        due = [each for when, each in self.coming if when <= now]
        del self.coming[: len(due)]
        return due


@contextmanager
def two_clocks(name: str):
    """A lab whose far end keeps its own time, on a path that says so."""
    path_spec = lab(name)
    with path_spec.open() as path, ExitStack() as stack:
        opener = stack.enter_context(Opener(path.lab.namespace("target")))
        elsewhere = Elsewhere(stack.enter_context(Station(opener)))
        stack.callback(os.close, elsewhere.readable)
        far = Endpoint(elsewhere, path.lab.target_address, "eth0")
        near = Endpoint(path.near.station, path.near.address, "eth0")
        apart = OpenPath(replace(path.name, kind="internet"), near, far)
        stack.callback(apart.close)
        yield apart


@pytest.mark.night
def test_there_and_back_needs_no_common_clock():
    with two_clocks("delay-253-2ms") as path:
        assert not path.shared_clock
        found = measured(path, gap=0.001, rest=0.004)
    (result,) = found.values()
    assert result.setup.way is Way.ROUND_TRIP
    hdp, udp = result.sides[:2]
    assert (hdp.arrived, udp.arrived) == (PAIRS, PAIRS)
    assert udp.kernel["min"] > 2 * BASE - DRIFT
    assert hdp.kernel["min"] > 2 * (BASE + 2000) - DRIFT
    assert udp.kernel["min"] < LAG * 1e6  # neither the hour nor the time that the far host took
    assert udp.user["min"] < LAG * 1e6
    difference = result.against(UDP, Level.KERNEL)
    assert difference.median > 0
    if result.valid:  # a machine so busy that its boxes queue what is sent makes no claim
        assert "there and back" in result.sentence


@pytest.mark.night
def test_there_and_back_through_a_nat():
    with two_clocks("home-nat") as path:
        (result,) = measured(path, gap=0.001, rest=0.002).values()
    arrived = {side.label: side.arrived for side in result.sides}
    assert arrived[HDP] == arrived[UDP] == PAIRS
    assert result.sides[0].kernel["min"] > -DRIFT  # what the far clock gains while an answer is held, on a busy machine


def test_sockets_are_closed_again():
    with lab("transparent").open() as path:
        before = len(path.far.station.drops())
        measured(path, one_way=False, pairs=20, gap=0.0005, rest=0.001)
        assert len(path.far.station.drops()) == before
        reusable = path.far.station.listen(socket.AF_INET, 253, [(6, 0, 0, 0)])
        path.far.station.discard(reusable)


@pytest.mark.night
def test_a_margin_that_a_slow_path_exceeds():
    slow = LabSpec("slow", "", (Delay(us=150_000, protocols=frozenset({253})),))
    path_spec = path_specs.in_lab(slow, plan.Plan((), plan.LAB), None, expect_truth=False)[0]
    with path_spec.open() as path:
        found = measured(path, margin_us=100.0)[Direction.FORWARD]
    assert found.gate is Gate.EXCEEDED
    assert found.sentence.endswith("more than the margin of 100 us")
    assert {each.b for each in found.controls} == {each.a + AGAIN for each in found.controls}


@pytest.mark.night
def test_bare_hdp_under_udps_number_is_told_from_udp():
    with lab("transparent").open() as path:
        found = measured(path, protocol=17)
    for direction in Direction:
        assert [side.arrived for side in found[direction].sides[:2]] == [PAIRS, PAIRS]
        assert [side.duplicated for side in found[direction].sides[:3]] == [0, 0, 0]  # a raw socket sees UDP too
    with two_clocks("transparent") as path:
        (result,) = measured(path, protocol=17, gap=0.0005, rest=0.001).values()
    assert result.enough
