"""A box or its twin, as observers outside it see it: what it handed over, and which copies of that came by where."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.containment import Launched, Side, Sight
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.path.senders import UDP
from pytest_hdp.measure.schedule.dispatch import is_reply
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.schedule.knowledge import Knowledge
    from pytest_hdp.vantage.receiving import Observation

MOST_SIGHTS = 8  # of one packet: nobody honest makes more of it


class Watched:
    """One side. `late`: the first round after allowed traffic, None if there was none.

    `witnessed`: the indices of its controls that a witness saw; `in_own_name`: it saw a packet from the address here.
    """

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self.late: int | None = None
        self.witnessed: set[int] = set()
        self.in_own_name = False
        self._sights: dict[int, set[tuple[str, str]]] = {}

    def witness(self, observer: Observer, observation: Observation) -> None:
        """File what a witness saw, if it is a packet of this side."""
        know = self.know
        _, when, _, data, _, interface = observation
        packet = view(data)
        if packet is not None and know.control.observe(observer, observation, packet):
            if not packet.is_icmp_error and (at := know.ledger.index_of(packet.payload)) is not None:
                self.witnessed.add(at[1])
                self.in_own_name |= packet.source == know.path.near.address
            return
        found = know.ledger.probe(when, packet, interface)
        if packet is None or found is None or is_reply(found[0], packet):
            return
        sights = self._sights.setdefault(found[0].index, set())
        if len(sights) < MOST_SIGHTS:
            sights.add((observer.end.called, packet.source))
        self.in_own_name |= packet.source == know.path.near.address

    @property
    def renamed(self) -> str | None:
        """The address from which the far end saw its packets come, if that is not its own and no witness saw that."""
        seen = self.know.control.source_seen.get(Direction.FORWARD)
        own = self.in_own_name or seen is None or seen[0] == self.know.path.near.address
        return None if own or seen is None else seen[0]

    def side(self, train: Train) -> Side:
        """What is known of a train."""
        path = self.know.path
        sender = path.sender(train.direction, train.protocol, train.form)
        entries = [entry for entry in self.know.ledger.trains.get(train, ()) if entry.handed]
        sent = entries if isinstance(sender, int) else []  # of what no socket sends nothing was handed to any
        launched = (
            Launched(entry.index, entry.round, entry.errno, self.late is not None and entry.round >= self.late)
            for entry in sent
        )
        return Side(
            launched=tuple(launched),
            seen=tuple(sight for entry in entries for sight in self._seen(entry)),
            refused=sender if isinstance(sender, str) else None,
            address=path.near.address,
        )

    def with_controls(self, side: Side, train: Train) -> Side:
        """With its controls of that number, UDP datagrams of other ports and echoes: what leaves of these leaves."""
        control, seen = self.know.control, self.know.control.source_seen.get(Direction.FORWARD)
        mine = [each for each in control.entries.values() if each.protocol == train.protocol and each.round >= 0]
        if train.form is not Form.WELLFORMED or side.seen or train.protocol not in {UDP, self.know.path.family.icmp}:
            return side
        there, source = self.know.path.name.agent or "the agent", seen[0] if seen is not None else side.address
        out = (each.index for each in mine if each.came or each.index in self.witnessed)
        launched = (Launched(each.index, each.round) for each in mine)
        sights = tuple(Sight(index, there, source) for index in out)
        return replace(side, launched=(*side.launched, *launched), seen=sights) if sights else side

    def _seen(self, entry: SentProbe) -> Iterator[Sight]:
        """By the witnesses, and at the far end, whatever became of it by then: whole, changed, in a tunnel's packet."""
        for observer, source in sorted(self._sights.get(entry.index, ())):
            yield Sight(entry.index, observer, source)
        there = self.know.path.name.agent or "the agent"
        for source in sorted({copy.packet.source for copy in (*entry.arrived, *entry.delivered, *entry.carried)}):
            yield Sight(entry.index, there, source)
