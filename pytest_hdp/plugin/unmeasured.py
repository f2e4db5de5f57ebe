"""Exit status 4: which paths of a run could not be measured, or hardly, and why. Nothing measured is not green.

A path counts if a test that was run is about it. The test's report says what it showed, also across xdist's processes.
Where tests did not run, since the run was interrupted or stopped, that is told as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from typing import Any

import pytest

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.not_measured import not_measured
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.plugin.collection import RESULT, SETTINGS, asked_of
from pytest_hdp.plugin.marker import marked
from pytest_hdp.plugin.vantage_points import vantage_of_report
from pytest_hdp.untrusted.text import safe

SIGHTS = "hdp_sights"
"""A report's attribute: what its test showed of each path that it is about, as tuples of `Sight`'s fields."""
BEGUN: pytest.StashKey[bool] = pytest.StashKey()
"""Of a test that no mark has skipped."""
ALONE: pytest.StashKey[str] = pytest.StashKey()
"""Of a test whose agent died: what it alone was to measure, whatever others know of the path."""
PROPERTY = "hdp_unmeasured"
REST = "the rest of the run"
OUTAGE = 3
"""So many inconclusive trains, at least, are more than chance."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one test showed of a path. `trains`: 1 if it read a verdict, else 0; `measured`: it learnt something.

    `why`: one line, if it did not. `course`: the direction and form of the train. `needed`: it has to pass.
    """

    path: str
    trains: int
    measured: bool
    why: str = ""
    course: str = ""
    needed: bool = False


def unmeasured(sights: Iterable[Sight]) -> tuple[str, ...]:
    """One line for each path that could not be measured, in the order of their first tests.

    Where trains were asked for they decide: that a control came through says nothing of any of them. One that is
    inconclusive is no outage; where that befell most of those of one direction and form, little else came through, and
    where it befell all of them, nothing is known of that direction and form. Of what is needed each one counts.
    """
    lines = []
    for path, seen in alike(sights, lambda sight: sight.path).items():
        decisive = [sight for sight in seen if sight.trains] or seen
        if not any(sight.measured for sight in decisive):
            lines.append(not_measured(path, _why(decisive)))
        else:
            lines += _hardly(path, decisive)
    return tuple(lines)


def _hardly(path: str, sights: Iterable[Sight]) -> list[str]:
    said = []
    for course, seen in alike(sights, lambda sight: sight.course).items():
        open_ = [sight for sight in seen if sight.trains and not sight.measured]
        is_outage = len(open_) >= OUTAGE and 2 * len(open_) > len(seen)
        if is_outage or len(open_) == len(seen) or any(sight.needed for sight in open_):
            those = "1 train" if len(seen) == 1 else f"{len(seen)} trains"
            be = "is" if len(open_) == 1 else "are"
            trains = f"{len(open_)} of {those}, {course}, {be} inconclusive"
            said.append(not_measured(path, f"{trains}; {open_[0].why}", hardly=True))
    return said


def _why(sights: list[Sight]) -> str:
    trains = sum(sight.trains for sight in sights)
    first = sights[0].why
    return first if trains < 2 else f"all of {trains} trains are inconclusive; {first}"


def measures(item: pytest.Item) -> bool:
    """Whether a test takes part in what is measured."""
    return "hdp_campaign" in getattr(item, "fixturenames", ())


def attach(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add to a test's report what it showed of its paths, if it is over with this report."""
    about = asked_of(item)
    if not about or (report.when != "call" and not (report.when == "setup" and report.skipped)):
        return
    if not item.stash.get(BEGUN, False) and asked_of(item, served=True):
        return  # who marks a test to be skipped does not want it measured
    result = item.stash.get(RESULT, None) if report.when == "call" else None
    if result is not None:
        train = result.judgement.train
        course = f"{train.direction}, {train.form}"
        measured = result.verdict is not Verdict.INCONCLUSIVE or result.judgement.containment is not None
        found = (1, measured, result.judgement.explanation, course, bool(marked(item).get("needs")))
    else:
        found = (0, not _skipped(report), _reason(report), "", False)
    if (alone := item.stash.get(ALONE, "")) and not found[1]:
        about = [f"the {alone} of {path}" for path in about]
    setattr(report, SIGHTS, [astuple(Sight(path, *found)) for path in about])


def _skipped(report: pytest.TestReport) -> bool:
    return report.skipped and not hasattr(report, "wasxfail")


def _reason(report: pytest.TestReport) -> str:
    said = report.longrepr[-1] if isinstance(report.longrepr, tuple) else ""
    return said.removeprefix("Skipped: ")


class Unmeasured:
    """Ends a run with status 4 if a path could not be measured; lives in the process that the user started."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._sights: list[Sight] = []
        self._wanted: frozenset[str] = frozenset()
        self._over: set[str] = set()
        self._begun = False
        self.lines: tuple[str, ...] = ()
        self.uncounted = ""
        """Of a run that was interrupted, and of whose tests nothing is known: true if it measured anything."""

    @property
    def is_error(self) -> bool:
        """Whether such a path keeps the run from success."""
        return self._config.stash[SETTINGS].unmeasured == "error"

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep which tests are to measure; the process that the user started collects none if xdist has workers."""
        if not session.config.getoption("collectonly"):
            self._wanted = frozenset(item.nodeid for item in session.items if measures(item))

    def pytest_runtest_logstart(self) -> None:
        """Note that tests run: a run that is refused before has told why."""
        self._begun = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test showed; each vantage point has paths of its own."""
        if report.when == "teardown":
            self._over.add(report.nodeid)
        vantage = vantage_of_report(report)
        for fields in getattr(report, SIGHTS, ()):
            sight = Sight(*fields)
            about = sight.path if vantage is None else f"{vantage}: {sight.path}"
            self._sights.append(replace(sight, path=safe(about), why=safe(sight.why)))

    @pytest.hookimpl(tryfirst=True)  # before anybody writes a file
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Decide. A run that was interrupted stays so, and a failed one stays failed."""
        lost = self._config.pluginmanager.get_plugin("hdp-vantage-points")
        paths = (*(lost.lines if lost is not None else ()), *unmeasured(self._sights))
        interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED
        why = "it was interrupted" if interrupted else "it was stopped" if session.shouldfail else "it ended early"
        left = len(self._wanted - self._over) if self._begun else 0
        did_not = f"{why}, and {left} of {len(self._wanted)} tests did not run"
        self.lines = (*([not_measured(REST, did_not)] if left else []), *paths)
        self.uncounted = not_measured(REST, why) if interrupted and not self._wanted else ""
        if self.is_error and self.lines and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        for line in (*([self.uncounted] if self.uncounted and self._sights else []), *self.lines):
            self._tell_junit(line)

    def _tell_junit(self, line: str) -> None:
        with suppress(ImportError):
            from _pytest.junitxml import xml_key

            xml: Any = self._config.stash.get(xml_key, None)
            if xml is not None:
                xml.add_global_property(PROPERTY, line)
