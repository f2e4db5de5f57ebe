"""Expectations: how a verdict compares with what a kernel, a provider or one's own last run leads one to expect.

`inconclusive` is not something to expect: it says that the measurement could not tell. So no profile holds
it, none is recorded, and a test whose verdict it is gets skipped whatever was expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.expectations.profile import PASSES, Expectation, format_verdict
from pytest_hdp.judge.verdict import Containment, Outcome, Verdict
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement


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
        expected_word, got = (word.told(judgement.train.direction) for word in (expected, found))
        return Outcome.FAILED, f"expected {expected_word}, got {got}: {judgement.explanation}"
    if found.outcome is Outcome.PASSED:
        return Outcome.PASSED, None
    return Outcome.XFAILED, plain(expectation.reason or f"expected {expected.told(judgement.train.direction)}")


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
