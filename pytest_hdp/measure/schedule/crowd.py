"""What a crowd of trains of one direction lost: their packets in the order of sending, and which of them came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.crowd import ACCUSED, front_loaded
from pytest_hdp.judge.statistics import fisher
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.measure.control.control import NANOSECONDS
from pytest_hdp.measure.interest import by_interest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.ledger.probes import Entry
    from pytest_hdp.measure.schedule.knowledge import Knowledge

CLEAN = 0.9  # of a round's control must have come


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

    def entries(self, train: Train) -> list[Entry]:
        """What was sent of a train."""
        return [each for each in self._know.ledger.trains.get(train, ()) if each.errno is None and each.handed]

    def came(self, entry: Entry) -> bool:
        """Whether a packet came to the socket; to the interface where no socket can be."""
        if entry.delivered:
            return True
        listener = self._know.path.listener(self.direction, entry.train.protocol) if entry.arrived else None
        return bool(entry.arrived) and not isinstance(listener, int)

    def lives(self, train: Train) -> bool:
        """Whether anything of a train ever came."""
        return any(map(self.came, self.entries(train)))

    def all_sent(self) -> list[Entry]:
        """What was sent of all of them."""
        return [entry for train in self.members for entry in self.entries(train)]

    def timed(self, entries: Iterable[Entry]) -> list[tuple[float, bool]]:
        """When each packet of the living was sent, in seconds of the sender's clock, and whether it came; in order."""
        living = set(self.living)
        return sorted(
            ((each.left[0].time if each.left else each.sent_at) / NANOSECONDS, self.came(each))
            for each in entries
            if each.train in living
        )

    def note_volley(self, sent: Iterable[Entry]) -> None:
        """Take note of what was sent without a pause between its rounds: of these the first tells that lost some."""
        lost = [entry.round for entry in sent if not self.came(entry)]
        self._later.update(entry.round for entry in sent if lost and entry.round > lost[0])

    def first(self, count: int) -> tuple[int, int]:
        """(lost, sent) of the first so many packets of each."""
        came = [self.came(entry) for train in self.members for entry in self.entries(train)[:count]]
        return came.count(False), len(came)

    def order(self) -> tuple[float, float]:
        """How likely a shuffle puts so many of what came at the front, and how unlikely that could be.

        All members tell, or those alone of which something came: where others never come, no round is all or nothing.
        """
        looks = [front_loaded(self._rounds(members)) for members in (self.members, self.living)]
        return min(1.0, len(looks) * min(chance for chance, _ in looks)), max(least for _, least in looks)

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

    def _rounds(self, members: Iterable[Train]) -> list[list[bool]]:
        """Of each round whose control came, whether the members' packets did, in the order of sending."""
        control = self._know.circumstances(self.members[0], more_rounds=False).control
        clean = {each.round for each in control if not each.spoiled and 0 < CLEAN * each.sent <= each.delivered}
        clean -= self._later
        found: dict[int, list[Entry]] = {}
        for train in members:
            for entry in self.entries(train):
                if entry.round in clean:
                    found.setdefault(entry.round, []).append(entry)
        ordered = (sorted(found[number], key=lambda each: each.index) for number in sorted(found))
        return [[self.came(entry) for entry in entries] for entries in ordered]
