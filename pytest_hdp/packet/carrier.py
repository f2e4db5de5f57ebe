"""Well-formed carriers: HDP inside the message that a protocol number promises.

A box that knows a protocol looks at more than its number: bare HDP under 17 is a broken UDP datagram. In
form `wellformed` each number that has a carrier here sends a valid message of its protocol (lengths and
checksums right) with HDP inside, where nobody who speaks the protocol is harmed by it.
"""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_hdp.packet._carrier_base import INNER_PROTOCOL, Carrier, Ends
from pytest_hdp.packet._routing import ROUTING
from pytest_hdp.packet._transports import TRANSPORTS
from pytest_hdp.packet._tunnels import TUNNELS
from pytest_hdp.packet.family import packed
from pytest_hdp.packet.hdp import DEFAULT_PORT, HEADER_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CARRIERS",
    "INNER_PROTOCOL",
    "RUN_ID_IN_UDP",
    "RUN_ID_OFFSETS",
    "Carrier",
    "Ends",
    "hdp_offset",
    "run_id_offsets",
    "unwrap",
    "wrap",
]

CARRIERS: Mapping[int, Carrier] = MappingProxyType(
    {carrier.protocol: carrier for carrier in sorted((*TRANSPORTS, *TUNNELS, *ROUTING), key=lambda c: c.protocol)}
)
"""The carriers by protocol number, in order of the numbers."""


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
    carrier = CARRIERS.get(protocol)
    if carrier is None:
        return None
    ends = Ends(packed(source), packed(destination), source_port, destination_port)
    if len(ends.source) != len(ends.destination):
        raise ValueError(f"{source} and {destination} are of different IP versions")
    try:
        return carrier.build(hdp, ends)
    except struct.error as error:
        ports = f"ports {source_port} and {destination_port}"
        raise ValueError(f"{len(hdp)} bytes of HDP, or {ports}, do not fit {carrier.message}") from error


def hdp_offset(protocol: int) -> int:
    """Return where HDP starts in what `wrap` makes, in bytes behind the IP header; 0 without a carrier."""
    carrier = CARRIERS.get(protocol)
    return 0 if carrier is None else carrier.offset


def run_id_offsets(protocol: int) -> tuple[int, ...]:
    """Return where the run id stands behind the IP header, bare and in this number's carrier."""
    return RUN_ID_AT, RUN_ID_AT + hdp_offset(protocol)


def unwrap(protocol: int, ip_payload: bytes) -> bytes | None:
    """Return the HDP bytes inside a carrier, or None if `ip_payload` is no such message; never raises.

    Lengths and offsets are read, checksums and addresses are not checked: NAT rewrites them, and the tag's
    MAC tells more. Of a payload cut short (the quote in an ICMP error) it gives what is there.
    """
    carrier = CARRIERS.get(protocol)
    return None if carrier is None else carrier.extract(bytes(ip_payload))


RUN_ID_AT = HEADER_SIZE
RUN_ID_IN_UDP = 8 + RUN_ID_AT
_PLACES = sorted({RUN_ID_AT, *(RUN_ID_AT + hdp_offset(number) for number in CARRIERS)})
# The usual ones first, since the first that fits ends a filter; then those to which boxes on the path shift it.
RUN_ID_OFFSETS = tuple(dict.fromkeys([*_PLACES, *(place + shift for place in _PLACES for shift in range(-12, 17))]))
"""All places behind the IP header at which a run id is looked for."""
