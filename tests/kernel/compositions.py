"""Labs composed at random, measured, and held against the truth of their composition. As a script:

    python tests/kernel/compositions.py --seeds 100 --from 0

Each seed is one lab of a few boxes with random parameters, and one sweep of numbers through it in both directions and
forms. For each that is wrong the command that plays it again is printed; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
from pathlib import Path

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import BOTH_FORMS, Direction, Form, Verdict
from pytest_hdp.lab.boxes import Box, Router
from pytest_hdp.lab.filters import Allowlist, HostFirewall, NetfilterReject, SenderFirewall, TtlShort
from pytest_hdp.lab.limits import RateLimited
from pytest_hdp.lab.mangling import ClearDscp, MangleByte, RaiseTtl, Truncate
from pytest_hdp.lab.stateful import CarrierNat, CloudNat, FirstOnly, Nat
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.wires import BlackHole, BurstLoss, Delay, Duplicate, Forger, Loss, Refuse, Reorder
from pytest_hdp.packet.carrier import CARRIERS

_spec = importlib.util.spec_from_file_location("truth", Path(__file__).with_name("truth.py"))
truth = importlib.util.module_from_spec(_spec)
sys.modules.setdefault("truth", truth)
_spec.loader.exec_module(truth)

SPARED = (frozenset({1, 6, 17}), frozenset({1, 17}), frozenset({1, 6, 17, 47, 50, 51}), frozenset({1, 17, 132, 253}))
OTHERS = (3, 89, 112, 200, 253)
SHUT = truth.SHUT
NUMBERS = tuple(sorted({*CARRIERS, *OTHERS}))
"""What is swept: all that has a carrier of its own or a rule to itself in some box, and a few that have neither."""


def some(chance: random.Random) -> Box:
    """One box that does something, with parameters drawn."""
    numbers = chance.choice(SPARED)
    loss = chance.choice((0.02, 0.05, 0.10, 0.20))
    drawn = (
        Nat(),
        CarrierNat(),
        CloudNat(),
        FirstOnly(timeout=SHUT),
        Allowlist(numbers),
        NetfilterReject(numbers),
        HostFirewall(numbers),
        SenderFirewall(numbers),
        RateLimited(),
        TtlShort(),
        Loss(loss),
        Loss(loss),
        BurstLoss(chance.choice((0.02, 0.05)), chance.choice((5.0, 20.0))),
        Delay(chance.choice((500.0, 5000.0, 20_000.0)), chance.choice((0.0, 2000.0))),
        Duplicate(chance.choice((0.1, 0.5))),
        Reorder(chance.choice((0.1, 0.3))),
        MangleByte(),
        Truncate(),
        ClearDscp(),
        RaiseTtl(),
        Forger(),
        BlackHole(),
        Refuse(numbers),
        Router(chance.choice((True, False))),
    )
    return chance.choice(drawn)


def compose(seed: int) -> LabSpec:
    """The lab of a seed: two to five boxes that make a path, with a translator in every other one."""
    chance = random.Random(seed)
    while True:
        boxes = [some(chance) for _ in range(chance.randint(2, 5))]
        if seed % 2 and not any(box.translates for box in boxes):
            continue
        spec = LabSpec(f"composition {seed}", ", ".join(box.name for box in boxes), tuple(boxes))
        try:
            for train in trains():
                truth.truth_of(spec, train)
        except ValueError:
            continue  # a box that needs a router behind it has none
        return spec


def trains() -> tuple[Train, ...]:
    return tuple(
        Train(number, direction, form)
        for direction in Direction
        for form in BOTH_FORMS
        for number in NUMBERS
        if form is Form.BARE or number in CARRIERS
    )


def sweep(seed: int) -> truth.Comparison:
    """Measure the lab of a seed once for each form."""
    spec = compose(seed)
    found = truth.Comparison()
    for form in BOTH_FORMS:
        found.add(truth.measure(spec, seed, tuple(train for train in trains() if train.form is form)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many (default 100)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="K", help="the first one (default 0)")
    options = parser.parse_args()
    everything = truth.Comparison()
    for seed in range(options.first, options.first + options.seeds):
        found = sweep(seed)
        everything.add(found)
        if found.wrong:
            spec = compose(seed)
            print(f"{spec.name}: {spec.boxes}", *found.wrong, sep="\n")
            print(f"again: {sys.executable} {Path(__file__)} --seeds 1 --from {seed}", flush=True)
    unsure = sum(count for (_, seen), count in everything.counts.items() if seen is Verdict.INCONCLUSIVE)
    print(truth.matrix(everything.counts))
    print(
        f"\n{options.seeds} compositions from seed {options.first}, {everything.counts.total()} trains compared, "
        f"{unsure} inconclusive, {len(everything.wrong)} wrong, {everything.seconds:.0f} s"
    )
    return bool(everything.wrong)


if __name__ == "__main__":
    sys.exit(main())
