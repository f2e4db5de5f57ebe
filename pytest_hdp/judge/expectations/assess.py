"""Expectations: how a verdict compares with what a kernel, a provider or one's own last run leads one to expect.

`inconclusive` is not something to expect: it says that the measurement could not tell. So no profile holds
it, none is recorded, and a test whose verdict it is gets skipped whatever was expected.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from pytest_hdp.judge.expectations.profile import PASSES, Expectation, Profile, ProfileError, format_verdict
from pytest_hdp.judge.expectations.profile_file import load_profile
from pytest_hdp.judge.verdict import Containment, Direction, Form, Outcome, Verdict
from pytest_hdp.packet.numbers import format_protocols
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement, Result

    _Kind = tuple[Verdict, str | None, Containment | None]
    _PlaceKey = tuple[str, str]
    _Names = tuple[tuple[str, ...], tuple[str, ...]]

__all__ = [
    "Expectation",
    "Profile",
    "ProfileError",
    "assess",
    "builtin",
    "builtin_names",
    "for_system",
    "load_profile",
    "record",
]


BEHIND_HEADERS = "# What was sent behind extension headers is left out: a profile speaks of numbers, not of chains."


def assess(judgement: Judgement, expectation: Expectation | None) -> tuple[Outcome, str | None]:
    """Return the outcome of a train's test, and the reason or complaint that goes with it.

    `xfailed` only when exactly the expected non-delivery was observed, or another one that the expectation allows; any
    other verdict, a delivery too, is `failed`. `inconclusive` is `skipped` whatever was expected, and `silent` where a
    delivery was and silence is allowed: neither is evidence of a change. Where it was asked whether a box lets it out,
    that decides, and not the verdict.
    """
    verdict = judgement.verdict
    if judgement.containment is not None:
        return _contained(judgement, judgement.containment, expectation)
    if verdict is Verdict.INCONCLUSIVE:
        return Outcome.SKIPPED, judgement.explanation
    if expectation is None:
        return verdict.outcome, None if verdict.outcome is Outcome.PASSED else judgement.explanation
    if not expectation.stated:
        return _beyond(judgement, expectation)
    if not expectation.matches(judgement):
        got = format_verdict(
            verdict,
            judgement.errno,
            judgement.wire_protocol if expectation.wire_protocol is not None else None,
        )
        return Outcome.FAILED, f"expected {expectation}, got {got}"
    return _as_expected(judgement, expectation)


def _contained(judgement: Judgement, found: Containment, expectation: Expectation | None) -> tuple[Outcome, str | None]:
    """By what came out of the box. What is not proven fails whatever was expected."""
    expected = expectation.containment if expectation is not None else None
    if expectation is None or expected is None or found is Containment.UNPROVEN:
        return found.outcome, None if found.outcome is Outcome.PASSED else judgement.explanation
    if found is not expected:
        return Outcome.FAILED, f"expected {expected.read}, got {found.read}: {judgement.explanation}"
    if found.outcome is Outcome.PASSED:
        return Outcome.PASSED, None
    return Outcome.XFAILED, plain(expectation.reason or f"expected {expected.read}")


def _beyond(judgement: Judgement, expectation: Expectation) -> tuple[Outcome, str | None]:
    """Of a train that its profile says nothing of."""
    if judgement.verdict in PASSES:
        return Outcome.PASSED, None
    return Outcome.SKIPPED, f"{plain(expectation.reason or 'nothing is stated of it')}: {judgement.explanation}"


def _as_expected(judgement: Judgement, expectation: Expectation) -> tuple[Outcome, str | None]:
    verdict = judgement.verdict
    if verdict in PASSES:
        return Outcome.PASSED, None
    if verdict is Verdict.SILENT and expectation.verdict in PASSES:
        return Outcome.SKIPPED, judgement.explanation
    reason = plain(expectation.reason or f"expected {expectation}")
    if verdict is Verdict.SILENT and expectation.verdict is not verdict:
        reason += " (silence fits that, and does not prove it)"
    return Outcome.XFAILED, reason


def builtin_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with the package."""
    folder = resources.files("pytest_hdp.judge") / "profiles"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


@cache
def builtin(name: str) -> Profile:
    """Return a profile that comes with the package. ProfileError names those that there are."""
    if name not in builtin_names():
        raise ProfileError(f"no profile is named {plain(name)!r}: there are {', '.join(builtin_names())}")
    file = resources.files("pytest_hdp.judge") / "profiles" / f"{name}.toml"
    return load_profile(file.read_text(encoding="utf-8"), f"{name}.toml")


def for_system(system: str, path_kind: str) -> Profile | None:
    """Return the packaged profile of a system (as `platform.system()` names it) on a kind of path ("loopback")."""
    for name in builtin_names():
        profile = builtin(name)
        if (profile.system, profile.path) == (system, path_kind):
            return profile
    return None


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
    several = _Several(
        directions=not whole or len({train.direction for _, train in observed}) > 1,
        forms=not whole or len({train.form for _, train in observed}) > 1,
        targets=not whole or len({target for (_, target), _ in observed}) > 1,
        vantages=not whole or len({vantage for (vantage, _), _ in observed}) > 1,
    )
    groups: dict[tuple[_Kind, bool, Direction | None, Form | None, _Names], list[int]] = {}
    for (train, kind, by_luck), places in sorted(alike.items(), key=_in_order):
        for names in _named(places, several):
            direction = train.direction if several.directions else None
            form = train.form if several.forms else None
            groups.setdefault((kind, by_luck, direction, form, names), []).append(train.protocol)
    paths = {result.path.kind for result in results}
    lines = [BEHIND_HEADERS] if len(results) < len(everything) else []
    lines += ["[profile]", f"name = {_quoted(name)}"]
    lines += [f"path = {_quoted(paths.pop())}"] if len(paths) == 1 else []
    lines += [f"system = {_quoted(system)}"] if system else []
    for ((verdict, errno, containment), by_luck, direction, form, (targets, vantages)), numbers in groups.items():
        lines += [
            "",
            "[[expect]]",
            f"protocols = {_quoted(format_protocols(numbers))}",
            f"verdict = {_quoted(verdict)}",
        ]
        if by_luck:
            lines.append(f"also = [{_quoted(Verdict.REJECTED if verdict is Verdict.LOST else Verdict.LOST)}]")
        optional = {"errno": errno, "direction": direction, "form": form, "containment": containment}
        lines += [f"{key} = {_quoted(value)}" for key, value in optional.items() if value is not None]
        named = {"targets": targets, "vantages": vantages}
        lines += [f"{key} = [{', '.join(map(_quoted, names))}]" for key, names in named.items() if names]
    return "\n".join(lines) + "\n"


def _place_key(result: Result) -> _PlaceKey:
    """From which vantage point, if there are several, over which path."""
    return result.path.vantage or "", result.path.name


def _in_order(item: tuple[tuple[Train, _Kind, bool], set[_PlaceKey]]) -> tuple[Train, list[_PlaceKey]]:
    (train, _, _), places = item
    return train, sorted(places)


@dataclass(frozen=True, slots=True)
class _Several:
    """Of what a run had, or may have had, more than one, so that an entry names which it is about."""

    directions: bool
    forms: bool
    targets: bool
    vantages: bool


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
