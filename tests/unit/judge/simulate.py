"""Sweeps of 256 trains without packets: how often the judge calls a train lost, first_only or lossy that is not.

Every number passes in these worlds; the path loses packets of all alike, each by itself or in bursts, and the control
with them. Each verdict is the judge's own, from made-up evidence, round after round as a measurement would ask for it.

    PYTHONPATH=. python tests/unit/judge/simulate.py --sweeps 100000

Trains that lost nothing in the first rounds are delivered, and are not simulated one by one: their number is drawn from
the binomial distribution, and the others' losses given that there is one. What a train's first rounds look like has
few variants (`alike`), so most verdicts come from a cache. Bursts are simulated packet by packet, and are much slower.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, product

from pytest_hdp.judge.evidence import Circumstances, Probe, RoundControl, Sighting, Train, TrainEvidence
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.verdict import Verdict

TRAINS = 256
WRONG = {Verdict.LOST, Verdict.FIRST_ONLY, Verdict.LOSSY}
SEEN = Sighting(0, 47, True, "192.0.2.1", "198.51.100.2", 64)


@dataclass
class Tally:
    """What became of the trains of many sweeps. `probes`: sent in all; `wrong`: sweeps with a wrong verdict."""

    sweeps: int = 0
    wrong: int = 0
    probes: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)


@dataclass(frozen=True)
class Setting:
    """`loss`: of each packet; `burst`: mean length of a loss in packets, 0 for independent ones."""

    loss: float
    burst: int = 0
    minimum: int = 5
    most: int = 30
    controls: int = 32
    error_rate: float = 1e-6


@lru_cache(maxsize=400_000)
def verdict_of(
    came: tuple[bool, ...], controls: tuple[int, ...], sent: int, minimum: int, more: bool, error_rate: float
) -> tuple[Verdict, bool]:
    """Judge a train of which these probes came, one a round, beside so many controls delivered of `sent`."""
    probes = tuple(
        Probe(i, i, i, left=(SEEN,), arrived=(SEEN,) if ok else (), delivered=(SEEN,) if ok else ())
        for i, ok in enumerate(came)
    )
    rounds = tuple(RoundControl(i, sent, got, sent) for i, got in enumerate(controls))
    circumstances = Circumstances(rounds, trains=TRAINS, error_rate=error_rate, more_rounds=more, minimum_count=minimum)
    judgement = judge(TrainEvidence(Train(47), None, probes), circumstances)
    return judgement.verdict, judgement.final


def alike(came: tuple[bool, ...], controls: list[int]) -> tuple[tuple[bool, ...], tuple[int, ...]]:
    """Evidence that means the same and has fewer variants: the order matters among the first four probes only, and of
    the control only its sum does, unless some round's came to nothing."""
    rounds = len(came)
    seen = controls[:rounds]
    if 0 not in seen:
        each, rest = divmod(sum(seen), rounds)
        seen = [each + (i < rest) for i in range(rounds)]
    return came[:4] + tuple(sorted(came[4:])), tuple(seen)


def sweep_independent(setting: Setting, dice: random.Random, tally: Tally, variants: Variants) -> None:
    """One sweep with each packet lost by itself."""
    controls = binomial(setting.controls, 1 - setting.loss, dice, setting.most)
    [losers] = binomial(TRAINS, 1 - (1 - setting.loss) ** setting.minimum, dice)
    tally.verdicts[Verdict.DELIVERED] += TRAINS - losers
    tally.probes += TRAINS * setting.minimum
    verdicts = Counter(
        follow(setting, came, controls, lambda _: dice.random() >= setting.loss, tally)
        for came in variants.draw(losers, dice)
    )
    conclude(tally, verdicts)


def follow(
    setting: Setting, came: tuple[bool, ...], controls: list[int], passes: Callable[[int], bool], tally: Tally
) -> Verdict:
    """Give one train further rounds until its verdict is final or the cap is reached."""
    while True:
        rounds = len(came)
        more = rounds < setting.most
        verdict, final = verdict_of(*alike(came, controls), setting.controls, setting.minimum, more, setting.error_rate)
        if final or not more:
            return verdict
        came = (*came, passes(rounds))
        tally.probes += 1


def sweep_bursts(setting: Setting, dice: random.Random, tally: Tally) -> None:
    """One sweep with losses in bursts (Gilbert's model): every round shuffles trains and controls into one line."""
    line = TRAINS + setting.controls
    controls: list[int] = []
    passed: list[set[int]] = []
    for _ in range(setting.most):
        lost = burst_losses(line, setting, dice)
        places = random_places(line, dice)
        passed.append({train for train in range(TRAINS) if places[train] not in lost})
        controls.append(sum(place not in lost for place in places[TRAINS:]))
    tally.probes += TRAINS * setting.minimum
    verdicts: Counter[Verdict] = Counter()
    for train in range(TRAINS):
        came = tuple(train in passed[i] for i in range(setting.minimum))
        if all(came):
            verdicts[Verdict.DELIVERED] += 1
        else:
            verdicts[follow(setting, came, controls, lambda n, t=train: t in passed[n], tally)] += 1  # type: ignore[misc]
    conclude(tally, verdicts)


def burst_losses(line: int, setting: Setting, dice: random.Random) -> set[int]:
    """The places that are lost: bursts begin so often that `loss` of all packets fall into one."""
    begin = setting.loss / ((1 - setting.loss) * setting.burst)
    bad = dice.random() < setting.loss
    lost = set()
    for place in range(line):
        if bad:
            lost.add(place)
        bad = dice.random() >= 1 / setting.burst if bad else dice.random() < begin
    return lost


def random_places(line: int, dice: random.Random) -> list[int]:
    places = list(range(line))
    dice.shuffle(places)
    return places


def conclude(tally: Tally, verdicts: Counter[Verdict]) -> None:
    tally.sweeps += 1
    tally.verdicts += verdicts
    tally.wrong += any(verdict in WRONG for verdict in verdicts)


@lru_cache
def weights_up_to(n: int, p: float) -> tuple[range, tuple[float, ...]]:
    each = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    return range(n + 1), tuple(accumulate(each))


def binomial(n: int, p: float, dice: random.Random, draws: int = 1) -> list[int]:
    """Numbers of successes in n trials."""
    values, cumulative = weights_up_to(n, p)
    return dice.choices(values, cum_weights=cumulative, k=draws)


class Variants:
    """The ways in which a train's first rounds can go with at least one loss, and how likely each is."""

    def __init__(self, setting: Setting) -> None:
        ways = [way for way in product((True, False), repeat=setting.minimum) if not all(way)]
        self.ways = ways
        self.weights = [(1 - setting.loss) ** sum(way) * setting.loss ** (setting.minimum - sum(way)) for way in ways]

    def draw(self, k: int, dice: random.Random) -> list[tuple[bool, ...]]:
        return dice.choices(self.ways, self.weights, k=k)


def simulate(setting: Setting, sweeps: int, seed: int = 1) -> Tally:
    """Run so many sweeps; the same for the same seed."""
    dice, tally = random.Random(seed), Tally()
    variants = Variants(setting)
    for _ in range(sweeps):
        if setting.burst:
            sweep_bursts(setting, dice, tally)
        else:
            sweep_independent(setting, dice, tally, variants)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--burst-sweeps", type=int, default=None, help="sweeps with bursts (default: a hundredth)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    bursts = options.sweeps // 100 if options.burst_sweeps is None else options.burst_sweeps
    print("| loss | bursts | sweeps | with a wrong verdict | delivered | inconclusive | probes a sweep | seconds |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for loss, burst in ((0.01, 0), (0.05, 0), (0.2, 0), (0.05, 50), (0.2, 50)):
        setting = Setting(loss, burst)
        start = time.monotonic()
        tally = simulate(setting, bursts if burst else options.sweeps, options.seed)
        each = max(tally.sweeps, 1)
        print(
            f"| {loss:.0%} | {burst or '-'} | {tally.sweeps} | {tally.wrong} "
            f"| {tally.verdicts[Verdict.DELIVERED] / each:.2f} | {tally.verdicts[Verdict.INCONCLUSIVE] / each:.4f} "
            f"| {tally.probes / each:.0f} | {time.monotonic() - start:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
