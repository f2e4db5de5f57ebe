"""How long a train's packets took: from the sender's tap to the receiver's socket, both by the kernel's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.latency.differences import percentiles
from pytest_hdp.judge.result import LatencyUs

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.schedule.engine import Measurement


def train_latency(measurement: Measurement | None, train: Train) -> LatencyUs | None:
    """Least, median and 99th percentile, one way, in microseconds.

    None without a measurement of it, where its ends have clocks of their own, or where nothing of it came through.
    The first copy counts; a replay or a duplicate comes later.
    """
    if measurement is None or not measurement.path.shared_clock:
        return None
    times = [
        min(copy.time for copy in entry.delivered if copy.genuine) - min(copy.time for copy in entry.left)
        for entry in measurement.ledger.trains.get(train, ())
        if entry.left and any(copy.genuine for copy in entry.delivered)
    ]
    found = percentiles(times)
    return LatencyUs(found["min"], found["median"], found["p99"]) if found is not None else None
