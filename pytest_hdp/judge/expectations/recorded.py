"""A profile recorded from a run: what it expects, what it leaves out, and how that is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Containment, Direction, Form, Verdict
from pytest_hdp.packet.numbers import format_protocols

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Result

    _Kind = tuple[Verdict, str | None, Containment | None]
    _PlaceKey = tuple[str, str]
    _Names = tuple[tuple[str, ...], tuple[str, ...]]

BEHIND_HEADERS = "# What was sent behind extension headers is left out: a profile speaks of numbers, not of chains."


def record(results: Iterable[Result], name: str = "recorded", system: str | None = None, *, whole: bool = True) -> str:
    """Return a profile, as TOML, that expects what was observed: the same run again is all as expected.

    Numbers with equal verdicts (and errnos) share a table, also those of several paths. `direction`, `form`, `targets`
    and `vantages` are written only where the run has more than one of them, or if not all that was asked is in these
    results (`whole`): an entry without them would speak of the rest, too. A train that was inconclusive is left out,
    and so is one that was measured twice over one path with different verdicts. Where a router's budget for ICMP errors
    was spent, what it rejected may be lost next time, and the other way round: both are listed. Trains behind extension
    headers are left out, and a comment says so: their number is that of a header.
    """
    everything = list(results)
    results = [each for each in everything if not each.judgement.train.chain]
    paths = {result.path.kind for result in results}
    lines = [BEHIND_HEADERS] if len(results) < len(everything) else []
    lines += ["[profile]", f"name = {_quoted(name)}"]
    lines += [f"path = {_quoted(paths.pop())}"] if len(paths) == 1 else []
    lines += [f"system = {_quoted(system)}"] if system else []
    for entry, numbers in _entries(results, whole=whole).items():
        lines += ["", "[[expect]]", *entry.lines(numbers)]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Entry:
    """What one table expects of its numbers. `by_luck`: of a lost one that it is rejected, or the other way round."""

    kind: _Kind
    by_luck: bool
    direction: Direction | None
    form: Form | None
    names: _Names

    def lines(self, numbers: Iterable[int]) -> list[str]:
        """The table, as TOML."""
        verdict, errno, containment = self.kind
        lines = [f"protocols = {_quoted(format_protocols(numbers))}", f"verdict = {_quoted(verdict)}"]
        if self.by_luck:
            lines.append(f"also = [{_quoted(Verdict.REJECTED if verdict is Verdict.LOST else Verdict.LOST)}]")
        optional = {"errno": errno, "direction": self.direction, "form": self.form, "containment": containment}
        lines += [f"{key} = {_quoted(value)}" for key, value in optional.items() if value is not None]
        named = dict(zip(("targets", "vantages"), self.names, strict=True))
        return lines + [f"{key} = [{', '.join(map(_quoted, names))}]" for key, names in named.items() if names]


def _entries(results: Sequence[Result], *, whole: bool) -> dict[_Entry, list[int]]:
    """The numbers of each table, in the order of the first train that each is about."""
    observed: dict[tuple[_PlaceKey, Train], set[_Kind]] = {}
    for result in results:
        judgement = result.judgement
        kind = judgement.verdict, judgement.errno, judgement.containment
        observed.setdefault((_place_key(result), judgement.train), set()).add(kind)
    either = _by_luck(results)
    alike: dict[tuple[Train, _Kind, bool], set[_PlaceKey]] = {}
    for (where, train), kinds in observed.items():
        kind = next(iter(kinds))
        if len(kinds) == 1 and kind[0] is not Verdict.INCONCLUSIVE and kind[2] is not Containment.UNPROVEN:
            alike.setdefault((train, kind, (where, train) in either), set()).add(where)
    several = _Several.of(observed, whole=whole)
    entries: dict[_Entry, list[int]] = {}
    for (train, kind, by_luck), places in sorted(alike.items(), key=lambda each: (each[0][0], sorted(each[1]))):
        for names in _named(places, several):
            direction = train.direction if several.directions else None
            form = train.form if several.forms else None
            entries.setdefault(_Entry(kind, by_luck, direction, form, names), []).append(train.protocol)
    return entries


def _place_key(result: Result) -> _PlaceKey:
    """From which vantage point, if there are several, over which path."""
    return result.path.vantage or "", result.path.name


@dataclass(frozen=True, slots=True)
class _Several:
    """Of what a run had, or may have had, more than one, so that an entry names which it is about."""

    directions: bool
    forms: bool
    targets: bool
    vantages: bool

    @classmethod
    def of(cls, observed: Iterable[tuple[_PlaceKey, Train]], *, whole: bool) -> _Several:
        """Of all that was measured: an entry without a direction would speak of what is left out in one, too."""
        places, trains = zip(*observed, strict=True) if observed else ((), ())
        return cls(
            directions=not whole or len({train.direction for train in trains}) > 1,
            forms=not whole or len({train.form for train in trains}) > 1,
            targets=not whole or len({target for _, target in places}) > 1,
            vantages=not whole or len({vantage for vantage, _ in places}) > 1,
        )


def _named(places: set[_PlaceKey], several: _Several) -> list[_Names]:
    """The places as targets and vantage points: () for either if the run had one of them; more than one, if need be."""
    by_vantages: dict[tuple[str, ...], list[str]] = {}
    for target in sorted({target for _, target in places}):
        here = tuple(sorted(vantage for vantage, each in places if each == target))
        by_vantages.setdefault(here, []).append(target)
    return [
        (tuple(targets) if several.targets else (), tuple(filter(None, here)) if several.vantages else ())
        for here, targets in by_vantages.items()
    ]


def _by_luck(results: Iterable[Result]) -> set[tuple[_PlaceKey, Train]]:
    """Which trains were lost or rejected by who got one of a router's few errors, and over which path."""
    results = list(results)
    spent = {result.judgement.budget_spent for result in results} - {None}
    return {
        (_place_key(result), judgement.train)
        for result, judgement in ((each, each.judgement) for each in results)
        if judgement.budget_spent is not None
        or (
            judgement.verdict is Verdict.REJECTED
            and any(count.source in spent for count in judgement.icmp if count.authenticated)
        )
    }


def _quoted(text: str) -> str:
    """Return a TOML basic string: what JSON escapes, TOML 1.0 reads, but for DEL and lone surrogates."""
    return json.dumps(text.encode("utf-8", "replace").decode("utf-8"), ensure_ascii=False).replace("\x7f", "\\u007f")
