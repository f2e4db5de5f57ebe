"""What the report of a test carries of its train: the record, and the evidence that is shown if the test fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr

from pytest_hdp.judge.verdict import Outcome
from pytest_hdp.plugin.collection import CAMPAIGN, case_of
from pytest_hdp.plugin.repeat_command import repeat_command

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter

    from pytest_hdp.judge.result import Result
    from pytest_hdp.plugin.outcome import UnexpectedVerdict

RECORD = "hdp_record"
OPEN = "hdp_open"
"""Why the verdict counts neither way, where a profile says nothing of its number; else None."""
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


_RESULTS: WeakKeyDictionary[pytest.TestReport, Result] = WeakKeyDictionary()
"""What reports carry, read once. A report itself goes to other processes and other plugins, as JSON."""


def attach(item: pytest.Item, report: pytest.TestReport, result: Result, error: UnexpectedVerdict | None) -> None:
    """Add a result to the report of its test, and show the evidence instead of a traceback if the verdict failed it."""
    from pytest_hdp.judge.record import to_record
    from pytest_hdp.judge.trace import traces

    judgement = replace(result.judgement, probes=traces(result.judgement.probes))  # once for all that write it
    result = replace(result, judgement=judgement, outcome=_outcome(report))
    record = to_record(result)
    setattr(report, RECORD, record)
    setattr(report, OPEN, _unstated(item, result))
    _RESULTS[report] = result
    properties: list[tuple[str, object]] = [
        (PROPERTY + name, _property(value)) for name, value in record.items() if name not in NO_PROPERTY
    ]
    for known in (item.user_properties, report.user_properties):  # a test that is run once more has them already
        known[:] = [each for each in known if each[0].removeprefix(PROPERTY) not in record] + properties
    if error is not None:
        from pytest_hdp.report.failure import failure_block

        report.longrepr = failure_block(result, repeat_command(item))
    elif report.failed:
        show_evidence(item, report, result)


def _unstated(item: pytest.Item, result: Result) -> str | None:
    """Return what to say of a verdict that stands open since the profile says nothing of its number; else None."""
    campaign, case = item.config.stash.get(CAMPAIGN, None), case_of(item)
    if campaign is None or case is None or result.outcome is not Outcome.SKIPPED:
        return None
    expectation = campaign.specs[case.path_key].expect(result.judgement.train, result.verdict)
    return None if expectation is None or expectation.stated else expectation.reason


def show_evidence(item: pytest.Item, report: pytest.TestReport, result: Result) -> None:
    """Show below the traceback of a test that failed by an `assert` of its own what was observed."""
    from pytest_hdp.report.failure import failure_block

    result = replace(result, outcome=_outcome(report))
    report.sections.append((EVIDENCE, failure_block(result, repeat_command(item))))


def tell_junit(config: pytest.Config, results: Sequence[Result], unmeasured: Sequence[str]) -> None:
    """Put what can be claimed of a box into JUnit's properties of the whole run."""
    from pytest_hdp.report.claim import claimed, claims, verdict_line

    with suppress(ImportError):
        from _pytest.junitxml import xml_key

        xml = config.stash.get(xml_key, None)
        if xml is not None and (asked := claimed(results)):
            xml.add_global_property("hdp_containment", verdict_line(asked, unmeasured))
            for line in claims(asked):
                xml.add_global_property("hdp_claim", line)


def result_of(report: pytest.TestReport) -> Result | None:
    """Return the result that a report carries which says how a test ended, with that outcome.

    None for a report without one, and for one to which another plugin gave a meaning of its own: an attempt that is
    made once more ("rerun"), a part of a test (subtests).
    """
    if type(report) is not pytest.TestReport or report.outcome not in OUTCOMES or not hasattr(report, RECORD):
        return None
    result, outcome = attached(report), _outcome(report)
    return result if result.outcome is outcome else replace(result, outcome=outcome)


def attached(report: pytest.TestReport) -> Result:
    """Return the result that a report carries, whatever its test came to. Raises AttributeError."""
    if report not in _RESULTS:
        from pytest_hdp.judge.record import from_record

        _RESULTS[report] = from_record(getattr(report, RECORD))
    return _RESULTS[report]


def _outcome(report: pytest.TestReport) -> Outcome:
    if hasattr(report, "wasxfail"):
        return Outcome.XFAILED if report.skipped else Outcome.PASSED
    return Outcome(report.outcome)


def _property(value: object) -> str | int:
    if value is None:
        return ""
    return value if isinstance(value, str | int) else json.dumps(value)
