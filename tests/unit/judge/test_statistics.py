"""The statistics against figures worked out elsewhere: enumeration, identities, published tables."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.statistics import (
    LOSS_FLOOR,
    all_lost_by_chance,
    all_lost_refutes,
    alpha_at_look,
    alpha_per_train,
    at_least,
    at_most,
    clearly_more,
    fisher,
    needed,
    upper_bound,
)

ALPHA = alpha_per_train(1e-6, 256)


@pytest.mark.parametrize(("loss", "probes"), [(0.01, 5), (0.05, 7), (0.1, 9), (0.2, 13), (0.3, 17), (0.5, 28)])
def test_probes_needed_at_one_error_in_a_million_runs(loss: float, probes: int) -> None:
    assert needed(loss, ALPHA) == probes
    assert loss**probes <= ALPHA < loss ** (probes - 1)


@pytest.mark.parametrize(("n", "bound"), [(5, 0.4507), (7, 0.3482), (10, 0.2589), (30, 0.0950), (60, 0.0487)])
def test_none_of_n_bounds_the_delivery_probability(n: int, bound: float) -> None:
    assert upper_bound(0, n) == pytest.approx(bound, abs=5e-5)


def test_nothing_sent_bounds_nothing() -> None:
    assert upper_bound(0, 0) == 1.0


@pytest.mark.parametrize(("loss", "alpha"), [(1.0, 0.1), (-0.1, 0.1), (0.1, 0.0), (0.1, 1.5)])
def test_needed_refuses_nonsense(loss: float, alpha: float) -> None:
    with pytest.raises(ValueError, match=r"needed\(\) takes"):
        needed(loss, alpha)


def test_needed_at_the_edges() -> None:
    assert needed(0.0, 1e-9) == 1
    assert needed(0.5, 1.0) == 1
    assert needed(0.5, 0.25) == 2  # exactly at the boundary, where logarithms round


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0, 1))
def test_tails_add_up(k: int, n: int, p: float) -> None:
    assert at_most(k, n, p) + at_least(k + 1, n, p) == pytest.approx(1.0)


@pytest.mark.parametrize("n", [1000, 1001, 8000])
def test_tails_of_large_samples(n: int) -> None:
    assert at_most(n // 2, n, 0.5) == pytest.approx(0.5 + 0.5 * _middle(n), rel=1e-9)
    assert at_most(n, n, 0.5) == 1.0


def _middle(n: int) -> float:
    return math.comb(n, n // 2) / 2**n if n % 2 == 0 else 0.0


# R: fisher.test(matrix(c(3, 1, 1, 3), 2), alternative = "greater"), Fisher's lady tasting tea: 17/70.
def test_fisher_lady_tasting_tea() -> None:
    assert fisher(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert fisher(4, 4, 0, 4) == pytest.approx(1 / 70)
    assert fisher(0, 4, 4, 4) == 1.0


@given(st.integers(1, 4), st.integers(1, 4))
def test_fisher_by_enumeration(sent: int, control: int) -> None:
    for lost in range(sent + 1):
        for control_lost in range(control + 1):
            draws = list(itertools.combinations(range(sent + control), lost + control_lost))
            as_many = sum(sum(i < sent for i in draw) >= lost for draw in draws)
            assert fisher(lost, sent, control_lost, control) == pytest.approx(as_many / len(draws))


@given(st.integers(1, 30), st.integers(0, 40), st.integers(0, 40))
def test_leaving_out_losses_never_accuses(sent: int, control_lost: int, control_came: int) -> None:
    """The claim on which the counting of rounds rests: fewer lost out of fewer sent is weaker evidence."""
    control = control_lost + control_came
    for lost in range(1, sent + 1):
        assert fisher(lost - 1, sent - 1, control_lost, control) >= fisher(lost, sent, control_lost, control) - 1e-15


def test_all_lost_by_chance_has_a_closed_form_for_a_perfect_control() -> None:
    for n, c in [(1, 1), (5, 5), (7, 70), (5, 320)]:
        assert all_lost_by_chance(n, 0, c) == pytest.approx(n**n * c**c / (n + c) ** (n + c), rel=1e-9)
    assert all_lost_by_chance(5, 9, 9) == pytest.approx(1.0)


@given(st.integers(1, 20), st.integers(1, 200), st.data())
def test_all_lost_by_chance_is_the_worst_loss(n: int, control: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, control))
    worst = all_lost_by_chance(n, lost, control)
    for step in range(0, 101, 5):
        p = step / 100
        assert p**n * at_most(lost, control, p) <= worst * (1 + 1e-9) + 1e-300


def test_looks_together_spend_no_more_than_all() -> None:
    assert sum(alpha_at_look(0.01, k) for k in range(1, 10_000)) <= 0.01
    assert sum(alpha_at_look(0.01, k) for k in range(1, 10_000)) == pytest.approx(0.01, rel=1e-3)


def test_a_large_control_is_no_licence() -> None:
    """However well the control fared, the floor holds: four lost are not enough, five are."""
    assert LOSS_FLOOR**4 > ALPHA
    assert not all_lost_refutes(4, 0, 10**6, ALPHA, 1)
    assert all_lost_refutes(5, 0, 2000, ALPHA, 1)
    assert not all_lost_refutes(0, 0, 1000, 1.0, 1)
    assert not clearly_more(1, 100, 0, 10**4, 1e-3, 1)


def test_more_looks_ask_for_more() -> None:
    assert all_lost_refutes(5, 0, 200, ALPHA, 1)
    assert not all_lost_refutes(5, 0, 200, ALPHA, 40)
    assert clearly_more(12, 20, 2, 400, ALPHA, 1)
    assert not clearly_more(8, 20, 8, 400, ALPHA, 1)
    assert not clearly_more(0, 20, 0, 400, 1.0, 1)


@pytest.mark.parametrize(("controls", "rounds"), [(1, 20), (4, 10), (8, 8), (16, 6), (32, 5), (64, 5)])
def test_controls_a_round_buy_rounds(controls: int, rounds: int) -> None:
    """What `measure` may count on when nothing is lost: rounds until a blocked number is known to be."""
    share = ALPHA / 5

    def enough(n: int) -> bool:
        return all_lost_refutes(n, 0, controls * n, share, max(1, n - 4))

    assert enough(rounds)
    assert not any(enough(n) for n in range(1, rounds))
