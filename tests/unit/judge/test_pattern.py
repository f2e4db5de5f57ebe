"""What many trains lose in the same place is no chance, unless the control loses it too."""

from __future__ import annotations

import random

import pytest

from pytest_hdp.judge.pattern import Sent, SharedLoss, order_text, shared_losses

TRAINS, CONTROLS, ROUNDS = 250, 38, 7
QUIET = dict.fromkeys(range(ROUNDS), (0, CONTROLS))


def train(fates: str, first: int = 0) -> list[Sent]:
    """A letter for each round: "d" came, "l" did not, "x" did not in a round that does not count."""
    return [Sent(first + at, letter == "d", letter != "x") for at, letter in enumerate(fates)]


def test_the_first_of_nearly_all_is_found_and_nothing_else():
    trains = [train("ldddddd")] * 249 + [train("ddddddd")]
    assert shared_losses(trains, QUIET, 1e-6) == (SharedLoss(0, 249, 250),)


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
