"""Which of the tests that were found are run: what --hdp-protocols and --hdp-needs leave, and one skip a reason."""

from __future__ import annotations

import pytest

from pytest_hdp.packet.family import IPV6
from pytest_hdp.plugin.chains import NOT_ASKED
from pytest_hdp.plugin.collection import SETTINGS, case_of
from pytest_hdp.plugin.marker import marked
from pytest_hdp.plugin.skips import NO_TARGET, skip_reason


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of numbers that --hdp-protocols does not list, and of a suite without a target but one."""
    items[:] = _needed(config, _asked(config, _one_skip_each(items)))
    wanted = config.stash[SETTINGS].protocols
    if wanted is None:
        return
    kept = [item for item in items if (case := case_of(item)) is None or case.train.transport in wanted]
    if len(kept) < len(items):
        keep = set(map(id, kept))
        config.hook.pytest_deselected(items=[item for item in items if id(item) not in keep])
        items[:] = kept


def _needed(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Of a suite that asks what --hdp-needs lists: that alone where it is given, and else all but that."""
    settings = config.stash[SETTINGS]
    asking = {id(item) for item in items if marked(item).get("needs")}
    if settings.needs is None:
        return [item for item in items if id(item) not in asking]
    folders = {item.path.parent for item in items if id(item) in asking} if settings.protocols is None else set()
    left_out = [item for item in items if id(item) not in asking and item.path.parent in folders]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    return [item for item in items if id(item) in asking or item.path.parent not in folders]


def _asked(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Leave out the experiment of extension headers where nobody asked for it; by IPv6 that is told."""
    left_out = [item for item in items if skip_reason(item) == NOT_ASKED]
    settings = config.stash[SETTINGS]
    if left_out and IPV6 in {*settings.families, *(target.family for target in settings.targets)}:
        config.hook.pytest_deselected(items=left_out)
    return [item for item in items if item not in left_out] if left_out else items


def _one_skip_each(items: list[pytest.Item]) -> list[pytest.Item]:
    """One skip stands for all tests of a folder that have no target: that is one thing to know, not seven."""
    kept, folders = [], set()
    for item in items:
        if any(mark.kwargs.get("reason") == NO_TARGET for mark in item.iter_markers("skip")):
            if item.path.parent in folders:
                continue
            folders.add(item.path.parent)
        kept.append(item)
    return kept
