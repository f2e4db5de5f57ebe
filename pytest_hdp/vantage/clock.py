"""The one place where a measurement learns what time it is, and waits: so that a test can give it another time."""

from __future__ import annotations

import select
import time
from typing import Protocol


class Waiter(Protocol):
    """What is needed of select.epoll."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Wait for this descriptor too."""

    def unregister(self, fd: int, /) -> None:
        """Wait for it no longer."""

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Wait so many seconds at most until one of the descriptors is readable; those that are."""

    def fileno(self) -> int:
        """Return a descriptor that is readable while one of them is."""

    def close(self) -> None:
        """Free what it holds."""


class Clock(Protocol):
    """Two times and a way to wait. A path has one, and whatever measures over the path asks it alone."""

    def monotonic(self) -> float:
        """Seconds that nobody can set: for deadlines and for how long something took."""

    def monotonic_ns(self) -> int:
        """Return the same in nanoseconds: for what microseconds matter to."""

    def time_ns(self) -> int:
        """Nanoseconds since the Unix epoch, as the kernel stamps packets: it can be set while we look."""

    def waiter(self) -> Waiter:
        """Something that waits for descriptors, in this clock's time."""


class SystemClock:
    """The machine's own."""

    monotonic = staticmethod(time.monotonic)
    monotonic_ns = staticmethod(time.monotonic_ns)
    time_ns = staticmethod(time.time_ns)
    waiter = staticmethod(select.epoll)


SYSTEM: Clock = SystemClock()
