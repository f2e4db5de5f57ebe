"""Finding what a target that nobody watches is known to answer: every silence is held against that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Form
from pytest_hdp.measure.control.control import MEETING
from pytest_hdp.measure.path.waiting import Waiting, pause
from pytest_hdp.measure.schedule.asking import LONGEST_WAIT
from pytest_hdp.measure.schedule.references import REFERENCES, REST

if TYPE_CHECKING:
    import random

    from pytest_hdp.measure.schedule.asking import Asking

# in turn, until one is answered; UDP to a port that nobody has is for paths that let only the usual through
CALIBRATORS = ((Train(253), Train(254)), (Train(200),), (Train(17, form=Form.WELLFORMED),))
USED_UP = 120.0  # seconds after another run in which the target may not have saved up errors again
LONGEST_WAIT_FOR_IT = 30.0  # seconds that the first of them is waited for then
LEISURE = 1.0  # seconds between tries, at most


def find_calibrator(asking: Asking, chance: random.Random) -> Waiting[None]:
    """Find something that the target answers for, to hold every silence against."""
    for trains in CALIBRATORS:
        if asking.reference_probe is None:
            yield from asking.ask_together(trains)
    if asking.know.plan.earlier is not None and asking.know.plan.earlier < USED_UP:
        yield from _wait_for_the_target(asking, chance)


def _wait_for_the_target(asking: Asking, chance: random.Random) -> Waiting[None]:
    """Another run was at work a moment ago, or still is: the target may have no error left, and earns the next.

    One that answers no echo either is not there, and is not waited for.
    """
    clock = asking.know.clock
    there = any(each.came for each in asking.know.control.of_round(MEETING))
    until = clock.monotonic() + LONGEST_WAIT_FOR_IT
    while there and asking.reference_probe is None and clock.monotonic() < until:
        yield from pause(clock, chance.uniform(0.5, 1.0) * LEISURE)
        yield from asking.ask_together(CALIBRATORS[0][:1])


def ask_references(asking: Asking) -> Waiting[None]:
    """Ask for numbers that no kernel handles, where it hangs on these what an answer means."""
    tries = 0
    while asking.references.to_ask(tries):
        tries += 1
        rest = asking.budget.earned_in if asking.budget is not None else REST
        yield from pause(asking.know.clock, min(LONGEST_WAIT, max(REST, rest)))
        yield from asking.ask_together(REFERENCES)
