"""The latency experiment on pytest's side: its fixture, what makes it pass or fail, and its file in the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp.plugin.collection import SETTINGS
from pytest_hdp.plugin.latency_beside import measured
from pytest_hdp.plugin.marker import marked
from pytest_hdp.report.runfiles import LATENCY

if TYPE_CHECKING:
    from pytest_hdp.judge.latency.result import LatencyResult
    from pytest_hdp.measure.latency.experiment import LatencyPlan
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.plugin.fixtures import Path
    from pytest_hdp.plugin.options import Settings

RECORDS = "hdp_latency"
DETAIL = "hdp_detail"
"""A property of a test's report: what stands below the answer with -v."""
RESULTS: pytest.StashKey[list[LatencyResult]] = pytest.StashKey()
LOOPBACK_PAIRS, LAB_PAIRS, FAR_PAIRS = 2000, 1000, 300
FAR_GAP, FAR_REST = 0.005, 0.01  # seconds: 160 packets a second, as gentle as with any agent


@dataclass(frozen=True, slots=True)
class LatencyObserved:
    """What was found, by direction; a round trip and loopback have but one. `check()` makes it the test's outcome."""

    results: tuple[LatencyResult, ...]

    @property
    def sentence(self) -> str:
        """The results in words, a sentence each."""
        if len(self.results) == 1:
            return self.results[0].sentence
        return ". ".join(f"{each.setup.direction}: {each.sentence}" for each in self.results)

    @property
    def valid(self) -> bool:
        """Whether every measurement can be trusted."""
        return all(each.valid for each in self.results)

    def check(self) -> None:
        """Pass if the measurement is valid, skip if too few packets arrived, fail if it is not or HDP is too slow.

        Too slow: the whole interval, in the network or at user level, lies above the margin that was given.
        """
        __tracebackhide__ = True
        from pytest_hdp.judge.latency.gate import Gate

        for each in self.results:
            if (each.trouble and each.enough) or each.gate is Gate.EXCEEDED:
                pytest.fail(f"{each.setup.direction}: {each.sentence}", pytrace=False)
        for each in self.results:
            if each.trouble:
                pytest.skip(f"{each.setup.direction}: {each.sentence}")


@pytest.fixture
def hdp_latency(
    hdp_path: Path, hdp_route: str, hdp_note: Callable[[str], None], request: pytest.FixtureRequest
) -> Callable[..., LatencyObserved]:
    """`hdp_latency(253)` compares HDP under this number with UDP, and with packets that bear TCP's and ICMP's numbers.

    `pairs`, `margin_us`: as the options say unless given. What it found is in the report even if the test fails later.
    """
    settings = request.config.stash[SETTINGS]

    def measure(protocol: int = 253, *, pairs: int | None = None, margin_us: float | None = None) -> LatencyObserved:
        from pytest_hdp.judge.latency.result import in_words

        if hdp_path.open.far is None:
            pytest.skip("a latency needs an agent at the target: give --hdp-agent, or --hdp-lab=NAME instead")
        with _told_in_one_line(request, hdp_path):
            hdp_path.last()
            plan = partial(_plan, settings=settings, protocol=protocol, pairs=pairs, margin_us=margin_us)
            results = measured(request.node, hdp_route, plan)
        request.node.stash.setdefault(RESULTS, []).extend(results)
        for result in results:
            request.node.user_properties.extend(_properties(result))
            about = f"latency, {result.setup.direction}: " if len(results) > 1 else "latency: "
            hdp_note(about + result.sentence)
            details = in_words(result) if result.enough else ()
            request.node.user_properties.extend((DETAIL, about + line) for line in details)
        return LatencyObserved(results)

    return measure


@contextmanager
def _told_in_one_line(request: pytest.FixtureRequest, path: Path) -> Iterator[None]:
    """Skip where nothing can be measured. If an agent died, nothing was, whatever is known of the path: status 4."""
    __tracebackhide__ = True
    from pytest_hdp.measure.path.endpoints import PathUnavailable
    from pytest_hdp.plugin.fixtures import UNAVAILABLE
    from pytest_hdp.plugin.unmeasured import ALONE
    from pytest_hdp.untrusted.text import safe

    try:
        yield
    except PathUnavailable as error:
        told = safe(error)
        if path.open.gone is not None:
            told = safe(path.open.gone)
            request.node.stash[ALONE] = "latency"
            request.node.user_properties.append((UNAVAILABLE, told))
        pytest.skip(f"no latency: {told}")


def _plan(path: OpenPath, settings: Settings, protocol: int, pairs: int | None, margin_us: float | None) -> LatencyPlan:
    from pytest_hdp.measure.latency.experiment import LatencyPlan

    usual = LatencyPlan()
    default = FAR_PAIRS if not path.shared_clock else LAB_PAIRS if path.routed else LOOPBACK_PAIRS
    gap, rest = (usual.gap, usual.rest) if path.shared_clock else (FAR_GAP, FAR_REST)
    return LatencyPlan(
        protocol=protocol,
        pairs=pairs or settings.latency_pairs or default,
        gap=max(gap, 1 / settings.rate) if settings.rate else gap,
        rest=rest,
        seed=settings.seed or 0,
        margin_us=settings.latency_margin if margin_us is None else margin_us,
    )


def _properties(result: LatencyResult) -> list[tuple[str, object]]:
    """For JUnit: short names, microseconds."""
    from pytest_hdp.judge.latency.result import against_udp

    prefix = f"hdp_latency_{result.setup.direction}"
    found: list[tuple[str, object]] = [(f"{prefix}_sentence", result.sentence), (f"{prefix}_valid", result.valid)]
    for each in against_udp(result.differences).values():
        if each.pairs:
            told = {"pairs": each.pairs, "median_us": each.median, "low_us": each.low, "high_us": each.high}
            told["spread_us"] = each.spread
            found += [(f"{prefix}_{each.level}_{name}", value) for name, value in told.items()]
    return found


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure latency last, and the first packet before it: they leave no path as the other tests want to find it."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if "hdp_latency" in getattr(item, "fixturenames", ()):
        return 2
    return int("hdp_path" in getattr(item, "fixturenames", ()) and marked(item).get("variant") == "first")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Hand the whole result on with the report, across xdist's processes too."""
    report = yield
    if call.when == "call" and (results := item.stash.get(RESULTS, None)):
        from pytest_hdp.judge.latency.record import to_record

        setattr(report, RECORDS, [to_record(result) for result in results])
    return report


class LatencyFile:
    """Writes `latency.json`; lives in the process that the user started."""

    def __init__(self, config: pytest.Config) -> None:
        self._folder = config.stash[SETTINGS].report
        self._records: list[dict[str, Any]] = []
        self._trouble = ""

    @property
    def results(self) -> list[LatencyResult]:
        """What was found so far."""
        if not self._records:
            return []
        from pytest_hdp.judge.latency.record import from_record

        return list(map(from_record, self._records))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what was found, and write it at once: a run may be interrupted."""
        found = getattr(report, RECORDS, None)
        if not found or self._folder is None:
            return
        from pytest_hdp.report.latencyfile import write

        self._records += found
        try:
            write(self._folder / LATENCY, self._records)
        except OSError as error:
            self._trouble = f"hdp: {LATENCY} was not written: {error.strerror or error}"

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A file that could not be written is no success."""
        if self._trouble and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what could not be written."""
        if self._trouble:
            terminalreporter.write_line(self._trouble, red=True)
