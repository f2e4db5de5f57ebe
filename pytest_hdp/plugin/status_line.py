"""One line on the terminal while a measurement runs: below what pytest has written so far, erased when it is done.

The line below is used, since pytest's own line is not ended yet. The sequences are those of the VT100, which every
terminal knows: index, cursor up (so that there is a line below), save cursor, restore cursor, erase in line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pytest_hdp.measure.progress import Progress

PATIENCE = 0.5  # seconds of silence before the first line: most measurements are over by then
EVERY = 0.1
_BELOW, _BACK = "\x1bD\x1b[A\x1b7\r\x1b[B\x1b[2K", "\x1b8"


class StatusLine:
    """Shows a measurement's progress on `stream`, if `terminal`. `around`: a context in which nothing captures it."""

    def __init__(
        self, stream: TextIO, *, terminal: bool, around: Callable[[], AbstractContextManager[object]] = nullcontext
    ) -> None:
        self._stream = stream
        self._around = around
        self._shows = terminal and os.environ.get("TERM", "dumb") != "dumb"
        self._began: float | None = None
        self._told = 0.0
        self._standing = False

    def __call__(self, progress: Progress) -> None:
        """Show it, not more often than anybody can read, and erase it when all trains are settled."""
        if not self._shows:
            return
        now = time.monotonic()
        if self._began is None:
            self._began = now
        if progress.settled >= progress.trains:
            self.erase()
            self._began = None
        elif now - self._began >= PATIENCE and now - self._told >= EVERY:
            self._told = now
            self._write(line(progress))
            self._standing = True

    def erase(self) -> None:
        """Take the line away, if it stands."""
        if self._standing:
            self._write("")
            self._standing = False

    def _write(self, text: str) -> None:
        try:
            with self._around():
                self._stream.write(_BELOW + text[: _columns(self._stream) - 1] + _BACK)
                self._stream.flush()
        except (OSError, ValueError):  # the terminal is gone, or the stream closed
            self._shows = False


def line(progress: Progress) -> str:
    """Return "hdp: round 4, 120 of 255 settled, 3 lost, about 40 s left"."""
    parts = [f"round {progress.rounds}"] if progress.rounds else []
    parts.append(f"{progress.settled} of {progress.trains} settled")
    if progress.lost:
        parts.append(f"{progress.lost} lost")
    if progress.seconds_left is not None:
        parts.append(f"about {_duration(progress.seconds_left)} left")
    return f"hdp: {', '.join(parts)}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
