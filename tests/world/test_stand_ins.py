"""What stands in for a control of which nothing comes through: chosen by what was, and counted by what came after."""

from __future__ import annotations

from collections import Counter

import pytest
from sim import check, world
from sim.blueprint import Blueprint, plain
from sim.elements import Limit, NumberFilter, independent
from sim.families.registry import own

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.measure.control.counting import rounds
from pytest_hdp.measure.plan import LAB

EITHER = frozenset({1, -1})
NUMBERS = (6, 47, 50, 132, 253)
CONTROL = LAB.control


def measured(numbers: tuple[int, ...], *rules: NumberFilter | Limit, loss: float = 0.0, seed: int = 5) -> world.World:
    """A path of one way, measured, with rules on its first router."""
    print_: Blueprint = plain(seed, agent=True)
    print_.trains = tuple(sorted(Train(number) for number in numbers))
    print_.pace = LAB
    print_.routers[0].rules.extend(rules)
    if loss:
        print_.links[0].loss = independent(own(print_), loss)
        print_.loss = loss
    made = world.build(print_, (), trace=False, ties=None)
    made.run()
    wrong = [each for each in check.wrong(made) if "hop" not in each]  # at such loss silence places nothing
    assert not wrong
    return made


def stand_ins(made: world.World) -> dict[Train, Counter[int]]:
    """How many packets stood in, by train and round."""
    found: dict[Train, Counter[int]] = {}
    for entry in made.measurement.know.control.entries.values():
        if entry.stand_in is not None:
            found.setdefault(entry.stand_in, Counter())[entry.round] += 1
    return found


def test_one_stands_in_after_the_rounds_for_everyone_as_often_as_the_control() -> None:
    made = measured(NUMBERS, NumberFilter(frozenset({6, 132}), EITHER, only=True))
    (sent,) = stand_ins(made).values()
    assert min(sent) == LAB.rounds, "what came before it was chosen does not count"
    assert set(sent.values()) == {CONTROL}
    (chosen,) = stand_ins(made)
    lost = made.judgements[Train(253)]
    assert lost.verdict is Verdict.LOST
    assert lost.control_sent == lost.control_delivered == sent.total()
    assert made.judgements[chosen].verdict is Verdict.DELIVERED


def test_what_stands_in_is_not_its_own_control() -> None:
    made = measured(NUMBERS, NumberFilter(frozenset({6, 132}), EITHER, only=True), loss=0.3)
    know = made.measurement.know
    first = know.stand_ins.first(Direction.FORWARD)
    assert first is not None
    for train in made.judgements:
        beside = know.stand_ins.chosen_for(train)
        assert beside is None or beside.train != train
    counted = rounds(know.control, Direction.FORWARD, {}, first, LAB.rounds)
    assert made.judgements[Train(253)].control_sent == sum(each.sent for each in counted)


def test_the_only_one_that_comes_through_has_no_control_and_is_one() -> None:
    made = measured((47, 50, 253), NumberFilter(frozenset({47}), EITHER, only=True), loss=0.4, seed=9)
    know = made.measurement.know
    assert know.stand_ins.chosen_for(Train(47)) is None
    assert know.stand_ins.chosen_for(Train(253)) is not None
    assert made.judgements[Train(253)].verdict is Verdict.LOST


def test_where_nothing_of_the_plan_comes_through_other_numbers_are_tried() -> None:
    made = measured((50, 253), NumberFilter(frozenset({132}), EITHER, only=True))
    assert made.judgements[Train(253)].verdict is Verdict.LOST
    assert "(packets of 132 (sctp)" in made.judgements[Train(253)].explanation
    assert {train.protocol for train in stand_ins(made)} > {132}


def test_where_nothing_at_all_comes_through_there_is_no_path() -> None:
    made = measured((50, 253), NumberFilter(frozenset({250}), EITHER, only=True))
    assert {each.verdict for each in made.judgements.values()} == {Verdict.INCONCLUSIVE}
    assert "none came through in any round" in made.judgements[Train(253)].explanation


def test_one_that_fails_is_replaced() -> None:
    some = NumberFilter(frozenset({6, 50, 89, 132}), EITHER, only=True)
    limit = Limit(frozenset({6, 50, 132}), 20_000_000, 7)  # as many as the rounds for everyone, and then few
    made = measured((6, 50, 89, 132, 253), some, limit)
    assert made.judgements[Train(253)].verdict is Verdict.LOST
    assert made.measurement.know.stand_ins.first(Direction.FORWARD) == Train(89)
    assert set(stand_ins(made)) == {Train(50), Train(132), Train(89)}


def test_one_that_fails_stands_in_no_more_where_nobody_else_is_known_yet() -> None:
    """Others are tried then, and one of them tells of the first one, too, which was its own only hope."""
    some = NumberFilter(frozenset({47, 253}), EITHER, only=True)
    made = measured((253,), some, Limit(frozenset({253}), 3_600_000_000_000, 1))
    assert made.judgements[Train(253)].verdict is Verdict.FIRST_ONLY
    assert "packets of 47 (gre)" in made.judgements[Train(253)].explanation


@pytest.mark.night(but=["0", "1"])
@pytest.mark.parametrize("seed", range(6))
def test_luck_at_half_the_packets_lost_tells_nothing(seed: int) -> None:
    """Of sixty trains one or two pass five of five. What is lost of the rest is no more than of what stands in."""
    numbers = tuple(number for number in range(60, 120) if number not in (1, 17))
    made = measured(numbers, NumberFilter(frozenset({1, 17}), EITHER), loss=0.5, seed=100 + seed)
    chosen = made.measurement.know.stand_ins.first(Direction.FORWARD)
    assert chosen is not None
    counted = rounds(made.measurement.know.control, Direction.FORWARD, {}, chosen, LAB.rounds)
    sent = sum(each.sent for each in counted)
    assert 0.3 * sent < sum(each.delivered for each in counted) < 0.7 * sent
    assert {each.verdict for each in made.judgements.values()} <= {Verdict.DELIVERED, Verdict.INCONCLUSIVE}
