"""What a test holds of a train: its settled result, and what makes that the outcome of the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.origin import in_doubt
from pytest_hdp.judge.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from pytest_hdp.judge.refill import FirstPacket
    from pytest_hdp.judge.result import Result


class UnexpectedVerdict(AssertionError):  # noqa: N818 (what it says is not an error of the program)
    """A verdict that fails its test. Its report is a block of evidence instead of a traceback."""

    def __init__(self, result: Result, message: str) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, slots=True, repr=False)
class Observed:
    """The settled result of one train, and `check()`, which makes it the outcome of the test."""

    result: Result
    message: str
    expected_nat: str | None = None

    def __repr__(self) -> str:
        """In a few words, for the explanation of an `assert`; the evidence is in the report of a test that fails."""
        train, errno = self.result.judgement.train, f" ({self.errno})" if self.errno else ""
        return f"<{type(self).__name__} {train.protocol} {train.direction} {train.form}: {self.verdict}{errno}>"

    @property
    def verdict(self) -> Verdict:
        """What the evidence means."""
        return self.result.verdict

    @property
    def errno(self) -> str | None:
        """Name of the errno with which the sender's kernel refused ("EPERM"), or None."""
        return self.result.judgement.errno

    @property
    def wire_protocol(self) -> int | None:
        """The number under which it left, if it was seen leaving."""
        return self.result.judgement.wire_protocol

    @property
    def ip_version(self) -> int:
        """4 or 6."""
        return self.result.ip_version

    @property
    def explanation(self) -> str:
        """The verdict in one sentence."""
        return self.result.judgement.explanation

    def check(self) -> None:
        """Pass, fail, skip or xfail as the verdict and what was expected demand.

        Without an expectation, delivered and reached pass, silent and inconclusive skip, all else fails. With one, the
        test is an xfail if exactly that non-delivery was observed, and fails if anything else was.
        """
        __tracebackhide__ = True
        if self.result.outcome is Outcome.XFAILED:
            pytest.xfail(self.message)
        if self.result.outcome is Outcome.SKIPPED:
            pytest.skip(self.message)
        if self.result.outcome is not Outcome.PASSED:  # xfailed too, under --runxfail
            raise UnexpectedVerdict(self.result, self.message)

    def check_beside(self, control: Observed) -> None:
        """As `check`; but where the control without the headers did not pass either, it tells nothing of them: a skip.

        Where something was expected of it, that is what counts.
        """
        __tracebackhide__ = True
        if self.result.outcome is Outcome.FAILED and self.result.expected is None:
            if control.verdict not in {Verdict.DELIVERED, Verdict.REACHED}:
                pytest.skip(f"{control.verdict} without the headers, so it tells nothing of them: {self.message}")
            raise UnexpectedVerdict(self.result, f"{control.verdict} without the headers; {self.message}")
        self.check()

    def check_needed(self) -> None:
        """Fail unless it gets through. Where not even a control did, nothing was measured: a skip, as always."""
        __tracebackhide__ = True
        judgement = self.result.judgement
        if self.verdict is Verdict.INCONCLUSIVE and judgement.control_delivered:
            raise UnexpectedVerdict(self.result, f"it has to pass, and was not shown to: {self.message}")
        self.check()

    @property
    def nat(self) -> str:
        """What became of the source address: "translated", "leaked", "none", or "dropped" if nothing arrived."""
        return self.result.judgement.nat.state if self.result.judgement.arrived else "dropped"

    def check_nat(self, expected: str | None = None) -> None:
        """Fail if the source address leaked untranslated, or is not what was expected; xfail an expected leak."""
        __tracebackhide__ = True
        if self.result.verdict is Verdict.INCONCLUSIVE:
            pytest.skip(self.message)
        expected = expected or self.expected_nat
        seen = self.result.judgement.nat
        beside = f", while the control came from {seen.control}" if seen.control is not None else ""
        beside += in_doubt(seen.source or "", seen.control) if self.nat == "leaked" else ""
        source = f"source address {self.nat} ({seen.source}){beside}"
        if expected is not None and self.nat != expected:
            pytest.fail(f"{self.result.judgement.train.protocol}: expected {expected}, got {source}", pytrace=False)
        if self.nat == "leaked":
            (pytest.xfail if expected else pytest.fail)(f"{self.result.judgement.train.protocol}: {source}")


@dataclass(frozen=True, slots=True, repr=False)
class Exchange(Observed):
    """What became of a hand-made train. `contents`: what arrived at the receiver's socket, decoded, as sent or not."""

    contents: tuple[bytes | None, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class FirstPacketObserved(Observed):
    """What the first-packet experiment found: its burst's verdict, and what the state hangs on."""

    findings: FirstPacket | None = None
