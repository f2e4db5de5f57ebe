"""Whether silent numbers spend a limit for each other, where nobody watches the target."""

from __future__ import annotations

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Form
from pytest_hdp.measure.schedule.crowding import Crowding

ENOUGH = 5
REFERENCE, DATAGRAM = Train(253), Train(17, form=Form.WELLFORMED)
SILENT = (Train(47), Train(50), Train(51))


def crowding_of(*passed: bool) -> Crowding:
    crowding = Crowding(ENOUGH)
    for each in passed:
        crowding.test(passed=each)
    return crowding


def test_no_silence_among_others_is_believed_before_something_came_through_there() -> None:
    assert not crowding_of(*[True] * (ENOUGH - 1)).believes(SILENT[0], REFERENCE)
    assert crowding_of(*[True] * ENOUGH).believes(SILENT[0], REFERENCE)


def test_what_was_silent_as_the_first_of_its_step_is_believed_by_itself() -> None:
    crowding = crowding_of()
    crowding.firsts[SILENT[0]] = ENOUGH
    assert [crowding.believes(each, REFERENCE) for each in SILENT] == [True, False, False]


@pytest.mark.parametrize(
    ("lost", "came", "path", "suspected"),
    [
        (0, 7, (0, 100), False),
        (3, 4, (0, 100), True),
        (3, 4, (40, 100), False),  # as much as the path loses of everything
        (1, 6, (5, 100), False),
    ],
)
def test_a_limit_is_suspected_where_more_is_lost_among_others_than_of_echoes(lost, came, path, suspected) -> None:
    crowding = crowding_of(*[True] * came, *[False] * lost)
    assert crowding.suspect(*path) is suspected
    assert crowding.has_losses is (lost > 0 and not suspected)


def test_numbers_that_were_silent_among_others_and_are_answered_tell_of_it_too() -> None:
    crowding = Crowding(ENOUGH)
    for _ in range(ENOUGH):
        crowding.take(lost=1, came=1)
    assert not crowding.believes(SILENT[0], REFERENCE), "they are no test of what is silent"
    assert crowding.suspect(0, 100)


def test_it_is_tested_every_other_time_and_no_more_than_needed() -> None:
    crowding = Crowding(ENOUGH)
    due = [crowding.is_due(SILENT, REFERENCE) for _ in range(1000)]
    assert due[:4] == [True, False, True, False]
    assert ENOUGH < sum(due) < 1000 // 4, "one that tells nothing is not tried for ever"
    assert not crowding_of(*[True] * ENOUGH).is_due(SILENT, REFERENCE)
    crowding = crowding_of(False, False, False)
    assert crowding.suspect(0, 1000)
    assert not crowding.is_due(SILENT, REFERENCE)


def test_nothing_is_tested_without_a_crowd_or_by_what_no_such_limit_is_for() -> None:
    crowding = Crowding(ENOUGH)
    assert not crowding.is_due(SILENT[:1], REFERENCE)
    assert not crowding.is_due(SILENT, None)
    assert not crowding.is_due(SILENT, DATAGRAM)
    assert crowding.believes(SILENT[0], DATAGRAM)
