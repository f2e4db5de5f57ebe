"""What a test run shows and writes: pytest's hooks that call `report/`."""

from __future__ import annotations

import os
import platform
import shlex
import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp import __version__
from pytest_hdp.judge.result import Made
from pytest_hdp.judge.verdict import Outcome
from pytest_hdp.plugin import handover
from pytest_hdp.plugin.attachments import COUNT, OPEN, RECORD, EvidenceRepr, attached, result_of, tell_junit
from pytest_hdp.plugin.collection import CAMPAIGN, SETTINGS
from pytest_hdp.plugin.fixtures import UNAVAILABLE
from pytest_hdp.plugin.header import HEADER, header, system
from pytest_hdp.plugin.vantage_points import vantage_of_report
from pytest_hdp.report import fields, letters
from pytest_hdp.report.expected import own_reason
from pytest_hdp.report.runfiles import RunFiles
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from _pytest._io import TerminalWriter

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.latency.result import LatencyResult
    from pytest_hdp.judge.result import PathInfo, Result
    from pytest_hdp.plugin.status_line import StatusLine
    from pytest_hdp.report.lines import Line

GRAVITY = (Outcome.FAILED, Outcome.XFAILED, Outcome.SKIPPED, Outcome.PASSED)


class Reporting:
    """Shows and writes the records of one run; lives in the process that the user started, not in xdist's workers."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._by_train: dict[tuple[PathInfo, Train], Result] = {}
        self._tests: dict[str, str] = {}
        self.notes: dict[str, None] = {}
        self.skipped: Counter[str] = Counter()
        self.header: dict[str, None] = {}
        self._status: StatusLine | None = None
        settings = config.stash[SETTINGS]
        made = Made(
            command=shlex.join(["pytest", *map(str, config.invocation_params.args)]),
            system=f"{system()}, Python {platform.python_version()}",
            seed=str(settings.seed),
            version=f"pytest-hdp {__version__}",
        )
        self._files = RunFiles(settings.report, settings.record, made)

    @property
    def results(self) -> list[Result]:
        """One result for each train, however many tests read it: then the one with the gravest outcome."""
        return list(self._by_train.values())

    def pytest_report_collectionfinish(self, config: pytest.Config, items: list[pytest.Item]) -> list[str]:
        """Say what is going to be measured, from where, with what right, and under which seed."""
        if config.get_verbosity() < 0 or config.getoption("no_header", default=False):
            return []
        return header(config, items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Keep what an xdist worker says of the measurement: this process collects nothing itself."""
        self.header |= dict.fromkeys(getattr(node, "workeroutput", {}).get(HEADER, ()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """A letter for each verdict, so that the progress line is the picture."""
        if (result := result_of(report)) is None:
            return None
        count, own = getattr(report, COUNT, 1), own_reason(result)
        way = result.judgement.train.direction
        return letters.status(*fields.cell(result), count, own_reason=own, direction=way)

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """A line for each path that could not be measured, and for the rest of a run that was cut short."""
        plugin = self.config.pluginmanager.get_plugin("hdp-unmeasured")
        if plugin is None:
            return ()
        return (plugin.uncounted, *plugin.lines) if plugin.uncounted and self.results else plugin.lines

    def status_line(self) -> StatusLine | None:
        """What shows how far a measurement got, on a terminal that pytest writes to; None without one."""
        from pytest_hdp.plugin.status_line import StatusLine

        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        capture = self.config.pluginmanager.getplugin("capturemanager")
        if reporter is None or not reporter.isatty or self.config.get_verbosity() < -1:
            return None
        around = capture.global_and_fixture_disabled if capture is not None else nullcontext
        self._status = StatusLine(reporter._tw._file, terminal=True, around=around)
        return self._status

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the record, and write it at once; keep the notes."""
        if self._status is not None:
            self._status.erase()
        if report.when == "call":
            told = {"hdp_note", *(["hdp_detail"] if self.config.get_verbosity() > 0 else [])}
            self.notes |= dict.fromkeys(str(value) for name, value in report.user_properties if name in told)
        self._show_evidence_of(report)
        if (result := result_of(report)) is None:
            self._count_skip(report)
            return
        self._keep(result, getattr(report, RECORD) if result is attached(report) else None)
        if result.outcome is Outcome.SKIPPED and (why := getattr(report, OPEN, None)) is not None:
            self.skipped[why] += 1
        if self.config.stash[SETTINGS].report is not None:
            from pytest_hdp.report.capture import train_key

            self._tests.setdefault(train_key(result), report.nodeid)

    def _show_evidence_of(self, report: pytest.TestReport) -> None:
        if hasattr(report, RECORD) and isinstance(report.longrepr, str):
            vantage, said = vantage_of_report(report), attached(report).judgement.explanation
            said = said if vantage is None else f"from {vantage}: {said}"
            brief = self.config.getoption("tbstyle") == "line"
            report.longrepr = EvidenceRepr("" if brief else report.longrepr, report.nodeid, said)

    def _count_skip(self, report: pytest.TestReport) -> None:
        """Count a test of ours that never got to measure, by its reason, which pytest itself shows with -rs only."""
        ours = "hdp" in report.keywords or any(name == UNAVAILABLE for name, _ in report.user_properties)
        if ours and report.skipped and isinstance(report.longrepr, tuple):
            vantage = vantage_of_report(report)
            about = "" if vantage is None else f"{vantage}: "
            self.skipped[about + report.longrepr[-1].removeprefix("Skipped: ")] += 1

    def _other_skips(self) -> Iterable[tuple[str, int]]:
        """What was skipped why, but for what is said of a path that could not be measured."""
        said = "\n".join(self.unmeasured)
        return [(reason, count) for reason, count in self.skipped.items() if reason not in said]

    def _keep(self, result: Result, record: dict[str, Any] | None = None) -> None:
        key = result.path, result.judgement.train
        known = self._by_train.get(key)
        if known is None or GRAVITY.index(result.outcome) < GRAVITY.index(known.outcome):
            self._by_train[key] = result
        self._files.append(result, record)

    @pytest.hookimpl(tryfirst=True)  # pytest's own takes a second to read sources for a traceback
    def pytest_keyboard_interrupt(self) -> None:
        """Keep what a measurement that was interrupted had found by then."""
        campaign = self.config.stash.get(CAMPAIGN, None)
        self._keep_unknown(campaign.stop() if campaign is not None else ())

    def _keep_unknown(self, results: Iterable[Result]) -> None:
        for result in results:
            if (result.path, result.judgement.train) not in self._by_train:
                self._keep(result)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> Generator[None]:
        """The grid, and the surprises in words: last of all, since the last lines are those that stay on the screen."""
        try:
            return (yield)
        finally:
            self._show(terminalreporter, config)

    def _show(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        grave = self._files.troubles or self.unmeasured
        told = self.results or self.notes or self.skipped
        if not (told or grave) or (config.get_verbosity() < -1 and not grave):
            return
        from pytest_hdp.report.claim import claimed, claims, is_proven, verdict_line
        from pytest_hdp.report.grid import grids
        from pytest_hdp.report.lines import wrapped
        from pytest_hdp.report.summary import surprises

        writer = terminalreporter._tw
        unicode = _speaks_unicode(writer)
        terminalreporter.section("IP protocol numbers", sep="=")
        lines: list[Line] = []
        if config.get_verbosity() >= 0:
            lines += [[(line, None)] for line in self.header]
            lines += [*grids(self.results, width=writer.fullwidth, unicode=unicode), []] if self.results else []
        lines += (
            surprises(self.results, width=writer.fullwidth, unicode=unicode, whole=not self.unmeasured)
            if self.results
            else []
        )
        said: list[tuple[str, str | None]] = []
        if asked := claimed(self.results):
            tone = "green" if is_proven(asked) and not self.unmeasured else "red"
            lines_of_all = (*claims(asked), verdict_line(asked, self.unmeasured))
            said += [(f"containment: {line}", tone) for line in lines_of_all]
        said += [(f"note: {note}", None) for note in self.notes]
        said += [(f"{count} skipped: {reason}", "yellow") for reason, count in self._other_skips()]
        said += [(f"hdp: {line}", "red") for line in (*self.unmeasured, *self._files.kept, *self._files.troubles)]
        for text, shade in said:
            lines += [[(line, shade)] for line in wrapped(safe(text, unicode=unicode), writer.fullwidth, "  ")]
        for line in lines:
            for text, colour in line:
                writer.write(text, **({colour: True} if colour else {}))
            writer.line()
        if os.environ.get("GITHUB_ACTIONS") == "true":
            from pytest_hdp.report.github import commands

            for command in commands(self.results, self.unmeasured):
                writer.line(command)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None]:
        """Write the files that were asked for, last of all: by then xdist has waited for the ends of its workers.

        Show the grid where pytest will show no summary, because it or another plugin broke.
        """
        shown = exitstatus != pytest.ExitCode.INTERNAL_ERROR
        tell_junit(self.config, self.results, self.unmeasured)
        try:
            with warnings.catch_warnings():
                if CAMPAIGN in self.config.stash or self.header:  # a cache that can't be written ends no run of ours
                    warnings.filterwarnings("default", category=pytest.PytestCacheWarning)
                yield
        except BaseException:
            shown = False
            raise
        finally:
            self._finish(session)
            reporter = self.config.pluginmanager.getplugin("terminalreporter")
            if not shown and reporter is not None:
                self._show(reporter, self.config)

    def _finish(self, session: pytest.Session) -> None:
        """Write the files; that one can't be is told, and no success."""
        packets = None
        if session.exitstatus == pytest.ExitCode.INTERRUPTED:
            results, tests = handover.known(self.config)
            self._keep_unknown(results)
            self._tests = tests | self._tests
        if self.config.stash[SETTINGS].report is not None:
            from pytest_hdp.plugin.handover import tests_by_train
            from pytest_hdp.plugin.paths import captured

            packets = captured(self.config)
            self._tests = tests_by_train(session) | self._tests
        latency = self.config.pluginmanager.get_plugin("hdp-latency-file")
        found = latency.results if latency is not None else ()
        self._files.finish(self.results, packets=packets, tests=self._tests, latency=found, unmeasured=self.unmeasured)
        self._tell_github(found)
        if session.exitstatus == pytest.ExitCode.OK:
            if self._files.troubles:
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            elif self._claims_too_little():
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _claims_too_little(self) -> bool:
        """Whether a box was asked and is not proven: a failure that a profile expects is no proof."""
        if not self.results:
            return False
        from pytest_hdp.report.claim import claimed, is_proven

        return not is_proven(claimed(self.results))

    def _tell_github(self, latencies: Sequence[LatencyResult]) -> None:
        """On GitHub Actions: the job's summary."""
        place = os.environ.get("GITHUB_STEP_SUMMARY")
        if place and (self.results or self.unmeasured or latencies) and self.config.stash[SETTINGS].report is not None:
            from pytest_hdp.report.github import append_summary

            if (trouble := append_summary(Path(place), self.results, self.unmeasured, latencies)) is not None:
                self._files.troubles.append(trouble)


def _speaks_unicode(writer: TerminalWriter) -> bool:
    encoding = getattr(writer._file, "encoding", None) or "ascii"
    try:
        "\u2192\u00b7".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
