"""Which numbers climb together to find where they died, whom they stand for, and what that adds to a judgement.

More than one of each group climbs, and all of it where these die at different places, as far as there is time. What
was not asked is not claimed: of the others it is said what became of those that were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.explain import packets_of, probed_with
from pytest_hdp.judge.result import Climb
from pytest_hdp.judge.verdict import Form, Place, Verdict
from pytest_hdp.measure.location.lost_or_rejected import RAN_OUT, spent_by
from pytest_hdp.packet.icmp import Meaning
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import AtTtl, Hop, Judgement
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.packet.family import Family

LOCATED = frozenset({Verdict.LOST, Verdict.REJECTED, Verdict.FIRST_ONLY, Verdict.SILENT})
_DIED = {Verdict.LOST: "lost", Verdict.REJECTED: "rejected", Verdict.FIRST_ONLY: "stopped"}
TRACKED = frozenset({1, 6, 17, 33, 58, 132, 136})  # numbers whose headers some Linux' connection tracking checks
FEW = 6  # trains of one group that climb themselves
TOLD = 2  # of those whose ICMP error tells who rejected them


@dataclass(frozen=True, slots=True)
class TraceResult:
    """What climbing for one train has brought: see `Way`, `Locator.hops` and `Rung.at_ttl`.

    `doubtful`: between `last` and `beyond` a router speaks, and the train's silence there is not proven. `came`: a
    packet of it came through. `again`: where the address of `last` had answered before. `apart`: by which interface it
    left, where the control left by another one: then the control's hops are not on its way.
    """

    train: Train
    last: Hop | None
    beyond: Hop | None
    hops: tuple[Hop, ...] = ()
    rungs: tuple[AtTtl, ...] = ()
    elsewhere: bool = False
    circle: tuple[Hop, Hop] | None = None
    doubtful: bool = False
    came: bool = False
    again: Hop | None = None
    apart: str = ""

    @property
    def rejected_by(self) -> str | None:
        """Who rejected a packet that looked for the hop."""
        errors = (each for rung in self.rungs for each in rung.icmp)
        return next((i.source for i in errors if i.authenticated and i.meaning is not Meaning.EXPIRED), None)

    @property
    def place(self) -> tuple[object, ...] | None:
        """Where it ended, as far as that is known."""
        if self.came:
            return None
        if self.circle is None and (self.doubtful or (self.beyond is None and not self.elsewhere)):
            return None
        return self.last, self.beyond, self.elsewhere, self.circle


def worth_locating(judgement: Judgement, how: str, family: Family) -> bool:
    """Whether to look for where it died; `how`: as asked for, "none" for never. What the target rejected got there."""
    if judgement.place is Place.TARGET or how == "none":
        return False
    return judgement.verdict in LOCATED and not never_answered(judgement.train, family)


def never_answered(train: Train, family: Family) -> bool:
    """Whether no router answers for it: bare HDP under ICMP's number reads as an error, and none is sent about one."""
    return train.protocol == family.icmp and train.form is Form.BARE


@dataclass(slots=True)
class GroupTracker:
    """Which trains have climbed, and where they die bit by bit: those of one group are asked by more than one."""

    _climbed: Counter[object] = field(default_factory=Counter)
    _found: dict[object, list[TraceResult]] = field(default_factory=dict)
    _rejecting: dict[Direction, str] = field(default_factory=dict)

    @staticmethod
    def group_of(judgement: Judgement) -> object:
        """What trains have in common that probably die at one place: direction, verdict, form, headers, ICMP answer."""
        train = judgement.train
        headers = train.behind.name if train.behind is not None else ""
        return train.direction, judgement.verdict, train.form, headers, _answers(judgement)

    def wants(self, judgement: Judgement, *, every: bool, apart: bool = False) -> bool:
        """Whether one more of this one's group is to climb, and count it then.

        Who rejects says so to each; silence and loss may have many places. `apart`: all climb where two are known, and
        where one came through.
        """
        group = self.group_of(judgement)
        few = TOLD if judgement.verdict is Verdict.REJECTED or judgement.train.chain else FEW
        wanted = every or self._climbed[group] < few or (apart and self._differ(group))
        self._climbed[group] += wanted
        return wanted

    def note_rejecting(self, judgements: Iterable[Judgement], found: Iterable[TraceResult]) -> None:
        """Note who rejected what looked for the hop of a lost one: it had no ICMP error left, nor for others."""
        for judgement, place in zip(judgements, found, strict=True):
            if judgement.verdict is Verdict.LOST and place.rejected_by is not None:
                self._rejecting.setdefault(judgement.train.direction, place.rejected_by)

    def _rejected_perhaps(self, judgement: Judgement, found: TraceResult) -> Judgement:
        """A lost one, with who may have rejected it."""
        address = self._rejecting.get(judgement.train.direction)
        if address is None or judgement.verdict is not Verdict.LOST or judgement.budget_spent is not None:
            return judgement
        if found.train == judgement.train and found.rejected_by is not None:
            return spent_by(found.rejected_by, judgement, "rejected a packet of it that looked for the hop")
        return spent_by(address, judgement, "rejects others")

    def climbed(self, judgement: Judgement, found: TraceResult, *, hidden: bool = False) -> Judgement:
        """The judgement of one that has climbed, with what was found."""
        self._found.setdefault(self.group_of(judgement), []).append(found)
        return located(self._rejected_perhaps(judgement, found), found, hidden=hidden)

    def stands_for(self, judgement: Judgement, *, hidden: bool = False) -> Judgement:
        """The judgement of one that has not, with what was found of all others of its group, if that is one place."""
        group = self.group_of(judgement)
        if came := [each.train for each in self._found.get(group, ()) if each.came]:
            return _came_after_all(judgement, came[0])
        found = [each for each in self._found.get(group, ()) if each.place is not None]
        if len(self._places(group)) != 1:
            climbed = self._found.get(group)
            judgement = self._rejected_perhaps(judgement, climbed[0]) if climbed else judgement
            why = _expired(judgement)
            said = f"{judgement.explanation.rstrip('.')}; rejected{why}." if why else judgement.explanation
            return replace(judgement, hops=climbed[0].hops if climbed else (), explanation=said)
        return located(self._rejected_perhaps(judgement, found[0]), found[0], hidden=hidden, others=len(found) - 1)

    def _differ(self, group: object) -> bool:
        """Whether what became of one of a group tells nothing of the others: two places are known, or one came."""
        return len(self._places(group)) > 1 or any(each.came for each in self._found.get(group, ()))

    def _places(self, group: object) -> set[object]:
        return {each.place for each in self._found.get(group, ()) if each.place is not None}


def _answers(judgement: Judgement) -> tuple[tuple[str, int, int], ...]:
    return tuple((count.source, count.type, count.code) for count in judgement.icmp if count.authenticated)


def in_turn(judgements: Iterable[Judgement], group_of: Callable[[Judgement], object]) -> list[Judgement]:
    """One of each group, then the next of each: what there is time for is known of all of them."""
    turns = zip_longest(*alike(judgements, group_of).values())
    return [each for one_of_each in turns for each in one_of_each if each is not None]


def _not_before_who_rejected(judgement: Judgement, found: TraceResult) -> tuple[Hop | None, Hop | None]:
    """Who rejected a train has had it, whatever its silence at a TTL seems to say: it got there at least."""
    sources = {count.source for count in judgement.icmp if count.authenticated}
    last, beyond = found.last, found.beyond
    first = {hop.address: hop for hop in reversed(found.hops)}  # of routers in one name the first, at least
    if judgement.verdict is Verdict.REJECTED and not found.elsewhere:
        there = [first[source] for source in sources & first.keys()]
        last = max([*filter(None, [last]), *there], key=lambda hop: hop.ttl, default=None)
        if _expired(judgement) and not there:
            return last, None  # a box has set its TTL, so that it got farther than the routers that were asked
    if last is not None and beyond is not None and beyond.ttl <= last.ttl:
        beyond = next((hop for hop in found.hops if hop.ttl > last.ttl), None)
    return last, beyond


def located(judgement: Judgement, found: TraceResult, *, hidden: bool = False, others: int = 0) -> Judgement:
    """A judgement with the place where its train died, in its sentence and, if it climbed itself, in `last_hop`.

    `hidden`: a translator stands on the way, and may let a number pass untranslated: then no error about it comes back
    from behind, so that its silence there proves no death; nor does it where a firewall can't read what it is about.
    `others`: so many more climbed in its place, all to one end.
    """
    own, (last, beyond) = found.train == judgement.train, _not_before_who_rejected(judgement, found)
    climb = Climb(found.rungs) if own else Climb(by=found.train.transport)
    judgement = replace(judgement, hops=found.hops, climb=climb)
    if found.came:
        return _came_after_all(judgement, judgement.train)
    hidden = (hidden and judgement.nat.state != "translated") or _unreadable(found.train)
    said = _ending(judgement, found, last, beyond, hidden=hidden)
    if said is None:
        return judgement
    probed = "" if own else probed_with(found.train.transport, others)
    sentence = f"{judgement.explanation.rstrip('.')}; {said}{probed}."
    if not own:
        return replace(judgement, explanation=sentence)
    # who rejected it may speak in another's name: a box before that, say, which no TTL shows
    last = last if beyond is not None else found.last
    proven = not found.doubtful or found.circle is not None or last != found.last
    return replace(judgement, last_hop=last if proven else None, explanation=sentence)


def _came_after_all(judgement: Judgement, came: Train) -> Judgement:
    """The judgement of one of which a packet that looked for the hop came through: it died nowhere, and is not lost.

    So are those that were lost as it was, and were not asked again: a limit that they share has let none through, say.
    """
    before = f"{judgement.explanation.rstrip('.')}; but a packet of"
    lost, own = judgement.verdict is Verdict.LOST, judgement.train == came
    said = f"{before} it that looked for the hop came through" + (", later: whether it gets through is open" * lost)
    if not own:
        said = f"{before} {packets_of(came)}, lost as this was, came through later: whether this gets through is open"
    if not lost:
        return replace(judgement, explanation=f"{said}.") if own else judgement
    return replace(judgement, verdict=Verdict.INCONCLUSIVE, place=Place.UNKNOWN, explanation=f"{said}.", bound=None)


def _ending(
    judgement: Judgement, found: TraceResult, last: Hop | None, beyond: Hop | None, *, hidden: bool
) -> str | None:
    """Where it ended, in words, if anything is known of that."""
    if found.circle is not None:
        sends, to = map(_named, found.circle)
        return f"a routing loop: {sends} sends it back to {to}"
    if found.elsewhere and last is not None:
        died = _DIED.get(judgement.verdict)
        said = f"{died} beyond {_named(last)}" if died else f"the last to answer was {_named(last)}"
        return f"{said}{_again(found)}, on another way than the control's{_expired(judgement)}"
    if found.apart and last is None and beyond is None and found.train == judgement.train:
        beyond_it = f"beyond {plain(found.apart)}, by which the control does not leave{_expired(judgement)}"
        return f"{_DIED.get(judgement.verdict, 'no hop answered')} {beyond_it}"
    if beyond is None:
        by = {count.source for count in judgement.icmp if count.authenticated}
        at = last is not None and judgement.verdict is Verdict.REJECTED and last.address in by
        said = f"rejected at {_named(last)}" if at and last is not None else "rejected"
        return said + _expired(judgement) if at or _expired(judgement) else None
    return _between(judgement, last, beyond, hidden=hidden) + _expired(judgement)


def _again(found: TraceResult) -> str:
    """What it means that the last to answer had answered before, in words."""
    if found.again is None:
        return ""
    return f", who answered at hop {found.again.ttl} too (a loop, two of one address, or a TTL that was set on the way)"


def _expired(judgement: Judgement) -> str:
    """Why it died, where all who rejected it let its TTL expire."""
    errors = {count.meaning for count in judgement.icmp if count.authenticated}
    if judgement.verdict is not Verdict.REJECTED or errors != {Meaning.EXPIRED}:
        return ""
    return RAN_OUT


def _named(hop: Hop) -> str:
    return f"{hop.address} (hop {hop.ttl})"


def _unreadable(train: Train) -> bool:
    """Whether connection tracking takes it for no message of its protocol, and an error about it for nobody's."""
    return train.form is Form.BARE and train.protocol in TRACKED


def _between(judgement: Judgement, last: Hop | None, beyond: Hop, *, hidden: bool) -> str:
    """Between which routers it died, in words; of silence that proves no death, who was the last to answer."""
    verdict, there = judgement.verdict, _named(beyond)
    unproven = verdict is Verdict.SILENT or (hidden and verdict is not Verdict.REJECTED)
    if last is not None and last.address == beyond.address:
        # two routers of one address, or two ways of unequal length: where the second is, seen from here, nobody knows
        died = "the last to answer was" if unproven else f"{_DIED.get(verdict, 'lost')} beyond"
        return f"{died} {_named(last)}, an address that the control met at hop {beyond.ttl} too"
    if last is None and unproven:
        return f"no hop answered, and {there} answered the control"
    if last is None:
        return f"{_DIED.get(verdict, 'lost')} between the sender and {there}: no hop answered, and the control passed"
    if unproven:
        return f"the last to answer was {_named(last)}, and to the control {there}"
    return f"{_DIED.get(verdict, 'lost')} between {_named(last)} and {there}"
