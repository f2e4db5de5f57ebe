"""Looking for the place where trains died, once it is known that they did."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Means
from pytest_hdp.measure.locate import Locator, ask_again
from pytest_hdp.measure.located import Kinds, in_turn, worth_locating

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.knowledge import Knowledge
    from pytest_hdp.measure.waiting import Waiting

LONGEST = 10.0  # seconds that are spent on it, unless all are asked for


def _translated(know: Knowledge, direction: Direction) -> bool:
    """Whether the receiver saw this direction's control come from another address than the sender has."""
    seen = know.control.source_seen.get(direction)
    return seen is not None and seen[0] != know.path.sender_end(direction).address


def find_places(know: Knowledge) -> Waiting[None]:
    """Find where the lost and rejected trains died, and settle them."""
    kinds, until = Kinds(), know.clock.monotonic() + LONGEST
    every = know.plan.locate == "all"
    while know.path.gone is None:
        worth = [each for each in know.to_locate.values() if worth_locating(each, know.plan.locate)]
        turns = in_turn(worth, kinds.group_of)
        chosen = [each for each in turns if kinds.wants(each, every=every, apart=True)]
        if not chosen or (know.clock.monotonic() > until and not every):
            break
        yield from _climb(know, kinds, chosen, math.inf if every else until)
    for judgement in list(know.to_locate.values()):
        hidden = _translated(know, judgement.train.direction)
        worth_saying = worth_locating(judgement, know.plan.locate)
        know.settle_all([kinds.stands_for(judgement, hidden=hidden) if worth_saying else judgement])


def _climb(know: Knowledge, kinds: Kinds, chosen: list[Judgement], until: float) -> Waiting[None]:
    """Let these climb, in each direction by themselves, and settle them."""
    climbs: list[tuple[Locator, list[Judgement]]] = []
    for direction in know.directions:
        mine = [each for each in chosen if each.train.direction is direction]
        if mine and know.path.gone is None:
            echo = know.control.means(direction) is Means.ECHOES
            locator = Locator(know.path, direction, know.content, echo=echo, until=until)
            climbs.append((locator, mine))
            know.searches.append((locator.control, locator.ledger))
            control, trains = know.control, [each.train for each in mine]
            yield from locator.climb(trains, control.address(direction), control.port(direction), know.timeout)
    yield from ask_again([locator for locator, _ in climbs], until)
    know.searches.clear()
    for locator, mine in climbs:
        hidden = _translated(know, locator.direction)
        know.settle_all([kinds.climbed(each, locator.found(each.train), hidden=hidden) for each in mine])
