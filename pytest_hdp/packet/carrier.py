"""Well-formed carriers: HDP inside the message that a protocol number promises.

A box that knows a protocol looks at more than its number: bare HDP under 17 is a broken UDP datagram. In
form `wellformed` each number that has a carrier here sends a valid message of its protocol (lengths and
checksums right) with HDP inside, where nobody who speaks the protocol is harmed by it.
"""

from __future__ import annotations

import struct
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_hdp.packet._carrier_base import INNER_PROTOCOL, Carrier, Endpoints
from pytest_hdp.packet._ipv6 import EXTENSION_HEADERS, IPV6_ONLY
from pytest_hdp.packet._routing import ROUTING
from pytest_hdp.packet._transports import TRANSPORTS
from pytest_hdp.packet._tunnels import TUNNELS
from pytest_hdp.packet.chain import CHAINS, in_front, read_chain
from pytest_hdp.packet.chain import TRANSPORTS as BEHIND_CHAINS
from pytest_hdp.packet.family import IPV4, IPV6, family_of, packed
from pytest_hdp.packet.hdp import DEFAULT_PORT, HEADER_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_hdp.packet.family import Family

__all__ = [
    "CARRIERS",
    "EXTENSION_HEADERS",
    "INNER_PROTOCOL",
    "RUN_ID_IN_UDP",
    "Carrier",
    "Endpoints",
    "carriers",
    "hdp_offset",
    "run_id_offsets",
    "run_id_places",
    "unwrap",
    "wrap",
    "wrap_behind",
]

CARRIERS: Mapping[int, Carrier] = MappingProxyType(
    {carrier.protocol: carrier for carrier in sorted((*TRANSPORTS, *TUNNELS, *ROUTING), key=lambda c: c.protocol)}
)
"""The carriers by protocol number, in order of the numbers: those of IPv4."""

_IPV4_ONLY = frozenset({1, 2, 55})  # ICMP, IGMP and minimal encapsulation mean nothing over IPv6
_BY_IPV6 = {number: carrier for number, carrier in CARRIERS.items() if number not in _IPV4_ONLY}
_BY_IPV6 |= {carrier.protocol: carrier for carrier in IPV6_ONLY}
_BY_FAMILY = {IPV4: CARRIERS, IPV6: MappingProxyType(dict(sorted(_BY_IPV6.items())))}


def carriers(family: Family) -> Mapping[int, Carrier]:
    """Return the carriers of an IP version by protocol number, in order of the numbers."""
    return _BY_FAMILY[family]


def wrap(
    protocol: int,
    hdp: bytes,
    *,
    source: str,
    destination: str,
    source_port: int = DEFAULT_PORT,
    destination_port: int = DEFAULT_PORT,
) -> bytes | None:
    """Return the IP payload that carries `hdp` (header and payload); None if `protocol` has no carrier.

    `source`, `destination`: the addresses that will be on the wire, both IPv4 or both IPv6, since checksums
    cover them. The ports go where the protocol has ports. ValueError where `hdp` is too long or a port out of
    range.
    """
    carrier = carriers(family_of(destination)).get(protocol)
    if carrier is None:
        return None
    ends = Endpoints(packed(source), packed(destination), source_port, destination_port)
    if len(ends.source) != len(ends.destination):
        raise ValueError(f"{source} and {destination} are of different IP versions")
    try:
        return carrier.build(hdp, ends)
    except struct.error as error:
        ports = f"ports {source_port} and {destination_port}"
        raise ValueError(f"{len(hdp)} bytes of HDP, or {ports}, do not fit {carrier.message}") from error


def wrap_behind(text: str, hdp: bytes, *, source: str, destination: str) -> bytes:
    """Return the IPv6 payload of what a chain's text says ("dst64/6"): its headers, and HDP in the transport's message.

    Under a transport without a message of its own HDP is bare. ValueError where the text is none of ours.
    """
    if (known := read_chain(text)) is None:
        raise ValueError(f"{text!r} is no chain of extension headers")
    chain, transport = known
    return in_front(chain, transport, hdp) + (wrap(transport, hdp, source=source, destination=destination) or hdp)


def hdp_offset(protocol: int, family: Family = IPV4) -> int:
    """Return where HDP starts in what `wrap` makes, in bytes behind the IP header; 0 without a carrier."""
    carrier = carriers(family).get(protocol)
    return 0 if carrier is None else carrier.offset


def run_id_offsets(protocol: int, family: Family) -> tuple[int, ...]:
    """Return where the run id stands behind the IP header, bare, in this number's carrier, and behind chains of it."""
    usual = RUN_ID_AT, RUN_ID_AT + hdp_offset(protocol, family)
    return (*usual, *(place for place in _behind_chains(protocol) if place not in usual)) if family is IPV6 else usual


def _behind_chains(protocol: int | None = None) -> list[int]:
    """Where it stands behind chains that begin with this number; None: behind any."""
    lengths = {chain.length for chain in CHAINS.values() if protocol in {None, chain.numbers[0]}}
    within = {hdp_offset(each, IPV6) for each in BEHIND_CHAINS}
    return sorted(RUN_ID_AT + length + place for length in lengths for place in within)


@cache
def run_id_places(family: Family) -> tuple[int, ...]:
    """Return all places behind the IP header at which a run id is looked for.

    The usual ones come first, that of bare HDP before all others, since the first that fits ends a filter; then those
    to which boxes on the path shift it.
    """
    usual = sorted({RUN_ID_AT, *(RUN_ID_AT + carrier.offset for carrier in carriers(family).values())})
    shifted = (place + shift for place in usual for shift in range(-12, 17))
    behind = _behind_chains() if family is IPV6 else []
    return tuple(dict.fromkeys([*usual, *behind, *(place for place in shifted if place >= 0)]))


def unwrap(protocol: int, ip_payload: bytes) -> bytes | None:
    """Return the HDP bytes inside a carrier, or None if `ip_payload` is no such message; never raises.

    Lengths and offsets are read, checksums and addresses are not checked: NAT rewrites them, and the tag's
    MAC tells more. Of a payload cut short (the quote in an ICMP error) it gives what is there.
    """
    carrier = CARRIERS.get(protocol)
    return None if carrier is None else carrier.extract(bytes(ip_payload))


RUN_ID_AT = HEADER_SIZE
RUN_ID_IN_UDP = 8 + RUN_ID_AT
