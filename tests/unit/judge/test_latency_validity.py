"""Disturbed paths and hosts are no valid measurement, though each kind agrees with itself on them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_hdp.judge.latency.differences import Series
from pytest_hdp.judge.latency.result import AGAIN, HDP, RAW_UDP, UDP, LatencyResult, Setup, Way, conclude
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction

ROUNDS = 400
SETUP = Setup(
    path=PathInfo("target", "", "192.0.2.2", "198.51.100.2", None),
    direction=Direction.FORWARD,
    way=Way.ONE_WAY,
    protocol=253,
    rounds=ROUNDS,
    size=100,
    seed=1,
    gap_us=60.0,
    late_us=(1.0, 2.0),
    put_off=0,
)
Took = Callable[[str, float, random.Random], float | None]


def judged(
    took: Took,
    *,
    alone: float | None = 100.0,
    setup: Setup = SETUP,
    seed: int = 1,
    lone: tuple[float | None, ...] | None = None,
) -> LatencyResult:
    """`took`: us that a kind's packet takes at a time of the run from 0 to 1, None if it is lost.

    `alone`: us that each takes about that is sent alone, `lone`: or just so long, of each kind.
    """
    chance = random.Random(seed)

    def one(label: str) -> Series:
        kind = label.removesuffix(AGAIN)
        found = [took(kind, number / ROUNDS, chance) for number in range(ROUNDS)]
        times = [None if each is None else int(1000 * each) for each in found]
        order = [number for number, time in enumerate(times) if time is not None]
        sent_alone = [] if alone is None else [(0, int(1000 * alone * (0.9 + 0.2 * chance.random()))) for _ in range(4)]
        if lone is not None:
            sent_alone = [(0, None if each is None else int(1000 * each)) for each in lone]
        return Series(label, 253, times, times, order, (), sent_alone)

    return conclude(setup, [one(kind + again) for again in ("", AGAIN) for kind in (HDP, UDP, RAW_UDP)])


def steady(_kind: str, _at: float, chance: random.Random) -> float:
    return 100 + chance.expovariate(1 / 20)


def test_a_steady_path_is_valid_and_the_sentence_says_what_that_means() -> None:
    found = judged(steady)
    assert found.valid
    assert (
        "; checked: no drift, no queue of its own, 0 of 400 raw-socket UDP lost, sent 1 us late; "
        "of other rates, hours and addresses it says nothing" in found.sentence
    )


@pytest.mark.parametrize(
    ("lone", "known"),
    [
        ((100.0, 100.0, 100.0, 100.0), True),
        ((100.0, 100.0, None, None), False),  # four of each kind, sent twice: too few
        ((100.0, 100.0, 100.0, 200_000.0), False),  # one that was held up, beside others that never waited
    ],
    ids=["enough", "too few came", "too much jitter"],
)
def test_no_queue_is_only_said_where_what_was_alone_shows_it(lone: tuple[float | None, ...], known: bool) -> None:
    took = 100.0 if known else 50_000.0
    found = judged(lambda _k, _at, chance: took + chance.expovariate(1 / 20), lone=lone)
    assert found.valid
    assert ("no queue of its own" in found.sentence) is known
    unknown = "a queue of its own not ruled out for HDP and raw-socket UDP"
    assert (unknown in found.sentence) is not known


@pytest.mark.parametrize(
    ("beside", "said"), [(0, "late; of"), (1, "late, beside 1 other; "), (11, "beside 11 others; ")]
)
def test_what_was_measured_at_the_same_time_is_said(beside: int, said: str) -> None:
    found = judged(steady, setup=replace(SETUP, beside=beside))
    assert said in found.sentence
    assert ("beside" in found.sentence) is (beside > 0)


@pytest.mark.parametrize(("kinds", "said"), [((HDP, UDP, RAW_UDP), True), ((HDP,), False)])
def test_where_nearly_all_is_lost_and_udp_too_a_slower_rate_may_help(kinds: tuple[str, ...], said: bool) -> None:
    found = judged(lambda kind, _at, chance: 100.0 if kind not in kinds or chance.random() < 0.15 else None)
    assert not found.enough
    assert found.sentence.startswith("too few pairs arrived to compare latencies")
    assert ("UDP is lost as well: send slower, with --hdp-rate" in found.sentence) is said


@pytest.mark.parametrize(
    ("took", "said"),
    [
        (lambda _k, _at, chance: 96_000 + chance.expovariate(1 / 20), "queue of its own"),
        (lambda _k, _at, chance: 100.0 if chance.random() < 0.55 else None, "were lost, and what arrives of so few"),
        (lambda _k, at, chance: 100 + 10_000 * at + chance.random(), "or a queue of its own grew"),
        (lambda _k, at, chance: (100 if at < 0.5 else 9000) + chance.random(), "the path changed"),
        (lambda k, at, chance: 100 + (50 * at if k == HDP else 0) + chance.random(), "it is not one number"),
    ],
    ids=["a shaper", "45 % loss", "a queue that grows", "a route that changes", "HDP alone gets slower"],
)
def test_a_disturbed_path_is_not_valid(took: Took, said: str) -> None:
    found = judged(took, alone=100.0)
    assert found.enough
    assert not found.valid
    assert said in found.sentence
    assert found.sentence.startswith("not valid: ")
    assert all(each.covers_zero for each in found.controls), "what it agrees with is no word for it"


def test_a_sender_that_was_not_on_time_is_not_valid() -> None:
    assert "this host is too busy" in judged(steady, setup=replace(SETUP, late_us=(6000.0, 9000.0))).sentence
    assert judged(steady, setup=replace(SETUP, late_us=(55.0, 900.0))).valid


@pytest.mark.parametrize(
    ("took", "alone"),
    [
        (lambda _k, _at, chance: 100 + chance.expovariate(1 / 2000), 1000.0),
        (lambda _k, _at, chance: 50_000 + chance.gauss(0, 5000), 50_000.0),
        (lambda _k, _at, chance: None if chance.random() < 0.2 else 100 + chance.expovariate(1 / 20), 100.0),
        (lambda _k, at, chance: 100 + 500 * at + chance.expovariate(1 / 20), 100.0),
    ],
    ids=["a busy host", "a far one with jitter", "a fifth lost at random", "a little drift that hits all"],
)
def test_an_honest_path_is_valid_however_unpleasant(took: Took, alone: float) -> None:
    assert all(judged(took, alone=alone, seed=seed).valid for seed in range(20))
