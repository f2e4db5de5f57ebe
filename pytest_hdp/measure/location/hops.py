"""Which routers a path goes through, by control packets whose TTL ends at each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.control import Control
from pytest_hdp.measure.control.counting import CARRIER_HEADER
from pytest_hdp.measure.path.waiting import drive, look_until
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.vantage.station import Observation

HIGHEST_TTL = 30
TRIES = 2
USUAL_TTL = 64
GIVES_UP = 4  # hops in a row without an answer


def hops(path: OpenPath, timeout: float, *, echo: bool = False, stand_in: Train | None = None) -> list[str | None]:
    """The routers that let a control's TTL expire, nearest first; None: it kept silent. The target is the last.

    Without the target at the end no control came through. `timeout`: seconds that each answer is waited for. `echo`:
    the control is an echo, where nobody watches the target's end in any case; `stand_in`: it is like that train's.
    """
    control = Control(path, bytes(CARRIER_HEADER))

    def file(eye: Observer, observation: Observation) -> None:
        control.observe(eye, observation, view(observation[3]))

    echo = stand_in is None and (echo or path.receiver_end(Direction.FORWARD) is None)
    near = path.sender_end(Direction.FORWARD)
    handle: int | str = path.controls[id(near)][0]
    if echo or stand_in is not None:
        handle = path.sender(Direction.FORWARD, path.family.icmp if stand_in is None else stand_in.protocol)
    found: list[str | None] = []
    if not isinstance(handle, int):
        return found
    path.subscribers.append(file)
    try:
        for ttl in range(1, HIGHEST_TTL + 1):
            near.station.set_ttl(handle, ttl)
            found.append(_hop(path, control, ttl, timeout, echo=echo, stand_in=stand_in))
            if found[-1] == path.name.target or (ttl >= GIVES_UP and not any(found[-GIVES_UP:])):
                break
    finally:
        near.station.set_ttl(handle, USUAL_TTL)
        path.subscribers.remove(file)
    while found and found[-1] is None:
        found.pop()
    return found


def _hop(
    path: OpenPath, control: Control, ttl: int, timeout: float, *, echo: bool, stand_in: Train | None
) -> str | None:
    for _ in range(TRIES):
        entry = control.send(Direction.FORWARD, ttl, echo=echo, stand_in=stand_in)
        deadline = path.clock.monotonic() + timeout
        if drive(path, look_until(path.clock, deadline, entry.is_answered)):
            return path.name.target if entry.came else entry.expired_at
    return None


def told(target: str, found: list[str | None]) -> str:
    """The path in words: "path to 198.51.100.2: 192.0.2.1 - 203.0.113.6 - 198.51.100.2, 3 hops"."""
    way = " - ".join(address or "(silent)" for address in found)
    if not found:
        return f"path to {target}: no hop answered a control packet"
    if found[-1] == target:
        return f"path to {target}: {way}, {len(found)} hop{'' if len(found) == 1 else 's'}"
    return f"path to {target}: {way}, and nobody beyond hop {len(found)} answered a control packet"
