"""Hold the tool's verdicts against the stated truth of every lab; as a script, print the tables of docs/truth.md.

    python tests/kernel/truth.py --sweeps 40
    python tests/kernel/truth.py --sweeps 40 --ip-version 6

A sweep is all numbers from 0 to 255, both forms that exist of each, forward and in reverse, over a lab built anew.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.verdict import BOTH_FORMS, Direction, Form, Verdict
from pytest_hdp.lab import catalogue
from pytest_hdp.lab.boxes import Traffic
from pytest_hdp.lab.stateful import FirstOnly
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.truth import BY_CHANCE, Truth
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.packet.carrier import carriers
from pytest_hdp.packet.family import of_version

LOSSES = ("loss-5", "loss-20")
SHUT = 60  # seconds of silence after which a box passes another packet: more than a busy machine takes for a round


@dataclass
class Comparison:
    """Verdicts against truths of one lab or of all: counts of (truth, verdict), and what was wrong, in words."""

    counts: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: Comparison) -> None:
        self.counts += other.counts
        self.wrong += other.wrong
        self.seconds += other.seconds


def trains(version: int = 4) -> tuple[Train, ...]:
    known = carriers(of_version(version))
    return tuple(
        Train(number, direction, form)
        for direction in Direction
        for form in BOTH_FORMS
        for number in range(256)
        if form is Form.BARE or number in known
    )


def truth_of(spec: LabSpec, train: Train) -> Truth:
    """Reverse trains follow forward ones of the same number and form, so they are answers."""
    asked = train.direction is Direction.REVERSE
    traffic = Traffic(path_specs.SIZE, solicited=asked, chain=train.behind, transport=train.transport)
    return spec.expected(train.protocol, train.direction, train.form, traffic)


def faults(train: Train, truth: Truth, judgement: Judgement) -> Iterable[str]:
    """Everything about a judgement that the truth contradicts."""
    verdict = judgement.verdict
    if verdict is Verdict.INCONCLUSIVE:
        return
    if verdict is not truth.verdict and verdict not in truth.also:
        yield f"is {truth.verdict}, was called {verdict}: {judgement.explanation}"
        return
    if truth.errno and judgement.errno != truth.errno:
        yield f"errno is {truth.errno}, was called {judgement.errno}"
    told = judgement.delivered and train.direction is Direction.FORWARD and truth.nat != BY_CHANCE
    if told and judgement.nat.state != truth.nat:
        yield f"source is {truth.nat}, was called {judgement.nat.state}"
    # of what is right too no hop is stated: a rate limit lets one packet of a ladder pass and not the next
    further = truth.recovers_after is not None and _ttl(judgement) > (truth.last_hop.ttl if truth.last_hop else 0)
    unlike = judgement.last_hop is not None and verdict is truth.verdict and judgement.last_hop != truth.last_hop
    if unlike and not further:
        yield f"last hop is {truth.last_hop}, was called {judgement.last_hop}"
    if verdict is Verdict.REJECTED and truth.icmp is not None:
        kinds = {(each.type, each.code, each.source) for each in judgement.icmp if each.authenticated}
        if (*truth.icmp, truth.icmp_from) not in kinds:
            yield f"was rejected with {truth.icmp} by {truth.icmp_from}, seen was {kinds}"


def _ttl(judgement: Judgement) -> int:
    return judgement.last_hop.ttl if judgement.last_hop is not None else 0


def sweep(name: str, seed: int, *, forms: Iterable[Form] = Form, version: int = 4) -> Comparison:
    """Measure one lab once, built anew for each form: boxes that count packets count those of both together."""
    found = Comparison()
    spec = kept_shut(catalogue.make(name)).over(version)
    for form in forms:
        found.add(measure(spec, seed, tuple(each for each in trains(version) if each.form is form)))
    return found


def kept_shut(spec: LabSpec) -> LabSpec:
    """The lab with boxes that stay shut for as long as a sweep takes, however slow the machine is."""
    boxes = (replace(box, timeout=SHUT) if isinstance(box, FirstOnly) else box for box in spec.boxes)
    return replace(spec, boxes=tuple(boxes))


def measure(spec: LabSpec, seed: int, chosen: tuple[Train, ...]) -> Comparison:
    """Measure these trains in one lab, and compare."""
    found = Comparison()
    started = time.monotonic()
    asked = replace(plan.Plan((), plan.LAB, seed=seed), trains=chosen)
    with path_specs.in_lab(spec, asked, None, expect_truth=True)[0].open() as path:
        judgements = Measurement(path, asked).run()
    found.seconds = time.monotonic() - started
    for train, judgement in judgements.items():
        truth = truth_of(spec, train)
        found.counts[truth.verdict, judgement.verdict] += 1
        where = f"{spec.name}, seed {seed}, {train.protocol} {train.direction} {train.chain or train.form}"
        found.wrong.extend(f"{where}: {fault}" for fault in faults(train, truth, judgement))
    return found


def matrix(counts: Counter[tuple[Verdict, Verdict]]) -> str:
    """The confusion matrix as a Markdown table: truths down, verdicts across."""
    across = [verdict for verdict in Verdict if any(seen is verdict for _, seen in counts)]
    rows = [f"| truth | {' | '.join(across)} |", f"| --- {'| ---: ' * len(across)}|"]
    down = [verdict for verdict in Verdict if any(said is verdict for said, _ in counts)]
    rows += [f"| {truth} | {' | '.join(str(counts[truth, seen] or '') for seen in across)} |" for truth in down]
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=20, help="of each lab with 5 and 20 %% loss")
    parser.add_argument("--first", type=int, default=0, help="seed of the first of these sweeps: to share them out")
    parser.add_argument("--ip-version", type=int, choices=(4, 6), default=4)
    parser.add_argument("--labs", default=",".join(catalogue.names()))
    options = parser.parse_args()
    everything, lines = Comparison(), []
    for name in options.labs.split(","):
        found = Comparison()
        count = options.sweeps if name in LOSSES else 1
        forms = (Form.BARE,) if name in LOSSES else BOTH_FORMS
        for seed in range(options.first, options.first + count):
            found.add(sweep(name, seed, forms=forms, version=options.ip_version))
        everything.add(found)
        unsure = sum(number for (_, seen), number in found.counts.items() if seen is Verdict.INCONCLUSIVE)
        cells = (name, count, found.counts.total(), len(found.wrong), unsure, f"{found.seconds / count:.2f}")
        lines.append(f"| {' | '.join(map(str, cells))} |")
        print(lines[-1], *found.wrong[:5], sep="\n", flush=True)
    print(matrix(everything.counts), f"{len(everything.wrong)} wrong", sep="\n\n")
    return bool(everything.wrong)


if __name__ == "__main__":
    sys.exit(main())
