"""A clock that is set, far back or ahead, while something waits: no wait gets longer by it."""

from __future__ import annotations

import time
from collections import deque
from types import SimpleNamespace

import pytest

from pytest_hdp.measure.latency.timing import OneWay, RoundTrip
from pytest_hdp.vantage.clock import SystemClock

DUE = 5_000_000  # ns from now
NEVER = 10.0  # seconds


class SetClock(SystemClock):
    """One that was set by so many seconds."""

    def __init__(self, seconds: int) -> None:
        self.time_ns = lambda: time.time_ns() + seconds * 1_000_000_000


@pytest.mark.parametrize("step", [-1350, 1350], ids=["back", "ahead"])
@pytest.mark.parametrize("way", [OneWay, RoundTrip])
def test_the_wait_for_the_next_packet(way, step):
    def look(_: float) -> None:
        assert time.monotonic() < began + NEVER, "it would wait for ever"

    end = SimpleNamespace(inbox=deque(), receive=lambda seconds, _: look(seconds))
    ends = SimpleNamespace(near=end, far=end, path=SimpleNamespace(look=look, clock=SetClock(step)))
    trip = SimpleNamespace(_ends=ends, _receiver=end, _book=SimpleNamespace(arrival=None), receive=lambda: None)
    began = time.monotonic()
    due = time.monotonic_ns() + DUE
    way.wait(trip, due)
    assert due <= time.monotonic_ns() < due + NEVER * 1e9
