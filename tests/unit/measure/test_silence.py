"""Which silences prove something: loss is estimated from what would have counted if it had been lost."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pytest_hdp.judge.evidence import IcmpReport, RoundControl, Train
from pytest_hdp.measure import plan
from pytest_hdp.measure.ledger.probes import SentProbe
from pytest_hdp.measure.schedule.references import References
from pytest_hdp.measure.schedule.silence import confirmed_rounds, lost_of, proven, unanswered_of
from pytest_hdp.measure.schedule.speakers import Speakers

KNOWN, OTHER, SILENT = Train(253), Train(47), Train(6)
PLAN = plan.Plan(tuple(map(Train, range(256))), plan.AGENTLESS)


def asked(*trains: tuple[Train, bool]) -> list[SentProbe]:
    report = IcmpReport(0, "198.51.100.2", 3, 2, authenticated=True)
    return [SentProbe(n, n, train, b"", icmp=[report] * answered) for n, (train, answered) in enumerate(trains)]


def test_what_was_not_answered_counts_as_lost_if_it_is_answered_at_times():
    step = asked((SILENT, False), (KNOWN, False), (OTHER, True), (KNOWN, True))
    assert unanswered_of([(step, True)], {KNOWN, OTHER}) == (1, 3)
    assert unanswered_of([(step, False)], {KNOWN, OTHER}) == (1, 1)
    assert unanswered_of([(step, False)], {OTHER}) == (0, 1)
    assert unanswered_of([(step, True)], set()) == (0, 0)
    assert unanswered_of([(step, True), (step, False)], {KNOWN, OTHER}) == (2, 4)


def answered(code: int, source: str = "198.51.100.2", ttl: int = 61) -> SentProbe:
    return SentProbe(0, 0, KNOWN, b"", icmp=[IcmpReport(0, source, 3, code, authenticated=True, ttl=ttl)])


@pytest.mark.parametrize(
    ("trains", "known"),
    [
        ({}, None),
        ({Train(89): [answered(3)], Train(200): [SentProbe(0, 0, KNOWN, b"")]}, None),
        ({Train(200): [answered(3, "192.0.2.1")]}, None),
        ({Train(200): [answered(3)]}, True),
        ({Train(253): [answered(2)]}, False),
        ({Train(253): [answered(2, ttl=63)]}, None),  # somebody before it, in its name
        ({Train(253): [answered(2, ttl=63)], Train(200): [answered(3)]}, True),
        ({Train(253): [answered(2)], Train(200): [answered(3)]}, False),
    ],
)
def test_the_word_of_numbers_that_no_kernel_handles_is_the_firewalls(trains, known):
    assert References(Speakers("198.51.100.2", frozenset({61})), trains).firewall_says_port is known


def test_where_half_of_the_answers_are_lost_five_silences_prove_nothing():
    """Of 256 numbers that are answered, eight would be silent five times in a row."""
    half = [(asked((KNOWN, number % 2 == 0)), False) for number in range(200)]
    none = [(asked((KNOWN, True)), False) for number in range(200)]
    assert proven(5, unanswered_of(none, {KNOWN}), PLAN)
    assert not proven(20, unanswered_of(half, {KNOWN}), PLAN)
    assert proven(45, unanswered_of(half, {KNOWN}), PLAN)
    assert not proven(5, (0, 0), PLAN)


def test_to_ask_again_after_each_silence_is_paid_for():
    """With half of all lost: a number is called silent wrongly, at any of the looks, no more often than it may be."""
    chance, wrong, runs = random.Random(1), 0.0, 200
    for _ in range(runs):
        lost, sent = sum(chance.random() < 0.5 for _ in range(60)), 60
        for silences in range(1, 60):
            sent, lost = sent + 1, lost + (chance.random() < 0.5)
            if proven(silences, (lost, sent), PLAN):
                wrong += 0.5**silences
                break
    assert wrong / runs < PLAN.error_rate / len(PLAN.trains)


@pytest.mark.parametrize("echoes", [True, False])
def test_an_answer_shows_that_the_path_was_there_and_hides_no_lost_echo(echoes):
    control = [RoundControl(number, 1, number % 2) for number in range(100)]
    seen = confirmed_rounds(control, range(50), echoes=echoes)
    assert all(each.delivered == 1 for each in seen[:50])
    if echoes:
        assert seen[50:] == tuple(control[50:])
        assert lost_of(seen) == (50, 125)
        assert seen[0] == replace(control[0], sent=2, delivered=1)
    else:
        assert all((each.sent, each.delivered) == (0, 0) for each in seen[50:])
