"""The registry of families: what a world may have beyond plain routers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction
from sim.blueprint import Blueprint

MS = 1_000_000
BOTH = (Direction.FORWARD, Direction.REVERSE)
SECOND = 1_000 * MS


@dataclass(frozen=True, slots=True)
class Family:
    """`agent`: whether it needs one, must have none (False), or takes either (None). Of one `group` a world has one.

    `mild`: it goes with everything; `alone`: it goes with nothing but the mild. `fault`: what today's code gets wrong
    here, by the number that it has in the list of known faults; such a family is not drawn by default. `beside`: it is
    drawn beside the others, in one world of ten, so that it changes no other's draw. `only`: the version of IP in whose
    worlds it can be, 0 for either.
    """

    add: Callable[[Blueprint], None]
    agent: bool | None = None
    group: str = ""
    fault: str = ""
    mild: bool = False
    alone: bool = False
    beside: bool = False
    only: int = 0

    def goes_with(self, other: Family) -> bool:
        """Whether one world may have both."""
        if self.group and self.group == other.group:
            return False
        if None not in (self.agent, other.agent) and self.agent is not other.agent:
            return False
        if 0 not in (self.only, other.only) and self.only != other.only:
            return False
        return not (self.alone and not other.mild) and not (other.alone and not self.mild)


FAMILIES: dict[str, Family] = {}
Add = Callable[[Blueprint], None]


def family(
    *,
    agent: bool | None = None,
    group: str = "",
    fault: str = "",
    mild: bool = False,
    alone: bool = False,
    beside: bool = False,
    only: int = 0,
) -> Callable[[Add], Add]:
    """Register a family under its function's name."""

    def keep(add: Add) -> Add:
        FAMILIES[add.__name__.replace("_", "-")] = Family(add, agent, group, fault, mild, alone, beside, only)
        return add

    return keep


def own(print_: Blueprint) -> random.Random:
    """A generator for one part, so that what one part draws changes nothing for another."""
    return random.Random(print_.chance.random())


def both_ways(print_: Blueprint, numbers: tuple[int, ...] | None = None) -> None:
    """Let every number be asked both ways."""
    numbers = numbers or print_.numbers
    print_.trains = tuple(sorted(Train(number, direction) for number in numbers for direction in BOTH))


def default() -> tuple[str, ...]:
    """The families in which today's code should never err."""
    return tuple(sorted(name for name, each in FAMILIES.items() if not each.fault))


def faulty() -> dict[str, str]:
    """The families that today's code errs in, and how."""
    return {name: each.fault for name, each in sorted(FAMILIES.items()) if each.fault}
