"""What all elements share: the words in which they state what they do to a train."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sim.packet import Packet

MILLISECOND = 1_000_000
INVALID_BARE = frozenset({1, 6, 17, 58, 132, 136})  # numbers under which HDP is no valid message to conntrack: FACTS 2
GENERIC_TIMEOUT = 600_000 * MILLISECOND
PORTED = frozenset({6, 17, 33, 50, 132, 136})  # numbers of which routers read the ports, or the SPI in their place
AH, SPI = 51, slice(4, 8)  # which has it further on: proto_ports_offset in Linux' include/linux/in.h


@dataclass(frozen=True, slots=True)
class View:
    """A train as the truth is asked about it: number, form, way, size of its packets, and what is in one of them."""

    number: int
    wellformed: bool
    way: int
    size: int
    data: bytes = b""

    @property
    def valid(self) -> bool:
        """Whether a box that knows the number's protocol takes it for a message of that."""
        return self.wellformed or self.number not in INVALID_BARE


@dataclass(frozen=True, slots=True)
class Effect:
    """What an element does to a train, always: `kind` is a word of `truth.py`; `detail` belongs to it.

    `owner`: of a state that one way opens and the other needs, what keeps it.
    """

    kind: str
    detail: tuple[object, ...] = ()
    where: str = ""
    owner: object = None


def flow_of(number: int, start: bytes) -> bytes:
    """By what routers tell one flow of a number from another, where they can: its ports, or its SPI."""
    return start[SPI] if number == AH else start[:4] if number in PORTED else b""


def looks_valid(packet: Packet) -> bool:
    """Whether connection tracking takes a packet for a message of its protocol: bare HDP is none of these."""
    return packet.valid or packet.protocol not in INVALID_BARE


def numbers(of: Collection[int]) -> frozenset[int]:
    """A frozen set."""
    return frozenset(of)
