"""Errors about packets that are not ours: who else asks the same target from here has them of the same budget.

A host limits its ICMP errors by the address that they go to, and so does a router: another run, or any program that
sends to the target from this host, uses them up for all. No I/O.
"""

from __future__ import annotations

import math
from collections import deque

from pytest_hdp.measure.schedule.icmp_budget import Sent
from pytest_hdp.packet.view import view

MOST = 1000  # errors that are kept: a stock Linux host sends no more in a second


class Overheard:
    """Who sent errors about packets of others, and when, in seconds of any one clock."""

    def __init__(self) -> None:
        self._heard: deque[tuple[str, Sent]] = deque(maxlen=MOST)

    def file(self, data: bytes, asked: Sent) -> None:
        """Take note of a packet if it is an error. `asked`: when what that is about was sent, and by when it came."""
        packet = view(data)
        if packet is not None and packet.is_icmp_error:
            self._heard.append((packet.source, asked))

    def of(self, source: str) -> list[Sent]:
        """Return what made this one send an error; of what is not kept any more, that it may have done so."""
        found = [asked for each, asked in self._heard if each == source]
        if len(self._heard) == MOST:
            found.append(Sent(-math.inf, self._heard[0][1].last))
        return found

    def since(self, source: str, time: float) -> bool:
        """Whether this one sent others an error that came at that time, or later."""
        return any(asked.last >= time for each, asked in self._heard if each == source)
