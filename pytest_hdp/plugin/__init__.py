"""The plugin's hooks. They decide nothing: options, collection, measurement and judging have rooms of their own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp.plugin import collection, handover, latency, selection, unmeasured, without_effect
from pytest_hdp.plugin.collection import BY_HAND, CAMPAIGN, RESULT, SETTINGS
from pytest_hdp.plugin.fixtures import (
    hdp_campaign,
    hdp_case,
    hdp_lab,
    hdp_listener,
    hdp_note,
    hdp_path,
    hdp_probe,
    hdp_protocol,
    hdp_route,
    hdp_sender,
)
from pytest_hdp.plugin.headers import hdp_without_headers
from pytest_hdp.plugin.marker import MARKER
from pytest_hdp.plugin.options import Settings, add_options, read_settings
from pytest_hdp.plugin.outcome import UnexpectedVerdict
from pytest_hdp.plugin.together import check_together
from pytest_hdp.plugin.vantage_points import (
    REFUSED,
    brief,
    briefed,
    is_each,
    is_worker,
    keep_names,
    refused,
    unreachable,
)

if TYPE_CHECKING:
    from pytest_hdp.plugin.reporter import Reporting

__all__ = [
    "hdp_campaign",
    "hdp_case",
    "hdp_lab",
    "hdp_listener",
    "hdp_note",
    "hdp_path",
    "hdp_probe",
    "hdp_protocol",
    "hdp_route",
    "hdp_sender",
    "hdp_without_headers",
]

REPORTING: pytest.StashKey[Reporting] = pytest.StashKey()
MISFIT: pytest.StashKey[str] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the --hdp options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options; whatever can't be used is said now, before anything is collected or sent."""
    config.addinivalue_line("markers", MARKER)
    worker = is_worker(config)
    if worker:
        settings = briefed(config)
    else:
        settings = read_settings(config)
        settings = replace(settings, typed=without_effect.typed(config, settings))
        check_together(settings)
    if isinstance(settings, str):
        config.stash[MISFIT] = settings
        settings = Settings()
    for tag in dict.fromkeys(tag for target in settings.inventory for tag in target.tags):
        config.addinivalue_line("markers", f"{tag}: tests of the targets that --hdp-inventory tags so")
    seed = secrets.randbits(32) if settings.seed is None else settings.seed
    config.stash[SETTINGS] = replace(settings, seed=seed)
    if not worker:
        keep_names(config)
        from pytest_hdp.plugin import grouped_failures as grouping
        from pytest_hdp.plugin import hints
        from pytest_hdp.plugin.reporter import Reporting

        grouping.register(config)
        config.pluginmanager.register(hints.Hints(), "hdp-hints")
        config.stash[REPORTING] = Reporting(config)
        config.pluginmanager.register(config.stash[REPORTING], "hdp-reporting")
        config.pluginmanager.register(latency.LatencyFile(config), "hdp-latency-file")
        config.pluginmanager.register(unmeasured.Unmeasured(config), "hdp-unmeasured")
        if is_each(config):
            from pytest_hdp.plugin.lost_vantages import VantagePoints

            config.pluginmanager.register(VantagePoints(config), "hdp-vantage-points")
    config.pluginmanager.register(latency, "hdp-latency")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give each xdist worker the settings and the seed of this run, so that all of them make the same plan."""
    handover.remember(node)
    brief(node, node.config.stash[SETTINGS])


@pytest.hookimpl(wrapper=True)
def pytest_sessionstart(session: pytest.Session) -> Generator[None]:
    """Say in one line which vantage point xdist could not start."""
    try:
        return (yield)
    except Exception as error:
        if (told := unreachable(session.config, error)) is None:
            raise
        raise pytest.UsageError(told) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each train that a test's marker and the options name."""
    collection.generate(metafunc)


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what --hdp-protocols does not list; note an option that none of what was collected is about."""
    if not session.testsfailed and (told := without_effect.misfit(config, items)) is not None:
        config.stash.setdefault(MISFIT, told)
    selection.select(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the campaign what the selected tests want, so that the first of them measures for all."""
    unusable = session.config.stash[SETTINGS].typed and MISFIT in session.config.stash and session.items
    if not (unusable or any(map(unmeasured.measures, session.items))):
        return
    from pytest_hdp.plugin.hints import warn_of_variables
    from pytest_hdp.plugin.paths import new_campaign

    try:
        warn_of_variables(session.config)
        if (misfit := session.config.stash.get(MISFIT, None)) is not None:
            raise pytest.UsageError(misfit)
        session.config.stash[CAMPAIGN] = new_campaign(session.config, session.items)
    except pytest.UsageError as error:
        if session.config.getoption("collectonly"):
            return
        told = getattr(session.config, "workeroutput", None)
        if told is None:
            raise
        told[REFUSED] = str(error)  # a worker that raises is an internal error of xdist's
        session.items.clear()
    else:
        if (reporting := session.config.stash.get(REPORTING, None)) is not None:
            session.config.stash[CAMPAIGN].on_progress = reporting.status_line()
        if hasattr(session.config, "workeroutput"):
            from pytest_hdp.plugin.header import HEADER, header

            session.config.workeroutput[HEADER] = header(session.config, session.items)


@pytest.hookimpl(optionalhook=True, tryfirst=True)  # xdist itself prints the traceback of over there
def pytest_testnodedown(node: Any, error: object) -> None:
    """Refuse, in the process that the user started, what xdist's workers had to, if they are no vantage points."""
    if not is_each(node.config) and (told := refused(node)) is not None:
        raise pytest.UsageError(told)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let an xdist worker leave what no report of a test tells."""
    if is_worker(session.config):
        handover.hand_over(session, interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Close the path of a test that nobody needs after it."""
    try:
        return (yield)
    finally:
        campaign = item.config.stash.get(CAMPAIGN, None)
        key = collection.path_key_of(item) if campaign is not None else None
        if campaign is not None and key is not None:
            campaign.path_users[key] -= collection.uses_path(item)
            campaign.tidy(key)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note that no mark has skipped it: pytest looks at those first of all."""
    item.stash[unmeasured.BEGUN] = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the record to the report of a test that read one: as properties, and whole for the results file."""
    report = yield
    result = item.stash.get(RESULT, None)
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, UnexpectedVerdict):
        result = result or error.result
    if result is not None and report.when == "call":
        from pytest_hdp.plugin.attachments import attach

        attach(item, report, result, error if isinstance(error, UnexpectedVerdict) else None)
    elif report.when == "call" and report.failed and (by_hand := item.stash.get(BY_HAND, None)) is not None:
        from pytest_hdp.plugin.attachments import show_evidence

        show_evidence(item, report, by_hand)
    unmeasured.attach(item, report)
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close every socket that was opened; under sudo, leave no caches of root's in a user's project."""
    campaign = config.stash.get(CAMPAIGN, None)
    if campaign is not None:
        campaign.close()
    if "SUDO_UID" in os.environ:
        from pytest_hdp.report.caches import give_back_caches

        give_back_caches(_caches(config))


def _caches(config: pytest.Config) -> list[Path]:
    """Return the folders where pytest and Hypothesis keep what they know of earlier runs."""
    hypothesis = os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY", ".hypothesis")
    folders = [config.invocation_params.dir / hypothesis]
    if config.pluginmanager.hasplugin("cacheprovider"):
        folders.append(config.rootpath / config.getini("cache_dir"))
    return folders
