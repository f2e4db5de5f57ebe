"""From what a box and its twin sent, or were sent, to the word of each train: what is handed to the judge of boxes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_hdp.judge.containment import contain
from pytest_hdp.judge.inward import admit
from pytest_hdp.judge.outside import Surroundings
from pytest_hdp.judge.verdict import SHAPED_FORMS, Direction
from pytest_hdp.measure.path.confirmed import HELD_BACK
from pytest_hdp.measure.path.senders import UDP
from pytest_hdp.measure.schedule.side import got_through
from pytest_hdp.packet.family import IPV6
from pytest_hdp.vantage.remote.agent import MOST_UNCONFIRMED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set

    from pytest_hdp.judge.containment import Ruling
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.schedule.side import Watched

ORDINARY = {
    6: "an ordinary TCP socket sends it",
    2: "an ordinary UDP socket that joins a group has the kernel send it",
    33: "an ordinary DCCP socket sends it where the kernel has one",
    115: "an ordinary L2TP socket sends it where the kernel has one",
    132: "an ordinary SCTP socket sends it where the kernel has one",
    136: "an ordinary UDP-Lite socket sends it where the kernel has one",
}
"""What takes no privilege."""
ORDINARY6 = dict.fromkeys((0, 43, 44, 60), "an ordinary UDP socket sends such headers")
"""What takes none over IPv6: RFC 3542's sticky options, and a datagram that is too large for one packet."""


def is_nowhere(path: OpenPath) -> bool:
    """Whether nobody can say where the box is: it has no route, and so no address is known of it."""
    return path.near.address == path.family.anywhere


class Rulings:
    """Knows a box and its twin, None if there is none."""

    def __init__(self, box: Watched, twin: Watched | None) -> None:
        self.box, self.twin, self.know = box, twin, box.know

    def ruling(self, train: Train, spoiled: Mapping[int, Set[int | None]]) -> Ruling:
        """Return what became of a train. `spoiled`: by round, of which numbers an observer lost some; None: of all."""
        twin = self.twin.side(train) if self.twin is not None else None
        box = self.box.with_controls(self.box.side(train), train)
        around = self._around(train, {number for number, of in spoiled.items() if of & {None, train.protocol}})
        if train.direction is Direction.FORWARD:
            return contain(train, box, twin, around)
        there = self.twin.know.path.near.called if self.twin is not None else ""
        return admit(train, box, twin, around, (self.know.path.near.called or "the box", there or "the twin"))

    def _around(self, train: Train, spoiled: set[int]) -> Surroundings:
        plan, path = self.know.plan, self.know.path
        blind = range(self.know.rounds) if path.gone is not None else ()  # nobody may have looked
        return Surroundings(
            trains=len(plan.trains),
            error_rate=plan.error_rate,
            came=Counter(self._came(train.direction)),
            spoiled=frozenset((*blind, *spoiled)),
            bound=plan.bound,
            apart=path.twin is not None and path.twin.name.target != path.name.target,
            gone=path.gone,
            spoken=self.box.spoken,
            asked=self.box.asked,
            accepted=self.box.accepted,
            in_other_name=self.box.renamed,
            allowed=frozenset(plan.allow),
            version=path.family.version,
            other_ways=self._untried(train),
            blind=self._blind(),
            withheld=self._withheld(train),
        )

    def _blind(self) -> str | None:
        """Why it is no proof that the box's own tap saw nothing, if it is none."""
        path = self.know.path
        if is_nowhere(path):
            return f"the box has no route to {path.name.target}, and so no address that could be told"
        if path.near.raw is False:
            return "nobody could look: no right to raw sockets (CAP_NET_RAW) in the box; enter its network: netns=pid:N"
        if path.near.remote is not None and not self.box.looked:  # its kernel is not ours
            return "the box's own tap saw nothing at all in this run: it may be blind"
        return None

    def _withheld(self, train: Train) -> str | None:
        """Why the far end did not send all of a train to both, if it did not."""
        ledgers = [side.know.ledger for side in (self.box, self.twin) if side is not None]
        if not any(entry.errno == HELD_BACK for ledger in ledgers for entry in ledger.trains.get(train, ())):
            return None
        said, path = (
            f"no more than {MOST_UNCONFIRMED} packets go to addresses from which nothing came back",
            self.know.path,
        )
        if path.near.address in path.own:
            return said
        return f"{said}, and no kernel of ours named the box's: give box and far end as netns=NAME or netns=pid:N"

    def _untried(self, train: Train) -> dict[int, str]:
        """How else a box could send it that may open no raw sockets: of ordinary ones only UDP's are tried."""
        path, number = self.know.path, train.protocol
        ways = {**ORDINARY, path.family.icmp: "an ordinary ping socket may send it"}
        if path.family is IPV6:
            ways |= ORDINARY6
        if train.form in SHAPED_FORMS:
            ways[UDP] = "an ordinary UDP socket may send that too"
        return {number: ways[number]} if path.near.raw is False and number in ways else {}

    def _came(self, way: Direction) -> Iterator[int]:
        """The rounds of its twin's controls that came to an observer outside; in reverse, to itself."""
        if self.twin is not None:
            for entry in self.twin.know.control.entries.values():
                if entry.direction is way and (got_through(entry) or entry.index in self.twin.witnessed):
                    yield entry.round
