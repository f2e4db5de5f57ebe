"""Which options go together: what means nothing is said in one line, before anything is collected or sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.verdict import SHAPED_FORMS
from pytest_hdp.packet.family import FAMILIES, family_of
from pytest_hdp.plugin.vantage_specs import HERE

if TYPE_CHECKING:
    from pytest_hdp.plugin.options import Settings


def check_together(settings: Settings) -> None:
    """Raise pytest.UsageError with one line for options that mean nothing beside each other."""
    _check_versions(settings)
    if settings.lab and (settings.targets or settings.agent or settings.source):
        raise pytest.UsageError("--hdp-lab has a source, a target and an agent of its own: leave the other options out")
    if settings.needs and not (settings.lab or settings.targets):
        raise pytest.UsageError(
            "--hdp-needs is about two hosts: give --hdp-target=ADDR and --hdp-agent=SPEC, or --hdp-lab=NAME"
        )
    if settings.needs and settings.expect is not None:
        raise pytest.UsageError("--hdp-needs says what has to pass: leave --hdp-expect out")
    _check_box(settings)
    if settings.agent and len(settings.target) > 1 and settings.twin is None:
        raise pytest.UsageError("--hdp-agent is the eyes at one target: give one --hdp-target, or no agent")
    if settings.agent and settings.inventory:
        raise pytest.UsageError("--hdp-agent is the eyes at one target: an inventory names each target's own agent")
    if twice := {target.name for target in settings.inventory} & set(settings.target):
        raise pytest.UsageError(f"{min(twice)} is in the inventory and also a --hdp-target: leave one out")
    if (settings.agent or settings.source) and not settings.targets and settings.twin is None:
        raise pytest.UsageError("--hdp-agent and --hdp-source need --hdp-target=ADDR")


def _check_box(settings: Settings) -> None:
    """What is said of a box that is not to let anything out."""
    given = next((name for name in ("twin", "witness", "allow", "bound", "direction") if getattr(settings, name)), None)
    given = given or next((f"form={form}" for form in settings.form or () if form in SHAPED_FORMS), None)
    if given is None:
        return
    if settings.inventory or (settings.lab and (settings.twin or settings.witness)):
        other = "--hdp-lab" if settings.lab else "--hdp-inventory"
        raise pytest.UsageError(f"--hdp-{given} is about one box, and {other} about other places: leave one out")
    if settings.lab and not any(_has_twin(name) for name in settings.lab):
        raise pytest.UsageError(f"--hdp-{given} is about a box, and no lab that is named has one: hdp lab list")
    if settings.agent is None and not settings.lab:
        raise pytest.UsageError(f"--hdp-{given} is about what leaves a box: who watches outside? --hdp-agent=SPEC")
    if settings.bound is not None and settings.count is not None:
        raise pytest.UsageError("--hdp-bound says how many packets are sent: leave --hdp-count out")
    if settings.second is not None:
        raise pytest.UsageError(f"--hdp-{given} is about one box: name one --hdp-source")
    box = settings.source[0] if settings.source else HERE
    if settings.twin == box:
        raise pytest.UsageError("--hdp-twin is the box itself: name a place like it that lets everything out")
    if settings.agent is not None and settings.agent in (settings.twin, box):
        raise pytest.UsageError("--hdp-agent is the far end: it can be neither the box nor its twin")
    if box in settings.witness:
        raise pytest.UsageError("--hdp-witness is the box itself: only what eyes outside see is a proof")
    most = 1 if settings.twin is None else 2
    if any(sum(family_of(each) is family for each in settings.target) > most for family in FAMILIES):
        raise pytest.UsageError("--hdp-target: by each version of IP, one address for the box, and one for its twin")


def _check_versions(settings: Settings) -> None:
    """No target may be left out in silence by the version of IP that is asked for."""
    left_out = [each for each in settings.target if settings.ip_version and family_of(each) not in settings.ip_version]
    if left_out:
        raise pytest.UsageError(
            f"{left_out[0]} is an {family_of(left_out[0]).name} address, and --hdp-ip-version leaves that out"
        )
    if settings.inventory and not settings.targets:
        raise pytest.UsageError("no target of the inventory has an address of the version that --hdp-ip-version asks")


def _has_twin(lab: str) -> bool:
    from pytest_hdp.lab.catalogue import make

    return make(lab).has_twin
