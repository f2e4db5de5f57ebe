"""Whether numbers spend a limit for each other on the way to a target that nobody watches. No I/O, no clock.

A box may have one limit for all "other protocols". What comes right behind others finds it spent, and what is asked
after a pause does not: an answer to that says nothing of what those others met. So something that is known to be
answered is asked right behind them, too. If it is lost there more often than echoes are, or numbers are answered that
were silent among others, then no silence among others counts; until it has come through there often enough, none but
of what was asked first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_hdp.judge.facts import WITH_A_PORT
from pytest_hdp.judge.statistics import fisher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hdp.judge.evidence import Train

UNLIKELY = 0.001  # about as often as that a limit is suspected where only the path loses: it costs time, and no verdict
MOST_TRIES = 4  # times as many tests are tried as are needed


def is_usual(train: Train) -> bool:
    """Whether it is of what hardly any limit is for: who answers nothing else tells of no limit of other numbers."""
    return train.transport in WITH_A_PORT


@dataclass(slots=True)
class Crowding:
    """What is known of that. `enough`: tests that must come through, and silences of a number that was asked first.

    `firsts`: how often a number was silent as the first of its step. `suspected`: there is such a limit, for all that
    is known.
    """

    enough: int
    firsts: Counter[Train] = field(default_factory=Counter)
    suspected: bool = False
    _passed: int = 0
    _came: int = 0
    _lost: int = 0
    _tries: int = 0

    def is_due(self, trains: Sequence[Train], reference: Train | None) -> bool:
        """Whether it is to be tested now by asking `reference` right behind these; every other time that they are."""
        if reference is None or is_usual(reference) or len(trains) < 2:
            return False
        if self.suspected or self._passed >= self.enough:
            return False
        self._tries += 1
        return self._tries % 2 == 1 and self._tries < 2 * MOST_TRIES * self.enough

    def test(self, *, passed: bool) -> None:
        """Take note of whether what is known to be answered was, right behind others."""
        self._passed += passed
        self.take(lost=int(not passed), came=int(passed))

    def take(self, *, lost: int, came: int) -> None:
        """Take note of what was asked among others, and is answered if it gets there."""
        self._lost += lost
        self._came += came

    @property
    def has_losses(self) -> bool:
        """Whether there is anything to suspect."""
        return self._lost > 0 and not self.suspected

    def suspect(self, lost: int, sent: int) -> bool:
        """Whether a limit is suspected from now on. `lost`, `sent`: of what tells how much the path loses."""
        self.suspected = fisher(self._lost, self._lost + self._came, lost, sent) < UNLIKELY
        return self.suspected

    def believes(self, train: Train, reference: Train | None) -> bool:
        """Whether its silences are no limit's doing. `reference`: what the target is known to answer."""
        if self.suspected or (reference is not None and is_usual(reference)):
            return True
        return self._passed >= self.enough or self.firsts[train] >= self.enough
