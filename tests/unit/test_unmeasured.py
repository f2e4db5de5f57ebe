"""Which paths could not be measured at all: the decision by itself."""

import pytest

from pytest_hdp.plugin.unmeasured import Sight, unmeasured


def train(path: str, *, measured: bool, why: str = "253: the control was lost too") -> Sight:
    return Sight(path, 1, measured, why)


def by_hand(path: str, *, measured: bool, why: str = "no route") -> Sight:
    return Sight(path, 0, measured, why)


def test_one_train_that_was_measured_is_enough():
    assert unmeasured([train("tokyo", measured=False), train("tokyo", measured=True)]) == ()


def test_a_path_that_no_test_was_about_is_not_missed():
    assert unmeasured([]) == ()


def test_trains_that_are_all_inconclusive_are_one_line_with_the_first_ones_reason():
    sights = [train("tokyo", measured=False, why="254: no answer"), train("tokyo", measured=False)]
    assert unmeasured(sights) == ("tokyo could not be measured: all of 2 trains are inconclusive; 254: no answer",)
    assert unmeasured(sights[:1]) == ("tokyo could not be measured: 254: no answer",)


def test_that_the_control_came_through_says_nothing_of_the_trains():
    sights = [by_hand("tokyo", measured=True), train("tokyo", measured=False)]
    assert unmeasured(sights) == ("tokyo could not be measured: 253: the control was lost too",)


def test_without_trains_what_tests_do_by_hand_decides():
    assert unmeasured([by_hand("tokyo", measured=False), by_hand("tokyo", measured=True)]) == ()
    assert unmeasured([by_hand("tokyo", measured=False)] * 2) == ("tokyo could not be measured: no route",)


def test_each_path_has_its_line_in_the_order_of_the_tests():
    sights = [by_hand("two", measured=False), train("three", measured=True), by_hand("one", measured=False)]
    assert unmeasured(sights) == ("two could not be measured: no route", "one could not be measured: no route")


def test_an_outage_in_one_direction_is_no_success():
    def some(count: int, course: str, *, measured: bool) -> list[Sight]:
        return [Sight("tokyo", 1, measured, "253: no control", course)] * count

    forward = some(9, "forward, bare", measured=True)
    (line,) = unmeasured(
        [*forward, *some(7, "reverse, bare", measured=False), *some(1, "reverse, bare", measured=True)]
    )
    assert line == ("tokyo could hardly be measured: 7 of 8 trains, reverse, bare, are inconclusive; 253: no control")
    few = [*some(4, "reverse, bare", measured=False), *some(4, "reverse, bare", measured=True)]
    assert unmeasured([*forward, *few]) == ()


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 of 1 train, reverse, bare, is"), (2, "2 of 2 trains, reverse, bare, are")]
)
def test_a_direction_of_which_nothing_is_known_is_no_success_however_few_its_trains(count: int, said: str):
    forward = [Sight("tokyo", 1, True, course="forward, bare")] * 9
    lost = [Sight("tokyo", 1, False, "253: no control", "reverse, bare")] * count
    (line,) = unmeasured([*forward, *lost])
    assert line == f"tokyo could hardly be measured: {said} inconclusive; 253: no control"
    assert unmeasured([*forward, *lost, Sight("tokyo", 1, True, course="reverse, bare")]) == ()


def test_of_what_is_needed_one_that_nothing_is_known_of_is_no_success():
    passed = [Sight("tokyo", 1, True, course="reverse, bare", needed=True)] * 9
    (line,) = unmeasured([*passed, Sight("tokyo", 1, False, "47: no control", "reverse, bare", needed=True)])
    assert line == "tokyo could hardly be measured: 1 of 10 trains, reverse, bare, is inconclusive; 47: no control"
