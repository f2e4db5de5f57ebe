"""Exact statistics of loss, in pure Python: no normal approximation, so the bounds hold for five probes too.

A train is called lost, first_only or lossy only if that is next to impossible for a train that loses no more
than the control. Two things would make a fixed significance level dishonest, and are paid for here: 256
trains are judged at once (`alpha_per_train`, Bonferroni), and an undecided train is judged again after each
further round (`alpha_at_look`, a union bound over all looks).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOSS_FLOOR = 0.01
"""A path is never taken to lose less than this, however well the control fared: equal-cost paths and queues differ."""
LEAST_SHARE = 0.2
"""Above this the delivery probability of a train is, at 95 %, that is said to get through: 5 of 5, 20 of 40."""


def needed(loss: float, alpha: float) -> int:
    """Return how many probes must all be lost before that has probability alpha or less, each being lost with `loss`.

    ValueError unless 0 <= loss < 1 and 0 < alpha <= 1.
    """
    if not (0 <= loss < 1 and 0 < alpha <= 1):
        raise ValueError(f"needed() takes a loss in [0, 1) and an alpha in (0, 1], not {loss} and {alpha}")
    n = 1 if loss == 0 else max(1, math.ceil(math.log(alpha) / math.log(loss)))
    return n if loss**n <= alpha else n + 1


def alpha_per_train(error_rate: float, trains: int) -> float:
    """Return the share of a run's error rate that one of its trains may use (Bonferroni)."""
    return error_rate / max(trains, 1)


def alpha_at_look(alpha: float, look: int) -> float:
    """Return what of `alpha` may be spent at the n-th look (from 1) at a growing sample.

    alpha / (k (k + 1)) sums to alpha over all k, so that no number of further rounds exceeds it.
    """
    return alpha / (look * (look + 1))


def at_most(k: int, n: int, p: float) -> float:
    """Return P(X <= k) for X binomial of n trials with probability p."""
    if k >= n:
        return 1.0
    return _lower_tail(k, n, p) if k <= n * p else 1.0 - _lower_tail(n - k - 1, n, 1 - p)


def at_least(k: int, n: int, p: float) -> float:
    """Return P(X >= k) for X binomial of n trials with probability p."""
    return 1.0 if k <= 0 else at_most(n - k, n, 1 - p)


def upper_bound(k: int, n: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper bound of a proportion seen as k of n."""
    return 1.0 if k >= n else _bisect(lambda p: at_most(k, n, p) > 1 - confidence)


@lru_cache(maxsize=65536)
def surely_above(share: float, k: int, n: int, confidence: float = 0.95) -> bool:
    """Say whether a proportion seen as k of n is above `share`, by its exact one-sided lower bound."""
    return at_least(k, n, share) < 1 - confidence


@lru_cache(maxsize=65536)
def fisher(lost: int, sent: int, control_lost: int, control_sent: int) -> float:
    """Return the one-sided p-value of "the train lost more than the control": Fisher's exact test.

    Integers throughout: the only rounding is that of the last division.
    """
    total_lost = lost + control_lost
    top = min(total_lost, sent)
    ways = sum(math.comb(sent, i) * math.comb(control_sent, total_lost - i) for i in range(lost, top + 1))
    return ways / math.comb(sent + control_sent, total_lost)


@lru_cache(maxsize=65536)
def all_lost_by_chance(n: int, control_lost: int, control_sent: int) -> float:
    """Return the greatest probability that n probes are all lost *and* the control loses as little as it did.

    The maximum is over every loss probability that both could share: max over p of p^n * P(X <=
    control_lost). That is the exact unconditional test of "none of n arrived" against the control; it needs
    fewer probes than an upper confidence bound of the control's loss put into p^n, since the loss that
    explains the one is refuted by the other.
    """

    def chance(p: float) -> float:
        return p**n * at_most(control_lost, control_sent, p)

    # Both factors are log-concave in p (integrals of a beta density), so the product has one maximum.
    low, high = 0.0, 1.0
    for _ in range(64):
        third = (high - low) / 3
        if chance(low + third) < chance(high - third):
            low += third
        else:
            high -= third
    return chance((low + high) / 2)


def all_lost_refutes(n: int, control_lost: int, control_sent: int, alpha: float, look: int) -> bool:
    """Say whether n lost in a row, and none arrived, cannot be loss such as the control's, at this look.

    The floor needs no spending over looks: at a known loss, "called at any look" is the one event "the first
    n were lost".
    """
    if n <= 0 or LOSS_FLOOR**n > alpha:
        return False
    return all_lost_by_chance(n, control_lost, control_sent) <= alpha_at_look(alpha, look)


def clearly_more(lost: int, sent: int, control_lost: int, control_sent: int, alpha: float, look: int) -> bool:
    """Say whether `lost` of `sent` is clearly more than the control's loss (and than the floor), at this look."""
    level = alpha_at_look(alpha, look)
    if lost <= 0 or at_least(lost, sent, LOSS_FLOOR) > level:
        return False
    return fisher(lost, sent, control_lost, control_sent) <= level


def _lower_tail(k: int, n: int, p: float) -> float:
    """P(X <= k) for k up to the mean: from there down each term is smaller than the one before."""
    if k < 0 or p >= 1:
        return 0.0
    if p <= 0:
        return 1.0
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = math.exp(log + k * math.log(p) + (n - k) * math.log1p(-p))
    total, odds = term, (1 - p) / p
    for i in range(k, 0, -1):
        term *= i / (n - i + 1) * odds
        total += term
        if term < total * 1e-17:
            break
    return total


def _bisect(below: Callable[[float], bool]) -> float:
    """Return where `below` turns from true to false in [0, 1]."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2
