"""The path of a box: from there to the far end, beside its twin, with witnesses on the way. Opening it sends nothing.

The box may have no route and no address: then its own kernel refuses all, which is an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.result import PathInfo
from pytest_hdp.measure.campaign.spec import PathSpec
from pytest_hdp.measure.path.endpoints import Endpoint, PathUnavailable, far_end, no_route, refuse_itself
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.packet.family import family_of
from pytest_hdp.vantage.points import VantageError
from pytest_hdp.vantage.remote.far_host import FarHost

if TYPE_CHECKING:
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.packet.family import Family
    from pytest_hdp.vantage.points import VantagePoint
    from pytest_hdp.vantage.remote.client import RemoteStation
    from pytest_hdp.vantage.station import Station

    AnyVantage = VantagePoint | FarHost
    AnyStation = Station | RemoteStation
    MakePlace = Callable[[tuple[str, ...]], AnyVantage]

ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Addresses of no host (RFC 5737, RFC 3849): by what address would one leave? Nothing is ever sent there."""


class BoxVantages:
    """The box, its twin, the agent at the far end, and the witnesses, which send nothing.

    `box` and `twin`: make a place of the addresses that may be sent to from there. `target`: where the box sends, None
    for the agent's own address, which is asked of it then; `twins`: where its twin sends, if that is another one.
    """

    def __init__(
        self,
        box: MakePlace,
        twin: MakePlace | None,
        agent: AnyVantage,
        witnesses: tuple[AnyVantage, ...],
        target: str | None,
        twins: str | None,
        family: Family,
    ) -> None:
        self.agent, self.witnesses, self.family = agent, witnesses, family
        self.target, self.twins = target, twins or target
        self._make_box, self._make_twin = box, twin
        self._made: tuple[AnyVantage, AnyVantage | None] | None = None
        self.described = [place.describe() for place in (box(()), *([twin(())] if twin is not None else []))]
        self.remote = any(isinstance(place, FarHost) for place in (box(()), agent, *witnesses, twin and twin(())))
        if target is not None:
            self.senders()

    def senders(self) -> tuple[AnyVantage, AnyVantage | None]:
        """The box and its twin. Raises VantageError, one line."""
        if self._made is None:
            if self.target is None:
                self.target = self.twins = _address_of(self.agent, self.family)
            peers = tuple(dict.fromkeys(filter(None, (self.target, self.twins))))
            self._made = self._make_box(peers), self._make_twin(peers) if self._make_twin is not None else None
        return self._made

    @property
    def far(self) -> list[FarHost]:
        """Those known by now that have to be reached before anything is measured."""
        places = (self.agent, *self.witnesses, *(self._made or ()))
        return [each for each in places if isinstance(each, FarHost)]

    def reach(self) -> None:
        """Log in everywhere. Raises VantageError, one line."""
        self.senders()
        for place in self.far:
            place.connect()

    def begin(self) -> None:
        """Have that done meanwhile."""
        for place in self.far:
            place.begin()

    def pending(self) -> bool:
        """Whether it is being done."""
        return any(place.pending for place in self.far)


def contained(key: str, places: BoxVantages, default: Plan) -> PathSpec:
    """A box's path."""
    box, agent = places.described[0], places.agent.describe()
    kind, address = "internet" if places.remote else "netns", places.target or places.family.anywhere
    name = PathInfo(kind, f"{places.target or 'agent'} containment", box, address, agent)

    @contextmanager
    def opened() -> Generator[OpenPath]:
        try:
            with ExitStack() as stack:
                yield stack.enter_context(_open(name, places, stack))
        except VantageError as error:
            raise PathUnavailable(str(error)) from None

    others = [f"twin {each}" for each in places.described[1:]] or ["no twin"]
    others += [f"witness {each.describe()}" for each in places.witnesses]
    privilege = ", ".join((box, f"agent {agent}", *others))
    return PathSpec(
        key, name, opened, default,
        privilege=privilege, reach=places.reach, begin=places.begin, pending=places.pending,
    )  # fmt: skip


def _open(name: PathInfo, places: BoxVantages, stack: ExitStack) -> OpenPath:
    """Open the box's path, and beside it its twin's. Raises PathUnavailable and VantageError."""
    (there, twins_place), anywhere = places.senders(), places.family.anywhere
    assert places.target is not None, "senders() raises or finds it"
    name = replace(name, name=f"{places.target} containment", target=places.target)
    box, far = _there(stack, there), _there(stack, places.agent)
    others = [Endpoint(_there(stack, each), anywhere, None, called=each.describe()) for each in places.witnesses]
    near = _near(box, name, there, may_lack=True)
    if twins_place is None:
        return _opened(replace(name, source=near.address), near, far, others)
    theirs = replace(name, target=places.twins or name.target)
    twin = _near(_there(stack, twins_place), theirs, twins_place)
    path = _opened(replace(name, source=near.address), near, far, [*others, twin])
    path.twin = path.with_near(replace(theirs, source=twin.address), twin)
    return path


def _there(stack: ExitStack, place: AnyVantage) -> AnyStation:
    station: AbstractContextManager[AnyStation] = place.station()
    return stack.enter_context(station)


def _opened(name: PathInfo, near: Endpoint, far: AnyStation, others: Sequence[Endpoint]) -> OpenPath:
    try:
        return OpenPath(name, near, far_end(far, name.target), others=tuple(others), fragments=True)
    except OSError as error:
        raise PathUnavailable(f"{name.agent} or the box can't open what it takes: {error.strerror}") from None


def _near(station: AnyStation, name: PathInfo, place: AnyVantage, *, may_lack: bool = False) -> Endpoint:
    """A sender's end. `may_lack`: it need not have a way to the target, nor an address, nor raw sockets."""
    try:
        address, interface, _ = station.route(name.target)
    except OSError as error:
        if not may_lack:
            raise no_route(place.describe(), name.target, error) from None
        return Endpoint(station, family_of(name.target).anywhere, None, called=place.describe(), raw=None)
    end = Endpoint(station, address, interface, called=place.describe(), raw=None if may_lack else True)
    refuse_itself(end, name.target, place.describe())
    return end


def _address_of(agent: AnyVantage, family: Family) -> str:
    """The agent's own address: that from which it sends by default. Raises VantageError, one line."""
    elsewhere = ELSEWHERE[family.version]
    try:
        if isinstance(agent, FarHost):
            return agent.route(elsewhere)[0]
        with agent.station() as station:
            return station.route(elsewhere)[0]
    except OSError as error:
        raise VantageError(
            f"where the box is to send is missing: give --hdp-target=ADDR, the {family.name} address of "
            f"{agent.describe()}, which has no default route by which it could be told ({error.strerror})"
        ) from None
