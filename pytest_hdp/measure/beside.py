"""Measurements side by side: while one waits, the others go on, so that many targets cost the time of the slowest."""

from __future__ import annotations

import select
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.engine import Measurement
    from pytest_hdp.vantage.clock import Waiter


def settle_beside(measurement: Measurement, train: Train, others: Iterable[Measurement]) -> Judgement:
    """The judgement of one train, as `Measurement.settle`; whenever that has to wait, the others get their turns.

    An error that ends one of the others is raised to whoever asks that one, not here.
    """
    if measurement.knows(train):
        return measurement.settle(train)
    going = [other for other in others if other is not measurement and not other.done]
    if not going:
        return measurement.settle(train)
    with closing(measurement.path.clock.waiter()) as waiter:
        for each in (measurement, *going):
            waiter.register(each.path.fileno(), select.EPOLLIN)
        while not measurement.knows(train):
            for each in _due(waiter, [measurement, *going]):
                if each is measurement:
                    each.step()
                elif _ended(each):
                    going.remove(each)
                    waiter.unregister(each.path.fileno())
    return measurement.settle(train)


def _due(waiter: Waiter, measurements: list[Measurement]) -> list[Measurement]:
    """Wait until at least one of them has something to do; those that have."""
    left = min(each.wakes_at for each in measurements) - measurements[0].path.clock.monotonic()
    seen = {descriptor for descriptor, _ in waiter.poll(max(left, 0))}
    now = measurements[0].path.clock.monotonic()
    return [each for each in measurements if each.wakes_at <= now or each.path.fileno() in seen]


def _ended(measurement: Measurement) -> bool:
    """Let it take a step. Whether that was its last one: it is done, or failed, which it keeps for who asks it."""
    try:
        measurement.step()
    except Exception:
        return True
    return measurement.done


def in_groups(sizes: Mapping[str, int], room: int) -> tuple[frozenset[str], ...]:
    """Keys in their order, in as few groups as fit: the sizes of a group are `room` together at most, or it is one."""
    groups: list[set[str]] = []
    used = 0
    for key, size in sizes.items():
        if not groups or used + size > room:
            groups.append(set())
            used = 0
        groups[-1].add(key)
        used += size
    return tuple(map(frozenset, groups))
