"""Families of boxes that change packets."""

from __future__ import annotations

from collections.abc import Callable

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Form
from sim.blueprint import Blueprint
from sim.elements import Double, Mangle
from sim.families.registry import family, own
from sim.packet import Packet

CONTROLS = {1, 17}


def mangle(print_: Blueprint, change: Callable[[Packet], None], *fields: str) -> str:
    """Add a box that changes some numbers; what it does it to, in words."""
    numbers, ways = print_.some_numbers() - CONTROLS, print_.ways()
    print_.extra.append((1, Mangle("mangler", numbers, ways, change, "modify", fields)))
    return f"{sorted(numbers)} {sorted(ways)}"


@family(agent=True, group="mangle")
def changed_payload(print_: Blueprint) -> None:
    """A box changes one byte of some numbers: the last, or one near it."""
    at = print_.chance.choice((-1, -9))
    print_.notes.append(f"byte {at} is changed of {mangle(print_, flip(at), 'payload')}")


@family(agent=True, group="mangle")
def changed_front(print_: Blueprint) -> None:
    """A box changes one byte of HDP's header in some numbers that carry nothing else."""
    print_.trains = tuple(train for train in print_.trains if train.form is Form.BARE) or (Train(253),)
    at = print_.chance.choice((0, 3, 11))
    print_.notes.append(f"byte {at} is changed of {mangle(print_, flip(at), 'payload')}")


@family(agent=True, group="mangle")
def changed_carrier(print_: Blueprint) -> None:
    """A box changes one byte before HDP that no translator writes: of OSPF's router, SCTP's tag, DCCP's coverage."""
    numbers = (33, 89, 132)
    print_.trains = tuple(Train(number, form=Form.WELLFORMED) for number in numbers)
    print_.extra.append((1, Mangle("mangler", frozenset(numbers), frozenset({1}), flip(5), "modify", ("payload",))))
    print_.notes.append(f"byte 5 is changed of {numbers}")


def flip(at: int) -> Callable[[Packet], None]:
    """Change one byte."""

    def change(packet: Packet) -> None:
        data = bytearray(packet.payload)
        data[at] ^= 0xFF
        packet.payload = bytes(data)

    return change


@family(agent=True, group="mangle")
def cut_payload(print_: Blueprint) -> None:
    """A box cuts the end off some numbers, or adds to it."""
    by = print_.chance.choice((-20, -1, 1, 14))

    def change(packet: Packet) -> None:
        packet.payload = packet.payload[:by] if by < 0 else packet.payload + bytes(by)

    print_.notes.append(f"{by:+} bytes at the end of {mangle(print_, change, 'length')}")


@family(agent=True, group="mangle")
def changed_sometimes(print_: Blueprint) -> None:
    """A box changes every other packet of some numbers."""
    chance = own(print_)

    def change(packet: Packet) -> None:
        if chance.random() < 0.5:
            packet.payload = packet.payload[:-1] + bytes([packet.payload[-1] ^ 1])

    numbers, ways = print_.some_numbers() - CONTROLS, print_.ways()
    print_.extra.append((1, Mangle("mangler", numbers, ways, change, "modify-some", ("payload",))))
    print_.notes.append(f"one in two is changed of {sorted(numbers)}")


@family(agent=True, group="mangle")
def renumbered_on_path(print_: Blueprint) -> None:
    """A box changes the number itself."""
    numbers, ways, to = print_.some_numbers() - CONTROLS, print_.ways(), print_.chance.choice((200, 61, 252))
    print_.extra.append((1, Mangle("mangler", numbers - {to}, ways, renumber(to), "modify", ("protocol",), to)))
    print_.notes.append(f"{sorted(numbers)} become {to} {sorted(ways)}")


def renumber(to: int) -> Callable[[Packet], None]:
    """Change the number."""

    def change(packet: Packet) -> None:
        packet.protocol = to

    return change


@family()
def rewritten_headers(print_: Blueprint) -> None:
    """Headers are rewritten in good faith: DSCP, flags, the identification, the TTL."""
    numbers, what = print_.some_numbers(), print_.chance.choice(("dscp", "flags", "identification"))

    def change(packet: Packet) -> None:
        if what == "dscp":
            packet.tos = 0x28
        elif what == "flags":
            packet.flags = 0
        else:
            packet.identification ^= 0x5555

    print_.extra.append((1, Mangle("marker", numbers, frozenset({1, -1}), change, "pass")))
    print_.notes.append(f"{what} of {sorted(numbers)} is set")


@family()
def doubled_numbers(print_: Blueprint) -> None:
    """Each packet of some numbers comes twice."""
    numbers = print_.some_numbers()
    print_.extra.append((1, Double("doubler", numbers)))
    print_.notes.append(f"{sorted(numbers)} come twice")


@family(agent=True, group="mangle")
def shifted_payload(print_: Blueprint) -> None:
    """A box cuts bytes off the front of the payload of some numbers, or puts some there."""
    by = print_.chance.choice((-12, -8, -4, 4, 8, 12, 16))

    def change(packet: Packet) -> None:
        packet.payload = packet.payload[-by:] if by < 0 else bytes(by) + packet.payload

    print_.notes.append(f"{by:+} bytes at the front of {mangle(print_, change, 'payload')}")
