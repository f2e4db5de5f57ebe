"""What was expected of a result beside what was found, in words: "expected delivered, got lost"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Outcome, Verdict
from pytest_hdp.report.letters import words
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Result

_NO_FAILURES = frozenset(verdict for verdict in Verdict if verdict.outcome is not Outcome.FAILED)


def expected_and_got(result: Result) -> str:
    """Return "expected delivered, got lost", or only "lost" where nothing was expected or the two are equal.

    A verdict that was expected can still fail by its errno, or by the number under which it left: then both are said.
    "delivered, but the test failed" is a test that failed for a reason of its own.
    """
    if result.judgement.containment is not None:
        return words(result.judgement.containment, result.judgement.train.direction)
    got, judgement = words(result.verdict), result.judgement
    got = f"{got} ({safe(judgement.errno)})" if judgement.errno else got
    if own_reason(result):
        return f"{got}, but the test failed"
    if result.expected is None or _as_expected(result):
        return got
    expected = words(result.expected)
    if result.expected_errno:
        expected = f"{expected} ({safe(result.expected_errno)})"
    if (number := result.expected_wire_protocol) is not None:
        expected, got = f"{expected} to {number}", f"{got} to {judgement.wire_protocol}"
    return f"expected {expected}, got {got}"


def own_reason(result: Result) -> bool:
    """Return whether a test failed although the verdict is no reason to: it passes, or is open, or was expected so."""
    if result.outcome != Outcome.FAILED:
        return False
    if (found := result.judgement.containment) is not None:
        return found.outcome is not Outcome.FAILED
    if result.expected is None:
        return result.verdict in _NO_FAILURES
    return _as_expected(result)


def _as_expected(result: Result) -> bool:
    """Return whether the verdict is the expected one, and what was stated beside it, too."""
    return (
        result.verdict is result.expected
        and result.expected_errno in {None, result.judgement.errno}
        and result.expected_wire_protocol in {None, result.judgement.wire_protocol}
    )
