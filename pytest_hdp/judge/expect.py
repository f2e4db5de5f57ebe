"""Expectations: how a verdict compares with what a kernel, a provider or one's own last run leads one to expect.

`inconclusive` is not something to expect: it says that the measurement could not tell. So no profile holds
it, none is recorded, and a test whose verdict it is gets skipped whatever was expected.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import plain
from pytest_hdp.judge.profile import PASSES, Expectation, Profile, ProfileError, load_profile, said
from pytest_hdp.judge.verdict import Direction, Form, Outcome, Verdict
from pytest_hdp.packet.numbers import format_protocols

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement, Result

    _Kind = tuple[Verdict, str | None]

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


def assess(judgement: Judgement, expectation: Expectation | None) -> tuple[Outcome, str | None]:
    """Return the outcome of a train's test, and the reason or complaint that goes with it.

    `xfailed` only when exactly the expected non-delivery was observed, or another one that the expectation allows; any
    other verdict, a delivery too, is `failed`. `inconclusive` is `skipped` whatever was expected, and `silent` where a
    delivery was and silence is allowed: neither is evidence of a change.
    """
    verdict = judgement.verdict
    if verdict is Verdict.INCONCLUSIVE:
        return Outcome.SKIPPED, judgement.explanation
    if expectation is None:
        return verdict.outcome, None if verdict.outcome is Outcome.PASSED else judgement.explanation
    if not expectation.stated:
        return _beyond(judgement, expectation)
    if not expectation.matches(judgement):
        got = said(
            verdict,
            judgement.errno,
            judgement.wire_protocol if expectation.wire_protocol is not None else None,
        )
        return Outcome.FAILED, f"expected {expectation}, got {got}"
    return _as_expected(judgement, expectation)


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


def record(results: Iterable[Result], name: str = "recorded", system: str | None = None) -> str:
    """Return a profile, as TOML, that expects what was observed: the same run again is all as expected.

    Numbers with equal verdicts (and errnos) share a table. `direction` and `form` are written only where the
    run has more than one of them. A train that was inconclusive is left out, and so is one that was measured
    twice with different verdicts. Where a router's budget for ICMP errors was spent, what it rejected may be lost next
    time, and the other way round: both are listed.
    """
    results = list(results)
    observed: dict[Train, set[_Kind]] = {}
    for result in results:
        judgement = result.judgement
        observed.setdefault(judgement.train, set()).add((judgement.verdict, judgement.errno))
    settled = {train: kinds.pop() for train, kinds in observed.items() if len(kinds) == 1}
    either = _by_luck(results)
    groups: dict[tuple[_Kind, bool, Direction | None, Form | None], list[int]] = {}
    # Of all that was measured: an entry without a direction would speak of what is left out in one of them, too.
    directions, forms = {t.direction for t in observed}, {t.form for t in observed}
    for train, kind in sorted(settled.items()):
        if kind[0] is not Verdict.INCONCLUSIVE:
            key = (
                kind,
                train in either,
                train.direction if len(directions) > 1 else None,
                train.form if len(forms) > 1 else None,
            )
            groups.setdefault(key, []).append(train.protocol)
    paths = {result.path.kind for result in results}
    lines = ["[profile]", f"name = {_quoted(name)}"]
    lines += [f"path = {_quoted(paths.pop())}"] if len(paths) == 1 else []
    lines += [f"system = {_quoted(system)}"] if system else []
    for ((verdict, errno), by_luck, direction, form), numbers in groups.items():
        lines += [
            "",
            "[[expect]]",
            f"protocols = {_quoted(format_protocols(numbers))}",
            f"verdict = {_quoted(verdict)}",
        ]
        if by_luck:
            lines.append(f"also = [{_quoted(Verdict.REJECTED if verdict is Verdict.LOST else Verdict.LOST)}]")
        optional = {"errno": errno, "direction": direction, "form": form}
        lines += [f"{key} = {_quoted(value)}" for key, value in optional.items() if value is not None]
    return "\n".join(lines) + "\n"


def _by_luck(results: Iterable[Result]) -> set[Train]:
    """Which trains were lost or rejected by who got one of a router's few errors."""
    results = list(results)
    spent = {result.judgement.budget_spent for result in results} - {None}
    return {
        judgement.train
        for judgement in (result.judgement for result in results)
        if judgement.budget_spent is not None
        or (
            judgement.verdict is Verdict.REJECTED
            and any(count.source in spent for count in judgement.icmp if count.authenticated)
        )
    }


def _quoted(text: str) -> str:
    """Return a TOML basic string: what JSON escapes, TOML 1.0 reads, but for DEL and lone surrogates."""
    return json.dumps(text.encode("utf-8", "replace").decode("utf-8"), ensure_ascii=False).replace("\x7f", "\\u007f")
