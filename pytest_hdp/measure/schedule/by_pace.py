"""Do numbers lose less where the others are not sent beside them? Then it is the sweep's pace that loses them.

The rounds of the sweep are sent again, of a few numbers alone and of all, each in its own order and evenly. What a
number meets by itself, it meets in both; only what it shares with others is spent less by few. It asks nothing of the
order in which packets come, so it tells of a limit behind delays that mix that up, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.statistics import fisher
from pytest_hdp.measure.path.waiting import Waiting, pause

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.schedule.crowd import Crowd
    from pytest_hdp.measure.schedule.knowledge import Knowledge

    SendOne = Callable[[Train], Waiting[list[SentProbe]]]

FEW = 4  # trains that are sent alone
REST = 1.0  # seconds before
DOUBT = 0.05  # likelier than that it is chance
LOOKS = 4  # times that both are sent, while neither is told


def loses_by_pace(
    know: Knowledge,
    crowd: Crowd,
    shuffle: random.Random,
    chance: float,
    send: SendOne,
    hear: Callable[[], Waiting[None]],
) -> Waiting[float]:
    """How likely some lose as much more beside all others as they do, by chance: at most 1, over all looks together.

    If that is unlikely by the sweep's own rounds, these are sent again: what was lost then may be a matter of the first
    packets. So often until it is less likely than `chance`, or no doubt is left that it is chance.
    """
    few = crowd.members[:FEW]
    alone, beside, likely = (0, 0), (0, 0), 1.0
    for look in range(LOOKS):
        alone = _sum(alone, (yield from _rounds_of(know, crowd, few, few, shuffle, send, hear)))
        if not look and fisher(*crowd.lost(few, know.plan.pace.rounds), *alone) > DOUBT:
            return 1.0
        beside = _sum(beside, (yield from _rounds_of(know, crowd, crowd.members, few, shuffle, send, hear)))
        likely = fisher(*beside, *alone)
        if likely > DOUBT or LOOKS * likely <= chance or know.path.gone is not None:
            break
    return min(1.0, LOOKS * likely)


def _rounds_of(
    know: Knowledge,
    crowd: Crowd,
    trains: Sequence[Train],
    counted: Sequence[Train],
    shuffle: random.Random,
    send: SendOne,
    hear: Callable[[], Waiting[None]],
) -> Waiting[tuple[int, int]]:
    """Rest, and send the rounds of the sweep again, evenly. How many of what counts were lost, and sent."""
    pace = know.plan.pace
    yield from pause(know.clock, REST)
    sent: list[SentProbe] = []
    for _ in range(pace.rounds):
        for train in shuffle.sample(trains, len(trains)):
            sent += yield from send(train)
            yield from pause(know.clock, pace.spacing / len(trains))
    yield from hear()
    came = [crowd.came(entry) for entry in sent if entry.train in counted]
    return came.count(False), len(came)


def _sum(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    return first[0] + second[0], first[1] + second[1]
