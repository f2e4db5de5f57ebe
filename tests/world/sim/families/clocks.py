"""Families of clocks and of who gets no time."""

from __future__ import annotations

from sim.blueprint import Blueprint
from sim.families.registry import MS, SECOND, family

STEPS = (-3600, -1, 1, 3600)


@family(group="clock", mild=True)
def clock_steps(print_: Blueprint) -> None:
    """The wall clock is set while it measures."""
    at, step = print_.chance.randint(1, 300) * MS, print_.chance.choice(STEPS) * SECOND
    print_.events.append(lambda world: _set(world, at, step))
    print_.notes.append(f"the clock is set by {step / SECOND:g} s after {at / MS:g} ms")


@family(group="clock", mild=True)
def clock_steps_often(print_: Blueprint) -> None:
    """The wall clock is set again and again."""
    steps = [
        (print_.chance.randint(1, 600) * MS, print_.chance.choice((*STEPS, -0.05, 0.05)))
        for _ in range(print_.chance.randint(2, 9))
    ]
    for at, step in steps:
        print_.events.append(lambda world, at=at, step=int(step * SECOND): _set(world, at, step))
    print_.notes.append(f"the clock is set {len(steps)} times")


@family(group="clock", mild=True)
def clock_drifts(print_: Blueprint) -> None:
    """The wall clock is slewed, by half a millisecond a second or far more."""
    rate = print_.chance.choice((-500, 500, 100_000, -100_000))  # ns each ms

    def plan(world: object) -> None:
        for at in range(0, 20 * SECOND, 10 * MS):
            _set(world, at, rate * 10)

    print_.events.append(plan)
    print_.notes.append(f"the clock is slewed by {rate / 1e6:.2%}")


def _set(world: object, at: int, step: int) -> None:
    clock = world.clock  # type: ignore[attr-defined]
    clock.at(at, lambda: setattr(clock, "wall", clock.wall + step))


@family(group="stall", mild=True)
def stalls(print_: Blueprint) -> None:
    """The measuring process gets no time for a while, once or often."""
    spans = sorted(
        (print_.chance.randint(0, 400) * MS, print_.chance.choice((5, 50, 500, 3000)) * MS)
        for _ in range(print_.chance.randint(1, 5))
    )
    print_.events.append(lambda world: world.clock.stalls.extend(spans))  # type: ignore[attr-defined]
    print_.notes.append(f"the process stalls {len(spans)} times, for {sum(each for _, each in spans) / MS:g} ms")
