"""Ctrl-C, put off for as long as something is being made or taken down that must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Put off a Ctrl-C until the block is left: KeyboardInterrupt is raised there, or whatever SIGINT means otherwise.

    In the block Python could raise it between any two steps: a process that was started and is kept nowhere yet, a
    descriptor that nobody closes. A second Ctrl-C is not put off, since what is waited for in the block may hang.
    Only the main thread hears signals; elsewhere, and where SIGINT is ignored, this does nothing.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    came: list[FrameType | None] = []

    def put_off(number: int, frame: FrameType | None) -> None:
        came.append(frame)
        if len(came) > 1:
            usual(number, frame)

    signal.signal(signal.SIGINT, put_off)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if len(came) == 1:
            usual(signal.SIGINT, came[0])
