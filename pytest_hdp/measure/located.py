"""Which trains climb to find where they died, whom they stand for, and what that adds to a judgement.

One representative stands for all trains with the same verdict, unless all are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import probed_with
from pytest_hdp.judge.result import Climb
from pytest_hdp.judge.verdict import Form, Place, Verdict

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import AtTtl, Hop, Judgement

LOCATED = frozenset({Verdict.LOST, Verdict.REJECTED, Verdict.FIRST_ONLY, Verdict.SILENT})
_UNANSWERED = "no hop answered, and the control passed"
_DIED = {Verdict.LOST: "lost", Verdict.REJECTED: "rejected", Verdict.FIRST_ONLY: "stopped"}
FEW = 6  # silent trains that climb themselves: one stands for all that come after them


@dataclass(frozen=True, slots=True)
class Found:
    """What climbing for one train has brought: see `Locator.last_hop`, `Locator.hops` and `Rung.told`."""

    train: Train
    last: Hop | None
    beyond: Hop | None
    hops: tuple[Hop, ...] = ()
    rungs: tuple[AtTtl, ...] = ()


def worth_locating(judgement: Judgement, how: str) -> bool:
    """Whether to look for where it died; `how`: as asked for, "none" for never. What the target rejected got there."""
    if judgement.place is Place.TARGET or how == "none":
        return False
    return judgement.verdict in LOCATED and not never_answered(judgement.train)


def never_answered(train: Train) -> bool:
    """Whether no router answers for it: bare HDP under 1 reads as an ICMP error, and none is sent about one."""
    return train.protocol == 1 and train.form is Form.BARE


@dataclass(slots=True)
class Kinds:
    """Which trains have climbed, where they die bit by bit, and what they stand for: those of one group."""

    _climbed: Counter[object] = field(default_factory=Counter)
    _examples: dict[object, Found] = field(default_factory=dict)

    @staticmethod
    def group_of(judgement: Judgement) -> object:
        """What trains have in common that probably die at one place: verdict, form and ICMP answer."""
        return judgement.verdict, judgement.train.form, _answers(judgement)

    def wants(self, group: object, *, every: bool) -> bool:
        """Whether one more of this group is to climb, and count it then. Silence may have many causes."""
        silence = isinstance(group, tuple) and group[0] is Verdict.SILENT
        wanted = every or self._climbed[group] < (FEW if silence else 1)
        self._climbed[group] += wanted
        return wanted

    def climbed(self, judgement: Judgement, found: Found) -> Judgement:
        """The judgement of one that has climbed, with what was found."""
        self._examples.setdefault(self.group_of(judgement), found)
        return located(judgement, found)

    def stands_for(self, judgement: Judgement) -> Judgement:
        """The judgement of one that has not, with what was found for another one of its group."""
        return located(judgement, self._examples[self.group_of(judgement)])


def _answers(judgement: Judgement) -> tuple[tuple[str, int, int], ...]:
    return tuple((count.source, count.type, count.code) for count in judgement.icmp if count.authenticated)


def representatives(judgements: Iterable[Judgement], *, every: bool) -> dict[Train, list[Judgement]]:
    """Trains to climb for, each with the judgements it stands for: those of equal verdict, form and ICMP answer."""
    groups: dict[tuple[object, ...], list[Judgement]] = {}
    for judgement in judgements:
        key = (judgement.train,) if every else (judgement.verdict, judgement.train.form, _answers(judgement))
        groups.setdefault(key, []).append(judgement)
    return {group[0].train: group for group in groups.values()}


def _not_before_who_rejected(judgement: Judgement, found: Found) -> tuple[Hop | None, Hop | None]:
    """Who rejected a train has had it, whatever its silence at a TTL seems to say: it got there at least."""
    sources = {count.source for count in judgement.icmp if count.authenticated}
    last, beyond = found.last, found.beyond
    for hop in found.hops if judgement.verdict is Verdict.REJECTED else ():
        if hop.address in sources and (last is None or hop.ttl > last.ttl):
            last = hop
    if last is not None and beyond is not None and beyond.ttl <= last.ttl:
        beyond = next((hop for hop in found.hops if hop.ttl > last.ttl), None)
    return last, beyond


def located(judgement: Judgement, found: Found, *, hidden: bool = False) -> Judgement:
    """A judgement with the place where its train died, in its sentence and, if it climbed itself, in `last_hop`.

    `hidden`: a translator stands on the way, and may let a number pass untranslated: then no error about it comes back
    from behind, so that its silence there proves no death.
    """
    own, (last, beyond) = found.train == judgement.train, _not_before_who_rejected(judgement, found)
    climb = Climb(found.rungs) if own else Climb(by=found.train.protocol)
    judgement = replace(judgement, hops=found.hops, climb=climb)
    if beyond is None:
        return judgement
    probed = "" if own else probed_with(found.train.protocol)
    sentence = f"{judgement.explanation.rstrip('.')}; {_between(judgement, last, beyond, hidden=hidden)}{probed}."
    if not own:
        return replace(judgement, explanation=sentence)
    place = Place.HOP if judgement.verdict is Verdict.REJECTED else judgement.place
    return replace(judgement, last_hop=last, place=place, explanation=sentence)


def _between(judgement: Judgement, last: Hop | None, beyond: Hop, *, hidden: bool) -> str:
    """Between which routers it died, in words; of silence that proves no death, who was the last to answer."""
    verdict, there = judgement.verdict, f"{beyond.address} (hop {beyond.ttl})"
    unproven = verdict is Verdict.SILENT or (
        hidden and verdict is not Verdict.REJECTED and judgement.nat.state != "translated"
    )
    if last is None:
        return f"no hop answered, and {there} answered the control" if unproven else f"{_UNANSWERED} {there}"
    here = f"{last.address} (hop {last.ttl})"
    if unproven:
        return f"the last to answer was {here}, and to the control {there}"
    return f"{_DIED.get(verdict, 'lost')} between {here} and {there}"
