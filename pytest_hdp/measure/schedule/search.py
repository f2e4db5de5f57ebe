"""Looking for the places where trains died, as soon as it is known that they did, beside the rounds of others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Means
from pytest_hdp.judge.statistics import needed, upper_bound
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.measure.location.locate import Locator, ask_again
from pytest_hdp.measure.location.located import GroupTracker, in_turn, worth_locating
from pytest_hdp.measure.location.ttl_rung import TRIES
from pytest_hdp.measure.schedule.alone import ask_alone, leave_open
from pytest_hdp.measure.schedule.doubts import leave_doubts
from pytest_hdp.measure.schedule.first_come import leave_latecomers
from pytest_hdp.measure.schedule.leisure import Leisure, ask_at_leisure
from pytest_hdp.measure.schedule.paced import leave_limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.path.waiting import Beside, Waiting
    from pytest_hdp.measure.schedule.doubts import Send
    from pytest_hdp.measure.schedule.knowledge import Knowledge

UNLIKELY = 1e-6  # that so many silences are by chance
MOST_SILENCES = 16  # that are waited for at one TTL
LONGEST = 10.0  # seconds that are spent on it in one direction, unless all are asked for


class Places:
    """Finds the places where one measurement's trains died, and settles them. Each direction is searched by itself.

    `send`, `hear`: what `ask_alone` and `ask_at_leisure` need.
    """

    def __init__(self, know: Knowledge, beside: Beside, send: Send, hear: Callable[[], Waiting[None]]) -> None:
        self._know = know
        self._beside = beside
        self._send = send
        self._hear = hear
        self._kinds = GroupTracker()
        self._searched: set[Direction] = set()

    def look_for(self) -> None:
        """Have the places of all trains of a direction looked for, beside all else, once all of it is judged."""
        know = self._know
        if know.path.gone is not None:
            leave_open(know)
            for direction in Direction:
                leave_doubts(know, direction)
                Leisure(know, direction).judge()
            know.settle_all(list(know.to_locate.values()))
            return
        still_open = {train.direction for train in know.open_trains()} | self._searched
        for direction in sorted({train.direction for train in know.to_locate} - still_open):
            self._searched.add(direction)
            self._beside.start(self._search(direction))

    def _search(self, direction: Direction) -> Waiting[None]:
        """One of each group climbs, then the next of each, as long as that may tell more; they stand for the others."""
        know, kinds, clock = self._know, self._kinds, self._know.clock
        yield from ask_alone(know, direction, self._send, self._hear)
        leave_limited(know, direction)
        leave_latecomers(know, direction)
        waiting = self._waiting(direction)
        know.settle_all(
            [each for each in waiting if each.verdict is not Verdict.LOST and not self._worth_a_climb(each)]
        )
        yield from ask_at_leisure(know, direction, self._send, self._hear)
        leave_limited(know, direction)
        every = know.plan.locate == "all"
        until = math.inf if every else clock.monotonic() + LONGEST
        while know.path.gone is None:
            turns = in_turn(filter(self._worth_a_climb, self._waiting(direction)), kinds.group_of)
            chosen = [each for each in turns if kinds.wants(each, every=every, apart=True)]
            if not chosen or clock.monotonic() > until:
                break
            yield from self._climb(direction, chosen, until)
        rest = self._waiting(direction)
        hidden = self._translated(direction) or self._silences(rest) > MOST_SILENCES
        know.settle_all([kinds.stands_for(each, hidden=hidden) if self._worth_a_climb(each) else each for each in rest])

    def _worth_a_climb(self, judgement: Judgement) -> bool:
        return worth_locating(judgement, self._know.plan.locate, self._know.path.family)

    def _waiting(self, direction: Direction) -> list[Judgement]:
        return [each for train, each in self._know.to_locate.items() if train.direction is direction]

    def _climb(self, direction: Direction, chosen: list[Judgement], until: float) -> Waiting[None]:
        """Let these climb, and settle them."""
        know, control = self._know, self._know.control
        echo = control.means(direction) is Means.ECHOES
        stand_in = know.stand_ins.first(direction)
        enough = self._silences(chosen)
        locator = Locator(know.path, direction, know.content, echo=echo, stand_in=stand_in, until=until, needed=enough)
        search = locator.control, locator.ledger
        know.searches.append(search)
        trains = [each.train for each in chosen]
        aim = control.address(direction), control.port(direction)
        where = {train: control.address_of(train) for train in trains}
        yield from locator.climb(trains, *aim, know.timeout, control.times.spread, where)
        yield from ask_again([locator], until)
        know.searches.remove(search)
        hidden = self._translated(direction) or enough > MOST_SILENCES
        found = [locator.result_of(each.train) for each in chosen]
        self._kinds.note_rejecting(chosen, found)
        told = [self._kinds.climbed(each, place, hidden=hidden) for each, place in zip(chosen, found, strict=True)]
        know.settle_all([each for each in told if each.train in know.to_locate])

    def _silences(self, judged: Iterable[Judgement]) -> int:
        """How many silences beside an answer it takes that loss does not explain; MOST_SILENCES and one: too many.

        A packet and the error about it are both lost as often as the control was, beside whichever of these lost most:
        not as often as what is under way by now, and has not come yet.
        """
        lost, sent = max(
            ((each.control_sent - each.control_delivered, each.control_sent) for each in judged), default=(0, 0)
        )
        loss = 1 - (1 - upper_bound(lost, sent)) ** 2 if lost else 0.0
        if loss >= 1:
            return MOST_SILENCES + 1
        return max(TRIES, min(needed(loss, UNLIKELY), MOST_SILENCES + 1))

    def _translated(self, direction: Direction) -> bool:
        """Whether the receiver saw this direction's control come from another address than the sender has."""
        seen = self._know.control.source_seen.get(direction)
        return seen is not None and seen[0] != self._know.path.sender_end(direction).address
