"""Where did it die? A ladder of TTLs, test packet beside control, to the last router that still answers.

Silence of the test packet alone says nothing: the control must have been answered from the same place. A stock Linux
router sends one ICMP error a second to each peer, after a burst of six (icmp_ratelimit, icmp(7)), so few are asked for
at a time, and the control comes last: if that is answered, the budget was there for what came before it. Only what
stays in doubt is asked again when the budget has had time to fill, all of it after the same wait.

A number may take another way than the control, by policy or among ways of equal cost, or go in a circle. So each climbs
as far as its own packets are answered, also beyond the TTL at which the control is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_hdp.judge.attributes import counted
from pytest_hdp.judge.result import AtTtl, Hop
from pytest_hdp.measure.control import Control
from pytest_hdp.measure.counting import ControlEntry
from pytest_hdp.measure.ledger import Entry, Ledger
from pytest_hdp.measure.located import Found
from pytest_hdp.measure.sending import send_probe
from pytest_hdp.measure.waiting import Waiting, look_until, pause
from pytest_hdp.measure.way import Way

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.path import OpenPath

ICMP = 1
TIME_EXCEEDED = 11
HIGHEST_TTL = 30
TRIES = 3  # silences beside an answered control that make one silence; and attempts without any answer
AT_ONCE = 4  # test packets before a control: with it, within the burst of a stock Linux router
BUDGET = 1.05  # seconds in which such a router earns one more ICMP error
WAITS = 2  # for the budget, in a row without any answer, before what is in doubt stays so
USUAL_TTL = 64
GIVES_UP = 2  # TTLs in a row at which nobody answers on a way that the control does not take


@dataclass(frozen=True, slots=True)
class Attempt:
    """One packet of some trains, and after them the control."""

    probes: dict[Train, Entry]
    control: ControlEntry | None

    def answered_by(self, train: Train) -> str | None:
        """The router that let this train's TTL expire, by an authenticated error."""
        entry = self.probes.get(train)
        reports = entry.icmp if entry is not None else ()
        return next((each.source for each in reports if each.type == TIME_EXCEEDED and each.authenticated), None)

    def heard_of(self, train: Train) -> bool:
        """Whether an error about it came, or it came through."""
        entry = self.probes.get(train)
        return entry is not None and bool(entry.arrived or entry.delivered or any(i.authenticated for i in entry.icmp))

    @property
    def expired_at(self) -> str | None:
        """The router that let the control's TTL expire."""
        return self.control.expired_at if self.control is not None else None

    @property
    def arrived(self) -> bool:
        """The control's TTL was enough for the whole path."""
        seen = self.control
        return seen is not None and bool(seen.delivered_at or seen.arrived_at or seen.replied_at)

    def is_complete(self) -> bool:
        """Everything was answered that can be."""
        return (self.arrived or self.expired_at is not None) and all(map(self.heard_of, self.probes))

    @property
    def fruitful(self) -> bool:
        """Anything was answered."""
        return self.arrived or self.expired_at is not None or any(map(self.answered_by, self.probes))


@dataclass(frozen=True, slots=True)
class Rung:
    """What one TTL brought to the trains that were not silent before it."""

    ttl: int
    trains: Sequence[Train]
    attempts: list[Attempt] = field(default_factory=list)

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
        """It was never answered, and often enough the control that was sent after it was."""
        beside = sum(attempt.expired_at is not None for attempt in self.asked(train))
        return beside >= TRIES and self.answered_by(train) is None

    def heard_of(self, train: Train) -> bool:
        """Whether anything is known of where its packets with this TTL came to."""
        return any(attempt.heard_of(train) for attempt in self.attempts)

    def asked(self, train: Train) -> list[Attempt]:
        """The attempts in which a packet of this train was sent."""
        return [attempt for attempt in self.attempts if train in attempt.probes]

    def told_alone(self, train: Train) -> bool:
        """Only the control was seen here: the train's own were silent, or somebody before has rejected them."""
        if self.control_answered_by() is not None and self.heard_of(train):
            return True
        return bool(self.asked(train)) and (self.control_arrived or self.silent(train))

    def told(self, train: Train) -> AtTtl:
        """All that this TTL brought to one train, and to the controls sent right after its packets."""
        asked = self.asked(train)
        errors = counted(report for attempt in asked for report in attempt.probes[train].icmp)
        return AtTtl(
            ttl=self.ttl,
            sent=sum(attempt.probes[train].errno is None for attempt in asked),
            icmp=errors,
            control=sum(attempt.expired_at is not None for attempt in asked),
            router=next((attempt.expired_at for attempt in asked if attempt.expired_at is not None), None),
            control_arrived=sum(attempt.arrived for attempt in asked),
            silent=self.silent(train) and not any(each.authenticated for each in errors),
        )


class Locator:
    """Climbs the TTLs for some trains of one direction.

    `echo`: the control is one, with eyes too; `stand_in`: it is like packets of that train. `until`: no longer, in
    seconds of the path's clock.
    """

    def __init__(
        self,
        path: OpenPath,
        direction: Direction,
        content: bytes,
        *,
        echo: bool = False,
        stand_in: Train | None = None,
        until: float = math.inf,
    ) -> None:
        self.path = path
        self.until = until
        self.direction = direction
        self.content = content
        self.stand_in = stand_in
        self.echo = stand_in is None and (echo or path.receiver_end(direction) is None)
        self.ledger = Ledger(path.run_id, "locate")
        self.control = Control(path, content)
        self.rungs: list[Rung] = []
        self._address = ""
        self._timeout = 0.0

    def climb(self, trains: Iterable[Train], address: str, port: int, timeout: float) -> Waiting[None]:
        """Raise the TTL until the control arrives or all trains are silent; `timeout`: seconds for an answer."""
        self.control.aim(self.direction, address, port)
        self._address, self._timeout = address, timeout
        alive = list(trains)
        for ttl in range(1, HIGHEST_TTL + 1):
            rung = Rung(ttl, alive)
            self.rungs.append(rung)
            yield from self.ask(rung, TRIES)
            alive = [train for train in alive if self._goes_on(train, rung)]
            if not alive or self.path.gone is not None or self._late():
                return

    def _late(self) -> bool:
        return self.path.clock.monotonic() > self.until

    def _goes_on(self, train: Train, rung: Rung) -> bool:
        """Whether a higher TTL may bring more."""
        way = self.way(train)
        if rung.answered_by(train) is not None:
            return way.circle is None and not (rung.control_arrived and way.stuck)
        if rung.heard_of(train):
            return False
        if way.elsewhere and way.last is not None:
            return rung.ttl - way.last.ttl < GIVES_UP
        return not (rung.control_arrived or rung.silent(train))

    def ask(self, rung: Rung, tries: int) -> Waiting[bool]:
        """Ask for those in doubt, until so many attempts in a row brought nothing. Whether any brought something."""
        fruitless, fruitful = 0, False
        while fruitless < tries and not (fruitless and self._late()) and (trains := self.doubts(rung)):
            attempt = self._send(rung.ttl, trains[:AT_ONCE])
            rung.attempts.append(attempt)
            deadline = self.path.clock.monotonic() + self._timeout
            yield from look_until(self.path.clock, deadline, attempt.is_complete)
            fruitless = 0 if attempt.fruitful else fruitless + 1
            fruitful = fruitful or attempt.fruitful
        return fruitful

    def doubts(self, rung: Rung) -> list[Train]:
        """Those that were not answered, without that meaning anything."""
        return [train for train in rung.trains if not rung.heard_of(train) and not self._is_told(train, rung)]

    def _is_told(self, train: Train, rung: Rung) -> bool:
        """Whether its silence has been looked at often enough: once where the control is there, if it goes that way."""
        if not rung.control_arrived:
            return rung.silent(train)
        return len(rung.asked(train)) >= (TRIES if self.way(train).elsewhere else 1)

    def in_doubt(self) -> list[Rung]:
        """The rungs where some train may have been answered if the budget had allowed it, and that would tell more."""
        return [rung for rung in self.rungs if any(self._would_tell(rung, train) for train in self.doubts(rung))]

    def way(self, train: Train) -> Way:
        """The way of this train, as far as routers let its TTL expire, and where only the control was seen."""
        way = Way()
        for rung in self.rungs:
            address, answered = rung.answered_by(train), rung.control_answered_by()
            control = Hop(rung.ttl, answered or self._receiver_address())
            if address is not None:
                way.answered(Hop(rung.ttl, address), control, known=answered is not None or rung.control_arrived)
            elif rung.told_alone(train):
                way.unanswered(control)
        return way

    def last_hop(self, train: Train) -> tuple[Hop | None, Hop | None]:
        """The last router that let this train's TTL expire, and the first place beyond where only the control was seen.

        The second is None if no control was seen beyond the first: then nothing is known of what follows.
        """
        way = self.way(train)
        return way.last, way.beyond

    def hops(self) -> tuple[Hop, ...]:
        """The routers that answered the control, by TTL."""
        found = [(rung.ttl, rung.control_answered_by()) for rung in self.rungs]
        return tuple(Hop(ttl, address) for ttl, address in found if address is not None)

    def found(self, train: Train) -> Found:
        """All that climbing for a train has brought."""
        rungs = tuple(rung.told(train) for rung in self.rungs if rung.asked(train))
        way = self.way(train)
        return Found(train, *self.last_hop(train), self.hops(), rungs, way.elsewhere, way.circle)

    def _would_tell(self, rung: Rung, train: Train) -> bool:
        last, beyond = self.last_hop(train)
        return (last is None or last.ttl < rung.ttl) and (beyond is None or rung.ttl < beyond.ttl)

    def _receiver_address(self) -> str:
        end = self.path.receiver_end(self.direction)
        return self.path.name.target if end is None or end is self.path.far else end.address

    def _send(self, ttl: int, trains: Iterable[Train]) -> Attempt:
        sender = self.path.sender_end(self.direction)
        probes = {}
        for train in trains:
            handle = self.path.sender(self.direction, train.protocol)
            if isinstance(handle, int):
                sender.station.set_ttl(handle, ttl)
                probes[train] = send_probe(self.path, self.ledger, train, ttl, self.content, self._address)
                sender.station.set_ttl(handle, USUAL_TTL)
        control: int | str = self.path.controls[id(sender)][0]
        if self.echo or self.stand_in is not None:
            control = self.path.sender(self.direction, ICMP if self.stand_in is None else self.stand_in.protocol)
        if not isinstance(control, int):
            return Attempt(probes, None)
        sender.station.set_ttl(control, ttl)
        sent = self.control.send(self.direction, ttl, echo=self.echo, stand_in=self.stand_in)
        sender.station.set_ttl(control, USUAL_TTL)
        return Attempt(probes, sent)


def ask_again(locators: Sequence[Locator], until: float = math.inf) -> Waiting[None]:
    """Ask for all that stayed in doubt, each time after a wait in which every router earns one more error.

    `until`: no longer than this, in seconds of the path's clock.
    """
    fruitless = 0
    while fruitless < WAITS and (doubts := [(each, rung) for each in locators for rung in each.in_doubt()]):
        clock = doubts[0][0].path.clock
        if clock.monotonic() + BUDGET > until:
            return
        yield from pause(clock, BUDGET)
        fruitful = False
        for locator, rung in doubts:
            if locator.path.gone is not None:
                return
            fruitful = (yield from locator.ask(rung, 1)) or fruitful
        fruitless = 0 if fruitful else fruitless + 1
