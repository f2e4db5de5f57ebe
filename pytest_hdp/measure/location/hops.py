"""Which routers a path goes through, by control packets whose TTL ends at each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.counting import CARRIER_HEADER
from pytest_hdp.measure.location.locate import Locator
from pytest_hdp.measure.path.waiting import drive
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.location.ttl_rung import Rung
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.vantage.receiving import Observation


def hops(path: OpenPath, timeout: float, *, echo: bool = False, stand_in: Train | None = None) -> list[str | None]:
    """The routers that let a control's TTL expire, nearest first; None: it kept silent. The target is the last.

    Without the target at the end no control came through. `timeout`: seconds that each answer is waited for. `echo`:
    the control is an echo, where nobody watches the target's end in any case; `stand_in`: it is like that train's.
    """
    locator = Locator(path, Direction.FORWARD, bytes(CARRIER_HEADER), echo=echo, stand_in=stand_in)

    def file_observation(observer: Observer, observation: Observation) -> None:
        locator.control.observe(observer, observation, view(observation[3]))

    where = locator.control.address(Direction.FORWARD), locator.control.port(Direction.FORWARD)
    path.subscribers.append(file_observation)
    try:
        drive(path, locator.climb((), *where, timeout))
    finally:
        path.subscribers.remove(file_observation)
    found = [_router_at(rung, path.name.target) for rung in locator.rungs]
    while found and found[-1] is None:
        found.pop()
    return found


def _router_at(rung: Rung, target: str) -> str | None:
    """Who is there: a translator lets a TTL expire in the target's name, which is not there yet."""
    if rung.control_arrived:
        return target
    router = rung.control_answered_by()
    return f"{router} (a router in its name)" if router == target else router


def format_hops(target: str, found: list[str | None]) -> str:
    """The path in words: "path to 198.51.100.2: 192.0.2.1 - 203.0.113.6 - 198.51.100.2, 3 hops"."""
    way = " - ".join(address or "(silent)" for address in found)
    if not found:
        return f"path to {target}: no hop answered a control packet"
    if found[-1] == target:
        return f"path to {target}: {way}, {len(found)} hop{'' if len(found) == 1 else 's'}"
    return f"path to {target}: {way}, and nobody beyond hop {len(found)} answered a control packet"
