"""Loss that a limit shared by numbers makes: told by the order of sending, and by nothing that a number does itself."""

from __future__ import annotations

import itertools
import json
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_hdp.judge.crowd import (
    both,
    burst_of,
    closest_of,
    front_loaded,
    left_open,
    limit_text,
    lost_alone,
    passed_alone,
    rate_after_rest,
    rate_of,
    rates_while_spent,
    rounded_down,
    steady_rate,
)
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement, SharedLimit
from pytest_hdp.judge.verdict import Place, Verdict

V = Verdict
LIMIT = SharedLimit(9.87, 5, 0.127, "2-5,47", 11.2)
SPACING, ONE = 0.02, 50e-6  # seconds between two rounds, and two packets


class Bucket:
    """A token bucket."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst, self.tokens, self.at = rate, burst, burst, 0.0

    def takes(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def swept(numbers, rounds, passes, seed=1):
    """Rounds as a sweep sends them, shuffled. `passes`: whether a number's packet does at a time."""
    chance, now, found = random.Random(seed), 0.0, []
    for _ in range(rounds):
        order = chance.sample(range(numbers), numbers)
        came = []
        for number in order:
            came.append(passes(number, now))
            now += ONE
        found.append(came)
        now += SPACING
    return found


@pytest.mark.parametrize("rate", [2, 10, 50, 200, 1000])
@pytest.mark.parametrize("burst", [1, 5, 20, 100])
@pytest.mark.parametrize("numbers", [60, 253])
def test_a_shared_limit_stands_out(numbers, rate, burst):
    bucket = Bucket(rate, burst)
    chance, least = front_loaded(swept(numbers, 7, lambda _, now: bucket.takes(now)))
    few = rate * SPACING < 0.5 and burst == 1  # then little comes, and rests bring more
    assert chance <= (0.1 if few else 1e-6)
    assert least <= chance


@pytest.mark.parametrize("rate", [2, 10, 30])
@pytest.mark.parametrize("burst", [1, 2, 5])
@pytest.mark.parametrize("numbers", [8, 60, 253])
def test_a_limit_of_each_number_does_not(numbers, rate, burst):
    buckets = [Bucket(rate, burst) for _ in range(numbers)]
    chance, _ = front_loaded(swept(numbers, 20, lambda number, now: buckets[number].takes(now)))
    assert chance > 0.05


def test_nor_does_chance_nor_a_first_packet_that_passes_nor_what_is_dropped():
    for seed in range(50):
        dice = random.Random(seed)
        share = dice.choice((0.02, 0.3, 0.5, 0.9))
        assert front_loaded(swept(40, 20, lambda *_, d=dice, p=share: d.random() < p, seed))[0] > 1e-3
    seen: set[int] = set()
    first = swept(40, 7, lambda number, _: number not in seen and not seen.add(number))
    assert front_loaded(first) == (1.0, 1.0)  # the order tells nothing, and that is told
    assert front_loaded([]) == (1.0, 1.0)
    assert front_loaded(swept(40, 7, lambda number, _: number < 7))[0] > 0.01


def test_the_chance_is_exact():
    """Over all orders of two rounds: no level is undershot more often than it says."""
    rounds = [(1, 1, 0, 0, 0), (1, 1, 0)]
    orders = [sorted(set(itertools.permutations(each))) for each in rounds]
    chances = [front_loaded(pair)[0] for pair in itertools.product(*orders)]
    for level in sorted(set(chances)):
        assert Fraction(sum(each <= level + 1e-12 for each in chances), len(chances)) <= Fraction(level) + Fraction(
            1, 10**9
        )
    assert min(chances) < 0.15


@given(st.lists(st.lists(st.booleans(), max_size=30), max_size=40))
@settings(max_examples=4 * settings.default.max_examples)
def test_it_is_a_probability_whatever_came(rounds):
    chance, least = front_loaded(rounds)
    assert 0 <= least <= 1
    assert least <= chance + 1e-12
    assert chance <= 1


@given(st.floats(1e-300, 1), st.floats(1e-300, 1))
def test_two_tests_together_are_one(first, second):
    assert min(first, second) ** 2 <= both(first, second) <= 1
    assert both(first, 1.0) >= first
    assert both(0.0, second) == 0


@pytest.mark.parametrize(("rate", "burst"), [(5, 5), (50, 1), (200, 20), (2000, 50)])
def test_burst_and_rate_are_measured(rate, burst):
    bucket = Bucket(rate, burst)
    sent = [(at * ONE, bucket.takes(at * ONE)) for at in range(40_000)]
    assert burst <= burst_of(came for _, came in sent) <= burst + burst * rate * ONE + 1
    assert 0.7 * rate <= rate_of(sent) <= 1.001 * rate


def test_of_too_short_a_time_no_rate_is_told():
    assert rate_of([]) == 0
    assert rate_of([(0.0, True), (0.1, True)]) == 0
    assert rate_of([(0.0, False), (0.0001, True), (0.0002, True), (0.0003, False)]) == 0


@given(
    st.floats(1, 5000),
    st.integers(1, 60),
    st.floats(0.4, 40),
    st.lists(st.tuples(st.floats(0.3, 1.7), st.booleans()), min_size=20, max_size=100),
    st.floats(0, 20),
)
@settings(max_examples=3 * settings.default.max_examples)
def test_no_rate_is_bounded_wrongly_however_thin_the_sender(rate, burst, over, packets, pause):
    """`over`: times the limit's rate that is sent; `packets`: how far apart, and whether the sender then pauses."""
    bucket, now, sent = Bucket(rate, burst), 0.0, []
    for apart, pauses in packets:
        now += apart / (over * rate) + (pause / rate if pauses and apart < 0.5 else 0)
        sent.append((now, bucket.takes(now)))
    least, most = rates_while_spent(sent, closest_of(sent))
    assert least <= rate * 1.0001
    assert most >= rate * 0.9999


@given(st.floats(0.5, 2000), st.integers(1, 5), st.sampled_from([8, 20, 40]), st.floats(0.1, 1.2), st.integers())
@settings(max_examples=4 * settings.default.max_examples)
def test_at_least_is_never_more_than_the_limit_s(rate, burst, many, rest, seed):
    """What a sweep, a rest and packets sent evenly tell of it; what was saved up before a rest is no rate."""
    bucket, now, chance = Bucket(rate, burst), 0.0, random.Random(seed)

    def sent(count, apart):
        nonlocal now
        found = []
        for _ in range(count):
            found.append((now, bucket.takes(now)))
            now += apart * (0.5 + chance.random())
        return found

    sweep = sent(7 * many, chance.choice([ONE, 1 / 200, 0.02]))
    now += rest
    after = sent(many, ONE)
    least = [rate_after_rest(sweep, after, rest), rates_while_spent(sweep + after, closest_of(sweep + after))[0]]
    least += [steady_rate(sent(int(times * 4) + 4, 1 / (times * 4))) for times in (1.0, rate, 2 * rate)]
    assert max(least) <= rate * 1.0001
    assert rounded_down(max(least), 2) <= rate * 1.0001


@pytest.mark.parametrize(
    ("last", "came", "rate"),
    [(False, 1, 0.0), (False, 2, 1 / 1.01), (False, 5, 4 / 1.04), (True, 5, 0.0)],
    ids=["one saved up", "one earned", "four earned", "nobody knows how many were saved up"],
)
def test_what_comes_after_a_rest_tells_what_was_earned(last, came, rate):
    after = [(1.0 + at / 100, at < came) for at in range(10)]
    assert rate_after_rest([(-0.5, False), (0.0, last)], after, 1.0) == pytest.approx(rate)
    assert rate_after_rest([], after, 1.0) == 0


@given(st.floats(1e-3, 1e6), st.integers(2, 3))
def test_to_round_down_is_never_more_and_hardly_less(value, digits):
    assert value * (1 - 1.001 * 10 ** (1 - digits)) <= rounded_down(value, digits) <= value


@pytest.mark.parametrize(("rate", "burst"), [(5, 5), (50, 1), (200, 20), (2000, 50)])
def test_of_a_dense_crowd_the_rate_is_known_even_if_the_sender_pauses(rate, burst):
    bucket, now, sent = Bucket(rate, burst), 0.0, []
    for number in range(800):
        now += 0.1 / rate + (5 * burst / rate if number == 100 else 0)
        sent.append((now, bucket.takes(now)))
    least, most = rates_while_spent(sent, closest_of(sent))
    assert 0.9 * rate <= least <= rate * 1.0001
    assert rate * 0.9999 <= most <= 1.15 * rate
    assert rate_of(sent) < least or burst == 1, "the pause made it look slower"


def judged(verdict, **more):
    counts = {"sent": 23, "left": 23, "arrived": 8, "delivered": 8} | more
    return Judgement(Train(47), verdict, Place.PATH, "47 (gre), forward: as it was.", True, bound="b", **counts)


def test_what_passed_alone_says_how_and_what_was_lost():
    alone = judged(V.DELIVERED, sent=7, left=7, arrived=7, delivered=7)
    found = passed_alone(judged(V.LOSSY), alone, LIMIT, 5, 7)
    assert (found.verdict, found.sent, found.delivered, found.bound) == (V.DELIVERED, 23, 8, None)
    assert found.shared_limit == LIMIT
    assert found.explanation == (
        "47 (gre), forward: 7 sent at a pace of 7.9 a second came as sent; 15 of all 23 were lost, "
        "while the sweep sent faster: 5 numbers share a limit of about 9.9 packets a second, burst 5."
    )


@pytest.mark.parametrize(
    ("verdict", "counts"),
    [(V.DELIVERED, {"arrived": 7, "delivered": 6}), (V.REACHED, {"arrived": 6, "delivered": 0})],
)
def test_what_was_lost_at_the_limits_pace_is_told_as_lost(verdict, counts):
    alone = judged(verdict, sent=7, left=7, **counts)
    found = passed_alone(judged(V.LOSSY), alone, LIMIT, 5, 7)
    assert "6 of 7 sent at a pace of 7.9 a second came as sent; " in found.explanation
    assert "15 of all 23 were lost, 14 of them while the sweep sent faster: " in found.explanation


def test_what_nobody_had_time_to_ask_is_open_and_says_what_to_do():
    found = left_open(judged(V.FIRST_ONLY), LIMIT, 5)
    assert (found.verdict, found.place, found.bound, found.shared_limit) == (V.INCONCLUSIVE, Place.UNKNOWN, None, LIMIT)
    assert "a limit shared by numbers" in found.explanation
    assert "--hdp-rate=7" in found.explanation
    slow = SharedLimit(0.4, 1, None, "47")
    assert "--hdp-rate" not in left_open(judged(V.LOST), slow, 1).explanation
    assert limit_text(slow, 1) == "1 number shares a limit of at least 0.4 packets a second, burst 1"


@pytest.mark.parametrize(
    ("rate", "most", "said"),
    [
        (9.87, 11.2, "about 9.9 packets a second"),
        (9.87, 15.0, "at least 9.8 packets a second"),  # it may be half as much again
        (9.87, None, "at least 9.8 packets a second"),  # as in results of older versions
        (9.96, None, "at least 9.9 packets a second"),
        (1999.0, None, "at least 1900 packets a second"),
        (0.0, 0.9, "less than one packet a second"),
        (0.4, 0.9, "less than one packet a second"),
        (0.4, 5.0, "at least 0.4 packets a second"),
        (0.0, None, "an unknown rate"),
    ],
)
def test_a_rate_is_told_as_what_it_is_known_to_be(rate, most, said):
    assert limit_text(SharedLimit(rate, 5, None, "47", most), 2) == f"2 numbers share a limit of {said}, burst 5"


def test_what_is_lost_alone_too_stays_so():
    found = lost_alone(judged(V.LOST, arrived=0, delivered=0), LIMIT, 7)
    assert (found.verdict, found.bound, found.shared_limit) == (V.LOST, "b", None)
    assert "nor did any of 7" in found.explanation
    json.dumps(found.explanation)
