"""The latency experiment where paths mislead: equal ways, batches, shapers, addresses that no route prefers."""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from routed_line import routed_line

from pytest_hdp.judge.latency.differences import Level
from pytest_hdp.judge.latency.result import RAW_UDP, Gate
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.lab.links import EqualCost, Shaper
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.latency.experiment import Comparison, LatencyPlan, Run
from pytest_hdp.measure.latency.packets import Packets
from pytest_hdp.measure.latency.sockets import FLOWS
from pytest_hdp.vantage.points import can_open_raw, can_unshare

TOP = Path(__file__).parents[2]
PAIRS = 160
LONGER = 30_000  # microseconds: more than any scheduler adds for long

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)


def lab(*wires) -> path_specs.PathSpec:
    return path_specs.in_lab(LabSpec("links", "", wires), plan.Plan((), plan.LAB), None, expect_truth=False)[0]


@pytest.mark.night(but=["a"])
@pytest.mark.parametrize("salt", ["a", "b", "c"])
def test_equal_cost_paths_are_told_from_protocols(salt):
    """Nothing depends on the protocol: whichever way HDP's one flow goes, neither one nor none is claimed."""
    with lab(EqualCost(LONGER, salt)).open() as path, Comparison(path, LatencyPlan(pairs=PAIRS, margin_us=100)) as it:
        results = [it.run(direction) for direction in it.directions]
    for result in results:
        found = result.against(RAW_UDP, Level.KERNEL)
        assert (result.setup.flows, found.flows) == (FLOWS, FLOWS)
        assert LONGER / 2 < found.spread < 2 * LONGER
        assert abs(found.median) < LONGER / 2
        assert found.covers_zero
        assert result.gate in {Gate.UNDECIDED}
        if result.valid:
            assert "not told apart in the network" in result.sentence
            assert "from the nearest of UDP's own flows, which differ by" in result.sentence


@pytest.mark.parametrize("direction", Direction)
def test_what_comes_in_a_batch_is_read_without_preference(direction):
    """Six rounds wait in the sockets before anything is read: on average no kind is read before another."""
    with lab().open() as path, Comparison(path, LatencyPlan()) as comparison:
        ends, width, rounds = comparison.ends, len(comparison.kinds), 6
        sender, receiver = (ends.near, ends.far) if direction is Direction.FORWARD else (ends.far, ends.near)
        places = defaultdict(list)
        for _ in range(40):
            came = defaultdict(list)
            receiver.receive(0, lambda *_: None)  # epoll(7) finds that all have been read
            packets = Packets(path, comparison.kinds, range(rounds), b"a batch")
            for flow in range(rounds):
                for number, kind in enumerate(comparison.kinds):
                    handle, address, port, label = ends.sending(kind, flow, sender)
                    at = flow * width + number
                    data = ends.to_send(packets, kind, flow, sender)[at]
                    assert sender.station.send(handle, data, address, port, label) is None
            for place, (data, datagram) in enumerate(_read(receiver, rounds * width)):
                number = packets.position(data, datagram=datagram)
                places[comparison.kinds[number % width].socket_key].append(place)
                came[number % width].append(number // width)
            assert all(each == [*range(rounds)] for each in came.values()), "first come, first read"
    means = [sum(each) / len(each) for each in places.values()]
    assert len(means) == 5
    assert max(means) - min(means) < 0.5, "of sixty places"


def test_what_sends_is_watched_alike_for_every_kind():
    """When a packet is freed, a sending socket in an epoll set costs 50 ns more than another one, after the tap."""
    with lab().open() as path, Comparison(path, LatencyPlan()) as comparison:
        for post in (comparison.ends.near, comparison.ends.far):
            senders = [*post.raw.values(), *(handle for each in post.datagrams.values() for handle, _ in each)]
            assert len(senders) == 4 + 2 * (FLOWS if post is comparison.ends.near else 1)
            assert {post.station.opened(handle).fileno() for handle in senders} == set(post.receivers)


def _read(receiver, count: int) -> list[tuple[bytes, bool]]:
    read = []
    while len(read) < count:
        before = len(read)
        receiver.receive(1, lambda _when, data, datagram, _now: read.append((data, datagram)))
        assert len(read) > before, "something was lost"
    return read


def test_a_queue_of_our_own_is_no_measurement():
    """A shaper: the packets wait for each other, and much of them is lost."""
    route = lab(Shaper(rate=200_000, longest_us=100_000))
    with route.open() as path, Comparison(path, LatencyPlan(pairs=1000)) as comparison:
        result = comparison.run()
    assert not result.valid
    reasons = ("queue of its own", "were lost", "too few pairs")
    assert any(each in result.sentence for each in reasons)


@pytest.mark.night
def test_a_slow_shaper_without_loss_is_a_queue_of_our_own(monkeypatch):
    monkeypatch.setattr(Run, "patience", lambda _: 20)
    route = lab(Shaper(rate=60_000, longest_us=60_000_000))
    with route.open() as path, Comparison(path, LatencyPlan(pairs=100)) as comparison:
        result = comparison.run()
    assert result.enough
    assert not result.valid
    assert "queue of its own" in result.sentence


TOPOLOGY = routed_line() + "ip -n server addr add 198.51.100.7/24 dev s\n"


POOL = """
ip netns exec router nft -f - <<'END'
table ip n { chain p { type nat hook postrouting priority 100
  oifname rs ip protocol udp snat to numgen random mod 2 map { 0: 198.51.100.11, 1: 198.51.100.12 }
}; }
END
for k in 11 12; do ip -n router addr add 198.51.100.$k/32 dev rs; done
"""


@pytest.mark.night
def test_flows_that_a_pool_gives_an_address_which_nobody_has_confirmed_are_no_loss(in_namespaces, tmp_path):
    command = (
        f"{sys.executable} -mpytest -pno:cacheprovider suites/internet/test_latency.py --hdp-source=netns=client "
        f"--hdp-agent=netns=server --hdp-target=198.51.100.2 --hdp-latency-pairs=320 --hdp-report={tmp_path}"
    )
    done = in_namespaces(f"{TOPOLOGY}\n{POOL}\n{command}")
    forward, reverse = json.loads((tmp_path / "latency.json").read_text())["results"]
    sides = [{side["label"]: side for side in each["sides"]} for each in (forward, reverse)]
    assert sides[0]["UDP"]["arrived"] == sides[0]["HDP"]["arrived"] == 320, done.stdout
    for label in ("UDP", "raw-socket UDP"):
        side = sides[1][label]
        if side["arrived"] != side["sent"]:  # in 1 of 100 runs, by chance: of no flow are both kinds known
            assert side["sent"] == 320
            assert "reverse: too few pairs arrived" in done.stdout


@pytest.mark.night
def test_a_target_at_the_agents_second_address_is_measured_in_reverse_too(in_namespaces, tmp_path):
    command = (
        f"{sys.executable} -mpytest -pno:cacheprovider suites/internet/test_latency.py --hdp-source=netns=client "
        f"--hdp-agent=netns=server --hdp-target=198.51.100.7 --hdp-latency-pairs=100 --hdp-report={tmp_path}"
    )
    done = in_namespaces(f"{TOPOLOGY}\n{command}")
    results = json.loads((tmp_path / "latency.json").read_text())["results"]
    assert [each["setup"]["direction"] for each in results] == ["forward", "reverse"], done.stdout
    for each in results:
        assert {side["label"]: side["arrived"] for side in each["sides"]} == dict.fromkeys(
            ("HDP", "UDP", "raw-socket UDP", "TCP-numbered", "ICMP-numbered"), 100
        ), done.stdout
