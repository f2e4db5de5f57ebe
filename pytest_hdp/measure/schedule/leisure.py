"""Rejected or lost? Where a router has few ICMP errors to send, who got one of them must not decide that.

A stock Linux router sends one error a second to each peer, one in two seconds where a route says no, and none to who
keeps asking within these (net/ipv4/route.c, ip_error). So what was lost, while a router that rejects had no error left
for what it is known to reject, is asked again at the pace at which that one answers. A number is lost for all that this
router says once it was silent twice right before something that was answered: then there was an error left for it.
Who rejected a number once, and not again, is asked likewise: it had no way on for a moment, or has very few errors.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.location.located import never_answered
from pytest_hdp.measure.location.lost_or_rejected import perhaps_rejected, spent_by
from pytest_hdp.measure.order import by_interest
from pytest_hdp.measure.path.waiting import Waiting, pause
from pytest_hdp.measure.schedule.doubts import REST, Doubts, Send, ask_for, is_rejected, judged_anew, kinds_reported
from pytest_hdp.measure.schedule.silence import rejecting

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Kind, Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.schedule.knowledge import Knowledge

LONGEST = 10.0  # seconds that are spent on it in each direction, unless all are to be located
LONGEST_REST, LONGER = 6.0, 1.5
LEAST_REST = 0.05
FIRST = 4  # asked at once at first
ENOUGH = 2  # silences beside an answer that excuse a router
FRUITLESS = 6  # steps in a row that bring nothing


def ask_at_leisure(
    know: Knowledge, direction: Direction, send: Send, hear: Callable[[], Waiting[None]]
) -> Waiting[None]:
    """Ask again in a direction for what may be rejected by a router whose budget was spent, and judge that anew.

    `send`: one probe of some trains in one direction, in a round of that number, with controls; `hear`: until all of
    it is known.
    """
    if know.path.gone is not None:
        return
    until = math.inf if know.plan.locate == "all" else know.clock.monotonic() + LONGEST
    doubts, again = Doubts(know, direction), know.rounds
    if doubts.kinds:
        yield from doubts.ask(send, until)
        yield from hear()
        doubts.judge()
    leisure = Leisure(know, direction, again)
    if leisure.unanswered and leisure.reference_probes:
        if know.path.gone is None:
            yield from leisure.ask(send, until)
            yield from hear()
        leisure.judge()


class Leisure:
    """What was lost in one direction, and by whom it may have been rejected.

    `reference_probes`: by router, a number that it rejects, and had no error for at times, or has rejected once.
    `spent`: those that had none again. `again`: the first round in which anything was asked again, if not the next.
    """

    def __init__(self, know: Knowledge, direction: Direction, again: int | None = None) -> None:
        self.know = know
        known = {train: each for train, each in (know.settled | know.to_locate).items() if train.direction is direction}
        waiting = [train for train in know.to_locate if train in known and not never_answered(train, know.path.family)]
        lost = [train for train in waiting if known[train].verdict is Verdict.LOST]
        self.direction = direction
        self.unanswered = by_interest(lost)
        once = self._rejected_once()
        self.reference_probes = once | self._limited(known.values())
        self._once = set(once.values())
        # beside themselves nothing shows that there was an error left
        self.unanswered.sort(key=set(self.reference_probes.values()).__contains__)
        self._since, self._again = know.rounds, know.rounds if again is None else again
        self.spent: set[str] = set()
        self._asked: dict[Train, None] = {}
        self._times_silent: Counter[Train] = Counter()

    def _limited(self, judgements: Iterable[Judgement]) -> dict[str, Train]:
        found: dict[str, Train] = {}
        for judgement in judgements:
            # what the target rejects itself got there, and what is lost did not
            if judgement.verdict is Verdict.REJECTED and judgement.place is not Place.TARGET:
                entries = self.know.ledger.trains.get(judgement.train, ())
                for address in sorted({each.source for entry in entries for each in filter(rejecting, entry.icmp)}):
                    if not all(_from(address, entry) for entry in entries):
                        found.setdefault(address, judgement.train)
        return found

    def _rejected_once(self) -> dict[str, Train]:
        """Of each router a number that is lost for all that is known, and was rejected there, unlike the control."""
        know = self.know
        found: dict[str, Train] = {}
        for train in self.unanswered:
            general = know.circumstances(train, more_rounds=False).reference.general
            for source, *_ in sorted(kinds_reported(know, train) - general):
                found.setdefault(source, train)
        return found

    def ask(self, send: Send, until: float) -> Waiting[None]:
        """Ask for a few at a time, as many as are answered, until all are known or the time is over.

        What is silent by itself is asked right before a reference probe then, as long as that is answered.
        """
        know, clock = self.know, self.know.clock
        count, rest, fruitless, proving = FIRST, REST, 0, False
        while (
            self.unanswered and fruitless < FRUITLESS and clock.monotonic() + rest <= until and know.path.gone is None
        ):
            yield from pause(clock, rest)
            chosen = self.unanswered[:count]
            beside = (
                [each for each in dict.fromkeys(self.reference_probes.values()) if each not in chosen]
                if proving
                else []
            )
            asked = yield from self._send([*chosen, *beside], send)
            silent = {entry.train for entry in asked if not is_rejected(entry)}
            missed = [train for train in chosen if train in silent]
            self.unanswered = [train for train in self.unanswered if train not in chosen or train in missed]
            fruitless = fruitless + 1 if len(missed) == len(chosen) else 0
            if proving and beside and silent.isdisjoint(beside):
                self._excuse(missed)
                count, rest, fruitless = 2 * count, max(LEAST_REST, rest / 2), 0
            elif proving or missed:
                self.spent |= {address for address, train in self.reference_probes.items() if train in silent}
                proving = not proving and len(missed) == len(chosen)
                count = max(1, len(chosen) - len(missed))
                rest = min(LONGEST_REST, rest * LONGER) if len(missed) == len(chosen) and not proving else rest
            else:
                count += 1

    def _excuse(self, silent: Sequence[Train]) -> None:
        self._times_silent.update(silent)
        self.unanswered = [train for train in self.unanswered if self._times_silent[train] < ENOUGH]

    def _send(self, trains: Sequence[Train], send: Send) -> Waiting[list[SentProbe]]:
        self._asked |= dict.fromkeys(trains)
        return (yield from ask_for(self.know, self.direction, trains, send))

    def judge(self) -> None:
        """Judge anew what was asked, and say of the rest whose budget was spent."""
        know = self.know
        know.forget_circumstances()
        asked, again = dict(self._asked), self._kinds_reported()
        for train, kinds in know.momentary.items():
            if train.direction is self.direction and kinds & again:
                know.momentary[train] = kinds - again
                asked[train] = None
        for train in [each for each in asked if each in know.to_locate]:  # the others have been told already
            know.settle(judged_anew(know, know.to_locate.pop(train)), worth=know.path.routed)
        for train in self.unanswered if self.reference_probes else ():
            judgement = know.to_locate.get(train)
            if judgement is not None and judgement.verdict is Verdict.LOST and judgement.budget_spent is None:
                know.to_locate[train] = self._spent(judgement)

    def _kinds_reported(self) -> frozenset[Kind]:
        """What routers said of numbers, and not of the control, when these were asked here: it meant the numbers."""
        found: set[Kind] = set()
        for train in self._asked:
            general = self.know.circumstances(train, more_rounds=False).reference.general
            entries = (each for each in self.know.ledger.trains[train] if each.round >= self._since)
            found |= {each.kind for entry in entries for each in entry.icmp if rejecting(each)} - general
        return frozenset(found)

    def _spent(self, judgement: Judgement) -> Judgement:
        """The judgement of a lost one that may be rejected, and by whom."""
        address = min(self.spent or self.reference_probes)
        reference = self.reference_probes.get(address)
        if reference is None or reference not in self._once or self._rejects_others(address, judgement.train):
            return spent_by(address, judgement, "rejects others")
        asked = any(entry.round >= self._again for entry in self.know.ledger.trains.get(reference, ()))
        return perhaps_rejected(address, judgement, reference, asked=asked)

    def _rejects_others(self, address: str, train: Train) -> bool:
        """Whether it rejected another one when that was asked again."""
        trains = self.know.ledger.trains.items()
        others = (some for each, some in trains if each.direction is self.direction and each != train)
        return any(_from(address, entry) for some in others for entry in some if entry.round >= self._again)


def _from(address: str, entry: SentProbe) -> bool:
    return any(rejecting(each) and each.source == address for each in entry.icmp)
