"""Families of observers that see too little, too much, or at another time."""

from __future__ import annotations

from dataclasses import replace

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import BOTH_FORMS, Direction
from pytest_hdp.packet.carrier import CARRIERS
from sim.blueprint import Blueprint
from sim.families.registry import MS, SECOND, family, own


@family()
def small_socket_buffers(print_: Blueprint) -> None:
    """Raw sockets hold few packets, and get those of two trains."""
    both = {replace(each, form=form) for each in print_.trains for form in BOTH_FORMS if each.protocol in CARRIERS}
    print_.trains = tuple(sorted({*print_.trains, *both}))
    print_.room = print_.chance.choice((1, 2, 4))
    print_.excuses.add("overflow")
    print_.notes.append(f"raw sockets hold {print_.room} packets")


@family(agent=True)
def small_tap_buffers(print_: Blueprint) -> None:
    """Taps hold few packets."""
    print_.tap_room = print_.chance.choice((1, 4, 8, 12, 30))
    print_.excuses.add("overflow")
    print_.notes.append(f"taps hold {print_.tap_room} packets")


@family(agent=True, mild=True)
def far_stamps_off(print_: Blueprint) -> None:
    """What the far observers see is stamped by a clock that is off."""
    print_.far_ahead = int(print_.chance.choice((-3600, -0.5, -0.001, 0.001, 0.5, 3600)) * SECOND)
    print_.notes.append(f"the far end's stamps are {print_.far_ahead / SECOND:g} s ahead")


@family(agent=True, mild=True)
def nonsense(print_: Blueprint) -> None:
    """The far end tells things that are no packets."""
    chance, count = own(print_), print_.chance.choice((3, 50))

    def tell(world: object) -> None:
        station = world.far.stations[0]  # type: ignore[attr-defined]
        data = chance.randbytes(chance.choice((0, 1, 9, 19, 20, 40, 120)))
        if chance.random() < 0.5:
            header = bytes([0x45, 0, 0, 120, 0, 0, 0, 0, 64, chance.choice((1, 17, 253)), 0, 0])
            data = header + chance.randbytes(20) + world.network.run_id + data  # type: ignore[attr-defined]
        time = chance.choice((0, -1, 1 << 62, world.clock.time_ns()))  # type: ignore[attr-defined]
        station.tell(
            chance.randrange(1, 12), time, chance.choice((-1, 0, 4)), data, chance.choice(("", "x", "1.2.3.4"))
        )

    def plan(world: object) -> None:
        for _ in range(count):
            world.clock.at(chance.randint(0, 300) * MS, tell, world)  # type: ignore[attr-defined]

    print_.events.append(plan)
    print_.notes.append(f"the far end tells {count} things that make no sense")


@family()
def sockets_refused(print_: Blueprint) -> None:
    """The near host gives no socket for some numbers, which are asked forward only."""
    print_.trains = tuple(each for each in print_.trains if each.direction is Direction.FORWARD)
    _refuse(print_)


@family(agent=True, beside=True)
def listeners_refused(print_: Blueprint) -> None:
    """The near host gives no socket for some numbers, which come to it all the same."""
    reverse = {Train(number, Direction.REVERSE) for number in print_.numbers}
    _refuse(print_)
    forward = {each for each in print_.trains if each.protocol not in print_.near_refusals}
    print_.trains = tuple(sorted({*reverse, *forward}))


def _refuse(print_: Blueprint) -> None:
    numbers = print_.some_numbers() - {1, 6, 17}
    print_.near_refusals = {number: print_.chance.choice((1, 13, 93)) for number in sorted(numbers)}
    print_.notes.append(f"the sender has no sockets for {sorted(numbers)}")
