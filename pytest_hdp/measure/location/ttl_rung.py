"""What was asked at one TTL, of test packets and after them of the control, and what that tells of each. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_hdp.judge.attributes import counted
from pytest_hdp.judge.result import AtTtl
from pytest_hdp.packet.icmp import Meaning

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import IcmpReport, Train
    from pytest_hdp.measure.control.counting import ControlEntry
    from pytest_hdp.measure.ledger.probes import SentProbe

OFTEN = 4  # times as many answered controls as unanswered ones: the router has errors enough
TRIES = 3  # silences beside an answered control that make one silence, if nothing is lost; attempts without any answer


def _of_the_path(report: IcmpReport) -> bool:
    """Whether an error shows that somebody on the path had the packet: not the sender's own kernel."""
    return report.authenticated and not report.own


@dataclass(slots=True)
class Attempt:
    """One packet of some trains, and after them the control: None before it is sent, or where none can be.

    `probes`: in the order of sending. `rested`: nothing was asked for as long as a router takes to earn an error.
    """

    probes: dict[Train, SentProbe]
    control: ControlEntry | None = None
    rested: bool = False

    def answered_by(self, train: Train) -> str | None:
        """The router that let this train's TTL expire, by an authenticated error."""
        entry = self.probes.get(train)
        reports = entry.icmp if entry is not None else ()
        return next((each.source for each in reports if each.meaning is Meaning.EXPIRED and each.authenticated), None)

    def heard_of(self, train: Train) -> bool:
        """Whether an error about it came, or it came through."""
        entry = self.probes.get(train)
        return entry is not None and bool(entry.arrived or entry.delivered or any(map(_of_the_path, entry.icmp)))

    @property
    def expired_at(self) -> str | None:
        """The router that let the control's TTL expire."""
        return self.control.expired_at if self.control is not None else None

    @property
    def arrived(self) -> bool:
        """The control's TTL was enough for the whole path."""
        seen = self.control
        return seen is not None and bool(seen.delivered_at or seen.arrived_at or seen.replied_at)

    def probes_heard_of(self) -> bool:
        """Whether something is known of every train's packet."""
        return all(map(self.heard_of, self.probes))

    def is_complete(self) -> bool:
        """Everything was answered that can be."""
        return (self.arrived or self.expired_at is not None) and self.probes_heard_of()

    @property
    def is_unanswered(self) -> bool:
        """The control was sent, and nobody answered it: it was lost, or nobody had an error left for it."""
        return self.control is not None and not self.arrived and self.expired_at is None

    def is_first_with_an_error(self, train: Train) -> bool:
        """Whether a router had earned an error before, and none of those sent before this train had it."""
        return self.rested and not any(map(self.answered_by, takewhile(lambda each: each != train, self.probes)))

    @property
    def fruitful(self) -> bool:
        """Anything was answered."""
        return self.arrived or self.expired_at is not None or any(map(self.answered_by, self.probes))


@dataclass(frozen=True, slots=True)
class Rung:
    """What one TTL brought to the trains that were not silent before it. `needed`: silences that make one."""

    ttl: int
    trains: Sequence[Train]
    attempts: list[Attempt] = field(default_factory=list)
    needed: int = TRIES

    def answered_by(self, train: Train) -> str | None:
        """The router that let this train's TTL expire."""
        return next(filter(None, (attempt.answered_by(train) for attempt in self.attempts)), None)

    def control_answered_by(self) -> str | None:
        """The router that let the control's TTL expire."""
        return next(filter(None, (attempt.expired_at for attempt in self.attempts)), None)

    @property
    def control_arrived(self) -> bool:
        """The control's TTL was enough for the whole path."""
        return any(attempt.arrived for attempt in self.attempts)

    def silent(self, train: Train) -> bool:
        """It was never answered, and often enough the control that was sent after it was, and had no better luck.

        Where errors are few, the router may have earned the control's between the two of them.
        """
        unanswered = sum(attempt.is_unanswered for attempt in self.attempts)
        answered = sum(attempt.expired_at is not None for attempt in self.attempts)
        few = self.needed <= TRIES and OFTEN * unanswered > answered  # nothing else is lost
        beside = [attempt for attempt in self.asked(train) if attempt.expired_at is not None]
        counted = sum(not few or attempt.is_first_with_an_error(train) for attempt in beside)
        return counted >= self.needed and self.answered_by(train) is None

    def heard_of(self, train: Train) -> bool:
        """Whether anything is known of where its packets with this TTL came to."""
        return any(attempt.heard_of(train) for attempt in self.attempts)

    def came(self, train: Train) -> bool:
        """Whether one of its own packets with this TTL came through."""
        probes = (attempt.probes[train] for attempt in self.asked(train))
        return any(copy.genuine for probe in probes for copy in (*probe.arrived, *probe.delivered))

    def left_apart(self, train: Train) -> str:
        """By which interfaces its packets left, in words, where the control left by none of these; else nothing."""
        asked = self.asked(train)
        mine = {copy.interface for attempt in asked for copy in attempt.probes[train].left}
        controls = [attempt.control for attempt in asked if attempt.control is not None]
        theirs = {interface for control in controls for _, interface in control.left_by}
        return " and ".join(sorted(mine)) if theirs and mine.isdisjoint(theirs) else ""

    def asked(self, train: Train) -> list[Attempt]:
        """The attempts in which a packet of this train was sent."""
        return [attempt for attempt in self.attempts if train in attempt.probes]

    def leaves_open(self, train: Train, *, elsewhere: bool = False) -> bool:
        """Whether a router here speaks, and this train's silence may be want of its budget or of asking.

        `elsewhere`: the train goes another way than the control, whose routers it does not meet: only what answered
        others on such a way may be on its own, and asking as often as usual is enough.
        """
        if self.heard_of(train) or self.silent(train) or self.control_arrived:
            return False
        if not elsewhere:
            return self.control_answered_by() is not None or any(map(self.answered_by, self.trains))
        met = {self.answered_by(each) for each in self.trains} - {None, self.control_answered_by()}
        return bool(met) and len(self.asked(train)) < TRIES

    def told_alone(self, train: Train) -> bool:
        """Only the control was seen here: the train's own were silent, or somebody before has rejected them."""
        if self.came(train):
            return False
        if self.control_answered_by() is not None and self.heard_of(train):
            return True
        return bool(self.asked(train)) and (self.control_arrived or self.silent(train))

    def at_ttl(self, train: Train) -> AtTtl:
        """All that this TTL brought to one train, and to the controls sent right after its packets."""
        asked = self.asked(train)
        errors = counted(report for attempt in asked for report in attempt.probes[train].icmp if not report.own)
        return AtTtl(
            ttl=self.ttl,
            sent=sum(attempt.probes[train].errno is None for attempt in asked),
            icmp=errors,
            control=sum(attempt.expired_at is not None for attempt in asked),
            router=next((attempt.expired_at for attempt in asked if attempt.expired_at is not None), None),
            control_arrived=sum(attempt.arrived for attempt in asked),
            silent=self.silent(train) and not any(each.authenticated for each in errors),
        )
