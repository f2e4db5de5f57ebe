"""A small world with an agent, measured: what the tests of the simulator look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sim import world
from sim.blueprint import Blueprint, plain
from sim.host import Bucket

from pytest_hdp.judge.evidence import Train
from pytest_hdp.measure.plan import LAB

SECOND, MS = 1_000_000_000, 1_000_000


def world_of(change: Callable[[Blueprint], None], *trains: Train) -> world.World:
    """A small world with an agent, measured."""
    print_ = plain(7, agent=True)
    print_.trains = tuple(sorted(trains or (Train(50), Train(253))))
    print_.pace = replace(LAB, control=12)
    for router in print_.routers:
        router.bucket = Bucket(0, 6)
    change(print_)
    made = world.build(print_, (), trace=False, ties=None)
    made.run()
    return made
