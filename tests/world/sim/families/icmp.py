"""Families of ICMP errors: who sends them, how many, and whether they come through."""

from __future__ import annotations

from sim.blueprint import Blueprint
from sim.elements import IcmpFilter, NumberFilter
from sim.families.registry import MS, SECOND, family
from sim.host import Bucket


@family()
def silent_routers(print_: Blueprint) -> None:
    """Some routers send no errors at all."""
    for router in print_.routers:
        router.speaks = router.speaks and print_.chance.random() < 0.5
    print_.excuses.add("silent router")
    print_.notes.append("some routers send no ICMP errors")


@family()
def short_quotes(print_: Blueprint) -> None:
    """Some routers quote 8 bytes only, which proves nothing."""
    for router in print_.routers:
        router.short = print_.chance.random() < 0.5
    print_.notes.append("some routers quote 8 bytes")


@family()
def slow_routers(print_: Blueprint) -> None:
    """Routers have few errors to send: one in ten seconds, or one in a hundred milliseconds with no burst."""
    for router in print_.routers:
        bucket = Bucket(*print_.chance.choice(((10 * SECOND, 6), (SECOND, 1), (100 * MS, 1), (SECOND, 6))))
        if not any(isinstance(rule, NumberFilter) and rule.word.startswith("prohibit") for rule in router.rules):
            router.bucket = bucket  # to be asked twice is Linux' way, and so is its pace then
    print_.notes.append("routers send few ICMP errors")


@family()
def icmp_blocked(print_: Blueprint) -> None:
    """A router drops all of ICMP, errors too."""
    ways = print_.ways() if print_.agent else frozenset({1, -1})
    router = print_.a_router()
    router.rules.append(IcmpFilter(ways))
    print_.excuses.add("no icmp")
    print_.notes.append(f"{router.name} drops ICMP {sorted(ways)}")


@family(agent=False)
def prohibited_routes(print_: Blueprint) -> None:
    """A Linux router has routes that prohibit some numbers, under its own limit of ICMP errors."""
    _prohibit(print_)


@family(agent=True)
def prohibited_routes_watched(print_: Blueprint) -> None:
    """The same with an agent."""
    _prohibit(print_)


def _prohibit(print_: Blueprint) -> None:
    rule = NumberFilter(print_.some_numbers() - {1, 17}, frozenset({1}), "prohibit 3 13", name="prohibited")
    router = print_.a_router()
    router.rules.append(rule)
    router.bucket = Bucket(SECOND, 6)
    print_.excuses.add("icmp budget")
    print_.notes.append(f"{router.name} has no route for {sorted(rule.numbers)}")


@family(agent=False)
def quiet_target(print_: Blueprint) -> None:
    """A target that calls no protocol unreachable."""
    print_.answers = False
    print_.notes.append("the target sends no ICMP errors")


@family(agent=False)
def deaf_to_echoes(print_: Blueprint) -> None:
    """A target that answers no echo."""
    print_.echoes = False
    print_.excuses.add("no echoes")
    print_.notes.append("the target answers no echo")


@family(agent=False)
def handles_more(print_: Blueprint) -> None:
    """A target whose kernel takes some numbers without a word."""
    print_.handled = print_.handled | print_.some_numbers()
    print_.notes.append(f"the target handles {sorted(print_.handled)}")


@family(agent=False)
def target_pace(print_: Blueprint) -> None:
    """A target with few errors to send, at one of many paces."""
    each, burst = print_.chance.choice((20, 50, 200, 500, 1000, 2000)) * MS, print_.chance.choice((1, 3, 6, 20))
    print_.target_bucket = Bucket(each, burst)
    print_.notes.append(f"the target sends one error in {each / MS:g} ms, and saves up {burst}")
