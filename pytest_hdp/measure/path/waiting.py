"""The one loop in which a measurement waits. Whatever measures is a generator that yields when it has to.

It yields the time, in seconds of its path's clock, until which nothing needs to be done unless something is seen. Who
drives it waits no longer than that, looks at the path's sockets, and lets it go on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.vantage.clock import Clock

GLANCE = 0.05  # seconds between two looks at whether a place was found, or a far end has answered
T = TypeVar("T")
Waiting: TypeAlias = Generator[float, None, T]


AT_ONCE = -math.inf  # a time that is over: what was seen is looked at, and work goes on


def never() -> bool:
    """No event ends the wait: for a pause."""
    return False


def look_until(clock: Clock, deadline: float, condition: Callable[[], bool] = never) -> Waiting[bool]:
    """Look at the path's sockets until the condition holds, or the deadline (seconds of the clock) is over.

    Returns whether the condition held. It is asked once before anything is waited for, and again after each look.
    """
    while not condition():
        if clock.monotonic() >= deadline:
            return False
        yield deadline
    return True


def pause(clock: Clock, seconds: float) -> Waiting[bool]:
    """Look at the path's sockets for so long."""
    return look_until(clock, clock.monotonic() + seconds)


def hear(clock: Clock, told: Callable[[], bool]) -> Waiting[None]:
    """Look at the path's sockets until a far end has answered, or nobody waits for it any more: see `OpenPath.ask`."""
    while not told():
        yield clock.monotonic() + GLANCE


def answered(path: OpenPath, seconds: float, known: Callable[[], bool]) -> Waiting[None]:
    """Wait until all is known, or what was sent so long ago that answers are late.

    A far source sends later than it is asked to, and later still it tells what it saw.
    """
    yield from hear(path.clock, path.ask())
    if not (yield from look_until(path.clock, path.clock.monotonic() + seconds, known)):
        yield from hear(path.clock, path.ask())


def glance(clock: Clock) -> Waiting[None]:
    """Look at the path's sockets once, without waiting."""
    yield clock.monotonic()


class Beside:
    """Work that goes on at the same time: a main part, and what is started while it goes on."""

    def __init__(self) -> None:
        self._started: list[Waiting[None]] = []

    def start(self, work: Waiting[None]) -> None:
        """Have this done too, from the next step on."""
        self._started.append(work)

    def all_of(self, main: Waiting[None]) -> Waiting[None]:
        """Do the main part, and all that is started meanwhile, to the end."""
        going = [main]
        while going:
            untils: list[float] = []
            todo = deque(going)
            while todo:
                work = todo.popleft()
                try:
                    untils.append(next(work))
                except StopIteration:
                    going.remove(work)
                    untils.append(AT_ONCE)  # others may have waited for that
                going += self._started
                todo += self._started
                self._started = []
            if going:
                yield min(untils)


def drive(path: OpenPath, work: Waiting[T]) -> T:
    """Do such work to its end, waiting here and now. Returns what it returns."""
    while True:
        try:
            until = next(work)
        except StopIteration as ended:
            value: T = ended.value
            return value
        path.look(until - path.clock.monotonic())
