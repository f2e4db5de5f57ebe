"""How far a measurement got, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Verdict

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.vantage.clock import Clock

EVERY = 0.1  # seconds between two reports


@dataclass(frozen=True, slots=True)
class Progress:
    """Trains settled and in all, and rounds so far. `lost`: settled trains that did not get through.

    `seconds_left`: what the rest will take at the pace found so far, None where nobody can say.
    """

    settled: int
    trains: int
    seconds_left: float | None = None
    rounds: int = 0
    lost: int = 0


OnProgress = Callable[[Progress], None]


class Teller:
    """Tells `whom` how far one measurement got; costs next to nothing if that is nobody."""

    def __init__(self, whom: OnProgress | None, clock: Clock) -> None:
        self._whom = whom
        self._now = clock.monotonic
        self._began = self._now()
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time for a report."""
        return self._whom is not None and self._now() >= self._next

    def seconds(self) -> float:
        """How long it has been going on."""
        return self._now() - self._began

    def tell(
        self,
        plan: Plan,
        rounds: int,
        settled: Mapping[Train, Judgement],
        to_locate: Mapping[Train, Judgement],
        *,
        left: float | None,
        over: bool,
    ) -> None:
        """Report; `left`: seconds that the rest will take. `over`: nothing more will come, so all count as settled."""
        if self._whom is None:
            return
        self._next = self._now() + EVERY
        trains = len(plan.trains)
        known = [*settled.values(), *to_locate.values()]
        lost = sum(each.verdict not in {Verdict.DELIVERED, Verdict.REACHED} for each in known)
        self._whom(Progress(trains if over else min(len(known), trains - 1), trains, left, rounds, lost))

    def rest_of_rounds(self, plan: Plan, rounds: int) -> float | None:
        """Seconds that the rounds still take which everyone gets; None after those."""
        more = plan.pace.rounds * len({train.direction for train in plan.trains}) - rounds
        return self.seconds() / rounds * more if rounds and more > 0 else None
