"""What many trains lose in the same place is no chance, unless the control loses it too."""

from __future__ import annotations

import random

import pytest

from pytest_hdp.judge.evidence import Circumstances, Probe, RoundControl, Sighting, Train, TrainEvidence
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.pattern import Sent, SharedLoss, order_text, shared_losses
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.verdict import Verdict

TRAINS, CONTROLS, ROUNDS = 250, 38, 7
QUIET = dict.fromkeys(range(ROUNDS), (0, CONTROLS))


def train(fates: str, first: int = 0) -> list[Sent]:
    """A letter for each round: "d" came, "l" did not, "x" did not in a round that does not count."""
    return [Sent(first + at, letter == "d", letter != "x") for at, letter in enumerate(fates)]


def test_the_first_of_nearly_all_is_found_and_nothing_else():
    trains = [train("ldddddd")] * 249 + [train("ddddddd")]
    assert shared_losses(trains, QUIET, 1e-6) == (SharedLoss(0, 249, 250),)


def test_one_moment_that_hits_all_but_the_control_is_no_place():
    """An outage of one of several ways: all trains run in step, so that nothing stood elsewhere then."""
    (found,) = shared_losses([train("dddlddd")] * 249, QUIET, 1e-6)
    assert (found.place, found.apart) == (3, False)


def test_a_place_is_told_from_a_moment_by_what_stood_elsewhere_then():
    late = [train("ldddddd", first=1)] * 120
    (found,) = shared_losses([train("ldddddd")] * 120 + late, {**QUIET, 7: (0, CONTROLS)}, 1e-6)
    assert found == SharedLoss(0, 240, 240, apart=True)


def test_a_place_is_told_from_a_moment_by_those_that_had_it_at_another():
    later = dict.fromkeys(range(20), (0, CONTROLS))
    trains = [train("ldddddd")] * 100
    assert shared_losses([*trains, *[train("ldddddd", first=9)] * 40], later, 1e-6) == (SharedLoss(0, 140, 140, True),)


def test_it_was_the_moment_where_others_had_that_place_at_another_and_lost_nothing():
    later = dict.fromkeys(range(20), (0, CONTROLS))
    trains = [train("ldddddd")] * 200
    assert not shared_losses([*trains, *[train("ddddddd", first=9)] * 40], later, 1e-6)
    (found,) = shared_losses([*trains, *[train("ddddddd", first=9)] * 2], later, 1e-6)  # too few to say
    assert not found.apart


def test_what_all_lose_at_once_is_no_matter_of_the_number():
    """Beside a control that loses nothing, at 7 rounds and at 40: as many as any that lost one by chance."""
    for rounds, final in ((7, False), (40, True)):
        judged = judged_in_step({3}, rounds)
        assert (judged.verdict, judged.final) == (Verdict.DELIVERED, final), judged.explanation
    judged = judged_in_step({3, 20}, 40)
    assert judged.verdict is Verdict.INCONCLUSIVE, judged.explanation
    assert "something counts the packets of a number, or nearly all but the control was lost" in judged.explanation


@pytest.mark.parametrize("lost", [{0}, {0, 1}])
def test_the_first_of_all_at_one_moment_may_be_either_and_no_further_round_tells(lost):
    judged = judged_in_step(lost, 7)
    assert (judged.verdict, judged.final) == (Verdict.LOSSY, True), judged.explanation
    assert "of 249 of 249 trains at the same moment" in judged.explanation
    assert "or nearly all but the control was lost just then" in judged.explanation


def test_the_first_of_trains_that_began_at_different_moments_is_no_moment():
    shared = (SharedLoss(0, 249, 249, apart=True),)
    judged = judged_in_step({0}, 7, shared)
    assert (judged.verdict, judged.final) == (Verdict.LOSSY, True), judged.explanation
    assert "moment" not in judged.explanation


def judged_in_step(lost: set[int], rounds: int, shared: tuple[SharedLoss, ...] | None = None) -> Judgement:
    """One of 249 trains in step, all of which lost the same of their packets, while the control lost none."""
    fates = "".join("l" if number in lost else "d" for number in range(rounds))
    control = dict.fromkeys(range(rounds), (0, 44))
    probes = []
    for number, fate in enumerate(fates):
        seen = (Sighting(number, 47, True, "192.0.2.1", "198.51.100.2", 64),)
        came = seen if fate == "d" else ()
        probes.append(Probe(number, number, number, left=seen, arrived=came, delivered=came))
    circumstances = Circumstances(
        control=tuple(RoundControl(number, 44, 44, 44) for number in range(rounds)),
        names={"source": "192.0.2.1", "target": "198.51.100.2"},
        minimum_count=7,
        shared=shared_losses([train(fates)] * 249, control, 1e-6) if shared is None else shared,
        more_rounds=rounds < 40,
    )
    return judge(TrainEvidence(Train(47), probes=tuple(probes)), circumstances)


def test_what_half_of_them_lose_may_be_a_matter_of_their_numbers():
    assert not shared_losses([train("ldddddd")] * 125 + [train("ddddddd")] * 125, QUIET, 1e-6)


def test_few_trains_show_nothing():
    assert not shared_losses([train("ldddddd")] * 3, QUIET, 1e-6)


def test_those_that_never_get_through_say_nothing():
    assert not shared_losses([train("lllllll")] * 250 + [train("ddddddd")] * 5, QUIET, 1e-6)


def test_a_control_that_is_lost_as_well_is_an_outage():
    control = QUIET | {0: (CONTROLS - 1, CONTROLS)}
    assert not shared_losses([train("ldddddd")] * 250, control, 1e-6)


def test_a_round_that_does_not_count_is_no_place_to_lose_anything():
    assert not shared_losses([train("xdddddd")] * 250, QUIET, 1e-6)


def test_the_control_is_that_of_the_round_in_which_most_were_sent():
    late = [train("ldddddd", first=3)] * 40
    control = {3: (CONTROLS, CONTROLS), **dict.fromkeys((0, 1, 2, 4, 5, 6, 7, 8, 9), (0, CONTROLS))}
    assert not shared_losses([*late, train("ldddddd")], control, 1e-6)


@pytest.mark.parametrize("loss", [0.01, 0.2, 0.5])
def test_chance_and_outages_are_no_pattern(loss: float):
    """Rounds with an outage of a random length in the random order of trains and controls; 40 of 40 find nothing."""
    for seed in range(40):
        chance = random.Random(seed)
        fates: list[list[str]] = [[] for _ in range(TRAINS)]
        control = {}
        for number in range(ROUNDS):
            order = [*range(TRAINS), *[None] * CONTROLS]
            chance.shuffle(order)
            start, length = chance.randrange(len(order)), chance.choice((0, 0, chance.randrange(len(order))))
            gone = 0
            for at, item in enumerate(order):
                lost = start <= at < start + length or chance.random() < loss
                if item is None:
                    gone += lost
                else:
                    fates[item].append("l" if lost else "d")
            if gone < CONTROLS:
                control[number] = (gone, CONTROLS)
        assert not shared_losses([train("".join(each)) for each in fates], control, 1e-6)


@pytest.mark.parametrize(
    ("fates", "said"),
    [
        ("ldddddd", " (the first)"),
        ("llddddd", " (the first 2)"),
        ("ddddddl", " (the last)"),
        ("dddddll", " (the last 2)"),
        ("ddlddld", " (every 3rd)"),
        ("dldldld", " (every 2nd)"),
        ("lddlddl", " (every 3rd)"),
        ("dlddddd", ""),
        ("ddddddd", ""),
        ("lllllll", ""),
    ],
)
def test_which_were_lost_in_words(fates: str, said: str):
    assert order_text([letter == "d" for letter in fates]) == said
