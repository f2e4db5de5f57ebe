"""The one place where a measurement learns what time it is, and waits: so that a test can give it another time."""

from __future__ import annotations

import contextlib
import os
import select
import threading
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


class Bell(Protocol):
    """Rung by one thread, waited for by another, also together with sockets: readable from ring to hush."""

    descriptor: int

    def ring(self) -> None:
        """Make it readable; nothing if it is closed."""

    def hush(self) -> None:
        """Make it unreadable."""

    def wait(self, seconds: float) -> None:
        """Wait until it rings, at most so long."""

    def close(self) -> None:
        """Close the descriptor. May be called again."""


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

    def bell(self) -> Bell:
        """Something that a waiter can be woken by."""


class EventBell:
    """A Bell of the kernel's."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()

    def ring(self) -> None:
        """As Bell.ring."""
        with self._lock:
            if self.descriptor >= 0:
                os.eventfd_write(self.descriptor, 1)

    def hush(self) -> None:
        """As Bell.hush."""
        with contextlib.suppress(BlockingIOError, ValueError):  # ValueError: it is closed
            os.eventfd_read(self.descriptor)

    def wait(self, seconds: float) -> None:
        """As Bell.wait."""
        if self.descriptor < 0:
            return
        waiting = select.poll()  # not select(), which takes no descriptor above 1023
        waiting.register(self.descriptor, select.POLLIN)
        waiting.poll(max(0.0, seconds) * 1000)

    def close(self) -> None:
        """As Bell.close."""
        with self._lock:
            if self.descriptor >= 0:
                os.close(self.descriptor)
                self.descriptor = -1


class SystemClock:
    """The machine's own."""

    monotonic = staticmethod(time.monotonic)
    monotonic_ns = staticmethod(time.monotonic_ns)
    time_ns = staticmethod(time.time_ns)
    waiter = staticmethod(select.epoll)
    bell = EventBell


SYSTEM: Clock = SystemClock()
