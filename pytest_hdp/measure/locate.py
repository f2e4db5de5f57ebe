"""Where did it die? A ladder of TTLs, test packet beside control, to the last router that still answers.

Silence of the test packet alone says nothing: the control must have been answered from the same place. A stock Linux
router sends one ICMP error a second to each peer, after a burst of six (icmp_ratelimit, icmp(7)), so few are asked for
at a time, and the control comes last: if that is answered, the budget was there for what came before it. Only what
stays in doubt is asked again when the budget has had time to fill, all of it after the same wait.
"""

from __future__ import annotations

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
        return self.arrived or (self.expired_at is not None and all(map(self.answered_by, self.probes)))

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

    def asked(self, train: Train) -> list[Attempt]:
        """The attempts in which a packet of this train was sent."""
        return [attempt for attempt in self.attempts if train in attempt.probes]

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

    def in_doubt(self) -> list[Train]:
        """Those that were not answered, without that meaning anything."""
        if self.control_arrived:
            return []
        return [train for train in self.trains if self.answered_by(train) is None and not self.silent(train)]


class Locator:
    """Climbs the TTLs for the representatives of one direction. `echo`: the control is one, with eyes too."""

    def __init__(self, path: OpenPath, direction: Direction, content: bytes, *, echo: bool = False) -> None:
        self.path = path
        self.direction = direction
        self.content = content
        self.echo = echo or path.receiver_end(direction) is None
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
            alive = [train for train in alive if not rung.silent(train)]
            if rung.control_arrived or not alive or self.path.gone is not None:
                return

    def ask(self, rung: Rung, tries: int) -> Waiting[bool]:
        """Ask for those in doubt, until so many attempts in a row brought nothing. Whether any brought something."""
        fruitless, fruitful = 0, False
        while fruitless < tries and (trains := rung.in_doubt()):
            attempt = self._send(rung.ttl, trains[:AT_ONCE])
            rung.attempts.append(attempt)
            deadline = self.path.clock.monotonic() + self._timeout
            yield from look_until(self.path.clock, deadline, attempt.is_complete)
            fruitless = 0 if attempt.fruitful else fruitless + 1
            fruitful = fruitful or attempt.fruitful
        return fruitful

    def in_doubt(self) -> list[Rung]:
        """The rungs where some train may have been answered if the budget had allowed it, and that would tell more."""
        return [rung for rung in self.rungs if any(self._would_tell(rung, train) for train in rung.in_doubt())]

    def last_hop(self, train: Train) -> tuple[Hop | None, Hop | None]:
        """The last router that let this train's TTL expire, and the first place beyond where only the control was seen.

        The second is None if no control was seen beyond the first: then nothing is known of what follows.
        """
        last, beyond = None, None
        for rung in self.rungs:
            address = rung.answered_by(train)
            if address is not None and last is not None and address == last.address:
                # it lets the TTL expire whatever that was: a box before it has set it, and it goes no further
                beyond = beyond or Hop(rung.ttl, rung.control_answered_by() or self._receiver_address())
            elif address is not None:
                last, beyond = Hop(rung.ttl, address), None
            elif beyond is None and (rung.control_arrived or rung.silent(train)):
                beyond = Hop(rung.ttl, rung.control_answered_by() or self._receiver_address())
        return last, beyond

    def hops(self) -> tuple[Hop, ...]:
        """The routers that answered the control, by TTL."""
        found = [(rung.ttl, rung.control_answered_by()) for rung in self.rungs]
        return tuple(Hop(ttl, address) for ttl, address in found if address is not None)

    def found(self, train: Train) -> Found:
        """All that climbing for a train has brought."""
        rungs = tuple(rung.told(train) for rung in self.rungs if rung.asked(train))
        return Found(train, *self.last_hop(train), self.hops(), rungs)

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
        control = self.path.sender(self.direction, ICMP) if self.echo else self.path.controls[id(sender)][0]
        if not isinstance(control, int):
            return Attempt(probes, None)
        sender.station.set_ttl(control, ttl)
        sent = self.control.send(self.direction, ttl, echo=self.echo)
        sender.station.set_ttl(control, USUAL_TTL)
        return Attempt(probes, sent)


def ask_again(locators: Sequence[Locator]) -> Waiting[None]:
    """Ask for all that stayed in doubt, each time after a wait in which every router earns one more error."""
    fruitless = 0
    while fruitless < WAITS and (doubts := [(each, rung) for each in locators for rung in each.in_doubt()]):
        yield from pause(doubts[0][0].path.clock, BUDGET)
        fruitful = False
        for locator, rung in doubts:
            if locator.path.gone is not None:
                return
            fruitful = (yield from locator.ask(rung, 1)) or fruitful
        fruitless = 0 if fruitful else fruitless + 1
