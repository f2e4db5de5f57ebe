"""From the settings to the paths that a test run can measure."""

from __future__ import annotations

import hashlib
import math
import resource
import secrets
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.expectations.profile import Profile
from pytest_hdp.judge.path_keys import bare_key, path_key
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.campaign.campaign import Campaign
from pytest_hdp.measure.campaign.measured_once import measured_once
from pytest_hdp.measure.campaign.second import SECOND_HOST, from_second
from pytest_hdp.measure.campaign.spec import PathSpec
from pytest_hdp.measure.path.capture import Capture
from pytest_hdp.measure.path.waiting import GLANCE
from pytest_hdp.measure.schedule.side_by_side import in_groups
from pytest_hdp.packet.family import family_of, without_zone
from pytest_hdp.plugin.box_paths import box_path, lab_paths, refuse_nothing_named
from pytest_hdp.plugin.boxes import boxes
from pytest_hdp.plugin.collection import CAMPAIGN, LOOPBACK, SETTINGS, case_of, path_key_of, uses_path
from pytest_hdp.plugin.earlier import Earlier, state_folder
from pytest_hdp.plugin.handover import packets_from, shared_folder
from pytest_hdp.plugin.headers import control_of
from pytest_hdp.plugin.vantage_points import vantage_of
from pytest_hdp.plugin.vantage_specs import vantage_point
from pytest_hdp.untrusted.text import safe
from pytest_hdp.vantage.points import VantageError

if TYPE_CHECKING:
    from pytest_hdp.measure.path.capture import Packets
    from pytest_hdp.plugin.inventory import Target
    from pytest_hdp.plugin.options import Settings
    from pytest_hdp.plugin.vantage_specs import VantageSpec


OTHER_FILES = 50
FILES_OF_A_PATH = 8
FILES_OF_A_LAB = 60  # of its namespaces' supervisor, which are this process's too while it is built
ALL_NUMBERS = 256
LONGEST_LOGIN = 5.0  # seconds that all others wait for one that takes long


def new_campaign(config: pytest.Config, items: Iterable[pytest.Item]) -> Campaign:
    """A campaign that knows every path the settings name, and what these tests want of them.

    Raises pytest.UsageError if one can't be had.
    """
    items, settings = list(items), config.stash[SETTINGS]
    refuse_nothing_named(settings, items)
    worker: dict[str, str] = getattr(config, "workerinput", {})
    vantage = vantage_of(config)
    campaign = Campaign(
        share=shared_folder(config) if worker and vantage is None else None,
        vantage=vantage,
        run=worker.get("testrunuid") or f"{settings.seed:08x}",
    )
    if settings.report is not None:
        campaign.capture = Capture(spool=campaign.share)
    for spec in _specs(settings, vantage):
        campaign.specs[spec.key] = spec
    _remember(campaign, run=worker.get("testrunuid") or secrets.token_hex(8))
    for item in items:
        if (case := case_of(item)) is not None:
            campaign.want(case.path_key, case.train)
            if "hdp_without_headers" in getattr(item, "fixturenames", ()):  # the control's own test may be deselected
                campaign.want(case.path_key, control_of(case.train))
            if "hdp_probe" in getattr(item, "fixturenames", ()):
                campaign.read.add(case.path_key)
        if uses_path(item) and (key := path_key_of(item)) is not None:
            campaign.path_users[key] += 1
    _check_open_files(campaign)
    if not config.getoption("collectonly"):
        reach_all(campaign)
    return campaign


def _remember(campaign: Campaign, run: str) -> None:
    """Find out when runs over these paths ended, and have this one noted: when a path is opened, and at the end."""
    earlier, opened = Earlier(run, state_folder()), dict[str, PathInfo]()
    for key, spec in campaign.specs.items():
        name = replace(spec.name, vantage=campaign.vantage)
        if name.kind not in {"lab", LOOPBACK} and (seconds := earlier.seconds(name)) is not None:
            campaign.earlier[key] = seconds

    def note(key: str) -> None:
        if (name := campaign.specs[key].name).kind not in {"lab", LOOPBACK}:
            opened[key] = replace(name, vantage=campaign.vantage)
            earlier.note(opened[key])

    def note_all() -> None:
        for name in opened.values():
            earlier.note(name)

    campaign.on_open, campaign.on_close = note, note_all


def _check_open_files(campaign: Campaign) -> None:
    """A raw socket for each number at each end: raises pytest.UsageError where so many files may not be opened.

    As many targets as may be open together are measured side by side.
    """
    sockets = {
        key: len({train.protocol for train in wanted}) * _ends(campaign.specs[key])
        for key, wanted in campaign.wanted.items()
    }
    for key, spec in campaign.specs.items():
        if spec.name.kind == "lab" and (key in sockets or campaign.path_users[key]):
            # a test with a path of its own may want them all, and before a lab's second host its first one sends all
            every = campaign.path_users[key] or key.endswith(f"#{SECOND_HOST}")
            whole = 2 * ALL_NUMBERS if every else 0
            sockets[key] = FILES_OF_A_LAB + max(sockets.get(key, 0), whole)
    needed = OTHER_FILES + max(sockets.values(), default=0)  # the other paths are closed by then or not open yet
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    targets = {
        key: FILES_OF_A_PATH + size for key, size in sockets.items() if key.startswith("target:") and "#" not in key
    }
    campaign.together = in_groups(targets, most - OTHER_FILES)
    if needed > most:
        raise pytest.UsageError(
            f"this run opens about {needed} files at a time, and this process may open {most}: "
            f"allow more (ulimit -n {needed}), or ask for fewer numbers (--hdp-protocols)"
        )


def _ends(spec: PathSpec) -> int:
    """At how many ends of a path there are sockets."""
    if spec.name.agent is None:
        return 1
    return 3 if spec.plan.contain else 2


def captured(config: pytest.Config) -> Packets | None:
    """The packets that this process or its workers kept, if a report was asked for."""
    if config.stash[SETTINGS].report is None:
        return None
    campaign = config.stash.get(CAMPAIGN, None)
    if campaign is not None:
        return campaign.capture.packets() if campaign.capture is not None else None
    from pytest_hdp.measure.path.capture import spooled

    if not config.pluginmanager.hasplugin("dsession"):
        return None
    return packets_from(config, spooled(shared_folder(config)))


def _specs(settings: Settings, vantage: str | None) -> list[PathSpec]:
    profile = _from(vantage, settings.expect)
    by_default = settings.expect is None
    stated = by_default and settings.needs is None  # what has to pass is red if it does not, whoever states that
    local = _plan(settings, plan.LOOPBACK)
    found: list[PathSpec] = []
    for family in settings.families:
        try:
            found.append(
                path_specs.loopback(local, profile, buffer=settings.buffer, expect_default=by_default, family=family)
            )
        except VantageError as error:
            key, own_kernel = path_key(LOOPBACK, family), path_specs.own_kernel(family)
            found.append(path_specs.out_of_reach(key, own_kernel, local, str(error)))
    for name in settings.lab:
        found += lab_paths(settings, name, partial(_plan, settings), profile, stated=stated)
    for target in settings.targets:
        own = _from(vantage, target.profile) if stated else profile
        try:
            found += _to_target(settings, target, own)
        except VantageError as error:
            source = settings.source[0].name if settings.source else "this host"
            agent = target.agent.name if target.agent is not None else None
            there = PathInfo("internet", target.name, source, target.address, agent)
            found.append(path_specs.out_of_reach(target.key, there, _plan(settings, plan.LAB), str(error)))
    known = profile.of_boxes() if profile is not None else None
    asked = [box_path(settings, box, partial(_plan, settings)) for box in boxes(settings)]
    return [*found, *(path_specs.with_profile(each, known) for each in asked)]


def _from(vantage: str | None, expect: Profile | str | None) -> Profile | None:
    """What is to be expected, if it is a profile."""
    return expect.from_vantage(vantage) if isinstance(expect, Profile) else None


def _to_target(settings: Settings, target: Target, profile: Profile | None) -> list[PathSpec]:
    """The path to a target, and those from a second source, if there is one."""
    first = settings.source[0] if settings.source else None
    usual = _from_source(settings, target, profile, first, target.name)
    if settings.second is None or target.agent is None:
        return [usual]

    def from_there(what: str) -> PathSpec:
        return _from_source(settings, target, profile, settings.second, f"{target.name} {what}")

    numbers = range(ALL_NUMBERS) if settings.protocols is None else settings.protocols
    return [usual, *from_second(usual, from_there, numbers)]


def _from_source(
    settings: Settings, target: Target, profile: Profile | None, start: VantageSpec | None, name: str
) -> PathSpec:
    from pytest_hdp.vantage.remote.far_host import FarHost

    family = family_of(target.address)
    source = vantage_point(start, (without_zone(target.address),), family)
    agent = vantage_point(target.agent, family=family) if target.agent is not None else None
    if isinstance(source, FarHost) or isinstance(agent, FarHost):
        from pytest_hdp.measure.campaign.far_paths import path_with_agent

        pace = plan.AGENTLESS if agent is None else plan.REMOTE
        return path_with_agent(source, agent, target.address, _plan(settings, pace), profile, name=name)
    if agent is None:
        return path_specs.agentless(source, target.address, _plan(settings, plan.AGENTLESS), profile, name=name)
    return path_specs.between(source, agent, target.address, _plan(settings, plan.LAB), profile, name=name)


def reach_all(campaign: Campaign) -> None:
    """Log in where it takes that, before any test runs; a path that can't be had is told to its tests.

    Raises pytest.UsageError if none of those that are named can be had: nothing has been sent by then.
    """
    wanted = [key for key in campaign.specs if campaign.wanted.get(key) or campaign.path_users[key]]
    refused = _refusals(campaign, wanted)
    named = {key for key in wanted if key != LOOPBACK or any(bare_key(key) == LOOPBACK != key for key in wanted)}
    if refused and not named - refused.keys():
        raise pytest.UsageError("\n".join(dict.fromkeys(map(safe, refused.values()))))
    for key, why in refused.items():
        spec = campaign.specs[key]
        campaign.specs[key] = path_specs.out_of_reach(key, spec.name, spec.plan, why)


def _refusals(campaign: Campaign, keys: list[str]) -> dict[str, str]:
    """Why paths can't be had, in a line each. Of several processes one tries, and the others believe it."""
    if campaign.share is None:
        return _log_in(campaign, keys, LONGEST_LOGIN)
    digest = hashlib.blake2b(repr((campaign.run, keys)).encode(), digest_size=12).hexdigest()
    return next(iter(measured_once(campaign.share, f"reach-{digest}", lambda: [_log_in(campaign, keys, math.inf)])), {})


def _log_in(campaign: Campaign, keys: list[str], longest: float) -> dict[str, str]:
    """Log in everywhere side by side, and wait for all that take no longer than so many seconds; why some can't be had.

    Who waits for those that take longer is the first test that asks for their path: the others are measured meanwhile.
    """
    going = {key: campaign.specs[key] for key in keys if campaign.specs[key].reach is not None}
    for spec in going.values():
        if spec.begin is not None:
            spec.begin()
    refused: dict[str, str] = {}
    until, some = time.monotonic() + longest, len(going) < len(keys)
    while going and not (some and time.monotonic() >= until):
        settled = [key for key, spec in going.items() if not spec.pending()]
        for key in settled:
            why = _refusal(going.pop(key))
            if why is None:
                some = True
            else:
                refused[key] = why
        if not settled:
            time.sleep(GLANCE)
    return refused


def _refusal(spec: PathSpec) -> str | None:
    try:
        if spec.reach is not None:
            spec.reach()
    except VantageError as error:
        return str(error)
    return None


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
        unhurried=settings.rate is not None,
    )
