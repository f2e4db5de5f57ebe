"""How often do the latency experiment's intervals cover the truth, on bare and on awkward paths? For docs/truth.md.

    python tests/kernel/latency_coverage.py --runs 100 --results coverage.jsonl

Each run is appended to the file at once, and what is in it already is not run again: a command that was interrupted
goes on where it was. All paths have their turn before any has its next one, so that whatever was the matter with the
machine for a while was so for all, and `--minutes 30` ends with as many runs of each. `--cases a,b` takes some of the
paths. The truth of each run is what taps of our own saw the box do to HDP more than to UDP, or, of equal-cost paths and
of paths without a box, what there is by construction.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_hdp.judge.latency.differences import Level
from pytest_hdp.judge.latency.result import RAW_UDP
from pytest_hdp.lab.links import Batch, Chain, EqualCost
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.wires import Delay, Loss, Wire

_spec = importlib.util.spec_from_file_location("latency_truth", Path(__file__).with_name("latency_truth.py"))
latency_truth = importlib.util.module_from_spec(_spec)
sys.modules.setdefault("latency_truth", latency_truth)
_spec.loader.exec_module(latency_truth)

BASE = 500.0  # us that every packet spends in a box
ADDED = 5.0  # us that HDP spends more, where it does
FEW = 0.93
LEAST_VALID = 0.5  # of all runs: a path of which hardly one is valid has shown nothing


@dataclass(frozen=True)
class Case:
    """A path: what is on its wire before HDP is delayed by `added` us; `known`: the truth is told, not tapped."""

    name: str
    added: float = 0.0
    wires: tuple[Wire, ...] | None = ()
    known: bool = False
    busy: bool = False

    def spec(self, seed: int) -> LabSpec:
        """The lab, with a hash of its own for each run."""
        if self.wires is None:
            return latency_truth.CASES["no-demux" if "router" in self.name else "veth"][0]
        before = tuple(EqualCost(each.us, str(seed)) if isinstance(each, EqualCost) else each for each in self.wires)
        delay = Delay(us=self.added, protocols=frozenset({253}), base_us=BASE)
        return LabSpec(self.name, "", (Chain((*before, delay), BASE),))


def _both(key: str, *wires: Wire, name: str = "", known: bool = False, busy: bool = False) -> dict[str, Case]:
    name = name or key
    return {f"{key}-{added:g}": Case(name, added, wires, known=known, busy=busy) for added in (0.0, ADDED)}


CASES = {
    "veth": Case("bare veth", wires=None, known=True),
    "routers": Case("two routers", wires=None, known=True),
    **_both("wire"),
    **_both("equal-cost", EqualCost(200.0), name="equal-cost paths", known=True),
    **_both("batches", Batch(1000.0), name="a batching relay"),
    **_both("loss", Loss(0.05), name="5 % loss"),
    **_both("busy", name="a busy processor", busy=True),
}


@contextmanager
def _busy(wanted: bool) -> Iterator[None]:
    """One process on each processor that computes without end, until this one ends or is killed."""
    spin = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n sum(range(10000))"
    count = len(os.sched_getaffinity(0)) if wanted else 0
    spinning = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(count)]
    try:
        yield
    finally:
        for each in spinning:
            each.kill()
            each.wait()


def run(key: str, pairs: int, seed: int) -> dict[str, Any]:
    """One run as a line of the results."""
    case, began = CASES[key], time.monotonic()
    with _busy(case.busy):
        done = latency_truth.run_spec(case.spec(seed), pairs, seed)
    truth = case.added if case.known or done.did is None else done.did
    found, result = done.result.against(RAW_UDP, Level.KERNEL), done.result
    return {
        "case": key, "pairs": pairs, "seed": seed, "truth": truth, "median": found.median, "low": found.low,
        "high": found.high, "spread": found.spread, "valid": result.valid, "sentence": result.sentence,
        "covers": latency_truth.covers(found, truth),
        "none": "no difference" in result.sentence,
        "seconds": time.monotonic() - began,
    }  # fmt: skip


def middle(values: list[float]) -> float:
    """The median; of nothing 0."""
    return sorted(values)[len(values) // 2] if values else 0.0


def row(key: str, lines: list[dict[str, Any]]) -> str:
    """One row of the table."""
    case, valid = CASES[key], [each for each in lines if each["valid"]]
    truth = middle([each["truth"] for each in valid])
    cells = (
        f"{case.name}, HDP {case.added:g} us slower" if case.added else case.name,
        f"{truth:.3f}",
        f"{middle([each['median'] for each in valid]):.3f}",
        f"{middle([each['high'] - each['low'] for each in valid]):.3f}",
        f"{sum(each['covers'] for each in valid)} of {len(valid)}",
        sum(each["low"] <= truth <= each["high"] for each in valid),
        sum(each["none"] for each in valid) if case.added else "",
        len(lines) - len(valid),
        f"{middle([each['seconds'] for each in lines]):.1f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


HEAD = (
    "path",
    "truth, us",
    "found, us",
    "width, us",
    "covers the truth",
    "covers that of all runs",
    'says "no difference"',
    "not valid",
    "s a run",
)


def is_good(key: str, lines: list[dict[str, Any]]) -> bool:
    """Whether the runs of a path show what is asked of them."""
    valid = [each for each in lines if each["valid"]]
    enough = len(valid) >= LEAST_VALID * len(lines) > 0
    covered = sum(each["covers"] for each in valid) >= FEW * len(valid)
    return enough and covered and not (CASES[key].added and any(each["none"] for each in valid))


def main() -> int:
    """Run what is not in the file yet, print the table; 1 if too few intervals cover the truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no run after that")
    parser.add_argument("--results", type=Path, required=True)
    options = parser.parse_args()
    options.results.touch()
    cases, until = options.cases.split(","), time.monotonic() + 60 * options.minutes
    known = [json.loads(line) for line in options.results.read_text(encoding="utf-8").splitlines()]
    done = {(each["case"], each["pairs"], each["seed"]): each for each in known}
    for seed, key in itertools.product(range(options.runs), cases):
        if (key, options.pairs, seed) not in done and time.monotonic() < until:
            done[key, options.pairs, seed] = run(key, options.pairs, seed)
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[key, options.pairs, seed]) + "\n")
    good = True
    print(f"| {' | '.join(HEAD)} |", f"| --- {'| ---: ' * (len(HEAD) - 1)}|", sep="\n")
    for key in cases:
        lines = [each for each in done.values() if (each["case"], each["pairs"]) == (key, options.pairs)]
        print(row(key, lines), flush=True)
        good &= is_good(key, lines)
    print(f"\nload {' '.join(f'{each:.1f}' for each in os.getloadavg())}, {os.cpu_count()} cores")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
