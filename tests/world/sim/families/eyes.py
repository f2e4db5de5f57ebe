"""Families of what an end's own kernel does with a packet, and where it is seen there."""

from __future__ import annotations

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Form
from sim.blueprint import OUTSIDE, Blueprint, HostRule
from sim.elements import Effect, Nat
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


@family(agent=True)
def second_interface_held(print_: Blueprint) -> None:
    """Some numbers come to the target by another interface, and its firewall keeps them."""
    numbers = print_.some_numbers() - {1, 17}

    def prepare(_near: object, far: object) -> None:
        far.comes_by = lambda packet: "eth1" if packet.protocol in numbers else None  # type: ignore[attr-defined]

    print_.prepare.append(prepare)
    print_.far_inputs.append(held(numbers))
    print_.notes.append(f"{sorted(numbers)} come in by eth1, and are dropped there")


@family(agent=True, group="nat")
def stale_checksum(print_: Blueprint) -> None:
    """A translator of any number, which corrects no checksum of DCCP's."""
    print_.trains = (Train(33, form=Form.WELLFORMED), Train(253))
    print_.extra.append((1, Nat("nat", OUTSIDE, "address")))
    print_.outside |= {OUTSIDE}
    print_.notes.append("NAT that corrects no checksum of DCCP's")
