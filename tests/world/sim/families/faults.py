"""Families in which today's code is known to err, by what it makes itself and by its control: A and B of the list."""

from __future__ import annotations

from pytest_hdp.judge.evidence import Train
from sim.blueprint import Blueprint
from sim.elements import SharedLimit
from sim.families.registry import MS, family


@family(agent=True, group="loss", fault="A3: the sweep's own rate makes losses")
def shared_limit(print_: Blueprint) -> None:
    """A router has one limit for all "other protocols"."""
    numbers = print_.chance.sample([number for number in range(2, 256) if number not in (6, 17)], 30)
    print_.trains = tuple(sorted(Train(number) for number in numbers))
    router = print_.a_router()
    router.rules.append(SharedLimit(print_.chance.choice((5, 20, 100)) * MS, print_.chance.choice((5, 10))))
    print_.notes.append(f"{router.name} has one limit for 30 numbers")
