"""What the report of a test carries of its train: the record, and the evidence that is shown if the test fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr

from pytest_hdp.plugin.repeat_command import repeat_command

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter

    from pytest_hdp.judge.result import Result
    from pytest_hdp.plugin.outcome import UnexpectedVerdict

RECORD = "hdp_record"
COUNT = "hdp_equal"
"""On the report that stands for a group of equal failures: how many they are."""
PROPERTY = "hdp_"
NO_PROPERTY = frozenset({"probes", "hops", "climb"})
"""What is too long for a property of each test: it is in the results file."""
EVIDENCE = "what became of the packets"
"""The title of the section below a traceback."""
OUTCOMES = frozenset({"passed", "failed", "skipped"})


class EvidenceRepr(TerminalRepr):
    """A failure's block of evidence, in the place of a traceback."""

    def __init__(self, block: str, nodeid: str, message: str) -> None:
        self.block = block
        self.reprcrash = ReprFileLocation(nodeid, 0, message)

    def toterminal(self, tw: TerminalWriter) -> None:
        """Print the block."""
        for line in self.block.splitlines():
            tw.line(line)


def attach(item: pytest.Item, report: pytest.TestReport, result: Result, error: UnexpectedVerdict | None) -> None:
    """Add a result to the report of its test, and show the evidence instead of a traceback if the verdict failed it."""
    from pytest_hdp.judge.record import to_record

    record = to_record(result)
    record["outcome"] = _outcome(report)
    setattr(report, RECORD, record)
    properties: list[tuple[str, object]] = [
        (PROPERTY + name, _property(value)) for name, value in record.items() if name not in NO_PROPERTY
    ]
    for known in (item.user_properties, report.user_properties):  # a test that is run once more has them already
        known[:] = [each for each in known if each[0].removeprefix(PROPERTY) not in record] + properties
    if error is not None:
        from pytest_hdp.report.failure import failure_block

        report.longrepr = failure_block(record, repeat_command(item))
    elif report.failed:
        show_evidence(item, report, result)


def show_evidence(item: pytest.Item, report: pytest.TestReport, result: Result) -> None:
    """Show below the traceback of a test that failed by an `assert` of its own what was observed."""
    from pytest_hdp.judge.record import to_record
    from pytest_hdp.report.failure import failure_block

    record = {**to_record(result), "outcome": _outcome(report)}
    report.sections.append((EVIDENCE, failure_block(record, repeat_command(item))))


def record_of(report: pytest.TestReport) -> dict[str, Any] | None:
    """Return the record of a report that says how a test ended, with that outcome.

    None for a report without one, and for one to which another plugin gave a meaning of its own: an attempt that is
    made once more ("rerun"), a part of a test (subtests).
    """
    record: dict[str, Any] | None = getattr(report, RECORD, None)
    if record is None or type(report) is not pytest.TestReport or report.outcome not in OUTCOMES:
        return None
    record["outcome"] = _outcome(report)
    return record


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "passed"
    return str(report.outcome)


def _property(value: object) -> str | int:
    if value is None:
        return ""
    return value if isinstance(value, str | int) else json.dumps(value)
