"""Where did it die? The one climb: a ladder of TTLs, test packet beside control, to the last router that answers.

Silence of the test packet alone says nothing: the control must have been answered from the same place. A stock Linux
router sends one ICMP error a second to each peer, after a burst of six (icmp_ratelimit, icmp(7)), so few are asked for
at a time, and the control comes last: if that is answered, the budget was there for what came before it. Where
delays vary it is sent as much later: else it may overtake them and have what was left of the budget, and their silence
is taken for death. No later than that, as the budget fills meanwhile. Only what stays in doubt is asked again when the
budget has had time to fill, all of it after the same wait.

A number may take another way than the control, by policy or among ways of equal cost, or go in a circle. So each climbs
as far as its own packets are answered, also beyond the TTL at which the control is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Hop
from pytest_hdp.measure.control.control import Control
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.location.located import TraceResult
from pytest_hdp.measure.location.ttl_rung import OFTEN, TRIES, Attempt, Rung
from pytest_hdp.measure.location.way import Way
from pytest_hdp.measure.path.sending import send_probe
from pytest_hdp.measure.path.waiting import Waiting, look_until, pause

if TYPE_CHECKING:
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.control.counting import ControlEntry
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.path.open_path import OpenPath

HIGHEST_TTL = 30
AT_ONCE = 4  # test packets before a control: with it, within the burst of a stock Linux router
BUDGET = 1.05  # seconds in which such a router earns one more ICMP error
WAITS = 2  # for the budget, in a row without any answer, before what is in doubt stays so
USUAL_TTL = 64
MOST_IDLE = 1 + OFTEN  # attempts in a row that settle nobody's doubt, for each silence that is needed
GIVES_UP = 2  # TTLs in a row at which nobody answers on a way that the control does not take
ALONE_TRIES, ALONE_GIVES_UP = 2, 4  # controls at each TTL, and TTLs in a row without an answer, where no train climbs


class Locator:
    """Climbs the TTLs for some trains of one direction.

    `echo`: the control is one, with observers too; `stand_in`: it is like packets of that train. `until`: no longer, in
    seconds of the path's clock. `needed`: silences that loss does not explain.
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
        needed: int = TRIES,
    ) -> None:
        self.needed = needed
        self.path = path
        self.until = until
        self.direction = direction
        self.content = content
        self.stand_in = stand_in
        self.echo = stand_in is None and (echo or path.receiver_end(direction) is None)
        self.ledger = Ledger(path.run_id, "locate")
        self.control = Control(path, content)
        self.rungs: list[Rung] = []
        self._address, self._own = "", dict[Train, str]()
        self._timeout = self._spread = 0.0

    def climb(
        self,
        trains: Iterable[Train],
        address: str,
        port: int,
        timeout: float,
        spread: float = 0.0,
        own: dict[Train, str] | None = None,
    ) -> Waiting[None]:
        """Raise the TTL until the control arrives or all trains are silent; `timeout`: seconds for an answer.

        Without trains the control climbs alone: to the target, or till nobody answers any more.

        `spread`: seconds by which a later packet may overtake an earlier one. `own`: where trains go that do not go to
        the control's address.
        """
        self.control.aim(self.direction, address, port)
        self._address, self._own, self._timeout, self._spread = address, own or {}, timeout, spread
        alive = list(trains)
        alone = not alive
        for ttl in range(1, HIGHEST_TTL + 1):
            rung = Rung(ttl, alive, needed=self.needed)
            self.rungs.append(rung)
            yield from self.ask(rung, ALONE_TRIES if alone else TRIES)
            alive = [train for train in alive if self._goes_on(train, rung)]
            if not (alive or (alone and self._goes_on_alone())) or self.path.gone is not None or self._late():
                return

    def _late(self) -> bool:
        return self.path.clock.monotonic() > self.until

    def _goes_on_alone(self) -> bool:
        """Whether a higher TTL may show one more hop of the control's."""
        rung = self.rungs[-1]
        if rung.control_arrived or rung.attempts[-1].control is None:
            return False  # or none can be sent
        return len(self.rungs) < ALONE_GIVES_UP or any(
            each.control_answered_by() is not None for each in self.rungs[-ALONE_GIVES_UP:]
        )

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

    def ask(self, rung: Rung, tries: int, *, rested: bool = False) -> Waiting[bool]:
        """Ask for those in doubt, until so many attempts in a row brought nothing. Whether any brought something.

        `rested`: routers have had the time to earn an error. One that earns an error for every other control answers
        without end, and leaves all in doubt: so attempts that settle nobody's are bounded, too.
        """
        fruitless, fruitful, idle = 0, False, 0
        while fruitless < tries and idle < MOST_IDLE * self.needed:
            doubts = self.doubts(rung)
            if (fruitless and self._late()) or not self._is_open(rung):
                break
            attempt = Attempt(self._send(rung.ttl, doubts[:AT_ONCE]), rested=rested and not fruitful)
            rung.attempts.append(attempt)
            yield from self._wait(min(self._spread, self._timeout), attempt.probes_heard_of)
            attempt.control = self._send_control(rung.ttl)
            yield from self._wait(self._timeout, attempt.is_complete)
            fruitless = 0 if attempt.fruitful else fruitless + 1
            fruitful = fruitful or attempt.fruitful
            idle = idle + 1 if len(self.doubts(rung)) == len(doubts) else 0
        return fruitful

    def _wait(self, seconds: float, known: Callable[[], bool]) -> Waiting[bool]:
        return look_until(self.path.clock, self.path.clock.monotonic() + seconds, known)

    def _is_open(self, rung: Rung) -> bool:
        """Whether some train is in doubt there; where none climbs, the control that nobody has answered."""
        return bool(self.doubts(rung)) if rung.trains else not any(each.fruitful for each in rung.attempts)

    def doubts(self, rung: Rung) -> list[Train]:
        """Those that were not answered, without that meaning anything."""
        trains = filter(self._may_send, rung.trains)
        return [train for train in trains if not rung.heard_of(train) and not self._is_told(train, rung)]

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
        way = Way(elsewhere=bool(self._left_apart(train)))
        for rung in self.rungs:
            address, answered = rung.answered_by(train), rung.control_answered_by()
            control = Hop(rung.ttl, answered or self._receiver_address())
            if address is not None:
                known = answered is not None or rung.control_arrived
                way.answered(Hop(rung.ttl, address), control, known=known, beside=address == answered)
            elif rung.told_alone(train):
                way.unanswered(control)
        return way

    def hops(self) -> tuple[Hop, ...]:
        """The routers that answered the control, by TTL."""
        found = [(rung.ttl, rung.control_answered_by()) for rung in self.rungs]
        return tuple(Hop(ttl, address) for ttl, address in found if address is not None)

    def result_of(self, train: Train) -> TraceResult:
        """All that climbing for a train has brought."""
        rungs = tuple(rung.at_ttl(train) for rung in self.rungs if rung.asked(train))
        way = self.way(train)
        climbed = (rung for rung in self.rungs if train in rung.trains)  # of the others it was known where it ended
        open_ = (rung for rung in climbed if rung.leaves_open(train, elsewhere=way.elsewhere))
        doubtful = any(self._would_tell(rung, train) for rung in open_)
        came = any(rung.came(train) for rung in self.rungs)
        ends = way.last, way.beyond, self.hops(), rungs, way.elsewhere, way.circle
        return TraceResult(train, *ends, doubtful, came, way.again, self._left_apart(train))

    def _left_apart(self, train: Train) -> str:
        """By which interface it left, if the control never left by that."""
        left = {rung.left_apart(train) for rung in self.rungs if rung.asked(train)}
        return " and ".join(sorted(left)) if all(left) else ""

    def _would_tell(self, rung: Rung, train: Train) -> bool:
        """Whether an answer there would tell where it ended, or what lies between two answers of one address."""
        way = self.way(train)
        last, beyond = way.last, way.beyond
        if last is not None and way.again is not None and way.again.ttl < rung.ttl < last.ttl:
            return True
        return (last is None or last.ttl < rung.ttl) and (beyond is None or rung.ttl < beyond.ttl)

    def _receiver_address(self) -> str:
        end = self.path.receiver_end(self.direction)
        return self.path.name.target if end is None or end is self.path.far else end.address

    def _send(self, ttl: int, trains: Iterable[Train]) -> dict[Train, SentProbe]:
        sender = self.path.sender_end(self.direction)
        probes = {}
        for train in trains:
            handle = self.path.sender(self.direction, train.protocol, train.form)
            if isinstance(handle, int) and self._may_send(train):
                sender.station.set_ttl(handle, ttl)
                to = self._own.get(train, self._address)
                probes[train] = send_probe(self.path, self.ledger, train, ttl, self.content, to)
                sender.station.set_ttl(handle, USUAL_TTL)
        return probes

    def _may_send(self, train: Train) -> bool:
        """Whether a packet can and may go where a train's go: what is not sent must not be taken for silence."""
        if not isinstance(self.path.sender(self.direction, train.protocol, train.form), int):
            return False  # bare 0 over IPv6: no socket sends it
        confirmed = self.path.confirmed
        to = self._own.get(train, self._address)
        return self.path.sender_end(self.direction) is self.path.near or confirmed.free(to) or confirmed.left > 0

    def _send_control(self, ttl: int) -> ControlEntry | None:
        sender = self.path.sender_end(self.direction)
        control: int | str = self.path.controls[id(sender)][0]
        if self.echo or self.stand_in is not None:
            control = self.path.sender(
                self.direction, self.path.family.icmp if self.stand_in is None else self.stand_in.protocol
            )
        if not isinstance(control, int):
            return None
        sender.station.set_ttl(control, ttl)
        sent = self.control.send(self.direction, ttl, echo=self.echo, stand_in=self.stand_in)
        sender.station.set_ttl(control, USUAL_TTL)
        return sent


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
            fruitful = (yield from locator.ask(rung, 1, rested=True)) or fruitful
        fruitless = 0 if fruitful else fruitless + 1
