"""Where routers choose one of several ways by what stands in a packet, a number takes the same one in every run."""

from __future__ import annotations

import pytest
from sim import check, world
from sim.blueprint import plain
from sim.families import FAMILIES

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import BOTH_FORMS, Verdict

WINDOW = 1 << 32  # ns in which the upper half of a timestamp stays as it is


def verdicts(seed: int, later: int) -> dict[Train, Verdict]:
    """What is said in a world of this seed that begins so much later, ns, by the wall clock."""
    print_ = plain(seed, agent=True)
    print_.trains = tuple(sorted(Train(number, form=form) for number in (50, 51, 253) for form in BOTH_FORMS))
    FAMILIES["dead-branch-by-spi"].add(print_)
    made = world.build(print_, ("dead-branch-by-spi",), trace=False, ties=None)
    made.clock.wall += later
    made.run()
    assert not check.wrong(made)
    return {train: each.verdict for train, each in made.judgements.items()}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ah_takes_the_same_way_at_any_time(seed: int) -> None:
    """The upper half of HDP's timestamp is where AH has its SPI, by which a router chooses."""
    found = [verdicts(seed, later * WINDOW) for later in range(12)]
    assert found == found[:1] * len(found)
    assert set(found[0].values()) <= {Verdict.DELIVERED, Verdict.LOST}


def test_each_way_is_taken_by_some() -> None:
    """So the test above can fail."""
    found = {verdicts(seed, 0)[Train(51)] for seed in range(12)}
    assert found == {Verdict.DELIVERED, Verdict.LOST}
