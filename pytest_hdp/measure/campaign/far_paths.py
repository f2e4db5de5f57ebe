"""Paths with an end at a far host: behind SSH, in a container, a pod. Opening one logs in, and sends no probe."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.path_keys import path_key
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.measure.campaign.spec import PathSpec
from pytest_hdp.measure.path.endpoints import PathUnavailable, far_end, near_end, refuse_itself
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.packet.family import family_of, without_zone
from pytest_hdp.vantage import kernel
from pytest_hdp.vantage.points import VantageError
from pytest_hdp.vantage.remote.far_host import FarHost

if TYPE_CHECKING:
    from pytest_hdp.judge.expectations.profile import Profile
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.vantage.points import VantagePoint
    from pytest_hdp.vantage.remote.client import RemoteStation
    from pytest_hdp.vantage.station import Station


def path_with_agent(
    source: VantagePoint | FarHost,
    agent: VantagePoint | FarHost | None,
    target: str,
    default: Plan,
    profile: Profile | None,
    *,
    name: str | None = None,
) -> PathSpec:
    """From a vantage point to an address, with an agent at the host that it leads to, or none; either may be far.

    The host need not own the address: in most clouds it has a private one, and a translator before it. `name`: the
    target's, if it has one.
    """
    seen_by = agent.describe() if agent is not None else None
    called = name or target
    path_name = PathInfo(
        kind="internet", name=called, source=source.describe(), target=without_zone(target), agent=seen_by
    )

    @contextmanager
    def opened() -> Generator[OpenPath]:
        try:
            with source.station() as near:
                if agent is None:
                    with _open(path_name, target, near, None) as path:
                        yield path
                else:
                    with agent.station() as far, _open(path_name, target, near, far) as path:
                        yield path
        except VantageError as error:
            raise PathUnavailable(str(error)) from None

    far = [place for place in (source, agent) if isinstance(place, FarHost)]

    def reach() -> None:
        for place in far:
            place.connect()

    def begin() -> None:
        for place in far:
            place.begin()

    def pending() -> bool:
        return any(place.pending for place in far)

    privilege = source.describe() + (f", agent {seen_by}" if seen_by else "")
    spec = PathSpec(
        path_key(f"target:{called}", family_of(target)),
        path_name,
        opened,
        default,
        privilege=privilege,
        reach=reach,
        begin=begin,
        pending=pending,
    )
    if profile is None:
        return spec
    features = None if isinstance(source, FarHost) else kernel.features()
    known = profile.on_kernel(features).for_target(called).for_version(family_of(target).version)
    return replace(spec, expects=profile.name, expect=lambda train, _: known.expectation(train))


def _open(name: PathInfo, target: str, near: Station | RemoteStation, far: Station | RemoteStation | None) -> OpenPath:
    """`target`: the path's, with its zone if it has one."""
    source = near_end(near, target, name.source)
    if far is None:
        refuse_itself(source, name.target, name.source)
    try:
        end = far_end(far, name.target) if far is not None else None
        return OpenPath(replace(name, source=source.address), source, end)
    except OSError as error:
        raise PathUnavailable(f"{name.agent or name.source} can't open what it takes: {error.strerror}") from None
