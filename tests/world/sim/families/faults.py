"""Families in which today's code is known to err, by what it makes itself and by its control: A and B of the list."""

from __future__ import annotations

from pytest_hdp.judge.evidence import Train
from sim.blueprint import Blueprint
from sim.elements import Branches, NumberFilter, SharedLimit
from sim.elements.boxes import by_number
from sim.families.registry import MS, both_ways, family
from sim.families.ways import branch

EITHER = frozenset({1, -1})


@family(agent=True, group="loss", fault="A3: the sweep's own rate makes losses")
def shared_limit(print_: Blueprint) -> None:
    """A router has one limit for all "other protocols"."""
    numbers = print_.chance.sample([number for number in range(2, 256) if number not in (6, 17)], 30)
    print_.trains = tuple(sorted(Train(number) for number in numbers))
    router = print_.a_router()
    router.rules.append(SharedLimit(print_.chance.choice((5, 20, 100)) * MS, print_.chance.choice((5, 10))))
    print_.notes.append(f"{router.name} has one limit for 30 numbers")


@family(agent=True, group="control", fault="B5: all but TCP and SCTP is blocked, and everything becomes inconclusive")
def tcp_and_sctp_only(print_: Blueprint) -> None:
    """A router lets TCP and SCTP pass, and nothing else."""
    both_ways(print_, (1, 6, 17, 47, 132, 253))
    print_.a_router().rules.append(NumberFilter(frozenset({6, 132}), EITHER, only=True))
    print_.notes.append("a router passes TCP and SCTP only")


@family(agent=True, group="ways", fault="B5: a dead equal-cost branch takes the control, and verdicts hang on luck")
def dead_branch_of_control(print_: Blueprint) -> None:
    """Two ways by number, of which the control's is dead."""
    pick = by_number(print_.chance.randrange(1 << 20))
    dead = pick(17, 1, b"") % 2
    each = [branch(print_, f"way {chr(97 + at)}", 1, 50_000, dead=at == dead) for at in range(2)]
    print_.extra.append((1, Branches("branches", tuple(each), pick)))
    print_.notes.append("two ways by number, the control's is dead")
