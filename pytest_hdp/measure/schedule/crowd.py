"""What a crowd of trains of one direction lost: their packets in the order of sending, and which of them came."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from pytest_hdp.judge.crowd import ACCUSED, burst_of, closest_of, front_loaded, rates_while_spent
from pytest_hdp.judge.statistics import fisher
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.measure.control.control import NANOSECONDS
from pytest_hdp.measure.order import by_interest
from pytest_hdp.measure.path.traffic import on_the_wire

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.schedule.knowledge import Knowledge

CLEAN = 0.9  # of a round's control must have come
LOOKS = {0: 0.8, 1: 0.1, 2: 0.1}
"""What puts a packet at the front of its round (see `Crowd._rounds`), and each one's share of the error rate."""


@dataclass(slots=True)
class LimitSoFar:
    """What is known of a limit: `rate` packets a second, `burst` at once; both are no higher than it is.

    `guess`: a rate that it may have, by what came after rests, however much of that was saved up before.
    `most`: packets a second that it lets through at most, inf where nobody knows. `closest`: seconds between two that
    came.
    """

    rate: float = 0.0
    burst: int = 0
    guess: float = 0.0
    most: float = math.inf
    closest: float = math.inf

    @property
    def pace(self) -> float:
        """Packets a second of which it may let all through."""
        return max(self.rate, min(self.guess, self.most))

    def learn(self, sent: Sequence[tuple[float, bool]], least: float = 0.0, *, whole: bool = False) -> None:
        """Learn of the rates by packets of which it was spent. `least`: what is known already of the rate.

        `whole`: nothing else was sent then, so that all that it let through is seen, and how many that are at most.
        What dies behind it, or is judged already, has its share.
        """
        self.closest = min(self.closest, closest_of(sent))
        slower, faster = rates_while_spent(sent, self.closest)
        self.rate = max(self.rate, least, slower)
        if whole:
            self.most = min(self.most, faster)

    def learn_burst(self, sent: Sequence[tuple[float, bool]]) -> int:
        """Learn of the burst; how many came before the first of these that did not."""
        came = burst_of(came for _, came in sent)
        self.burst = max(self.burst, came)
        return came


class Crowd:
    """The trains of a direction that are accused of loss, and those that lost some and are undecided: its `members`.

    The most telling come first.
    """

    def __init__(self, know: Knowledge, direction: Direction) -> None:
        waiting = [each for each in know.to_locate.values() if each.train.direction is direction]
        self._know = know
        self.direction = direction
        self._later: set[int] = set()
        self.accused = [each.train for each in waiting if each.verdict in ACCUSED]
        self.members = by_interest(each.train for each in waiting if each.verdict in ACCUSED | {Verdict.INCONCLUSIVE})

    def entries(self, train: Train) -> list[SentProbe]:
        """What was sent of a train."""
        return [each for each in self._know.ledger.trains.get(train, ()) if each.errno is None and each.handed]

    def came(self, entry: SentProbe) -> bool:
        """Whether a packet came to the socket; to the interface where no socket can be."""
        if entry.delivered:
            return True
        listener = self._know.path.listener(self.direction, entry.train.protocol) if entry.arrived else None
        return bool(entry.arrived) and not isinstance(listener, int)

    @property
    def losing(self) -> list[Train]:
        """Those that lost some."""
        return [train for train in self.members if not all(map(self.came, self.entries(train)))]

    def are_different_numbers(self) -> bool:
        """Whether no two of them are of one number, whose own limit they would share."""
        return len({on_the_wire(train.protocol) for train in self.members}) == len(self.members)

    def lives(self, train: Train) -> bool:
        """Whether anything of a train ever came."""
        return any(map(self.came, self.entries(train)))

    def all_sent(self) -> list[SentProbe]:
        """What was sent of all of them."""
        return [entry for train in self.members for entry in self.entries(train)]

    def first_of_rounds(self) -> set[Train]:
        """Those that were sent first of a round."""
        first: dict[int, SentProbe] = {}
        for entry in self.all_sent():
            if entry.round not in first or entry.index < first[entry.round].index:
                first[entry.round] = entry
        return {entry.train for entry in first.values()}

    def timed(self, entries: Iterable[SentProbe]) -> list[tuple[float, bool]]:
        """When each packet of the living was sent, in seconds of the sender's clock, and whether it came; in order."""
        living = set(self.living)
        return sorted((_sent_at(each) / NANOSECONDS, self.came(each)) for each in entries if each.train in living)

    def note_volley(self, sent: Iterable[SentProbe]) -> None:
        """Take note of what was sent without a pause between its rounds: of these the first tells that lost some."""
        lost = [entry.round for entry in sent if not self.came(entry)]
        self._later.update(entry.round for entry in sent if lost and entry.round > lost[0])

    def lost(self, trains: Iterable[Train], count: int) -> tuple[int, int]:
        """(lost, sent) of the first so many packets of each of these."""
        came = [self.came(entry) for train in trains for entry in self.entries(train)[:count]]
        return came.count(False), len(came)

    def order(self) -> tuple[float, float]:
        """How likely a shuffle puts so many of what came at the front, and how unlikely that could be.

        All members tell, or those alone of which something came: where others never come, no round is all or nothing.
        What is at the front is what was sent first; or what the last packets before it were sent longest before, since
        a limit that fills up between two packets lets those through.
        """
        chances, could = [], []
        for members in (self.members, self.living):
            for before, share in LOOKS.items():
                chance, least = front_loaded(self._rounds(members, before))
                chances.append(2 * chance / share)
                could.append(least)
        return min(1.0, *chances), max(could)

    @property
    def living(self) -> list[Train]:
        """Those of which something came."""
        return [train for train in self.members if self.lives(train)]

    def loses(self, trains: Iterable[Train], since: int) -> float:
        """How likely the living of these lose as much since a round as they did, if they lose as the control does."""
        living = set(self.living)
        sent = [each for train in trains if train in living for each in self.entries(train) if each.round >= since]
        gone = sum(not self.came(entry) for entry in sent)
        control = self._know.circumstances(self.members[0], more_rounds=False).control
        beside = [each for each in control if each.round >= since and not each.spoiled]
        arrived, of = sum(min(each.delivered, each.sent) for each in beside), sum(each.sent for each in beside)
        return fisher(gone, len(sent), of - arrived, of)

    def _rounds(self, members: Collection[Train], before: int) -> list[list[bool]]:
        """Of each round whose control came, whether the members' packets did, those at the front first.

        `before`: how far that packet was sent before, the time since which puts one at the front; 0: the first sent
        are. Packets under one number may share a limit of this number's. So but the first one of each counts, and it is
        held against those of numbers of which as many were sent.
        """
        control = self._know.circumstances(self.members[0], more_rounds=False).control
        clean = {each.round for each in control if not each.spoiled and 0 < CLEAN * each.sent <= each.delivered}
        clean -= self._later
        everything = sorted(self._all_of_its_direction(), key=lambda each: each.index)
        times = [_sent_at(each) for each in everything]
        mine, found = set(members), defaultdict[tuple[int, int], list[tuple[int, bool]]](list)
        numbers = Counter((each.round, on_the_wire(each.train.protocol)) for each in everything)
        seen: set[tuple[int, int]] = set()
        for at, entry in enumerate(everything):
            key = entry.round, on_the_wire(entry.train.protocol)
            if key in seen or entry.round not in clean:
                continue
            seen.add(key)
            if entry.train in mine:
                gap = times[at] - (times[at - before] if at >= before else 0) if before else 0
                found[entry.round, numbers[key]].append((-gap, self.came(entry)))
        return [[came for _, came in sorted(some, key=itemgetter(0))] for _, some in sorted(found.items())]

    def _all_of_its_direction(self) -> list[SentProbe]:
        trains = self._know.ledger.trains
        return [each for train in trains if train.direction is self.direction for each in self.entries(train)]


def _sent_at(entry: SentProbe) -> int:
    return entry.left[0].time if entry.left else entry.sent_at
