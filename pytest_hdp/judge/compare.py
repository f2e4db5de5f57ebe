"""What changed between two sets of results: no more than what both of them show.

Two trains are the same one if they ran from the same vantage point over the same path (kind, name, source, target, and
how its far observers were reached), in the same direction, form and IP version, under the same number. A host's own
address may change between two runs; where each run has one source for a path, its trains are compared, and that is
told.

`silent` and `inconclusive` say that nothing was learnt. Beside any other verdict they are no evidence of a change, and
no evidence of the contrary: such pairs are listed by themselves. Where that befell most of what was known of a path in
one direction, or a path is on the first side only, its evidence is gone, and that is told by itself, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement, PathInfo, Result
from pytest_hdp.judge.verdict import Containment, Direction, Form, Verdict

NOTHING_LEARNT = frozenset({Verdict.SILENT, Verdict.INCONCLUSIVE})

_PlaceKey: TypeAlias = tuple[str | None, ...]
_Key: TypeAlias = tuple[_PlaceKey, int, Train]
_Course: TypeAlias = tuple[_PlaceKey, Direction, Form]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    "verdict", "errno", "left as", "rejection", "changed bytes", "source address", or, of a box that was asked whether
    it lets it out, "containment" alone.
    """

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One train in both results, and what differs; no `changes` if nothing does."""

    before: Result
    after: Result
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """A path, direction and form of which most was known before, and is not any more.

    `known`: trains of which something had been learnt; `missing`: how many of them nothing was learnt of now; `absent`:
    the path is not in the later results at all.
    """

    path: PathInfo
    direction: Direction
    form: Form
    known: int
    missing: int
    absent: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every train of both results, each in one of five places.

    `changed`: what both sides show, and differently. `unclear`: the verdicts differ, and one of them says that nothing
    was learnt; or neither side learnt anything, and at least one should have. `moved`: a path whose one source address
    is another one now, before and after. `rules`: how many trains were judged by other rules than before, by which.
    `gone`: where what was known before is not known any more.
    """

    changed: tuple[Pair, ...]
    unclear: tuple[Pair, ...]
    unchanged: tuple[Pair, ...]
    only_before: tuple[Result, ...]
    only_after: tuple[Result, ...]
    moved: tuple[tuple[PathInfo, PathInfo], ...]
    rules: Mapping[tuple[int, int], int] = field(default_factory=dict)
    gone: tuple[Gone, ...] = ()

    @property
    def pairs(self) -> int:
        """How many trains are in both."""
        return len(self.changed) + len(self.unclear) + len(self.unchanged)

    def differs(self, *, strict: bool = False) -> bool:
        """Whether something changed. `strict`: or may have, or is on one side only."""
        return bool(self.changed or (strict and (self.unclear or self.only_before or self.only_after)))


def compare(before: Iterable[Result], after: Iterable[Result]) -> Comparison:
    """Compare two sets of results. Of a train that is in one set twice, the later one counts."""
    old, new = list(before), list(after)
    floating = _floating(old, new)
    first = {_key(result, floating): result for result in old}
    second = {_key(result, floating): result for result in new}
    spent = _spent([*old, *new])
    pairs = [
        Pair(one, second[key], changes(one, second[key], spent.get(_course(one), frozenset())))
        for key, one in first.items()
        if key in second
    ]
    unclear = [pair for pair in pairs if _is_unclear(pair)]
    known = [pair for pair in pairs if not _is_unclear(pair)]
    only_before = tuple(result for key, result in first.items() if key not in second)
    return Comparison(
        changed=tuple(pair for pair in known if pair.changes),
        unclear=tuple(unclear),
        unchanged=tuple(pair for pair in known if not pair.changes),
        only_before=only_before,
        only_after=tuple(result for key, result in second.items() if key not in first),
        moved=_moved(pairs),
        rules=Counter((p.before.rules, p.after.rules) for p in pairs if p.before.rules != p.after.rules),
        gone=_gone(pairs, only_before, {_place_key(result.path) for result in new}),
    )


def changes(before: Result, after: Result, spent: Collection[str] = ()) -> tuple[Change, ...]:
    """What differs between two results of the same train, as far as both of them show it.

    Counts, times, the last hop and who sent an error are none: chance and load balancing change those. Nor is it one
    that a router rejected a number, and on the other side had no ICMP error left to say so: `budget_spent` of it, or of
    others of this path and direction (`spent`), for who had none left for some had none for any at times. Two
    rejections differ if they have no type and code in common. A source address is compared where something arrived.
    """
    one, two = before.judgement, after.judgement
    if one.containment is not None and two.containment is not None:
        same, way = one.containment is two.containment, one.train.direction
        return () if same else (Change("containment", one.containment.told(way), two.containment.told(way)),)
    if _said_by_luck(one, two, spent) or _said_by_luck(two, one, spent):
        return ()
    if before.verdict is not after.verdict:
        return (Change("verdict", _named(before), _named(after)),)
    found: list[Change] = []
    if one.errno != two.errno:
        found.append(Change("errno", one.errno or "none", two.errno or "none"))
    if before.verdict is Verdict.RENUMBERED and one.wire_protocol != two.wire_protocol:
        found.append(Change("left as", str(one.wire_protocol), str(two.wire_protocol)))
    if before.verdict is Verdict.MODIFIED and set(one.modified) != set(two.modified):
        found.append(Change("changed bytes", ", ".join(sorted(one.modified)), ", ".join(sorted(two.modified))))
    if before.verdict is Verdict.REJECTED and not (errors := _errors(before)) & (others := _errors(after)):
        found.append(Change("rejection", _listed(errors), _listed(others)))
    if one.arrived and two.arrived and one.nat.state != two.nat.state:
        found.append(Change("source address", one.nat.state, two.nat.state))
    return tuple(found)


def _said_by_luck(lost: Judgement, rejected: Judgement, spent: Collection[str]) -> bool:
    """Whether the one is lost and the other rejected for no more than who got one of a router's few errors.

    What is known to have died at another hop was not lost there.
    """
    if (lost.verdict, rejected.verdict) != (Verdict.LOST, Verdict.REJECTED):
        return False
    sources = {count.source for count in rejected.icmp if count.authenticated}
    if lost.budget_spent is not None:
        return lost.budget_spent in sources
    hops = {each.last_hop for each in (lost, rejected) if each.last_hop is not None}
    return bool(sources & set(spent)) and len(hops) < 2


def _course(result: Result) -> tuple[_PlaceKey, Direction]:
    return _place_key(result.path), result.judgement.train.direction


def _spent(results: Iterable[Result]) -> dict[tuple[_PlaceKey, Direction], set[str]]:
    """The routers of each path and direction that had too few ICMP errors for some number."""
    found: dict[tuple[_PlaceKey, Direction], set[str]] = {}
    for result in results:
        if result.judgement.budget_spent is not None:
            found.setdefault(_course(result), set()).add(result.judgement.budget_spent)
    return found


def _learnt_nothing(result: Result) -> bool:
    if result.judgement.containment is not None:
        return result.judgement.containment is Containment.UNPROVEN
    return result.verdict in NOTHING_LEARNT


def _is_unclear(pair: Pair) -> bool:
    if pair.before.judgement.containment is not None and pair.after.judgement.containment is not None:
        return _learnt_nothing(pair.before) or _learnt_nothing(pair.after)
    verdicts = {pair.before.verdict, pair.after.verdict}
    return Verdict.INCONCLUSIVE in verdicts or (len(verdicts) > 1 and bool(verdicts & NOTHING_LEARNT))


def _named(result: Result) -> str:
    """The verdict, and with which errno or as which number, where that says more."""
    judgement = result.judgement
    if judgement.errno is not None:
        return f"{result.verdict} ({judgement.errno})"
    if result.verdict is Verdict.RENUMBERED and judgement.wire_protocol is not None:
        return f"{result.verdict} ({judgement.wire_protocol})"
    if result.verdict is Verdict.REJECTED and (errors := _errors(result)):
        return f"{result.verdict} ({_listed(errors)})"
    return result.verdict.value


def _errors(result: Result) -> set[tuple[int, int]]:
    return {(each.type, each.code) for each in result.judgement.icmp if each.authenticated}


def _listed(errors: set[tuple[int, int]]) -> str:
    return ", ".join(f"ICMP {kind}/{code}" for kind, code in sorted(errors)) or "no error"


def _place_key(path: PathInfo) -> _PlaceKey:
    agent = path.agent.partition("=")[0] if path.agent is not None else None
    return path.vantage, path.kind, path.name, path.target, agent


def _floating(old: list[Result], new: list[Result]) -> set[_PlaceKey]:
    """The paths that have one source on each side, so that it need not be the same one."""
    sources: tuple[dict[_PlaceKey, set[str]], dict[_PlaceKey, set[str]]] = ({}, {})
    for side, results in zip(sources, (old, new), strict=True):
        for result in results:
            side.setdefault(_place_key(result.path), set()).add(result.path.source)
    return {where for where in sources[0] if len(sources[0][where]) == len(sources[1].get(where, ())) == 1}


def _key(result: Result, floating: set[_PlaceKey]) -> _Key:
    where = _place_key(result.path)
    source = () if where in floating else (result.path.source,)
    return (*where, *source), result.ip_version, result.judgement.train


def _moved(pairs: Iterable[Pair]) -> tuple[tuple[PathInfo, PathInfo], ...]:
    found = {
        (pair.before.path, pair.after.path): None for pair in pairs if pair.before.path.source != pair.after.path.source
    }
    return tuple(found)


def _gone(pairs: Iterable[Pair], only_before: Iterable[Result], now: set[_PlaceKey]) -> tuple[Gone, ...]:
    """Where more than half of what was known is not known any more. `now`: the paths of the later results.

    That some trains of a path are in the earlier results only says nothing: fewer were asked for.
    """
    known: dict[_Course, list[tuple[Result, bool]]] = {}
    absent = [(result, True) for result in only_before if _place_key(result.path) not in now]
    for before, missing in [*((pair.before, _learnt_nothing(pair.after)) for pair in pairs), *absent]:
        if not _learnt_nothing(before):
            train = before.judgement.train
            known.setdefault((_place_key(before.path), train.direction, train.form), []).append((before, missing))
    return tuple(
        Gone(seen[0][0].path, direction, form, len(seen), count, where not in now)
        for (where, direction, form), seen in known.items()
        if 2 * (count := sum(each for _, each in seen)) > len(seen)
    )
