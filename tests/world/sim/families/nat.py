"""Families of translators."""

from __future__ import annotations

from sim.blueprint import EACH, FAR, INNER, OUTSIDE, POOL, PUBLIC, Blueprint
from sim.elements import Nat, OneToOne
from sim.families.registry import family


@family(group="nat")
def nat_linux(print_: Blueprint) -> None:
    """Linux's masquerade: translates what it can read, or knows nothing of; leaks the rest."""
    _nat(print_, "linux")


@family(group="nat")
def nat_by_address(print_: Blueprint) -> None:
    """A translator of any number."""
    _nat(print_, "address")


@family(group="nat")
def nat_by_ports(print_: Blueprint) -> None:
    """A translator of TCP, UDP and ICMP alone."""
    _nat(print_, "ports")


@family(group="nat")
def nat_some(print_: Blueprint) -> None:
    """A translator of TCP, UDP and ICMP, which lets all else pass as it is."""
    _nat(print_, "some")


@family(group="nat")
def nat_twice(print_: Blueprint) -> None:
    """Two translators, one behind the other, both of any number."""
    print_.extra.append((0, Nat("inner nat", INNER, "address")))
    print_.extra.append((2 * len(print_.routers), Nat("outer nat", OUTSIDE, "address")))
    print_.outside |= {OUTSIDE}
    print_.notes.append("two NATs, by address")


@family(group="nat")
def target_translated(print_: Blueprint) -> None:
    """The target's address is a cloud translator's, and the far host has a private one."""
    print_.target, print_.far_address, print_.far_bind, print_.far_tap = PUBLIC, FAR, "0.0.0.0", None
    print_.extra.append((2 * len(print_.routers), OneToOne("cloud", PUBLIC, FAR)))
    print_.notes.append("the target's address is translated")


@family(agent=True, group="nat")
def nat_leaks_within(print_: Blueprint) -> None:
    """The inner of two translators translates all, the outer one three numbers: the inner's address is seen outside."""
    inner = print_.chance.choice((INNER, "10.0.9.1", "172.20.0.7", "192.168.77.1"))
    print_.extra.append((0, Nat("inner nat", inner, "address")))
    print_.extra.append((2 * len(print_.routers), Nat("outer nat", OUTSIDE, "some")))
    print_.outside |= {OUTSIDE}
    print_.notes.append("two NATs, of which the outer one leaks")


@family(agent=True, group="nat")
def nat_pool(print_: Blueprint) -> None:
    """A translator with two outside addresses: odd numbers get one, even ones the other."""
    print_.extra.append((1, Nat("pool", OUTSIDE, "address", pool=POOL)))
    print_.outside |= {OUTSIDE, POOL}
    print_.notes.append("NAT to two addresses")


@family(agent=True, group="nat")
def nat_address_each(print_: Blueprint) -> None:
    """A translator that gives each number an outside address of its own."""
    print_.extra.append(
        (print_.chance.randrange(2 * len(print_.routers) + 1), Nat("pool", OUTSIDE, "address", pool=EACH))
    )
    print_.outside |= {f"{EACH}{number}" for number in range(256)}
    print_.notes.append("NAT, one address for each number")


def _nat(print_: Blueprint, style: str) -> None:
    print_.extra.append((print_.chance.randrange(2 * len(print_.routers) + 1), Nat("nat", OUTSIDE, style)))
    print_.outside |= {OUTSIDE}
    print_.notes.append(f"NAT, {style}")
