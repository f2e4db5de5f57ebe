"""The lines above a run's tests: on what system, over which paths, and what is expected of them."""

from __future__ import annotations

import platform

import pytest

from pytest_hdp.collection import CAMPAIGN, SETTINGS, case_of
from pytest_hdp.report.safe import safe
from pytest_hdp.vantagepoints import named

HEADER = "hdp_header"
"""Where an xdist worker leaves its lines for the process that the user started."""


def header(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """What is going to be measured: a line for each path, none if nothing is."""
    campaign = config.stash.get(CAMPAIGN, None)
    if campaign is None:
        return []
    lines = [f"hdp: {named(config, system())}, seed {config.stash[SETTINGS].seed}"]
    for key in sorted({case.route for item in items if (case := case_of(item)) is not None}):
        route = campaign.routes[key]
        count = len(campaign.wanted.get(key, ()))
        trains = f"{count} train" if count == 1 else f"{count} trains"
        told = (
            f"hdp: {named(config, route.name.source)} to {route.name.target} ({route.name.name}), {trains}, "
            f"{route.plan.pace.rounds} rounds, {route.privilege}, expecting {route.expects}"
        )
        if route.name.kind == "internet" and route.name.agent is None:
            told = (
                f"hdp: {named(config, route.name.source)}, to {route.name.target}, where nobody watches: {trains}, "
                f"as fast as its ICMP errors come, expecting {route.expects}"
            )
        lines.append(safe(told))
    return lines


def system() -> str:
    """Kernel, its release, the machine."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"
