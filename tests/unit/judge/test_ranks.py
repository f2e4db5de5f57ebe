"""The rank test against published values, enumeration of chance, and what it must see."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.latency.ranks import chi_square_above, same_place


@pytest.mark.parametrize(
    ("freedom", "at_5_percent", "at_1_per_mille"),
    [(1, 3.841, 10.828), (2, 5.991, 13.816), (3, 7.815, 16.266), (4, 9.488, 18.467), (15, 24.996, 37.697),
     (16, 26.296, 39.252), (31, 44.985, 61.098)],
)  # fmt: skip
def test_chi_square_as_tables_have_it(freedom: int, at_5_percent: float, at_1_per_mille: float) -> None:
    assert chi_square_above(at_5_percent, freedom) == pytest.approx(0.05, rel=1e-3)
    assert chi_square_above(at_1_per_mille, freedom) == pytest.approx(0.001, rel=1e-3)


def test_two_groups_without_ties_as_worked_out_by_hand() -> None:
    # ranks 1, 2, 3 and 4, 5, 6: H = 12/42 * (36/3 + 225/3) - 21 = 3.857
    assert same_place([[1, 2, 3], [4, 5, 6]]) == pytest.approx(math.erfc(math.sqrt(3.857142857 / 2)))


def test_nothing_tells_nothing() -> None:
    assert same_place([]) == same_place([[1, 2]]) == same_place([[], [1, 2]]) == same_place([[7, 7], [7, 7]]) == 1.0


@pytest.mark.parametrize(
    "draw", [lambda chance: chance.gauss(0, 1), lambda chance: chance.choice((0, 0, 0, 10))], ids=["normal", "ties"]
)
def test_alike_groups_are_called_different_no_oftener_than_said(draw) -> None:
    chance, runs = random.Random(1), 1000
    found = [same_place([[draw(chance) for _ in range(7)] for _ in range(16)]) for _ in range(runs)]
    assert sum(p < 0.05 for p in found) < 0.065 * runs
    assert sum(p < 0.001 for p in found) <= 3


def test_two_ways_of_which_one_is_longer_are_seen() -> None:
    chance = random.Random(2)
    groups = [[chance.gauss(200 * (number % 2), 50) for _ in range(7)] for number in range(16)]
    assert same_place(groups) < 1e-9


@given(st.lists(st.lists(st.integers(-5, 5), max_size=6), max_size=6))
def test_it_is_a_probability_and_depends_on_order_alone(groups: list[list[int]]) -> None:
    found = same_place(groups)
    assert 0 <= found <= 1
    assert same_place([[value**3 for value in group] for group in reversed(groups)]) == pytest.approx(found)
