"""Where silent and rejected numbers died on the way to a target that nobody watches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.measure.location.locate import Locator, ask_again
from pytest_hdp.measure.location.located import GroupTracker
from pytest_hdp.measure.path.waiting import Waiting
from pytest_hdp.measure.schedule.icmp_budget import Sent

if TYPE_CHECKING:
    from pytest_hdp.measure.schedule.asking import Asking

NOT_LOOKED_FOR = "where it died was not looked for, so as not to meet a limit that numbers may share"


class UnwatchedPlaces:
    """Finds them: a few of each kind climb, and stand for the rest of it."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._kinds = GroupTracker()

    def find(self) -> Waiting[None]:
        """Find where those died of which a verdict is known, and no place yet.

        Called also while others are still asked: who reads along waits for no more than those.
        """
        know = self._asking.know
        if self._asking.crowding.suspected:
            self._leave_open()
        if not know.to_locate:
            return
        every = know.plan.locate == "all"
        climbers = [train for train, each in know.to_locate.items() if self._kinds.wants(each, every=every)]
        if climbers:
            locator = Locator(know.path, Direction.FORWARD, know.content)
            know.searches.append((locator.control, locator.ledger))
            aim = know.control.address(Direction.FORWARD), 0
            yield from locator.climb(climbers, *aim, self._asking.wait, know.control.times.spread)
            yield from ask_again([locator])
            know.searches.clear()
            self._asking.climbed = Sent(know.clock.monotonic(), know.clock.monotonic())
            for train in climbers:
                know.settled[train] = self._kinds.climbed(know.to_locate.pop(train), locator.result_of(train))
        for train in list(know.to_locate):
            know.settled[train] = self._kinds.stands_for(know.to_locate.pop(train))

    def _leave_open(self) -> None:
        """Look for no place of silent ones: who climbs in a crowd meets the limit that is suspected, and no more."""
        know = self._asking.know
        for train, judgement in list(know.to_locate.items()):
            if judgement.verdict is Verdict.SILENT:
                said = f"{judgement.explanation.rstrip('.')}; {NOT_LOOKED_FOR}."
                know.settled[train] = replace(know.to_locate.pop(train), explanation=said)
