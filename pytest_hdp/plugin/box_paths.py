"""From the settings to the path of a box, and what can't be asked of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.result import PathInfo
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.campaign.contained import BoxVantages, contained
from pytest_hdp.plugin.boxes import CONTAINMENT, NO_BOX, allowed
from pytest_hdp.plugin.collection import path_key_of
from pytest_hdp.plugin.hints import missed_by_lf
from pytest_hdp.plugin.skips import NO_TARGET, skip_reason
from pytest_hdp.plugin.vantage_specs import HERE, vantage_point
from pytest_hdp.vantage.points import VantageError

if TYPE_CHECKING:
    from pytest_hdp.judge.expectations.profile import Profile
    from pytest_hdp.measure.campaign.spec import PathSpec
    from pytest_hdp.packet.family import Family
    from pytest_hdp.plugin.boxes import Box
    from pytest_hdp.plugin.options import Settings


def refuse_nothing_named(settings: Settings, items: Sequence[pytest.Item]) -> None:
    """Raise pytest.UsageError where all wants a box or a target, and none is named, or a box may pass unmeasured."""
    lacking = {skip_reason(item) for item in items}
    if lacking == {NO_BOX}:
        raise pytest.UsageError(NO_BOX)
    if lacking in ({NO_TARGET}, {NO_BOX, NO_TARGET}) and settings.unmeasured != "skip":
        raise pytest.UsageError(missed_by_lf(items[0].config, items) or NO_TARGET)
    if settings.unmeasured == "skip" and any((path_key_of(item) or "").endswith(f"#{CONTAINMENT}") for item in items):
        raise pytest.UsageError("--hdp-unmeasured=skip lets a box pass that nobody could measure: leave it out")


def box_path(settings: Settings, box: Box, plan_at: Callable[[plan.Pace], plan.Plan]) -> PathSpec:
    """The path of a box. `plan_at`: makes a plan at a pace of the user's."""
    source = settings.source[0] if settings.source else HERE
    agent, twin = settings.agent or HERE, settings.twin
    try:
        places = BoxVantages(
            partial(vantage_point, source, unprivileged=True),
            partial(vantage_point, twin) if twin is not None else None,
            vantage_point(agent),
            tuple(map(vantage_point, settings.witness)),
            box.target,
            box.twins,
            box.family,
        )
    except VantageError as error:
        there = PathInfo("netns", f"{box.target or 'agent'} containment", source.name, box.family.anywhere, agent.name)
        return path_specs.out_of_reach(box.key, there, plan_at(plan.CONTAINED), str(error))
    default = plan_at(plan.CONTAINED_FAR if places.remote else plan.CONTAINED)
    return contained(box.key, places, _of_a_box(settings, default, box.family))


def lab_paths(
    settings: Settings, asked: str, plan_at: Callable[[plan.Pace], plan.Plan], profile: Profile | None, *, stated: bool
) -> list[PathSpec]:
    """The paths of a lab, by each version of IP: those through it, or out of its box. `stated`: its truth is expected.

    `asked`: what it was asked for by.
    """
    from pytest_hdp.lab.catalogue import make
    from pytest_hdp.measure.campaign.boxed import boxed

    found: list[PathSpec] = []
    for family in settings.families:
        lab_spec = make(asked).over(family.version)
        if not lab_spec.has_twin:
            found += path_specs.in_lab(lab_spec, plan_at(plan.LAB), profile, expect_truth=stated, asked=asked)
            continue
        default = _of_a_box(settings, plan_at(plan.CONTAINED), family)
        known = profile.of_boxes() if profile is not None else None
        found.append(path_specs.with_profile(boxed(lab_spec, default, expect_truth=stated, asked=asked), known))
    return found


def _of_a_box(settings: Settings, default: plan.Plan, family: Family) -> plan.Plan:
    """A plan that asks what leaves."""
    if settings.bound is not None:
        default = replace(default, pace=plan.bounded(default.pace, settings.bound), bound=settings.bound)
    return replace(default, contain=True, allow=allowed(settings, family), locate="none")
