"""The plugin's hooks. They decide nothing: options, collection, measurement and judging have rooms of their own."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp import collection, latency
from pytest_hdp.collection import CAMPAIGN, MARKER, RESULT, SETTINGS
from pytest_hdp.fixtures import (
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
from pytest_hdp.observed import UnexpectedVerdict
from pytest_hdp.options import add_options, read_settings

if TYPE_CHECKING:
    from pytest_hdp.reporting import Reporting

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
]

REPORTING: pytest.StashKey[Reporting] = pytest.StashKey()
REFUSED = "hdp_refused"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the --hdp options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options; whatever can't be used is said now, before anything is collected or sent."""
    config.addinivalue_line("markers", MARKER)
    settings = read_settings(config)
    worker = getattr(config, "workerinput", None)
    seed = settings.seed
    if worker is not None:
        seed = worker["hdp_seed"]
    elif seed is None:
        seed = secrets.randbits(32)
    config.stash[SETTINGS] = replace(settings, seed=seed)
    if worker is None:
        from pytest_hdp.reporting import Reporting

        config.stash[REPORTING] = Reporting(config)
        config.pluginmanager.register(config.stash[REPORTING], "hdp-reporting")
        config.pluginmanager.register(latency.LatencyFile(config), "hdp-latency-file")
    config.pluginmanager.register(latency, "hdp-latency")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give each xdist worker the seed of this run, so that all of them make the same plan."""
    node.workerinput["hdp_seed"] = node.config.stash[SETTINGS].seed


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each train that a test's marker and the options name."""
    collection.generate(metafunc)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what --hdp-protocols does not list."""
    collection.select(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the campaign what the selected tests want, so that the first of them measures for all."""
    if not any("hdp_campaign" in getattr(item, "fixturenames", ()) for item in session.items):
        return
    from pytest_hdp.routes import new_campaign

    try:
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
        if hasattr(session.config, "workeroutput"):
            from pytest_hdp.reporting import HEADER, header

            session.config.workeroutput[HEADER] = header(session.config, session.items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Refuse, in the process that the user started, what an xdist worker had to refuse."""
    refused = getattr(node, "workeroutput", {}).get(REFUSED)
    if refused is not None:
        raise pytest.UsageError(refused)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Close the path of a test that nobody needs after it."""
    try:
        return (yield)
    finally:
        campaign = item.config.stash.get(CAMPAIGN, None)
        route = collection.route_of(item) if campaign is not None else None
        if campaign is not None and route is not None:
            campaign.path_users[route] -= collection.uses_path(item)
            campaign.tidy(route)


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
        from pytest_hdp.reporting import attach

        attach(item, report, result, error if isinstance(error, UnexpectedVerdict) else None)
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close every socket that was opened."""
    campaign = config.stash.get(CAMPAIGN, None)
    if campaign is not None:
        campaign.close()
