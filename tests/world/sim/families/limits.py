"""Families of limits that numbers share: what one of them sends takes from what the others may."""

from __future__ import annotations

from pytest_hdp.judge.evidence import Train
from sim.blueprint import Blueprint
from sim.elements import NumberFilter, SharedLimit
from sim.families.registry import MS, both_ways, family


@family(agent=True, group="loss", alone=True)
def shared_limit(print_: Blueprint) -> None:
    """A router has one limit for all "other protocols"."""
    print_.trains = tuple(sorted(Train(number) for number in _numbers(print_, 30)))
    router = print_.a_router()
    router.rules.append(SharedLimit(print_.chance.choice((5, 20, 100)) * MS, print_.chance.choice((5, 10))))
    print_.notes.append(f"{router.name} has one limit for 30 numbers")


@family(agent=True, group="loss", alone=True)
def shared_limit_both_ways(print_: Blueprint) -> None:
    """A router has one limit for them, one for each way or one for both, and another one drops some of them."""
    chance = print_.chance
    numbers = _numbers(print_, chance.choice((12, 20, 40, 80)))
    both_ways(print_, tuple(numbers))
    each, burst = chance.choice((0.2, 1, 5, 20, 100, 300)) * MS, chance.choice((1, 2, 5, 20, 60))
    router = print_.a_router()
    router.rules.append(SharedLimit(int(each), burst, joint=chance.random() < 0.5))
    print_.notes.append(f"{router.name} has one limit: one packet in {each / MS:g} ms, {burst} at once")
    if chance.random() < 0.5:
        dead = frozenset(chance.sample(numbers, chance.randint(1, 4)))
        print_.a_router().rules.append(NumberFilter(dead, print_.ways()))
        print_.notes.append(f"{sorted(dead)} are dropped")


@family(agent=False, group="loss")
def shared_limit_unwatched(print_: Blueprint) -> None:
    """The same without an agent: silence may be the limit's."""
    print_.trains = tuple(sorted(Train(number) for number in _numbers(print_, print_.chance.choice((5, 12, 30)))))
    router = print_.a_router()
    each, burst = print_.chance.choice((5, 20, 100, 500)) * MS, print_.chance.choice((1, 5, 10))
    router.rules.append(SharedLimit(each, burst))
    print_.excuses.add("shared limit")
    print_.notes.append(f"{router.name} has one limit: one packet in {each / MS:g} ms, {burst} at once")


def _numbers(print_: Blueprint, count: int) -> list[int]:
    return print_.chance.sample([number for number in range(2, 256) if number not in (6, 17)], count)
