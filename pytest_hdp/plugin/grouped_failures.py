"""Equal failures on the terminal: one block and one line of the short summary for each group of them.

250 numbers that a path loses at one place are one finding, and as many blocks would push the picture off the screen. So
while pytest prints, its list of failed reports holds one report for each group. At any other time it holds them all:
for the count in the last line, for other plugins, for report files.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr

from pytest_hdp.judge.alike import alike
from pytest_hdp.plugin.attachments import COUNT, EvidenceRepr, attached, result_of
from pytest_hdp.report import fields
from pytest_hdp.report.groups import cause, example_of, headline, hops_by_train

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter

DEFAULT_LINES = "fE"
"""pytest's -r where none is given: any other choice asks for a line of each test."""


class GroupRepr(TerminalRepr):
    """The failure of one test, below the numbers of all that failed alike."""

    def __init__(self, head: Sequence[str], one: object, crash: ReprFileLocation) -> None:
        self.head = head
        self.one = one
        self.reprcrash = crash

    def toterminal(self, tw: TerminalWriter) -> None:
        """Print the headline, then the failure as if it stood alone."""
        for line in (*self.head, ""):
            tw.line(line)
        if isinstance(self.one, TerminalRepr):
            self.one.toterminal(tw)
        else:
            tw.line(str(self.one))


class Blocks:
    """Around all that is printed at the end of a run: blocks of groups in the place of those of tests.

    `-v` and any `--tb` but pytest's default ask for each test's own.
    """

    whole: Sequence[Any] = ()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> Generator[None]:
        """Shorten the list that pytest prints blocks of, and restore it."""
        self.whole = terminalreporter.stats.get("failed", ())
        each = config.get_verbosity() > 0 or config.getoption("tbstyle") != "auto"
        show(terminalreporter, self.whole, each=each)
        try:
            return (yield)
        finally:
            show(terminalreporter, self.whole, each=True)


class Lines:
    """Within it, around what other plugins print: they see all reports, and after them the short summary sees groups.

    `-v` and any `-r` but pytest's default ask for each test's own line.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> Generator[None]:
        """Restore the list, and shorten it for pytest's lines."""
        show(terminalreporter, self._blocks.whole, each=True)
        each = config.get_verbosity() > 0 or config.getoption("reportchars") != DEFAULT_LINES
        try:
            return (yield)
        finally:
            show(terminalreporter, self._blocks.whole, each=each)


def register(config: pytest.Config) -> None:
    """Group the failures of this run."""
    blocks = Blocks()
    config.pluginmanager.register(blocks, "hdp-grouped-blocks")
    config.pluginmanager.register(Lines(blocks), "hdp-grouped-lines")


def show(reporter: pytest.TerminalReporter, whole: Sequence[Any], *, each: bool) -> None:
    """Let pytest's terminal reporter know of each of these failures, or of one for each group."""
    if whole:
        reporter.stats["failed"] = list(whole) if each else one_for_each_group(whole)


def one_for_each_group(reports: Sequence[Any]) -> list[Any]:
    """Return reports in order, equal failures at the place of the first of them; what is not ours stays as it is."""
    hops = hops_by_train([result for report in reports if (result := result_of(report)) is not None])

    def why(report: Any) -> object:
        result = result_of(report)
        if result is None or hasattr(report, "_pdbshown"):
            return id(report)
        return (*_failed_in(report), *cause(result, hops))

    return [group[0] if len(group) == 1 else _standing_for(group) for group in alike(reports, why).values()]


def _failed_in(report: Any) -> tuple[object, ...]:
    """Return the test function, and the line and exception that failed it unless the verdict itself did."""
    function = report.nodeid.partition("[")[0]
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None or isinstance(report.longrepr, EvidenceRepr):
        return function, type(report.longrepr)
    return function, crash.path, crash.lineno, crash.message.partition(":")[0]


def _standing_for(group: Sequence[Any]) -> Any:
    """Return a copy of one report of a group, which names all of them: the same one in whatever order they came."""
    group = sorted(group, key=lambda report: (fields.protocol(attached(report)), report.nodeid))
    results = [result for report in group if (result := result_of(report)) is not None]
    index = example_of(results)
    one = copy.copy(group[index])
    file, line, name = one.location
    one.location = (file, line, f"{name} and {len(group) - 1} more")
    crash = getattr(one.longrepr, "reprcrash", None) or ReprFileLocation(one.nodeid, 0, "")
    message = f"{fields.subjects(results)}: {crash.message}"
    one.longrepr = GroupRepr(
        headline(results, results[index]), one.longrepr, ReprFileLocation(crash.path, crash.lineno, message)
    )
    setattr(one, COUNT, len(group))
    return one
