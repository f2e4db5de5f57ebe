"""A box in a lab: its client beside its twin, under the observers of the target, and what is true of it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.expectations.profile import Expectation
from pytest_hdp.judge.path_keys import path_key
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.measure.campaign.path_specs import may_emulate, open_lab, station_at
from pytest_hdp.measure.campaign.spec import PathSpec
from pytest_hdp.measure.path.endpoints import Endpoint
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.packet.family import family_of

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.verdict import Verdict
    from pytest_hdp.lab.topology import LabSpec
    from pytest_hdp.measure.plan import Plan

VARIANT = "containment"


def boxed(lab_spec: LabSpec, default: Plan, *, expect_truth: bool, asked: str | None = None) -> PathSpec:
    """The path out of a lab's box. `asked`: what the lab was asked for by, if not by its name: a file."""
    layout = lab_spec.layout
    name = PathInfo("lab", f"{lab_spec.name} {VARIANT}", layout.client_address, layout.target_address, "netns=target")
    key = path_key(f"lab:{asked or lab_spec.name}#{VARIANT}", family_of(name.target))
    privilege = "emulated, twin second"
    path_spec = PathSpec(
        key, name, lambda: _box_path(lab_spec, name, default.seed), default, privilege=privilege, reach=may_emulate
    )
    if not expect_truth:
        return path_spec

    def expect(train: Train, seen: Verdict) -> Expectation:
        from pytest_hdp.lab.sandboxes import contained

        truth = contained(layout, train, frozenset(default.allow))
        return Expectation((train.protocol,), seen, containment=truth, reason=f"lab {lab_spec.name}")

    return replace(path_spec, expects=f"the truth of {lab_spec.name}", expect=expect)


@contextmanager
def _box_path(lab_spec: LabSpec, name: PathInfo, seed: int) -> Generator[OpenPath]:
    link = lab_spec.layout.second_link
    assert link is not None, "whoever has a policy has a twin"
    with (
        open_lab(lab_spec, seed) as lab,
        station_at(lab, lab.client) as near,
        station_at(lab, lab.target) as far,
        station_at(lab, link.left.node) as beside,
    ):
        twin = Endpoint(beside, link.left.address, "eth0", called="netns=second")
        ends = Endpoint(near, lab.client_address, "eth0"), Endpoint(far, lab.target_address, "eth0")
        with OpenPath(name, *ends, others=(twin,), fragments=True) as path:
            path.lab = lab
            path.twin = path.with_near(replace(name, source=twin.address), twin)
            yield path
