"""From the settings to the routes that a test run can measure."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp.collection import LOOPBACK, SETTINGS, case_of, route_of, uses_path
from pytest_hdp.judge.expect import Profile
from pytest_hdp.measure import plan, routes
from pytest_hdp.measure.campaign import Campaign, Route
from pytest_hdp.measure.share import measured_once
from pytest_hdp.report.safe import safe
from pytest_hdp.vantage.places import Place, PlaceError, here, netns

if TYPE_CHECKING:
    from pytest_hdp.options import Settings, Spot


OTHER_FILES = 50


def new_campaign(config: pytest.Config, items: Iterable[pytest.Item]) -> Campaign:
    """A campaign that knows every route the settings name, and what these tests want of them.

    Raises pytest.UsageError if one can't be had.
    """
    settings = config.stash[SETTINGS]
    worker: dict[str, str] = getattr(config, "workerinput", {})
    campaign = Campaign(
        share=_shared_folder(config) if worker else None,
        run=worker.get("testrunuid") or f"{settings.seed:08x}",
    )
    try:
        for route in _routes(settings):
            campaign.routes[route.key] = route
    except PlaceError as error:
        raise pytest.UsageError(safe(error)) from None
    for item in items:
        if (case := case_of(item)) is not None:
            campaign.want(case.route, case.train)
        if uses_path(item) and (key := route_of(item)) is not None:
            campaign.path_users[key] += 1
    _check_open_files(campaign)
    if not config.getoption("collectonly"):
        try:
            reach_all(campaign)
        except PlaceError as error:
            raise pytest.UsageError(safe(error)) from None
    return campaign


def _check_open_files(campaign: Campaign) -> None:
    """A raw socket for each number at each end: raises pytest.UsageError where so many files may not be opened."""
    sockets = [
        len({train.protocol for train in wanted}) * (1 if key == LOOPBACK else 2)
        for key, wanted in campaign.wanted.items()
    ]
    needed = OTHER_FILES + max(sockets, default=0)  # of the others, the paths are closed by then or not open yet
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if needed > most:
        raise pytest.UsageError(
            f"this run opens about {needed} files at a time, and this process may open {most}: "
            f"allow more (ulimit -n {needed}), or ask for fewer numbers (--hdp-protocols)"
        )


def _shared_folder(config: pytest.Config) -> Path:
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    return factory.getbasetemp().parent / "hdp"  # a worker's own folder is one below the run's


def _routes(settings: Settings) -> list[Route]:
    profile = settings.expect if isinstance(settings.expect, Profile) else None
    by_default = settings.expect is None
    found = [
        routes.loopback(_plan(settings, plan.LOOPBACK), profile, buffer=settings.buffer, expect_default=by_default)
    ]
    if settings.lab:
        from pytest_hdp.lab.catalogue import make

        for name in settings.lab:
            found += routes.in_lab(make(name), _plan(settings, plan.LAB), profile, expect_truth=by_default, asked=name)
    for target in settings.target:
        if any(spot is not None and spot.how == "ssh" for spot in (settings.source, settings.agent)):
            found.append(_watched(settings, target, profile))
            continue
        source = _place(settings.source)
        if settings.agent is None:
            found.append(routes.agentless(source, target, _plan(settings, plan.AGENTLESS), profile))
        else:
            found.append(routes.between(source, _place(settings.agent), target, _plan(settings, plan.LAB), profile))
    return found


def _place(spot: Spot | None) -> Place:
    return netns(spot.name) if spot is not None and spot.how == "netns" else here()


def _watched(settings: Settings, target: str, profile: Profile | None) -> Route:
    from pytest_hdp.measure.watched import watched
    from pytest_hdp.vantage.ssh import ssh

    def place(spot: Spot | None, peers: tuple[str, ...] = ()) -> Place | ssh:
        return ssh(spot.name, peers) if spot is not None and spot.how == "ssh" else _place(spot)

    agent = place(settings.agent) if settings.agent is not None else None
    pace = plan.AGENTLESS if agent is None else plan.REMOTE
    return watched(place(settings.source, (target,)), agent, target, _plan(settings, pace), profile)


def reach_all(campaign: Campaign) -> None:
    """Log in where it takes that, before any test runs. Raises PlaceError: nothing has been sent by then.

    Of several processes one tries, and the others believe it.
    """
    for key, route in campaign.routes.items():
        if route.reach is None or not (campaign.wanted.get(key) or campaign.path_users[key]):
            continue
        if campaign.share is None:
            route.reach()
            continue
        digest = hashlib.blake2b(repr((campaign.run, key)).encode(), digest_size=12).hexdigest()
        for record in measured_once(campaign.share, f"reach-{digest}", lambda route=route: _tried(route)):  # type: ignore[misc]
            raise PlaceError(record["refused"])


def _tried(route: Route) -> list[dict[str, Any]]:
    try:
        if route.reach is not None:
            route.reach()
    except PlaceError as error:
        return [{"refused": str(error)}]
    return []


def _plan(settings: Settings, pace: plan.Pace) -> plan.Plan:
    if settings.count is not None:
        pace = replace(pace, rounds=settings.count, most_rounds=max(pace.most_rounds, settings.count))
    if settings.rate is not None:
        pace = replace(pace, rate=settings.rate)
    return plan.Plan(
        trains=(),
        pace=pace,
        timeout=settings.timeout,
        encoding=settings.encoding,
        locate=settings.locate,
        seed=settings.seed or 0,
    )
