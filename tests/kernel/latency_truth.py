"""Hold the latency experiment against boxes whose delay is known; as a script, print the table of docs/truth.md.

    python tests/kernel/latency_truth.py --runs 100

Two taps of our own, before and behind the box, see with the kernel's clock what the box did to each packet: on a busy
machine that is more than it was told to do. No part of the experiment sees them.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pytest_hdp.judge.latency.differences import Difference, Level, difference
from pytest_hdp.judge.latency.result import AGAIN, HDP, RAW_UDP, UDP, LatencyResult, Setup, Way, against_udp
from pytest_hdp.lab.batch import wire_name
from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.wires import Delay
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.latency.experiment import WARM_UP, Comparison, LatencyPlan
from pytest_hdp.measure.latency.sockets import kinds
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.packet.carrier import run_id_places
from pytest_hdp.packet.family import IPV4
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.netns.socket_pool import Opener
from pytest_hdp.vantage.receiving import PACKET_OUTGOING
from pytest_hdp.vantage.station import Station

IP_HEADER, TAG, INDEX = 20, 12, 8
SLOW = 0.0005  # seconds between packets of a round trip, each of which is answered from here
BUFFER = 256 << 20  # for all packets of a run, read when it is over


def _wire(us: float) -> LabSpec:
    return LabSpec(f"{us:g} us on a wire", "", (Delay(us=us, protocols=frozenset({253}), base_us=500),))


class _NoEarlyDemux(Router):
    """A router that does not look for a socket of its own before it forwards TCP and UDP, as Linux does."""

    @property
    def sysctls(self) -> dict[str, object]:
        return {"ipv4/ip_early_demux": 0}


CASES = {
    "veth": (LabSpec("a veth pair", "", ()), 0.0),
    "transparent": (make("transparent"), 0.0),
    "no-demux": (LabSpec("transparent, ip_early_demux off", "", (_NoEarlyDemux(), _NoEarlyDemux())), 0.0),
    **{f"{us}": (_wire(us), float(us)) for us in (0, 1, 20, 200, 2000)},
}


@dataclass(frozen=True)
class Run:
    """`did`: what the box did to HDP more than to UDP, median of the same pairs in us; None without a box.

    `again`, `again_user`: HDP against itself, in the network and at user level.
    """

    result: LatencyResult
    did: float | None
    again: Difference
    again_user: Difference

    @property
    def found(self) -> Difference:
        return against_udp(self.result.differences)[Level.KERNEL]


def run(case: str, pairs: int, seed: int, *, one_way: bool | None = None) -> Run:
    """One run, forward or there and back, in a lab built anew."""
    return run_spec(CASES[case][0], pairs, seed, one_way=one_way)


def run_spec(spec: LabSpec, pairs: int, seed: int, *, one_way: bool | None = None) -> Run:
    """One run in such a lab."""
    wanted = (
        LatencyPlan(pairs=pairs, seed=seed) if one_way is not False else LatencyPlan(pairs=pairs, seed=seed, gap=SLOW)
    )
    path_spec = path_specs.in_lab(spec, plan.Plan((), plan.LAB, seed=seed), None, expect_truth=False)[0]
    with _on_cores() as own, path_spec.open() as path:
        os.sched_setaffinity(0, own)
        box = _Box(path) if any(link.wires for link in path.lab.layout.links) else None
        with Comparison(path, wanted, one_way=one_way) as comparison:
            result = comparison.run()
        did = box.did(result.setup, path.next_index()) if box is not None else None
    by_label = {each.label: each for each in comparison.measured}
    again, at_user = (difference(by_label[HDP], by_label[HDP + AGAIN], level) for level in (Level.KERNEL, Level.USER))
    return Run(result, did, again, at_user)


@contextmanager
def _on_cores() -> Iterator[set[int]]:
    """Begin what is started here, the relay, on one core; gives those on which we should go on. Both spin."""
    before = os.sched_getaffinity(0)
    last = {max(before)}
    os.sched_setaffinity(0, last)
    try:
        yield before - last or before
    finally:
        os.sched_setaffinity(0, before)


class _Box:
    """Taps on both sides of the wire's relay."""

    def __init__(self, path: OpenPath) -> None:
        (number,) = (i for i, link in enumerate(path.lab.layout.links) if link.wires)
        name = wire_name(number, 0)
        self._station = Station(Opener(path.lab.namespace("wires")))
        program = bpf.matching(path.run_id, run_id_places(IPV4))
        for side in "lr":
            self._station.tap(f"{name}{side}", program, BUFFER)

    def did(self, setup: Setup, after: int) -> float:
        """Median over the pairs of what HDP spent in the box more than UDP, in us; `after`: the next free index."""
        entered: dict[int, int] = {}
        left: dict[int, int] = {}
        while seen := self._station.poll(0):
            for _, when, kind, data, _, _ in seen:
                if len(data) != setup.size:
                    continue  # not of the experiment
                at = IP_HEADER + TAG + INDEX
                index = int.from_bytes(data[at : at + 4], "big")
                (left if kind == PACKET_OUTGOING else entered).setdefault(index, when)
        assert not any(self._station.drops().values())
        self._station.close()
        labels = [each.label for each in kinds(253, IPV4)]
        hdp, udp, first = labels.index(HDP), labels.index(RAW_UDP), min(entered)
        all_there = (WARM_UP + setup.rounds) * len(labels)
        ways = (first,) if setup.way is Way.ONE_WAY else (first, after - all_there)  # the answers are made last
        spent = {index: left[index] - when for index, when in entered.items() if index in left}
        extra = []
        for number in range(WARM_UP, WARM_UP + setup.rounds):
            a, b = ([spent.get(way + number * len(labels) + each, math.nan) for way in ways] for each in (hdp, udp))
            if not math.isnan(sum(a) + sum(b)):
                extra.append(sum(a) - sum(b))
        return statistics.median(extra) / 1000


def covers(interval: Difference, value: float) -> bool:
    """Whether the interval covers it, to the nanosecond."""
    return interval.low - 0.0005 <= value <= interval.high + 0.0005


def row(case: str, pairs: int, runs: int, one_way: bool | None) -> str:
    """One row of the table."""
    told = CASES[case][1] * (1 if one_way is not False else 2)
    began = time.monotonic()
    done = [run(case, pairs, seed, one_way=one_way) for seed in range(runs)]
    seconds = (time.monotonic() - began) / runs
    found = [each.found for each in done]
    with_box = [each for each in done if each.did is not None]
    did = f"{sum(covers(each.found, each.did) for each in with_box)}" if with_box else ""
    did_median = f"{statistics.median(each.did for each in with_box):.2f}" if with_box else ""
    cells = (
        CASES[case][0].name,
        f"{pairs:,}",
        f"{told:g}",
        did_median,
        f"{statistics.median(each.median for each in found):.3f}",
        f"{statistics.median(each.high - each.low for each in found):.3f}",
        f"{statistics.median(each.result.against(UDP, Level.KERNEL).median for each in done):.3f}",
        did,
        sum(covers(each, told) for each in found),
        sum(covers(each.again, 0.0) for each in done),
        sum(covers(each.again_user, 0.0) for each in done),
        sum(each.result.valid for each in done),
        f"{seconds:.1f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


HEAD = (
    "path",
    "pairs",
    "told to add, us",
    "added, us",
    "found, us",
    "width, us",
    "found against a UDP socket's, us",
    "covers what was added",
    "covers what was told",
    "HDP against itself covers 0",
    "so at user level",
    "valid",
    "s a run",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument(
        "--round-trip", action="store_true", help="there and back, as between hosts with clocks of their own"
    )
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |", f"| --- {'| ---: ' * (len(HEAD) - 1)}|", sep="\n")
    for case in options.cases.split(","):
        print(row(case, options.pairs, options.runs, False if options.round_trip else None), flush=True)
    print(f"\nload {' '.join(f'{each:.1f}' for each in os.getloadavg())}, {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
