"""The lines above a run's tests: on what system, over which paths, and what is expected of them."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest

from pytest_hdp.measure.path.traffic import LINGERS, lingering
from pytest_hdp.packet.family import family_of
from pytest_hdp.plugin.collection import CAMPAIGN, SETTINGS, case_of
from pytest_hdp.plugin.hints import own_address
from pytest_hdp.plugin.vantage_points import named
from pytest_hdp.untrusted.text import safe

HEADER = "hdp_header"
"""Where an xdist worker leaves its lines for the process that the user started."""


def header(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """What is going to be measured: a line for each path, none if nothing is."""
    campaign = config.stash.get(CAMPAIGN, None)
    if campaign is None:
        return []
    lines = [f"hdp: {named(config, system())}, seed {config.stash[SETTINGS].seed}"]
    for key in sorted({case.path_key for item in items if (case := case_of(item)) is not None}):
        spec = campaign.specs[key]
        count = len(campaign.wanted.get(key, ()))
        trains = f"{count} train" if count == 1 else f"{count} trains"
        against = f"expecting {spec.expects}" if spec.expects else "no profile"
        target = spec.name.target
        to = "its agent's address" if target == family_of(target).anywhere else target
        called = "" if spec.name.name in {"", target} else f" ({spec.name.name})"
        told = (
            f"hdp: {named(config, spec.name.source)} to {to}{called}, {trains}, "
            f"{spec.plan.pace.rounds} rounds, {spec.privilege}, {against}"
        )
        if spec.name.kind == "internet" and spec.name.agent is None:
            told = (
                f"hdp: {named(config, spec.name.source)}, to {spec.name.target}{called}, no agent there: {trains}, "
                f"as fast as its ICMP errors come, {against}"
            )
        if spec.plan.contain:
            told += f"; takes {replace(spec.plan, trains=tuple(campaign.wanted.get(key, ()))).seconds:.0f} s at least"
        if (seconds := campaign.earlier.get(key)) is not None and seconds < LINGERS:
            told += f"; {lingering(seconds)}"
        lines.append(safe(told))
        if spec.name.kind == "internet" and not config.stash[SETTINGS].source and own_address(spec.name.target):
            itself = f"{safe(spec.name.target)} is this host itself"
            lines.append(f"hdp: {itself}, with no network between: suites/loopback measures it")
    return lines


def system() -> str:
    """Kernel, its release, the machine."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"
