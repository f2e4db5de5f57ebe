"""Families in which today's code is known to err, by what it sees and where it looks: C and D of the list."""

from __future__ import annotations

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction
from sim.blueprint import Blueprint
from sim.elements import NumberFilter, Unreachable
from sim.families.registry import MS, family
from sim.host import Bucket


@family(agent=True, group="loss", alone=True)
def unreachable_for_a_while(print_: Blueprint) -> None:
    """From the middle of the first round on a router has nowhere to send anything, and says so, for half a second."""
    numbers = print_.chance.sample([number for number in range(2, 256) if number not in (6, 17)], 60)
    print_.trains = tuple(sorted(Train(number) for number in numbers))
    router, delay = print_.a_router(), sum(link.delay for link in print_.links)
    router.bucket = Bucket(0, 6)
    start = 5 * delay // 2 + 3 * MS
    router.rules.append(Unreachable(start, start + 500 * MS))
    print_.loss = 0.3
    print_.notes.append(f"{router.name} has no way on from {start / MS:g} ms for half a second")


@family(agent=True, group="loss")
def unreachable_then_dropped(print_: Blueprint) -> None:
    """For less than a round a router has nowhere to send anything, and says so; another one drops some numbers."""
    chance, numbers = print_.chance, print_.some_numbers() - {1, 17}
    first, last = print_.routers[0], print_.routers[-1]
    delay = sum(link.delay for link in print_.links[:1])
    start = 5 * sum(link.delay for link in print_.links) // 2 + delay
    for _ in range(chance.choice((1, 2, 3))):
        start += chance.randint(0, 40) * MS
        first.rules.append(Unreachable(start, start + chance.choice((1, 4, 15, 60)) * MS // 2))
    first.bucket = Bucket(0, 6)
    last.rules.append(NumberFilter(numbers, frozenset({1, -1})))
    print_.loss = 0.1
    print_.notes.append(f"{first.name} has no way on for moments, and {last.name} drops {sorted(numbers)}")


@family(mild=True, beside=True, only=4)
def number_zero(print_: Blueprint) -> None:
    """Number 0 is asked for too, both ways where that is to be had: no socket can listen to it."""
    ways = {Direction.FORWARD, *(each.direction for each in print_.trains)}
    print_.trains = tuple(sorted({*print_.trains, *(Train(0, way) for way in ways)}))
    print_.notes.append("number 0")
