"""A train of which one packet in five gets through passes in 5 % of cases at most, however often it is looked at."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pytest_hdp.judge.evidence import (
    Circumstances,
    Observers,
    Probe,
    RoundControl,
    Sighting,
    Train,
    TrainEvidence,
)
from pytest_hdp.judge.facts import Facts
from pytest_hdp.judge.inference import EACH_LOOK, gets_through
from pytest_hdp.judge.statistics import LEAST_SHARE, at_least
from pytest_hdp.measure.plan import AGENTLESS, LAB, LOOPBACK, REMOTE

MOST = 40
TRAINS = 1500


def passes(first: int, last: int, level: float) -> float:
    """How likely such a train passes at any look from one round to another, exactly."""
    alive, passed = {0: 1.0}, 0.0
    for rounds in range(1, last + 1):
        now = dict.fromkeys(range(rounds + 1), 0.0)
        for came, chance in alive.items():
            now[came] += (1 - LEAST_SHARE) * chance
            now[came + 1] += LEAST_SHARE * chance
        if rounds >= first:
            passed += sum(now.pop(came) for came in tuple(now) if at_least(came, rounds, LEAST_SHARE) < level)
        alive = now
    return passed


def test_no_measurement_takes_more_looks() -> None:
    assert max(pace.most_rounds for pace in (LAB, LOOPBACK, REMOTE, AGENTLESS)) == MOST


@pytest.mark.parametrize("last", [16, 20, MOST])
@pytest.mark.parametrize("first", range(1, MOST + 1))
def test_over_all_looks_it_is_five_percent(first: int, last: int) -> None:
    assert passes(first, last, 1 - EACH_LOOK) <= 0.05


def test_each_look_at_five_percent_was_too_many() -> None:
    assert passes(LAB.rounds, MOST, 0.05) == pytest.approx(0.124, abs=5e-4)
    assert passes(1, MOST, 0.016) > 0.05  # nor may it be much more than it is


def look(came: list[bool], clean: int = MOST) -> bool:
    """Whether the judge says of these rounds that the train gets through; but for so many, the tap overflowed."""
    seen = Sighting(1, 253, True, "192.0.2.2", "198.51.100.2", 62)
    left = Probe(0, 0, 0, left=(seen,))
    whole = replace(left, arrived=(seen,), delivered=(seen,))
    probes = [replace(whole if each else left, index=at, round=at) for at, each in enumerate(came)]
    overflowed = ("the tap overflowed",)
    control = tuple(RoundControl(at, 44, 30, 44, overflowed[: at >= clean]) for at in range(len(came)))
    return gets_through(Facts(TrainEvidence(Train(253), None, tuple(probes)), Circumstances(control, Observers())))


@pytest.mark.night
def test_whole_sequences_of_looks_pass_no_more_often() -> None:
    dice, passed = random.Random(20), 0
    for _ in range(TRAINS):
        came = [dice.random() < LEAST_SHARE for _ in range(MOST)]
        looks = (at for at in range(LAB.rounds, MOST + 1) if came[at - 1] or at == LAB.rounds)  # the others are no news
        passed += any(look(came[:at]) for at in looks)
    expected = passes(LAB.rounds, MOST, 1 - EACH_LOOK)
    assert abs(passed / TRAINS - expected) < 4 * (expected / TRAINS) ** 0.5
    assert passed / TRAINS < 0.065


def test_whoever_floods_a_tap_makes_no_train_get_through() -> None:
    """What was lost while it overflowed is not left out where what came then is counted."""
    seldom = [at in (0, 7, 23) for at in range(MOST)]
    assert not look(seldom)
    assert not any(look(seldom, clean) for clean in range(MOST))
    assert look([True] * 7, 0), "all came, whatever else was missed"
    assert look([True, False, True] * 5, 0), "each is counted as lost that was not seen"
    assert look([True] * 7 + [False] * 33, 7), "seven rounds say enough"
