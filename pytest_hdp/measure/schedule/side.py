"""A box or its twin, as observers outside it see it: what it handed over, and which copies of that came by where.

In reverse it is the far end that hands over, and the own tap of the box or its twin that sees what comes in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.outside import Launched, Side, Sight
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.path.senders import UDP
from pytest_hdp.measure.schedule.dispatch import is_reply
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.control.counting import ControlEntry
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.schedule.knowledge import Knowledge
    from pytest_hdp.vantage.receiving import Observation

_FLAGS, _SYN, _ACK = 13, 0x02, 0x10  # where TCP's flags stand, and two of them (RFC 9293)
MOST_SIGHTS = 8  # of one packet: nobody honest makes more of it


def got_through(entry: ControlEntry) -> bool:
    """Whether a control came; in reverse, to the tap or the socket there: anybody may answer an echo in its name."""
    return entry.came if entry.direction is Direction.FORWARD else bool(entry.arrived_at or entry.delivered_at)


class Watched:
    """One side. `late`: by direction, the first round with allowed traffic; none if there was none.

    `witnessed`: by index, which witness saw one of its controls, and from where; `in_own_name`: one saw a packet from
    the address here. `spoken`: who saw a connection from there that was not made here, and the address.
    `asked`: the same from another address, which may be anybody's.
    `accepted`: one that was asked for here was answered as accepted. `looked`: its own tap has seen something of ours.
    """

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self.late: dict[Direction, int] = {}
        self.witnessed: dict[int, tuple[str, str]] = {}
        self.in_own_name = False
        self.spoken: tuple[str, str] | None = None
        self.asked: tuple[str, str] | None = None
        self.accepted = False
        self.listening = True
        self.looked = False
        self._sights: dict[int, set[tuple[str, str]]] = {}

    def witness(self, observer: Observer, observation: Observation) -> None:
        """File what a witness saw, if it is a packet of this side; what is on its way here is of no account there."""
        know = self.know
        _, when, _, data, _, interface = observation
        packet = view(data)
        if packet is not None and know.control.observe(observer, observation, packet):
            at = know.ledger.index_of(packet.payload) if not packet.is_icmp_error else None
            entry = know.control.entries.get(at[1]) if at is not None else None
            if at is not None and entry is not None and entry.direction is Direction.FORWARD:
                self.witnessed.setdefault(at[1], (observer.end.called, packet.source))
                self.in_own_name |= packet.source == know.path.near.address
            return
        found = know.ledger.probe(when, packet, interface)
        if packet is None or found is None or is_reply(found[0], packet):
            return
        if found[0].train.direction is Direction.REVERSE:
            return
        sights = self._sights.setdefault(found[0].index, set())
        if len(sights) < MOST_SIGHTS:
            sights.add((observer.end.called, packet.source))
        self.in_own_name |= packet.source == know.path.near.address

    def connection(self, observer: Observer, observation: Observation) -> None:
        """File a TCP packet to our port: outside one that asks for a connection and is none of ours, here an answer.

        Not once the twin's own turn has come, which may have the very same address.
        """
        if not self.listening:
            return
        packet, path = view(observation[3]), self.know.path
        if packet is None or len(packet.payload) <= _FLAGS or self.know.ledger.index_of(packet.payload):
            return
        flags = packet.payload[_FLAGS] & (_SYN | _ACK)
        if observer.end is path.near:
            self.accepted |= flags == _SYN | _ACK
        elif flags == _SYN:
            seen = observer.end.called or path.name.agent or "the agent", packet.source
            if packet.source == path.near.address:
                self.spoken = self.spoken or seen
            else:
                self.asked = self.asked or seen

    def _is_late(self, direction: Direction, number: int) -> bool:
        return direction in self.late and number >= self.late[direction]

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
            Launched(
                entry.index, entry.round, entry.errno, self._is_late(train.direction, entry.round), entry.later_only
            )
            for entry in sent
        )
        return Side(
            launched=tuple(launched),
            seen=tuple(sight for entry in entries for sight in self._seen(entry)),
            refused=sender if isinstance(sender, str) else None,
            address=path.near.address,
        )

    def with_controls(self, side: Side, train: Train) -> Side:
        """Its controls of that number, UDP of other ports or echoes, if any got through: what does of these does."""
        control, way = self.know.control, train.direction
        seen = control.source_seen.get(way)
        ours = [each for each in control.entries.values() if each.direction is way and each.round >= 0]
        mine = [each for each in ours if each.protocol == train.protocol]
        if train.form is not Form.WELLFORMED or side.seen or train.protocol not in {UDP, self.know.path.family.icmp}:
            return side
        there, source = self.know.path.name.agent or "the agent", seen[0] if seen is not None else side.address
        if way is Direction.REVERSE:
            source = seen[0] if seen is not None else self.know.path.name.target
        sights = [Sight(each.index, *self.witnessed[each.index]) for each in mine if each.index in self.witnessed]
        sights += [Sight(each.index, there, source) for each in mine if got_through(each)]
        if not sights:
            return side
        launched = tuple(Launched(each.index, each.round, late=self._is_late(way, each.round)) for each in mine)
        return replace(side, launched=launched, seen=tuple(sights), what=" of its controls")

    def _seen(self, entry: SentProbe) -> Iterator[Sight]:
        """By the witnesses, and at the far end, whatever became of it by then: whole, changed, in a tunnel's packet."""
        for observer, source in sorted(self._sights.get(entry.index, ())):
            yield Sight(entry.index, observer, source)
        there = self.know.path.name.agent or "the agent"
        for source in sorted({copy.packet.source for copy in (*entry.arrived, *entry.delivered, *entry.carried)}):
            yield Sight(entry.index, there, source)
