"""Which trains in reverse may be sent: is the near end where the far end saw it, and where each number came from?

Until something has come back from there, few packets may go to an address that was learnt. Controls go first, and then
one probe of each number that came through forward, since a path may let neither datagrams nor echoes through. Where
none of these may go yet, for forward comes first under its number, all others wait for them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.agent_location import is_nowhere
from pytest_hdp.measure.control.control import MEETING
from pytest_hdp.measure.order import by_interest
from pytest_hdp.measure.path.sending import send_probe
from pytest_hdp.measure.path.waiting import Waiting, look_until
from pytest_hdp.measure.schedule.meeting import TRIES, ask_patiently, until_free

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.schedule.knowledge import Knowledge


class Confirming:
    """Finds out for one measurement where the far end may send to.

    `may_go`: whether a train's turn has come, as far as what goes forward under its number is concerned.
    """

    def __init__(self, know: Knowledge, may_go: Callable[[Train], bool]) -> None:
        self._know = know
        self._may_go = may_go
        self._tried: set[Train] = set()

    def without_waiting(self, trains: list[Train]) -> list[Train]:
        """Those of these trains that need not wait for the word of another number, which may not go back yet."""
        control, confirmed = self._know.control, self._know.path.confirmed
        usual = control.address(Direction.REVERSE)
        if not control.asked_back or confirmed.free(usual) or not confirmed.left:
            return trains
        fresh = self._fresh()
        hope = any(not self._may_go(each) for each in fresh)
        if not hope and all(map(self._may_scout, self._fresh_scouts())):
            return trains
        return [
            each
            for each in trains
            if each.direction is Direction.FORWARD or each in fresh or control.address_of(each) != usual
        ]

    def may_answer(self, trains: Sequence[Train]) -> Waiting[list[Train]]:
        """Those of these trains, in reverse, that may be sent: to where the control came from, or came from themselves.

        To each such address of their own one packet goes first, of as many addresses at a time as may be under way.
        """
        know, control = self._know, self._know.control
        control.learn_from_probes()
        confirmed, usual = control.path.confirmed, control.address(Direction.REVERSE)
        where = {train: control.address_of(train) for train in trains}
        may = yield from self._confirm([train for train in trains if where[train] == usual])
        if is_nowhere(control):
            return []
        ahead = {where[train]: train for train in reversed([*by_interest(trains)]) if not self._known(where[train])}
        while ahead and confirmed.left > 0:
            some = dict(ahead.popitem() for _ in range(min(len(ahead), confirmed.left)))
            for address, train in some.items():
                send_probe(control.path, know.ledger, train, MEETING, know.content, address)
            yield from look_until(know.clock, know.clock.monotonic() + know.timeout, partial(self._all_free, some))
        own = (each for each in where.values() if each != usual and (confirmed.free(each) or confirmed.left > 0))
        free = {*own, *([usual] if may else [])}
        return [each for each in trains if where[each] in free]

    def _confirm(self, trains: Sequence[Train]) -> Waiting[bool]:
        """Whether the far end may send to where it saw us; nothing is sent where there is no doubt."""
        control, confirmed = self._know.control, self._know.path.confirmed
        first = not control.asked_back
        if (yield from ask_patiently(control, self._know.timeout)):
            return True
        address = control.address(Direction.REVERSE)
        if is_nowhere(control) or not confirmed.left:
            return False
        fresh = set(self._fresh())
        mine = [each for each in by_interest(trains) if each in fresh or (not first and self._came_through(each))]
        scouts = [each for each in self._fresh_scouts() if self._may_scout(each)]
        for train in sorted(mine, key=lambda each: each in self._tried):
            if confirmed.left:
                send_probe(control.path, self._know.ledger, train, MEETING, self._know.content, address)
        for scout in scouts:
            if confirmed.left:
                control.send(Direction.REVERSE, MEETING, stand_in=scout)
        self._tried.update(mine, scouts)
        yield from until_free(control, address, self._know.timeout * (TRIES if first or scouts else 1))
        return confirmed.free(address)

    def _fresh(self) -> list[Train]:
        """The trains in reverse of which nothing was sent to find out, and that came through forward."""
        usual = self._know.control.address(Direction.REVERSE)
        return [
            each
            for each in self._know.open_trains()
            if each.direction is Direction.REVERSE
            and each not in self._tried
            and self._came_through(each)
            and self._know.control.address_of(each) == usual
        ]

    def _came_through(self, train: Train) -> bool:
        """Whether a train in reverse came through forward, or was not sent there."""
        sent = self._know.ledger.trains.get(replace(train, direction=Direction.FORWARD))
        return sent is None or any(each.arrived or each.delivered for each in sent)

    def _fresh_scouts(self) -> list[Train]:
        """What is not of the plan, stood in forward, and came through; of which nothing was sent to find out."""
        entries = self._know.control.entries.values()
        came = dict.fromkeys(each.stand_in for each in entries if each.stand_in is not None and each.came)
        scouts = [replace(each, direction=Direction.REVERSE) for each in came if each.direction is Direction.FORWARD]
        known = {*self._tried, *self._know.plan.trains}
        return by_interest(each for each in scouts if each not in known)

    def _may_scout(self, scout: Train) -> bool:
        return scout in self._know.stand_ins.scouts(Direction.REVERSE)

    def _known(self, address: str) -> bool:
        confirmed = self._know.path.confirmed
        return confirmed.free(address) or confirmed.tried(address)

    def _all_free(self, addresses: Collection[str]) -> bool:
        return all(map(self._know.path.confirmed.free, addresses))
