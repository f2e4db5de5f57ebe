"""The pace of a simulated target is found from answers and misses alone, and kept; nothing here waits."""

import math
from itertools import zip_longest

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_hdp.measure.schedule.icmp_budget import HOARD, NEAR, Budget, Sent, certainly_there


class Bucket:
    """A token bucket as Linux has it: one error in `each` seconds, six saved up at most; empty at 0."""

    def __init__(self, each: float, tokens: float = 0.0) -> None:
        self.each, self.tokens, self.at = each, tokens, 0.0

    def ask(self, at: float) -> bool:
        self.tokens = min(6.0, self.tokens + (at - self.at) / self.each)
        self.at = at
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class RejectingRouter(Bucket):
    """A Linux router that rejects by its routes: an error is paid for twice, and the first time even if it isn't sent.

    ip_error() in net/ipv4/route.c, and then icmp_send().
    """

    def ask(self, at: float) -> bool:
        return super().ask(at) and super().ask(at)


def sweep(bucket: Bucket, numbers: int, trip: float = 0.02, budget: Budget | None = None) -> tuple[float, Budget]:
    """Ask until so many were answered. Returns when that was, and what was found out."""
    budget = budget or Budget(0.0)
    now, doubted, left = 0.0, None, numbers
    while left:
        now = max(now, budget.ready(careful=doubted is not None))
        budget.credit(now)
        answered = bucket.ask(now)
        if answered:
            if doubted is not None:
                budget.miss(doubted)
            budget.answer(now)
            left, doubted = left - 1, None
        elif doubted is None and budget.most is not None and not budget.sure:
            doubted = now
        else:
            budget.miss(now)
            doubted = None
        now += trip
        assert now < 100_000
    return now, budget


@pytest.mark.parametrize("each", [0.005, 0.02, 0.1, 0.5, 1.0, 1.7, 4.0])
def test_any_pace_is_found_and_hardly_anything_wasted(each):
    took, budget = sweep(Bucket(each), 250)
    assert took <= max(250 * each * 1.06 + 1, 250 * 0.02 * 1.2)
    if each >= 0.1:
        assert budget.most == pytest.approx(each, rel=0.05)


@pytest.mark.parametrize("earned", [0.0, 0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("each", [1.0, 2.0])
def test_what_was_nearly_earned_when_the_count_began_fools_nobody_for_long(each, earned):
    """A step with silent numbers takes a tenth of a second: the first answer comes in no time, the next ones do not."""
    bucket, budget, now, careful, steps = Bucket(each, earned), Budget(0.0), 0.0, False, 0
    while budget.bound > 1.4 * each:
        now, steps = max(now, budget.ready(careful=careful)), steps + 1
        careful = not bucket.ask(now)
        (budget.miss if careful else budget.answer)(now)
        now += 0.1
    assert steps <= 25
    assert budget.most == pytest.approx(each, rel=0.05)


def test_a_target_that_becomes_slower_is_followed():
    bucket = Bucket(0.2)
    took, budget = sweep(bucket, 50)
    bucket.each, bucket.tokens, bucket.at = 1.0, 0.0, 0.0
    budget.since -= took
    slower, _ = sweep(bucket, 100, budget=budget)
    assert 99 < slower < 100 * 1.25 + 10


def test_a_lost_answer_costs_about_one():
    bucket = Bucket(1.0)
    _, budget = sweep(bucket, 20)
    at = budget.ready(careful=True)
    assert bucket.ask(at)  # answered, and the answer is lost
    assert not bucket.ask(at + 0.1)
    budget.miss(at + 0.1)
    assert budget.ready(careful=True) - at < 1.3


def test_what_was_not_asked_for_in_time_is_not_counted_on():
    budget = Budget(0.0)
    for second in range(1, 11):
        budget.answer(float(second))
    budget.miss(10.95)
    assert budget.sure
    assert budget.credit(10.5) == 1
    assert budget.credit(12.5) == 2
    assert budget.credit(1000.0) == HOARD


def test_before_anything_was_answered_the_waits_grow():
    budget = Budget(0.0)
    waits = []
    for _ in range(50):
        waits.append(budget.ready(careful=False))
        budget.miss(waits[-1])
    assert waits == sorted(waits)
    assert waits[0] < 0.05
    assert waits[-1] > 3


SHORT = st.floats(0.0, 0.01)
TIMES = st.one_of(SHORT, st.floats(0.0, 3.0))
QUESTIONS = st.lists(st.tuples(TIMES, SHORT, SHORT), min_size=2, max_size=40)  # pause, then how long sending took


@given(st.one_of(st.floats(0.001, 0.2), st.floats(0.2, 5.0)), st.floats(0, 6), QUESTIONS)
@example(2.0, 0, [(3.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)])  # two at one instant
@example(0.1, 6, [*[(0.003, 0.0, 0.0)] * 12, (0.15, 0.0, 0.0)])  # sending stood still, and one was earned meanwhile
def test_an_error_that_is_said_to_have_been_there_was_there(each, tokens, questions):
    assert not wrongly_certain(Bucket(each, tokens), questions)


@given(st.floats(1.0, 5.0), st.floats(0, 6), QUESTIONS)
@example(1.0, 0, [(each, 0.0, 0.0) for each in (2.0, 1.5, 1.4, 1.0, 1.1, 2.0)])  # asked in vain again and again
def test_nor_of_one_that_is_paid_in_vain(each, tokens, questions):
    assert not wrongly_certain(RejectingRouter(each, tokens), questions, NEAR)


@given(st.floats(0.001, 5.0), st.floats(0, 6), QUESTIONS, st.lists(st.integers(0, 2), min_size=40, max_size=40))
@example(0.1, 0, [(1.0, 0.0, 0.0)] * 2 + [(0.15, 0.0, 0.0)], [0, 2, 0])  # alone for long, and what was earned taken
def test_what_others_were_answered_was_there_no_more(each, tokens, questions, theirs):
    """As many others as that ask right before each question, of the same budget."""
    assert not wrongly_certain(Bucket(each, tokens), questions, theirs=theirs)


def wrongly_certain(bucket, questions, near=math.inf, theirs=()):
    """What was asked in vain, and is said not to have been."""
    now, answered, others, in_vain = 0.0, [], [], []
    for (pause, before, after), count in zip_longest(questions, theirs[: len(questions)], fillvalue=0):
        first = now + pause
        others += [Sent(first, first) for _ in range(count) if bucket.ask(first)]
        now = first + before + after
        said = bucket.ask(first + before)
        (answered if said else in_vain).append(Sent(first, now))
    return [sent for sent in in_vain if certainly_there(sent.first, answered, near=near, others=others)]


def test_a_silence_before_two_answers_in_a_row_is_the_numbers_own():
    answered = [Sent(0.0, 0.0), Sent(0.503, 0.503), Sent(0.506, 0.506)]
    assert certainly_there(0.5, answered)
    assert not certainly_there(0.5, answered[:2])
    assert certainly_there(0.5, answered[:2], earned_in=0.45)
    assert not certainly_there(0.5, answered[:2], earned_in=0.55)
    assert not certainly_there(0.5, answered[:1], earned_in=0.45)
    assert not certainly_there(0.5, [Sent(0.499, 0.499), *answered[1:]])


def test_what_may_have_overtaken_it_shows_nothing():
    """The way hangs on the number: what was sent 3 ms behind a slower one took the error that was there for both."""
    answered = [Sent(0.0, 0.02), Sent(1.203, 1.22), Sent(1.206, 1.23)]
    assert certainly_there(1.2, answered, earned_in=1.05)
    assert not certainly_there(1.2, answered, earned_in=1.05, apart=0.05)
    assert certainly_there(1.15, answered, earned_in=1.05, apart=0.05)


def test_an_error_was_sent_when_its_answer_had_come_at_the_latest():
    """Probe and answer may be long on their way, and the longest of them need not be the last."""
    assert not certainly_there(1.2, [Sent(0.0, 0.3), Sent(1.3, 1.4)], earned_in=1.05)
    assert not certainly_there(1.2, [Sent(0.0, 0.3), Sent(0.1, 0.12), Sent(1.3, 1.4)], earned_in=1.05)
    behind = [Sent(1.3, 2.5), Sent(1.31, 1.4)]
    assert certainly_there(1.2, [Sent(0.0, 0.1), *behind[1:], behind[1]])
    assert not certainly_there(1.2, [Sent(0.0, 0.1), *behind])
    budget = Budget(0.0)
    budget.answer(0.5, 0.7)
    assert (budget.last, budget.bound) == (0.7, math.inf)
    budget.answer(1.5, 1.8)
    assert budget.bound == 1.8


@given(st.floats(0.01, 3.0), st.lists(TIMES, min_size=5, max_size=60), st.data())
def test_the_bound_is_never_less_than_what_an_error_takes(each, pauses, data):
    bucket, now, budget = Bucket(each, data.draw(st.floats(0, 0.999))), 0.0, Budget(0.0)
    answered, in_vain = [], []
    for pause in pauses:
        now += pause
        said = bucket.ask(now)
        (budget.answer if said else budget.miss)(now)
        (answered if said else in_vain).append(Sent(now, now))
        assert budget.bound >= each * 0.999_999
        assert not [sent for sent in in_vain if certainly_there(sent.first, answered, budget.earned_in)]


def test_the_bound_comes_close_soon():
    _, budget = sweep(Bucket(1.0), 6)
    assert budget.bound < 1.25
    assert budget.trusted_from < budget.last + 1.4


def test_before_a_second_answer_no_silence_is_trusted():
    budget = Budget(0.0)
    budget.answer(0.5)
    assert budget.trusted_from == math.inf
