"""Rejected, or lost, and rejected once? A router that has no way on for a moment says so of whatever it meets then.

So an ICMP error that came of a few of a number's probes alone is asked for again, at the pace at which a stock Linux
router has errors to send. If it comes again, the number is rejected; so are then the others of which that router said
the same, unless it said it of the control, too. If not, the number is lost, and may be rejected by who has few errors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.location.lost_or_rejected import answered_once
from pytest_hdp.measure.path.waiting import Waiting, look_until, pause
from pytest_hdp.measure.schedule.silence import rejecting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_hdp.judge.evidence import Kind, Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.schedule.knowledge import Knowledge

Send: TypeAlias = "Callable[[Sequence[Train], Direction, int], Waiting[None]]"
REST, LONGER = 2.1, 1.5  # seconds in which a Linux router that rejects by its routes has earned an error, and more
TRIES = 3
AT_ONCE = 4  # of a kind that the control met, too


class Doubts:
    """What was rejected in one direction, or lost, and of few of whose probes a router said so.

    `kinds`: the errors that are in doubt, and of which trains.
    """

    def __init__(self, know: Knowledge, direction: Direction) -> None:
        self.know = know
        self.direction = direction
        self.kinds: dict[Kind, list[Train]] = {}
        self._general: frozenset[Kind] = frozenset()
        self._asked: dict[Train, None] = {}
        for train, judgement in know.to_locate.items():
            if train.direction is direction:
                for kind in sorted(self._doubted(judgement)):
                    self.kinds.setdefault(kind, []).append(train)

    def _doubted(self, judgement: Judgement) -> frozenset[Kind]:
        """The kinds of errors on which alone it hangs that a train is rejected, or that tell of a lost one."""
        train = judgement.train
        kinds, usual = kinds_reported(self.know, train), self.know.circumstances(train, more_rounds=False)
        self._general = usual.reference.general
        if judgement.verdict is Verdict.LOST:
            return kinds - self._general
        if judgement.verdict is not Verdict.REJECTED or judgement.place is Place.TARGET:
            return frozenset()
        if self.know.judge(train, more_rounds=False).verdict is not Verdict.REJECTED:
            return frozenset()  # it was judged beside another control than now
        without = self.know.judge(train, more_rounds=False, circumstances=replace(usual, momentary=kinds))
        return kinds if without.verdict is not Verdict.REJECTED else frozenset()

    def ask(self, send: Send, until: float) -> Waiting[None]:
        """Ask for one train of each kind of error, then for another, until each came again or the time is over.

        Of a kind that the control met, too, for each of its trains.
        """
        clock, rest = self.know.clock, REST
        for attempt in range(TRIES):
            if not self.kinds or clock.monotonic() + rest > until or self.know.path.gone is not None:
                return
            yield from pause(clock, rest)
            chosen = {kind: self._chosen(kind, attempt) for kind in self.kinds}
            trains = list(dict.fromkeys(each for some in chosen.values() for each in some))
            entries = yield from ask_for(self.know, self.direction, trains, send)
            self._asked |= dict.fromkeys(trains)
            for entry in entries:
                for kind in {each.kind for each in entry.icmp if rejecting(each)} & self.kinds.keys():
                    self._came_again(kind, entry.train)
            rest *= LONGER

    def _chosen(self, kind: Kind, attempt: int) -> list[Train]:
        trains = self.kinds[kind]
        return trains[:AT_ONCE] if kind in self._general else [trains[attempt % len(trains)]]

    def _came_again(self, kind: Kind, train: Train) -> None:
        left = [each for each in self.kinds[kind] if kind in self._general and each != train]
        self.kinds = {each: left if each == kind else trains for each, trains in self.kinds.items()}
        if not left:
            del self.kinds[kind]

    def judge(self) -> None:
        """Judge anew what was asked, and all of which the same was said that was not said again."""
        know = self.know
        for kind, trains in self.kinds.items():
            for train in trains:
                know.momentary[train] = know.momentary.get(train, frozenset()) | {kind}
        know.forget_circumstances()
        for train in [each for each in {**self._asked, **know.momentary} if each in know.to_locate]:
            know.settle(judged_anew(know, know.to_locate.pop(train)), worth=know.path.routed)


def leave_doubts(know: Knowledge, direction: Direction) -> None:
    """Take back what hangs on errors that came of few of a number's probes, since nobody can be asked again."""
    for train, judgement in list(know.to_locate.items()):
        if train.direction is not direction or judgement.verdict is not Verdict.REJECTED:
            continue
        momentary = replace(know.circumstances(train, more_rounds=False), momentary=kinds_reported(know, train))
        before = replace(momentary, agent_gone=None)
        if know.judge(train, more_rounds=False, circumstances=before).verdict is not Verdict.REJECTED:
            know.to_locate[train] = know.judge(train, more_rounds=False, circumstances=momentary)


def kinds_reported(know: Knowledge, train: Train) -> frozenset[Kind]:
    """The kinds of errors by which others than the two ends rejected a train."""
    ends = {know.control.address(train.direction), know.path.sender_end(train.direction).address}
    reports = (each for entry in know.ledger.trains.get(train, ()) for each in entry.icmp)
    return frozenset({each.kind for each in reports if rejecting(each) and each.source not in ends})


def judged_anew(know: Knowledge, judgement: Judgement) -> Judgement:
    """What is known of a train now that it was asked again; as before, if beside what is the control now it is less.

    Of what is lost, and was rejected a few times, that is told.
    """
    train = judgement.train
    now = know.judge(train, more_rounds=False)
    came = now.arrived > judgement.arrived or now.delivered > judgement.delivered
    found = now if came or now.verdict is not Verdict.INCONCLUSIVE else judgement
    general = know.circumstances(train, more_rounds=False).reference.general
    said = sorted(know.momentary.get(train, frozenset()) - general)
    told = found.verdict is not Verdict.LOST or found.budget_spent is not None
    return answered_once(said[0], found) if said and not told else found


def ask_for(know: Knowledge, direction: Direction, trains: Sequence[Train], send: Send) -> Waiting[list[SentProbe]]:
    """Send one probe of each, in a round of its own, and wait for errors about all of them. The probes."""
    number = know.rounds
    know.rounds += 1
    yield from send(trains, direction, number)
    entries = [know.ledger.trains[train][-1] for train in trains]
    deadline = know.clock.monotonic() + know.timeout
    yield from look_until(know.clock, deadline, lambda: all(map(is_rejected, entries)))
    return entries


def is_rejected(entry: SentProbe) -> bool:
    """Whether nothing more is to be learnt of a probe: it was refused here, or rejected."""
    return entry.errno is not None or any(map(rejecting, entry.icmp))
