"""The gate: median, tail and loss, under one error rate."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pytest_hdp.judge.latency.differences import Series
from pytest_hdp.judge.latency.result import AGAIN, HDP, RAW_UDP, UDP, Gate, LatencyResult, conclude

from .test_latency_flows import SETUP

MARGIN = 100.0


def judged(
    seed: int,
    rounds: int,
    *,
    late: float = 0.0,
    lost: float = 0.0,
    udp_lost: float = 0.0,
    add: float = 0.0,
    margin: float | None = MARGIN,
) -> LatencyResult:
    """`late`: the share of HDP that comes 20 ms late; `lost`: that does not come."""
    chance = random.Random(seed)

    def one(label: str) -> Series:
        mine = label.startswith(HDP)
        times: list[int | None] = []
        for _ in range(rounds):
            time = chance.lognormvariate(4, 0.4) + (add if mine else 0)
            time += 20_000 if mine and chance.random() < late else 0
            gone = chance.random() < (lost if mine else udp_lost)
            times.append(None if gone else int(1000 * time))
        order = [number for number, time in enumerate(times) if time is not None]
        return Series(label, 253, times, times, order)

    kinds = [kind + again for again in ("", AGAIN) for kind in (HDP, UDP, RAW_UDP)]
    return conclude(replace(SETUP, rounds=rounds, margin_us=margin), [one(kind) for kind in kinds])  # fmt: skip


@pytest.mark.parametrize("rounds", [100, 300, 1000])
def test_a_third_that_comes_late_is_not_within_the_margin(rounds: int) -> None:
    found = judged(1, rounds, late=0.3)
    assert found.gate is Gate.EXCEEDED
    assert "p99 in the network 20," in found.sentence
    assert found.sentence.endswith(": more than the margin of 100 us")
    assert f"(n = {2 * rounds:,})" in found.sentence


@pytest.mark.parametrize("rounds", [100, 250, 1000])
def test_half_that_is_lost_is_not_within_the_margin(rounds: int) -> None:
    found = judged(1, rounds, lost=0.5)
    assert found.gate is Gate.EXCEEDED, "too few pairs may be HDP's own loss"
    assert f"of {2 * rounds:,} against 0 of {2 * rounds:,}" in found.sentence
    assert ("too few pairs" in found.sentence) == (rounds == 100)


def test_without_a_margin_loss_is_said_and_fails_nothing() -> None:
    found = judged(1, 1000, lost=0.3, margin=None)
    assert found.gate is Gate.NONE
    assert "; HDP loses more: " in found.sentence
    assert "loses more" not in judged(1, 1000, lost=0.05, udp_lost=0.05, margin=None).sentence
    assert "; UDP loses more: " in judged(1, 1000, udp_lost=0.2, margin=None).sentence


def test_what_is_within_the_margin_in_all_of_it_is_kept_and_n_is_said() -> None:
    found = judged(1, 300)
    assert found.gate is Gate.KEPT
    assert "(n = 300 pairs); within the margin of 100 us (median, p99; at most 0.88 % more lost)" in found.sentence


@pytest.mark.parametrize(("rounds", "lost"), [(100, 0.0), (100, 0.02), (5_000, 0.0095)])
def test_that_no_more_is_lost_is_shown_and_not_presumed(rounds: int, lost: float) -> None:
    found = judged(3, rounds, lost=lost)
    assert found.gate is Gate.UNDECIDED
    assert "undecided against the margin of 100 us: " in found.sentence
    assert "loss " in found.sentence


def test_where_udp_alone_loses_none_more_is_lost() -> None:
    assert "(median, p99; no more lost)" in judged(1, 1000, udp_lost=0.02).sentence


def test_on_a_path_that_loses_as_much_again_as_udp_is_kept() -> None:
    assert judged(1, 1000, lost=0.05, udp_lost=0.05).gate is Gate.KEPT


def test_undecided_says_what_is_not_and_of_how_many() -> None:
    found = judged(1, 300, add=MARGIN)
    assert found.gate is Gate.UNDECIDED
    assert "undecided against the margin of 100 us: median at user level (n = 300)" in found.sentence
    assert "median in the network (n = 300), p99 in the network (n = 600)" in found.sentence


def test_comparisons_share_one_error_rate() -> None:
    """At the border, where HDP is slower by the margin and loses as much, no more than 1 of 20 runs fails."""
    runs = 200
    failed = sum(judged(seed, 150, add=MARGIN, lost=0.05, udp_lost=0.05).gate is Gate.EXCEEDED for seed in range(runs))
    assert failed <= 0.05 * runs + 4
