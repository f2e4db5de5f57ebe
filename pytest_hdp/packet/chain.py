"""Chains of IPv6 extension headers in front of a well-known transport: the question of RFC 7872 and RFC 9098.

A chain has a name ("dst64"), and with the transport behind it a text ("dst64/6") that says all of a packet: which
headers, how long each is, and what is behind them. Its number on the wire is that of its first header.

All of a header is one option that says nothing (type 0x1e, RFC 4727: skip it if you don't know it), since hosts take
more than seven bytes of padding for an attack (RFC 4942 section 2.1.9.5; `ip6_parse_tlv` in net/ipv6/exthdrs.c). In
eight bytes it is padding, as the carriers have it. Routing headers are of the experimental type with no segments left.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_hdp.packet._carrier_base import INNER_PROTOCOL, sequence

if TYPE_CHECKING:
    from collections.abc import Mapping

HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
TRANSPORTS = (6, 17, 58, INNER_PROTOCOL)
"""What is sent behind chains: what everybody knows, and a number that nobody has a rule for."""
LENGTHS = (8, 24, 64, 256)
"""Bytes of one header: the least, what lookup engines are sure to see, what they may see, and the longest option."""
_SHORT = {HOP_BY_HOP: "hbh", ROUTING: "rt", FRAGMENT: "frag", DESTINATION: "dst"}
_WORDS = {
    HOP_BY_HOP: "hop-by-hop options",
    ROUTING: "routing header",
    FRAGMENT: "atomic fragment header",
    DESTINATION: "destination options",
}
_EXPERIMENTAL_OPTION = 0x1E
_EXPERIMENTAL_ROUTING = 253
_PAD_SIX = bytes([1, 4, 0, 0, 0, 0])


@dataclass(frozen=True, slots=True)
class Chain:
    """Extension headers in order: (number, bytes) of each."""

    headers: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        """What it is called in ids and records: "dst64", "hbh8-dst8"."""
        return "-".join(f"{_SHORT[number]}{length}" for number, length in self.headers)

    @property
    def words(self) -> str:
        """What a sentence calls it: "64 bytes of destination options"."""
        return " and ".join(f"{length} bytes of {_WORDS[number]}" for number, length in self.headers)

    @property
    def kinds(self) -> str:
        """What its headers are, without their lengths: "hop-by-hop options, routing header"."""
        return ", ".join(_WORDS[number] for number, _ in self.headers)

    @property
    def length(self) -> int:
        """Bytes of all headers together."""
        return sum(length for _, length in self.headers)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The Next Header values of the headers; the first is the packet's."""
        return tuple(number for number, _ in self.headers)


def _all() -> tuple[Chain, ...]:
    alone = [Chain(((number, length),)) for number in (HOP_BY_HOP, DESTINATION, ROUTING) for length in LENGTHS]
    together = ((HOP_BY_HOP, DESTINATION), (DESTINATION, FRAGMENT), (HOP_BY_HOP, DESTINATION, ROUTING, FRAGMENT))
    return (*alone, Chain(((FRAGMENT, 8),)), *(Chain(tuple((each, 8) for each in numbers)) for numbers in together))


CHAINS: Mapping[str, Chain] = MappingProxyType({chain.name: chain for chain in _all()})
"""All that is asked, by name: each kind in each length, the fragment header in its one, and three combinations."""


def chain_text(chain: Chain, transport: int) -> str:
    """Return the text that stands for a chain and what is behind it: "dst64/6"."""
    return f"{chain.name}/{transport}"


_BY_TEXT = {chain_text(chain, transport): (chain, transport) for chain in CHAINS.values() for transport in TRANSPORTS}


def read_chain(text: str) -> tuple[Chain, int] | None:
    """Return the chain and the transport that a text says, or None where it is none of ours; never raises."""
    return _BY_TEXT.get(text)


def in_front(chain: Chain, transport: int, hdp: bytes) -> bytes:
    """Return the bytes of a chain's headers before a transport that carries `hdp`."""
    following = (*chain.numbers[1:], transport)
    headers = zip(chain.headers, following, strict=True)
    return b"".join(_header(number, length, behind, hdp) for (number, length), behind in headers)


def _header(number: int, length: int, behind: int, hdp: bytes) -> bytes:
    if number == FRAGMENT:
        return struct.pack("!BBHI", behind, 0, 0, sequence(hdp))
    start = bytes([behind, length // 8 - 1])
    if number == ROUTING:
        return start + bytes([_EXPERIMENTAL_ROUTING, 0]) + bytes(length - 4)
    if length == 8:
        return start + _PAD_SIX
    return start + bytes([_EXPERIMENTAL_OPTION, length - 4]) + bytes(length - 4)
