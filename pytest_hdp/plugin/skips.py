"""Why a test is skipped instead of being asked of a path, and the one skip that stands in the place of its tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp.judge.path_keys import path_key
from pytest_hdp.packet.family import IPV6
from pytest_hdp.plugin.boxes import CONTAINMENT, NO_BOX, ONLY_BOXES
from pytest_hdp.plugin.chains import BY_IPV4, HEADERS, NO_IPV6, UNSTATED, UNSTATED_HERE
from pytest_hdp.plugin.ids import path_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_hdp.lab.topology import LabSpec
    from pytest_hdp.plugin.options import Settings

NO_TARGET = "no target: give --hdp-lab=NAME, or --hdp-target=ADDR"
NO_SECOND_HOST = "no box of this lab translates, so there is no second host behind it"
NO_EYES = "this test needs an agent at the target: give --hdp-agent, or --hdp-lab=NAME instead"
NO_LAB = "this test needs a path on which nothing has been sent before: give --hdp-lab=NAME, or a second --hdp-source"


def spec_of(lab: str) -> LabSpec:
    """What a lab is, by its name."""
    from pytest_hdp.lab.catalogue import make

    return make(lab)


def skipped(settings: Settings, arguments: dict[str, Any]) -> Any:
    """One skip in the place of all tests."""
    watched = any(target.agent is not None for target in settings.targets)
    reason = NO_SECOND_HOST if settings.lab else NO_LAB if watched else NO_EYES if settings.targets else NO_TARGET
    reason = ONLY_BOXES if settings.lab and all(spec_of(name).has_twin for name in settings.lab) else reason
    reason = NO_BOX if arguments.get("variant") == CONTAINMENT else reason
    if arguments.get("variant") == HEADERS and reason != NO_TARGET:
        reason = UNSTATED if settings.lab and IPV6 in settings.families else NO_IPV6
    return one_skip(reason)


def one_skip(reason: str) -> Any:
    """One skip, with its reason."""
    return pytest.param(None, id="no-target", marks=pytest.mark.skip(reason=reason))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that is named, beside others that can be asked of headers, and why it can't be."""

    key: str
    why: str


def left_out(settings: Settings, keys: Iterable[str]) -> Iterator[LeftOut]:
    """Yield the paths that are named and not among those (`keys`) that are asked of headers."""
    asked = {path_id(key) for key in keys}
    for name in settings.lab:
        if name not in asked:
            yield LeftOut(path_key(f"lab:{name}", IPV6), ONLY_BOXES if spec_of(name).has_twin else UNSTATED_HERE)
    for target in settings.targets:
        if target.name not in asked:
            yield LeftOut(target.key, BY_IPV4)


def skip_reason(item: pytest.Item) -> str | None:
    """Why a test is skipped by its mark, if it is."""
    return next((mark.kwargs.get("reason") for mark in item.iter_markers("skip")), None)
