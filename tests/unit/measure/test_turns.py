"""Whose turn it is: forward of a number first, in every form, and its climb; then reverse. Other numbers don't wait."""

from __future__ import annotations

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.path.traffic import Traffic
from pytest_hdp.measure.path.waiting import Beside
from pytest_hdp.measure.schedule.turns import Turns

FORWARD, REVERSE = Direction.FORWARD, Direction.REVERSE
GRE, GRE_BACK = Train(47), Train(47, REVERSE)
GRE_WELL = Train(47, FORWARD, Form.WELLFORMED)
ESP_BACK = Train(50, REVERSE)


def test_reverse_waits_for_every_form_of_its_number_and_for_no_other():
    over = set()
    turns = Turns((GRE, GRE_WELL, Train(50), GRE_BACK, ESP_BACK), over.__contains__)
    assert turns.may_go(GRE)
    assert not turns.may_go(GRE_BACK)
    over.add(GRE)
    assert not turns.may_go(GRE_BACK)
    over.add(GRE_WELL)
    assert turns.may_go(GRE_BACK)
    assert not turns.may_go(ESP_BACK)


def test_a_number_that_8_bits_do_not_hold_is_the_one_that_they_do():
    assert not Turns((Train(256 + 47), GRE_BACK), lambda _: False).may_go(GRE_BACK)


def test_nothing_is_waited_for_where_nobody_asks_for_forward():
    assert Turns((GRE_BACK,), lambda _: False).may_go(GRE_BACK)


def test_rounds_are_counted_by_train():
    turns = Turns((GRE, GRE_BACK), lambda _: True)
    turns.take([GRE], 0)
    turns.take([GRE], 3)
    turns.take([GRE_BACK], 4)
    assert (turns.rounds(GRE), turns.rounds_before(GRE, 3), turns.last_before(GRE_BACK)) == (2, 1, 3)
    assert turns.last_before(GRE) == -1


def test_traffic_tells_an_answer_from_a_fresh_packet():
    traffic = Traffic()
    traffic.note(REVERSE, 256 + 47)
    assert traffic.solicits(GRE)
    assert not traffic.solicits(GRE_BACK)
    assert not traffic.solicits(Train(50))


def test_what_is_done_beside_starts_at_once_and_is_waited_for():
    done = []
    beside = Beside()

    def aside():
        done.append("aside begins")
        yield 5.0
        done.append("aside ends")

    def main():
        beside.start(aside())
        yield 9.0
        done.append("main ends")

    work = beside.all_of(main())
    assert next(work) == 5.0  # not 9.0: the first of both is due then
    assert done == ["aside begins"]
    assert list(work) == []
    assert done == ["aside begins", "main ends", "aside ends"]
