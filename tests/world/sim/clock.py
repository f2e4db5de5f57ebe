"""Time that passes only when somebody waits for it: it jumps from event to event, as trio's MockClock does."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from typing import Any, Protocol

SECOND = 1_000_000_000
MICROSECOND = 1_000
WAKE = 40 * MICROSECOND  # what it takes until a process that waited runs
FOREVER = 86_400 * SECOND


class Endless(Exception):  # noqa: N818
    """A measurement that goes on beyond all bounds."""


class Source(Protocol):
    """What may be waited for."""

    def readable(self) -> bool:
        """Whether there is something to read."""


class SimClock:
    """A pytest_hdp.vantage.clock.Clock. Times inside are whole nanoseconds since the world began.

    `ties`: shuffles events that are due at the same nanosecond; None keeps the order in which they were planned.
    `limit`: nanoseconds after which whoever waits gets Endless.
    """

    def __init__(self, ties: random.Random | None = None, *, limit: int = 40_000 * SECOND) -> None:
        self.now = 0
        self.wall = 1_790_000_000 * SECOND  # what the world's beginning is by the wall clock
        self.limit = limit
        self.waits = 0
        self._ties = ties
        self._events: list[tuple[int, float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._planned = 0
        self.stalls: list[tuple[int, int]] = []  # from when on this process gets no time, and for how long, ns
        self.stalled = 0
        self.told = 0  # counts up whenever a station has something new to read
        self._sources: dict[int, Source] = {}

    # As the engine sees it

    def monotonic(self) -> float:
        """Seconds since the world began."""
        return self.now / SECOND

    def monotonic_ns(self) -> int:
        """Nanoseconds since the world began."""
        return self.now

    def time_ns(self) -> int:
        """What the wall clock shows."""
        return self.wall + self.now

    def waiter(self) -> SimWaiter:
        """In the place of select.epoll."""
        return SimWaiter(self)

    def bell(self) -> SimBell:
        """In the place of an eventfd."""
        return SimBell(self)

    # As the world uses it

    def descriptor(self, source: Source) -> int:
        """Give something that can be waited for a number of its own."""
        number = 1000 + len(self._sources)
        self._sources[number] = source
        return number

    def at(self, when: int, act: Callable[..., object], *arguments: object) -> None:
        """Plan an event; one in the past is due now."""
        self._planned += 1
        tie = self._ties.random() if self._ties is not None else 0.0
        heapq.heappush(self._events, (when if when > self.now else self.now, tie, self._planned, act, arguments))

    def after(self, delay: int, act: Callable[..., object], *arguments: object) -> None:
        """Plan an event."""
        self.at(self.now + delay, act, *arguments)

    def spend(self, nanoseconds: int) -> None:
        """Let time pass in which somebody works; what is due meanwhile happens."""
        self._run(self.now + nanoseconds, None)

    def wait(self, seconds: float, ready: Callable[[], bool]) -> bool:
        """Jump from event to event until something is ready to be read, or so long."""
        self.waits += 1
        if self.now > self.limit or self.waits > 5_000_000:
            raise Endless(f"after {self.now / SECOND:.0f} s of simulated time and {self.waits} waits")
        if self.stalls and self.now >= self.stalls[0][0]:
            length = self.stalls.pop(0)[1]
            self.stalled += length
            self.spend(length)
        self._run(self.now, None)
        if ready():
            return True
        if seconds <= 0:
            return False
        deadline = self.now + min(FOREVER, max(1, math.ceil(seconds * SECOND)))
        if self._run(deadline, ready):
            self.spend(WAKE)
            return True
        return False

    def source(self, number: int) -> Source:
        """What a descriptor stands for."""
        return self._sources[number]

    def _run(self, deadline: int, ready: Callable[[], bool] | None) -> bool:
        events = self._events
        while events and events[0][0] <= deadline:
            when, _, _, act, arguments = heapq.heappop(events)
            self.now = max(self.now, when)
            told = self.told
            act(*arguments)
            if ready is not None and self.told != told and ready():
                return True
        self.now = max(self.now, deadline)
        return False


class SimBell:
    """A pytest_hdp.vantage.clock.Bell in simulated time."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._rung = False
        self.descriptor = clock.descriptor(self)

    def ring(self) -> None:
        """As Bell.ring."""
        self._rung = True
        self._clock.told += 1

    def hush(self) -> None:
        """As Bell.hush."""
        self._rung = False

    def wait(self, seconds: float) -> None:
        """As Bell.wait."""
        self._clock.wait(seconds, self.readable)

    def readable(self) -> bool:
        """Whether it was rung."""
        return self._rung

    def close(self) -> None:
        """Nothing to free."""


class SimWaiter:
    """Waits for simulated descriptors in simulated time."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._sources: dict[int, Source] = {}

    def register(self, number: int, _mask: int = 0, /) -> None:
        """As select.epoll."""
        self._sources[number] = self._clock.source(number)

    def unregister(self, number: int, /) -> None:
        """As select.epoll."""
        del self._sources[number]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """As select.epoll."""
        self._clock.wait(FOREVER if timeout is None else timeout, self.readable)
        return [(number, 1) for number, source in self._sources.items() if source.readable()]

    def fileno(self) -> int:
        """Itself as something to wait for."""
        return self._clock.descriptor(self)

    def readable(self) -> bool:
        """Whether any of its descriptors is."""
        return any(source.readable() for source in self._sources.values())

    def close(self) -> None:
        """Nothing to free."""
