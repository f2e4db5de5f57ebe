"""Paths that can be opened, each with its pace and what is expected of it. Opening one sends nothing."""

from __future__ import annotations

import platform
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, NoReturn

from pytest_hdp.judge.expectations.packaged import for_system
from pytest_hdp.judge.expectations.profile import Expectation, Profile
from pytest_hdp.judge.path_keys import path_key, wellformed_key
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign.second import SECOND_HOST, UNSOLICITED, once
from pytest_hdp.measure.campaign.spec import PathSpec
from pytest_hdp.measure.path.endpoints import Endpoint, PathUnavailable, far_end, near_end, refuse_itself
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.packet.family import IPV4, Family, family_of, without_zone
from pytest_hdp.vantage import kernel
from pytest_hdp.vantage.netns.socket_pool import Opener
from pytest_hdp.vantage.points import (
    Host,
    VantageError,
    VantagePoint,
    can_open_raw,
    check_kernel,
    check_usable,
    loopback_point,
)
from pytest_hdp.vantage.station import Station

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.lab.topology import Lab, LabSpec
    from pytest_hdp.lab.truth import Truth

SIZE = 20 + 12 + 28 + len(plan.DEFAULT_CONTENT)  # bytes of a bare probe over IPv4: IP header, HDP header, tag, content
_NEVER_PASS = frozenset(
    {Verdict.REFUSED_AT_SOCKET, Verdict.REFUSED_AT_SEND, Verdict.HELD_BY_SENDER, Verdict.REJECTED, Verdict.LOST}
)
LOOPBACK = "loopback"
FIRST_PACKET = "first"
HEADERS = "headers"
LATENCY = "latency"


def loopback(
    default: plan.Plan, profile: Profile | None, *, buffer: int | None, expect_default: bool, family: Family = IPV4
) -> PathSpec:
    """The own kernel. Raises VantageError, one line, where raw sockets can't be had in any way."""
    place = loopback_point()
    name = own_kernel(family)

    @contextmanager
    def opened() -> Generator[OpenPath]:
        with place.station() as station:
            end = Endpoint(station, family.loopback, "lo")
            with OpenPath(name, end, end, buffer=buffer) as path:
                yield path

    def usable() -> None:
        with place.station() as station:
            check_usable(station, family)

    if expect_default:
        profile = for_system(platform.system(), LOOPBACK)
    reach = usable if family is not IPV4 else None
    spec = PathSpec(path_key(LOOPBACK, family), name, opened, default, privilege=place.describe(), reach=reach)
    return with_profile(spec, profile)


def own_kernel(family: Family) -> PathInfo:
    """The path of this host's packets to itself."""
    return PathInfo(kind=LOOPBACK, name=LOOPBACK, source=family.loopback, target=family.loopback, agent=None)


def between(
    source: VantagePoint,
    agent: VantagePoint,
    target: str,
    default: plan.Plan,
    profile: Profile | None,
    *,
    name: str | None = None,
) -> PathSpec:
    """From one vantage point to another one that the target's address leads to, if only through a translator.

    `name`: the target's, if it has one.
    """
    key = path_key(f"target:{name or target}", family_of(target))
    path_name = PathInfo("netns", name or target, source.describe(), without_zone(target), agent.describe())

    @contextmanager
    def opened() -> Generator[OpenPath]:
        with source.station() as near, agent.station() as far:
            end = near_end(near, target, source.describe())
            try:
                path = OpenPath(replace(path_name, source=end.address), end, far_end(far, path_name.target))
            except OSError as error:
                raise PathUnavailable(f"{agent.describe()} can't open what it takes: {error.strerror}") from None
            with path:
                yield path

    return with_profile(PathSpec(key, path_name, opened, default, privilege=source.describe()), profile)


def agentless(
    source: VantagePoint, target: str, default: plan.Plan, profile: Profile | None, *, name: str | None = None
) -> PathSpec:
    """From one vantage point to an address where nobody watches: what its own stack and the routers say.

    Raises VantageError, one line, where raw sockets can't be had.
    """
    if isinstance(source, Host) and not can_open_raw():
        check_kernel()
        raise VantageError(f'sending to {target} requires CAP_NET_RAW: run as root (sudo "$(command -v pytest)" ...)')
    key = path_key(f"target:{name or target}", family_of(target))
    path_name = PathInfo("internet", name or target, source.describe(), without_zone(target), None)

    @contextmanager
    def opened() -> Generator[OpenPath]:
        with source.station() as near:
            end = near_end(near, target, source.describe())
            refuse_itself(end, path_name.target, "this host" if isinstance(source, Host) else source.describe())
            with OpenPath(replace(path_name, source=end.address), end, None) as path:
                yield path

    return with_profile(PathSpec(key, path_name, opened, default, privilege=source.describe()), profile)


def in_lab(
    lab_spec: LabSpec, default: plan.Plan, profile: Profile | None, *, expect_truth: bool, asked: str | None = None
) -> list[PathSpec]:
    """A lab from client to target, and built anew for each experiment that needs its state untouched.

    `asked`: what it was asked for by, if not by its name: the file that it is in.
    """
    client, target = lab_spec.layout.client_address, lab_spec.layout.target_address
    name = PathInfo(kind="lab", name=lab_spec.name, source=client, target=target, agent="netns=target")
    key = path_key(f"lab:{asked or lab_spec.name}", family_of(target))
    usual = PathSpec(
        key, name, lambda: _lab_path(lab_spec, name, default.seed), default, privilege="emulated", reach=may_emulate
    )
    unsolicited, first, latency = (_variant(lab_spec, usual, each) for each in (UNSOLICITED, FIRST_PACKET, LATENCY))
    second, headers = _variant(lab_spec, usual, SECOND_HOST), _variant(lab_spec, usual, HEADERS)
    second = replace(second, open=lambda: _second_path(lab_spec, second.name, default))
    asked_in_both_forms = (usual, replace(usual, key=wellformed_key(usual.key)))
    unsolicited_in_both = (unsolicited, replace(unsolicited, key=wellformed_key(unsolicited.key)))
    if not expect_truth:
        every = (*asked_in_both_forms, *unsolicited_in_both, first, second, latency, headers)
        return [with_profile(spec, profile) for spec in every]
    told = f"the truth of {lab_spec.name}"
    known = _Known(lab_spec.name, cache(lab_spec.layout.expected))
    answered, unasked = (partial(_truth, known, solicited=each) for each in (True, False))
    return [
        *(
            replace(
                spec,
                expects=told,
                expect=answered,
                expect_nat=lambda train, seen: _nat_truth(known, train, seen),
            )
            for spec in asked_in_both_forms
        ),
        *(replace(spec, expects=told, expect=answered) for spec in (first, headers)),
        latency,
        *(replace(spec, expects=told, expect=unasked) for spec in unsolicited_in_both),
        replace(second, expects=told, expect=lambda train, seen: _second_truth(known, train, seen)),
    ]


def may_emulate() -> None:
    """Raise VantageError where an ordinary user can't have namespaces: no lab can be built there."""
    loopback_point()


def _variant(lab_spec: LabSpec, spec: PathSpec, variant: str) -> PathSpec:
    """The same lab built once more, under a name of its own, which its results bear too."""
    name = replace(spec.name, name=f"{spec.name.name} {variant}")
    return replace(spec, key=f"{spec.key}#{variant}", name=name, open=lambda: _lab_path(lab_spec, name, spec.plan.seed))


def out_of_reach(key: str, name: PathInfo, default: plan.Plan, why: str) -> PathSpec:
    """A path that can't be had, which is told to who reaches for it, and to who asks for it. `why`: one line."""

    def reach() -> None:
        raise VantageError(why)

    def opened() -> NoReturn:
        raise PathUnavailable(why)

    return PathSpec(key, name, opened, default, reach=reach)


def with_profile(spec: PathSpec, profile: Profile | None) -> PathSpec:
    """A path of which this is expected; None: nothing is."""
    if profile is None:
        return spec
    version = family_of(spec.name.target).version
    known = profile.on_kernel(kernel.features()).for_target(spec.name.name).for_version(version)
    return replace(spec, expects=profile.name, expect=lambda train, _: known.expectation(train))


@contextmanager
def open_lab(lab_spec: LabSpec, seed: int) -> Generator[Lab]:
    """Build a lab. Raises PathUnavailable, one line."""
    from pytest_hdp.lab.requirements import LabUnavailable
    from pytest_hdp.lab.topology import Lab

    try:
        lab = Lab(lab_spec, seed=seed)
        lab.__enter__()
    except LabUnavailable as error:
        raise PathUnavailable(str(error)) from None
    try:
        yield lab
    finally:
        lab.close()


@contextmanager
def _lab_path(lab_spec: LabSpec, name: PathInfo, seed: int) -> Generator[OpenPath]:
    with open_lab(lab_spec, seed) as lab, _between_nodes(lab, name, lab.client, lab.client_address) as path:
        yield path


@contextmanager
def _second_path(lab_spec: LabSpec, name: PathInfo, default: plan.Plan) -> Generator[OpenPath]:
    """From the second host, after the first one has sent a packet of each number."""
    link = lab_spec.layout.second_link
    if link is None:
        raise PathUnavailable(f"lab {lab_spec.name} has no second host behind a NAT: no box translates")
    with open_lab(lab_spec, default.seed) as lab, _between_nodes(lab, name, lab.client, lab.client_address) as first:
        Measurement(first, once(default, range(256))).run()
        first.close_numbers()
        with _between_nodes(lab, replace(name, source=link.left.address), link.left.node, link.left.address) as path:
            yield path


@contextmanager
def _between_nodes(lab: Lab, name: PathInfo, node: str, address: str) -> Generator[OpenPath]:
    with station_at(lab, node) as near, station_at(lab, lab.target) as far:
        ends = Endpoint(near, address, "eth0"), Endpoint(far, lab.target_address, "eth0")
        with OpenPath(name, *ends) as path:
            path.lab = lab
            yield path


@contextmanager
def station_at(lab: Lab, node: str) -> Generator[Station]:
    """What opens sockets at a node of a lab."""
    with Opener(lab.namespace(node)) as opener, Station(opener) as station:
        yield station


@dataclass(frozen=True, slots=True)
class _Known:
    """The truth of a lab, worked out once for each train though each test asks several times."""

    name: str
    expected: Callable[..., Truth]


def _truth(known: _Known, train: Train, seen: Verdict, *, solicited: bool) -> Expectation | None:
    """What the boxes' own truth leads to expect of a train, as an expectation."""
    from pytest_hdp.lab.boxes import Traffic

    if not 0 <= train.protocol < 256:
        return None
    traffic = Traffic(size=SIZE, solicited=solicited, chain=train.behind, transport=train.transport)
    truth = known.expected(train.protocol, train.direction, train.form, traffic)
    verdict = seen if seen in truth.also and seen is not Verdict.INCONCLUSIVE else truth.verdict
    return Expectation((train.protocol,), verdict, errno=truth.errno, reason=f"lab {known.name}: {truth.box or 'path'}")


def _nat_truth(known: _Known, train: Train, seen: Verdict) -> str | None:
    from pytest_hdp.lab.truth import BY_CHANCE

    truth = known.expected(train.protocol, train.direction, train.form)
    verdict = seen if seen in truth.also else truth.verdict
    if truth.nat == BY_CHANCE or verdict is Verdict.MODIFIED:
        return None  # of what never comes as sent, no source is told
    return "dropped" if verdict in _NEVER_PASS else truth.nat


def _second_truth(known: _Known, train: Train, seen: Verdict) -> Expectation | None:
    truth = known.expected(train.protocol, Direction.FORWARD, train.form)
    usual = _truth(known, train, seen, solicited=False)
    if usual is None or truth.second_host is None or seen in truth.also:
        return usual
    return replace(usual, verdict=truth.second_host)
