"""A limit that numbers share, on the way to a target that nobody watches: whose silence is the limit's."""

from __future__ import annotations

import pytest
from sim import check, world
from sim.blueprint import Blueprint, plain
from sim.elements import NumberFilter, SharedLimit
from sim.finding import measured
from sim.network import FORWARD
from small_worlds import MS

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Verdict

NUMBERS = tuple(range(150, 180))
LIVING = (163, 164)


def unwatched(each: int, burst: int) -> world.World:
    """A world with such a limit, behind which a filter drops all but two numbers, and what those are held against."""
    print_: Blueprint = plain(7, agent=False)
    print_.trains = tuple(Train(number) for number in NUMBERS)
    print_.routers[0].rules.append(SharedLimit(each, burst))
    print_.routers[-1].rules.append(NumberFilter(frozenset(NUMBERS) - set(LIVING), frozenset({FORWARD})))
    print_.excuses.add("shared limit")
    made = world.build(print_, (), trace=False, ties=None)
    made.run()
    return made


@pytest.mark.night
def test_two_that_pass_alone_among_many_that_never_do_are_not_called_silent() -> None:
    """Each of the others spends the limit for them, and what is asked after a pause is answered all the same."""
    made = unwatched(100 * MS, 1)
    assert not check.wrong(made)
    assert all(made.judgements[Train(number)].verdict is Verdict.REACHED for number in LIVING)
    silent = [train.protocol for train in made.blueprint.trains if made.judgements[train].verdict is Verdict.SILENT]
    assert len(silent) == len(NUMBERS) - len(LIVING), "a rest proves their silence"


def test_where_no_silence_ever_counts_nobody_is_asked_for_ten_minutes() -> None:
    """Somebody sends probes in our name, and spends what the target could answer ours with."""
    made, outcome = measured(91003850, ["forged-probes", "handles-more"])
    assert not outcome.found
    assert Verdict.INCONCLUSIVE in {each.verdict for each in made.judgements.values()}
    assert made.clock.monotonic() < 90
