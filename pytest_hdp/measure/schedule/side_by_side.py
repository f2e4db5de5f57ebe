"""Measurements side by side: while one waits, the others go on, so that many targets cost the time of the slowest."""

from __future__ import annotations

import math
import select
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from pytest_hdp.measure.path.waiting import GLANCE

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.schedule.engine import Measurement
    from pytest_hdp.vantage.clock import Waiter


def settle_beside(measurement: Measurement, train: Train, others: Iterable[Measurement]) -> Judgement:
    """The judgement of one train, as `Measurement.judge_until_settled`; while that waits, the others get their turns.

    An error that ends one of the others is raised to whoever asks that one, not here.
    """
    if measurement.knows(train):
        return measurement.judge_until_settled(train)
    going = [other for other in others if other is not measurement and not other.done]
    if not going:
        return measurement.judge_until_settled(train)
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
    return measurement.judge_until_settled(train)


def go_on_while(condition: Callable[[], bool], measurements: Iterable[Measurement]) -> None:
    """Let them measure as long as the condition holds, which is asked every now and then, or until they are done."""
    going = [each for each in measurements if not each.done]
    if not going:
        return
    with closing(going[0].path.clock.waiter()) as waiter:
        for each in going:
            waiter.register(each.path.fileno(), select.EPOLLIN)
        while going and condition():
            for each in _due(waiter, going, most=GLANCE):
                if _ended(each):
                    going.remove(each)
                    waiter.unregister(each.path.fileno())


def _due(waiter: Waiter, measurements: list[Measurement], most: float = math.inf) -> list[Measurement]:
    """Wait until at least one of them has something to do, at most so many seconds; those that have."""
    left = min(each.wakes_at for each in measurements) - measurements[0].path.clock.monotonic()
    seen = {descriptor for descriptor, _ in waiter.poll(min(max(left, 0), most))}
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
