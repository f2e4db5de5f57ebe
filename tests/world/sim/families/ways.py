"""Families of ways: equal-cost paths, policy routing, uplinks, circles."""

from __future__ import annotations

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction
from sim.blueprint import Blueprint
from sim.elements import Branches, Link, Loop, NumberFilter, Router
from sim.elements.boxes import Pick, by_address_and_number, by_number, by_port
from sim.families.registry import MS, family, own
from sim.host import Bucket

CONTROLS = (1, 17)
SPIS = (50, 51)


def branch(print_: Blueprint, name: str, count: int, delay: int, *, dead: bool = False) -> tuple[object, ...]:
    """A way of so many routers, of which the last drops everything, if it is dead."""
    way: list[object] = []
    for number in range(count):
        router = Router(f"{name} {number + 1}", f"172.{16 + len(name) % 8}.{number + 1}.{ord(name[-1]) % 100 + 1}")
        router.bucket = Bucket(0, 6)
        way += [Link(f"{name} link {number}", own(print_), delay), router]
    if dead:
        way[-1].rules.append(NumberFilter(frozenset(), frozenset({1, -1}), only=True))  # type: ignore[attr-defined]
    return tuple(way)


@family(group="ways")
def equal_cost(print_: Blueprint) -> None:
    """Two or three ways of one length, by number, by address and number, or by port."""
    pick = print_.chance.choice((by_number, by_address_and_number, by_port))(print_.chance.randrange(1 << 20))
    count, ways = print_.chance.randint(1, 2), print_.chance.randint(2, 3)
    each = [branch(print_, f"way {chr(97 + at)}", count, (1 + at) * 50_000) for at in range(ways)]
    print_.extra.append((1, Branches("branches", tuple(each), pick)))
    print_.notes.append(f"{ways} ways")


@family(group="ways")
def dead_branch(print_: Blueprint) -> None:
    """Two ways by number, of which one is dead; the control's is not."""
    salt = print_.chance.randrange(1 << 20)
    pick = by_number(salt)
    while len({pick(number, 1, b"") % 2 for number in CONTROLS}) > 1:
        salt += 1
        pick = by_number(salt)
    live = pick(17, 1, b"") % 2
    each = [branch(print_, f"way {chr(97 + at)}", 1, 50_000, dead=at != live) for at in range(2)]
    print_.extra.append((1, Branches("branches", tuple(each), pick)))
    print_.notes.append("two ways by number, one is dead")


@family(group="ways", beside=True)
def dead_branch_by_spi(print_: Blueprint) -> None:
    """Of the flows of ESP and AH some take a dead way, by their SPI; of these each number has but one."""
    ways = {Direction.FORWARD, *(each.direction for each in print_.trains)}
    print_.trains = tuple(sorted({*print_.trains, *(Train(number, way) for number in SPIS for way in ways)}))
    salt = print_.chance.randrange(1 << 20)
    each = branch(print_, "way a", 1, 50_000), branch(print_, "way b", 1, 50_000, dead=True)
    print_.extra.append((1, Branches("branches", each, lambda number, _, spi: number in SPIS and hashed(spi, salt))))
    print_.notes.append(f"{SPIS} take two ways by their SPI, one is dead")


def hashed(flow: bytes, salt: int) -> int:
    """A number below 65,536 for a flow, another one for each."""
    return (int.from_bytes(flow, "big") * 2654435761 + salt >> 12) % 65536


@family(agent=True, group="ways")
def dead_branch_of_control(print_: Blueprint) -> None:
    """Two ways by number, of which the control's is dead."""
    pick = by_number(print_.chance.randrange(1 << 20))
    dead = pick(17, 1, b"") % 2
    each = [branch(print_, f"way {chr(97 + at)}", 1, 50_000, dead=at == dead) for at in range(2)]
    print_.extra.append((1, Branches("branches", tuple(each), pick)))
    print_.notes.append("two ways by number, the control's is dead")


@family(group="ways")
def longer_way(print_: Blueprint) -> None:
    """Some numbers take a longer way, and arrive."""
    numbers = _longer(print_, dead=False)
    print_.notes.append(f"{sorted(numbers)} take a longer way")


@family(group="ways")
def longer_way_dead(print_: Blueprint) -> None:
    """Some numbers take a longer way, and die there."""
    numbers = _longer(print_, dead=True)
    print_.notes.append(f"{sorted(numbers)} take a longer way, and die there")


def _longer(print_: Blueprint, *, dead: bool) -> frozenset[int]:
    numbers = print_.some_numbers() - set(CONTROLS)
    count = print_.chance.randint(2, 4)
    ways = branch(print_, "way a", 1, 50_000), branch(print_, "way b", count, 2 * MS, dead=dead)
    print_.extra.append((1, Branches("policy", ways, among(numbers))))
    return numbers


def among(numbers: frozenset[int]) -> Pick:
    """The second way for these numbers, both ways."""
    return lambda number, _way, _ports: number in numbers


@family()
def routing_loop(print_: Blueprint) -> None:
    """Some numbers are sent in a circle behind a router."""
    numbers = print_.some_numbers() - {1, 17}
    first, second = print_.routers[0], Router("circle", "172.30.0.1", bucket=Bucket(0, 6))
    first.bucket = Bucket(0, 6)
    print_.extra.append((2, Loop("loop", numbers, first, second)))
    print_.notes.append(f"{sorted(numbers)} are sent in a circle behind {first.name}")


@family(agent=True, group="ways", alone=True)
def second_uplink(print_: Blueprint) -> None:
    """Some numbers leave by an interface that nobody watches, and arrive."""
    numbers = _uplink(print_, dead=False)
    print_.notes.append(f"{sorted(numbers)} leave by eth1")


@family(agent=True, group="ways")
def second_uplink_dead(print_: Blueprint) -> None:
    """Some numbers leave by an interface that nobody watches, and die there."""
    numbers = _uplink(print_, dead=True)
    print_.notes.append(f"{sorted(numbers)} leave by eth1, and die")


def _uplink(print_: Blueprint, *, dead: bool) -> frozenset[int]:
    numbers = print_.some_numbers() - set(CONTROLS)
    ways = (), branch(print_, "uplink b", 1, MS, dead=dead)
    print_.extra.append((0, Branches("uplinks", ways, lambda number, way, _ports: way == 1 and number in numbers)))

    def prepare(near: object, _far: object) -> None:
        near.leaves_by = lambda packet: "eth1" if packet.protocol in numbers else None  # type: ignore[attr-defined]

    print_.prepare.append(prepare)
    return numbers


@family(agent=True, group="ways", alone=True)
def second_interface(print_: Blueprint) -> None:
    """Some numbers come to the target by another interface than the others."""
    numbers = print_.some_numbers() - set(CONTROLS)
    _come_by(print_, numbers)
    print_.notes.append(f"{sorted(numbers)} come in by eth1")


def _come_by(print_: Blueprint, numbers: frozenset[int]) -> None:
    def prepare(_near: object, far: object) -> None:
        far.comes_by = lambda packet: "eth1" if packet.protocol in numbers else None  # type: ignore[attr-defined]

    print_.prepare.append(prepare)
