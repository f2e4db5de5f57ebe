"""Which trains stand in for a control of which most is lost: UDP and echoes are blocked, or limited, on many paths.

One is chosen by its rounds so far, and counts only in later ones, in which it is sent as often as the control would be:
of 255 trains one always had luck, and its luck must tell nothing. No train is its own control: one that is still
undecided is held against another one. Where nothing of the plan came either, a few other packets are tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.control.counting import rounds, sent_in
from pytest_hdp.measure.order import by_interest
from pytest_hdp.measure.path.traffic import on_the_wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.control.control import Control
    from pytest_hdp.measure.control.counting import ControlEntry
    from pytest_hdp.measure.ledger.ledger import Ledger
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.packet.family import Family

MOST = 0.5  # of the usual control may be lost before another one is looked for
HARDLY = 0.2  # of a stand-in has to come through: with less nothing can be told
MOST_TRIES = 4  # stand-ins of one direction, one after the other
KNOWN_ROUNDS = 2  # of a stand-in, before another may take its place; and of scouts, before one is chosen
AHEAD = 3  # rounds in which what opens the way for them goes forward, before scouts go in reverse
SELDOM = 8  # one in so many of the usual control is sent beside a stand-in
# numbers that are let through where others are not, by which a path is known where none of the plan's comes through
WELLFORMED_SCOUTS = (6, 132)  # and an echo
BARE_SCOUTS = (6, 50, 47, 4, 253)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A train that stands in, and the first round in which it counts."""

    train: Train
    since: int


class Known(Protocol):
    """What is known of a measurement so far."""

    path: OpenPath
    plan: Plan
    ledger: Ledger
    control: Control
    rounds: int
    settled: dict[Train, Judgement]

    def judged(self, train: Train) -> bool:
        """Whether nothing more is to be sent of it."""

    def open_trains(self) -> list[Train]:
        """Those of which more is to be sent."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a round's order for a control packet: a usual one, or one of a train that stands in."""

    direction: Direction
    stand_in: Train | None = None


def came_as_sent(train: Train, entries: Iterable[SentProbe]) -> tuple[int, int]:
    """(came, sent) of a train's probes, wherever at the receiver they came to."""
    taken = [each for each in entries if each.errno is None]
    came = [
        any(copy.genuine and copy.protocol == train.protocol for copy in (*each.arrived, *each.delivered))
        for each in taken
    ]
    return sum(came), len(taken)


def scouts_for(direction: Direction, family: Family) -> list[Train]:
    """What to try in a direction."""
    return [
        *(Train(number, direction, Form.WELLFORMED) for number in (family.icmp, *WELLFORMED_SCOUTS)),
        *(Train(number, direction) for number in BARE_SCOUTS),
    ]


class StandIns:
    """The stand-ins of one measurement."""

    def __init__(self, know: Known) -> None:
        self._know = know
        self._chosen: dict[Direction, list[Chosen]] = {}
        self._failed: set[Train] = set()
        self._scouting: dict[Direction, int] = {}

    def chosen_for(self, train: Train) -> Chosen | None:
        """What stands in for the control of a train: another one than itself."""
        return next((each for each in self._chosen.get(train.direction, ()) if each.train != train), None)

    def first(self, direction: Direction) -> Train | None:
        """What stands in for the control of most."""
        return next((each.train for each in self._chosen.get(direction, ())), None)

    def holds(self, train: Train) -> bool:
        """Whether packets like a forward train's still stand in: then nothing may go back under its number yet."""
        chosen = self._chosen.get(train.direction, ())
        wire = on_the_wire(train.protocol)
        return any(on_the_wire(each.train.protocol) == wire for each in chosen) and self._needed(train.direction)

    def slots(self, direction: Direction, usual: int) -> list[Slot]:
        """The control packets of one round, of which there are usually so many."""
        chosen = self._chosen.get(direction)
        scouts = self._scouting_slots(direction)
        if not chosen or not self._needed(direction):
            return [*[Slot(direction)] * usual, *scouts]
        needed = chosen if not self._know.judged(chosen[0].train) else chosen[:1]
        stand_ins = [Slot(direction, each.train) for each in needed for _ in range(usual)]
        return [*[Slot(direction)] * max(1, usual // SELDOM), *stand_ins, *scouts]

    def _needed(self, direction: Direction) -> bool:
        return any(each.direction is direction and each not in self._know.settled for each in self._know.plan.trains)

    def _scouting_slots(self, direction: Direction) -> list[Slot]:
        """The scouts; before those in reverse the same forward, for behind a translator only answers come through."""
        since = self._scouting.get(direction, math.inf)
        back = self._scouting.get(Direction.REVERSE, math.inf)
        ahead = direction is Direction.FORWARD and back <= self._know.rounds < back + AHEAD
        waits = AHEAD if direction is Direction.REVERSE else 0
        if not (ahead or (not self._chosen.get(direction) and self._know.rounds >= since + waits)):
            return []
        return [Slot(direction, each) for each in self.scouts(direction)]

    def pending(self, direction: Direction, known: int) -> bool:
        """Whether enough was sent to choose, or to see how who was chosen fares, and is not yet known.

        Then further rounds would be spent before anything can stand beside them. `known`: rounds of which all is known.
        """
        chosen = self._chosen.get(direction)
        since = chosen[0].since if chosen else self._scouting.get(direction, -math.inf)
        ahead = AHEAD if direction is Direction.REVERSE and not chosen else 0
        return known < since + ahead + KNOWN_ROUNDS <= self._know.rounds

    def few(self, direction: Direction, count: int) -> list[Slot]:
        """A few control packets, where only a few trains are asked."""
        return [Slot(direction, self.first(direction))] * count

    def choose(self, undecided: Iterable[Train], known: int) -> None:
        """Choose, where one is needed, for trains that got their rounds; `known`: rounds of which all is known."""
        for direction in sorted({train.direction for train in undecided}):
            if self._know.path.receiver_end(direction) is not None and self._needs(direction, known):
                self._choose(direction)

    def _needs(self, direction: Direction, known: int) -> bool:
        """Whether nothing tells of the path in this direction, or what does so has failed too."""
        chosen = self._chosen.get(direction)
        if not chosen:
            came, sent = self._usual(direction)
            return came <= (1 - MOST) * sent
        sent_as = [each for each in self._sent_as(chosen[0].train) if chosen[0].since <= each.round < known]
        came, sent = _counts(sent_as)
        tries = sum(each.direction is direction for each in self._failed)
        enough = len({each.round for each in sent_as}) >= KNOWN_ROUNDS
        return enough and came <= HARDLY * sent and tries + 1 < MOST_TRIES

    def _choose(self, direction: Direction) -> None:
        """Take the one that came through most often so far, and one more if that is still undecided.

        Who stood in and failed does so no more, even where nobody else is known yet: others are tried then.
        """
        if (chosen := self._chosen.pop(direction, None)) is not None:
            self._failed.add(chosen[0].train)
        found = self._candidates(direction)
        if not found:
            self._scouting.setdefault(direction, self._know.rounds)
            return
        second = found[1:2] if found[0] in self._know.open_trains() else []
        self._chosen[direction] = [Chosen(each, self._know.rounds) for each in (found[0], *second)]

    def _candidates(self, direction: Direction) -> list[Train]:
        """What came through, the best first, and of equals an echo: of trains, echoes and scouts.

        All of it better than the usual control, if that came.
        """
        echo = Train(self._know.path.family.icmp, direction, Form.WELLFORMED)
        shares: dict[Train, float] = {}
        trains = [each for each in self._know.ledger.trains if each.direction is direction]
        for train in trains:
            came, sent = came_as_sent(train, self._know.ledger.trains[train])
            shares[train] = came / sent if sent else 0.0
        for train in self.scouts(direction):
            usual = [each for each in sent_in(self._know.control, direction) if each.echo and each.stand_in is None]
            came, sent = _counts([*self._sent_as(train), *(usual if train == echo else ())])
            shares[train] = came / sent if sent else 0.0
        came, sent = self._usual(direction)
        least = came / sent if sent else 0.0
        good = [each for each in shares if shares[each] > least and each not in self._failed and self._fresh(each)]
        return sorted(by_interest(good), key=lambda each: (-shares[each], each != echo))

    def scouts(self, direction: Direction) -> list[Train]:
        """Those that may be sent, none of the plan's: nothing in reverse that may open a way for what goes forward.

        So what stands in forward is not sent back meanwhile; nor is the best of those that may stand in there soon.
        """
        know = self._know
        scouts = [
            each
            for each in scouts_for(direction, know.path.family)
            if each not in know.plan.trains and self._fresh(each)
        ]
        if direction is Direction.FORWARD:
            return scouts
        forward = [each for each in know.plan.trains if each.direction is not direction and each not in know.settled]
        kept = {each.protocol for each in forward}
        if self._needed(Direction.FORWARD):
            standing = [each.train for each in self._chosen.get(Direction.FORWARD, ())]
            soon = self._candidates(Direction.FORWARD)[:1] if Direction.FORWARD in self._scouting else []
            kept |= {each.protocol for each in standing or soon}
        return [each for each in scouts if each.protocol not in kept]

    def _fresh(self, train: Train) -> bool:
        """Whether a train's packets may be sent: forward, nothing must have gone back under its number."""
        if train.direction is Direction.REVERSE:
            return True
        wire = on_the_wire(train.protocol)
        probes = (each for each in self._know.ledger.trains if each.direction is Direction.REVERSE)
        scouts = (each.stand_in for each in self._know.control.entries.values() if each.direction is Direction.REVERSE)
        return all(each is None or on_the_wire(each.protocol) != wire for each in (*probes, *scouts))

    def _usual(self, direction: Direction) -> tuple[int, int]:
        """(came, sent) of the usual control, whichever kind of it counts."""
        told = rounds(self._know.control, direction, {})
        return sum(each.delivered for each in told), sum(each.sent for each in told)

    def _sent_as(self, train: Train) -> list[ControlEntry]:
        entries = self._know.control.entries.values()
        return [each for each in entries if each.stand_in == train]


def _counts(entries: Iterable[ControlEntry]) -> tuple[int, int]:
    """(came, sent) of control packets."""
    counted = [each for each in entries if each.round >= 0 and each.errno is None]
    return sum(each.came for each in counted), len(counted)
