"""Whose turn it is: all that goes forward under a number comes before anything that goes back under it.

A packet from the far end is to a stateful box on the way what opens the way for everything under the same number. So a
train in reverse waits until each train forward of its number, in whatever form, is judged, and its search for the place
where it died is over. Then forward was fresh, and reverse is an answer. Controls don't count: their number is another
matter, and their ports are their own. Rounds of different numbers overlap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.path.traffic import on_the_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_hdp.judge.evidence import Train


class Turns:
    """Keeps in which rounds it was each train's turn.

    `forward_is_over`: nothing will be sent of a train any more. `held`: it is nobody's turn: some are asked alone.
    """

    def __init__(
        self,
        trains: Sequence[Train],
        forward_is_over: Callable[[Train], bool],
        held: Callable[[], bool] = lambda: False,
    ) -> None:
        self._rounds: defaultdict[Train, list[int]] = defaultdict(list)
        self._forward_is_over = forward_is_over
        self._held = held
        self._before: dict[int, list[Train]] = {}
        for train in trains:
            if train.direction is Direction.FORWARD:
                self._before.setdefault(on_the_wire(train.protocol), []).append(train)

    def rounds(self, train: Train) -> int:
        """In how many rounds it was this train's turn."""
        return len(self._rounds[train])

    def rounds_before(self, train: Train, number: int) -> int:
        """In how many rounds before that one it was this train's turn."""
        return bisect_left(self._rounds[train], number)

    def last_before(self, train: Train) -> int:
        """The last round in which something went forward under the number of a train in reverse, -1 for none."""
        before = self._forward_of(train) if train.direction is Direction.REVERSE else ()
        return max((self._rounds[each][-1] for each in before if self._rounds[each]), default=-1)

    def take(self, trains: Sequence[Train], number: int) -> None:
        """Note that round `number` is theirs."""
        for train in trains:
            self._rounds[train].append(number)

    def may_go(self, train: Train) -> bool:
        """Whether nothing has to come before it any more."""
        if self._held():
            return False
        if train.direction is Direction.FORWARD:
            return True
        return all(map(self._forward_is_over, self._forward_of(train)))

    def _forward_of(self, train: Train) -> Sequence[Train]:
        return self._before.get(on_the_wire(train.protocol), ())
