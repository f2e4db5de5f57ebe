"""Looking for the place where trains died, once it is known that they did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Means
from pytest_hdp.measure.locate import Locator, ask_again
from pytest_hdp.measure.located import located, representatives

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.knowledge import Knowledge
    from pytest_hdp.measure.waiting import Waiting


def _translated(know: Knowledge, direction: Direction) -> bool:
    """Whether the receiver saw this direction's control come from another address than the sender has."""
    seen = know.control.source_seen.get(direction)
    return seen is not None and seen[0] != know.path.sender_end(direction).address


def find_places(know: Knowledge) -> Waiting[None]:
    """Find where the lost and rejected trains died, and settle them."""
    climbs: list[tuple[Locator, dict[Train, list[Judgement]]]] = []
    for direction in know.directions if know.path.gone is None else ():
        found = [each for train, each in know.to_locate.items() if train.direction is direction]
        if groups := representatives(found, every=know.plan.locate == "all"):
            echo = know.control.means(direction) is Means.ECHOES
            locator = Locator(know.path, direction, know.content, echo=echo)
            climbs.append((locator, groups))
            know.searches.append((locator.control, locator.ledger))
            control = know.control
            yield from locator.climb(groups, control.address(direction), control.port(direction), know.timeout)
    yield from ask_again([locator for locator, _ in climbs])
    for locator, groups in climbs:
        for train, group in groups.items():
            place, hidden = locator.found(train), _translated(know, locator.direction)
            know.to_locate |= {each.train: located(each, place, hidden=hidden) for each in group}
    know.settle_all(list(know.to_locate.values()))
    know.searches.clear()
