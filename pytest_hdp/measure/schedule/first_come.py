"""Are numbers lost only since others were asked before them? A table of flows that is full takes in no new one.

A gateway that keeps states has room for so many (connection tracking, a limit of sessions for each host, a set of a
firewall's). A sweep fills it: the numbers that were asked first get through always, those behind them never, however
slowly they are asked. What a number meets by itself does not hang on when it was asked, and each round is shuffled. So
it is asked whether those that came through stood at the front when each number was asked for the first time.
"""

from __future__ import annotations

from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING

from pytest_hdp.judge.crowd import came_late, front_loaded
from pytest_hdp.judge.verdict import Place, Verdict
from pytest_hdp.measure.ledger.probes import SentProbe
from pytest_hdp.measure.path.traffic import on_the_wire
from pytest_hdp.measure.schedule.crowd import Crowd

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.schedule.knowledge import Knowledge

_DIED = frozenset({Verdict.LOST, Verdict.HELD_BY_RECEIVER, Verdict.REJECTED})


def leave_latecomers(know: Knowledge, direction: Direction) -> None:
    """Leave open what never came in a direction, where only numbers that were asked before others do.

    What answers those has no flow either that it would belong to.
    """
    never = [each for each in know.to_locate.values() if each.train.direction is direction and _never_came(each)]
    if never and front_loaded(_firsts(know, direction))[0] <= know.plan.error_rate:
        know.latecomers |= {on_the_wire(each.train.protocol) for each in never}
    know.settle_all([came_late(each) for each in never if on_the_wire(each.train.protocol) in know.latecomers])


def _never_came(judgement: Judgement) -> bool:
    """Whether somebody on the way, or the receiver's firewall, had all of it."""
    by_target = judgement.verdict is Verdict.REJECTED and judgement.place is Place.TARGET
    return judgement.verdict in _DIED and judgement.delivered == 0 and not by_target


def _firsts(know: Knowledge, direction: Direction) -> list[list[bool]]:
    """Whether each number ever came, in the order in which they were asked for the first time.

    One list of those that were first asked in one round in as many forms, since only these were shuffled together.
    """
    crowd, sent = Crowd(know, direction), defaultdict[int, list[SentProbe]](list)
    for train in know.plan.trains:
        if train.direction is direction:
            sent[on_the_wire(train.protocol)] += crowd.entries(train)
    groups = defaultdict[tuple[int, int], list[tuple[int, bool]]](list)
    for entries in filter(None, sent.values()):
        first = min(entries, key=attrgetter("index"))
        forms = sum(each.round == first.round for each in entries)
        groups[first.round, forms].append((first.index, any(map(crowd.came, entries))))
    return [[came for _, came in sorted(group)] for _, group in sorted(groups.items())]
