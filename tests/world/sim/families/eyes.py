"""Families of what an end's own kernel does with a packet, and where it is seen there."""

from __future__ import annotations

from sim.blueprint import Blueprint, HostRule
from sim.elements import Effect
from sim.families.registry import family


@family(agent=True)
def policy_drops(print_: Blueprint) -> None:
    """The target's IPsec policy refuses some numbers, which the kernel counts as drops of the socket."""
    numbers = print_.some_numbers() - {1, 17}
    rule = held(numbers)

    def plan(world: object) -> None:
        far = world.far  # type: ignore[attr-defined]

        def refuse(packet: object) -> None:
            number = packet.protocol  # type: ignore[attr-defined]
            if number in numbers:
                for station in far.stations:
                    station.refuse(number)

        far.watchers.append(refuse)

    print_.events.append(plan)
    print_.far_inputs.append(rule)
    print_.notes.append(f"the target's IPsec policy refuses {sorted(numbers)}")


def held(numbers: frozenset[int]) -> HostRule:
    """What keeps these numbers at the target."""
    return HostRule(
        lambda packet: "drop" if packet.protocol in numbers else None,
        lambda view: Effect("held-by-receiver", where="far") if view.way == 1 and view.number in numbers else None,
    )
