"""What the carriers share: the record of one, the ends of a packet, and checksums put into place."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.packet.checksums import checksum, pseudo_header

if TYPE_CHECKING:
    from collections.abc import Callable

LOCAL_EXPERIMENTAL_ETHERTYPE = 0x88B5
INNER_PROTOCOL = 253
_MAC_AT = 12 + 12  # behind the HDP header, and the tag's run id and index
_DOCUMENTATION = (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Both ends of a packet. Addresses: 4 bytes (IPv4) or 16 (IPv6)."""

    source: bytes
    destination: bytes
    source_port: int
    destination_port: int

    def inner_ipv4(self) -> tuple[str, str]:
        """Return addresses for a packet inside: the same hosts, or over IPv6 documentation's (RFC 5737)."""
        pair = (self.source, self.destination) if len(self.source) == 4 else _DOCUMENTATION
        return str(ipaddress.IPv4Address(pair[0])), str(ipaddress.IPv4Address(pair[1]))

    def inner_ipv6(self) -> tuple[bytes, bytes]:
        """Return addresses for a packet inside: the same hosts, over IPv4 as 6to4 has them (RFC 3056)."""
        if len(self.source) == 16:
            return self.source, self.destination
        return _six_to_four(self.source), _six_to_four(self.destination)


@dataclass(frozen=True, slots=True)
class Carrier:
    """A well-formed message of one protocol that holds HDP.

    `message`: what it is and the RFC that defines it; `offset`: where HDP starts, in bytes from the end of
    the IP header; `build`: the IP payload around the given HDP; `extract`: the HDP in an IP payload, cut
    short where that is, or None where the payload is no such message.
    """

    protocol: int
    message: str
    offset: int
    build: Callable[[bytes, Endpoints], bytes]
    extract: Callable[[bytes], bytes | None]


def after(offset: int) -> Callable[[bytes], bytes | None]:
    """Return an `extract` for HDP that reaches from `offset` to the end."""
    return lambda data: data[offset:] if len(data) >= offset else None


def put_checksum(message: bytes, at: int, covered_before: bytes = b"") -> bytes:
    """Fill in the Internet checksum at byte `at` of `message`, which is zero there; 0 is a possible value."""
    value = checksum(covered_before + message)
    return message[:at] + value.to_bytes(2, "big") + message[at + 2 :]


def put_transport_checksum(message: bytes, at: int, ends: Endpoints, protocol: int, *, zero_means_none: bool) -> bytes:
    """Fill in a checksum that covers the pseudo header too.

    `zero_means_none`: a checksum of 0 is sent as 0xFFFF, since 0 says that there is none (RFC 768).
    """
    pseudo = pseudo_header(ends.source, ends.destination, protocol, len(message))
    value = checksum(pseudo + message)
    if zero_means_none and value == 0:
        value = 0xFFFF
    return message[:at] + value.to_bytes(2, "big") + message[at + 2 :]


def balanced(hdp: bytes) -> bytes:
    """Return `hdp` behind two bytes that make its Internet checksum come to nothing.

    Data behind a message of fixed size is summed by some receivers and left out by others: this is right for
    both.
    """
    return put_checksum(b"\0\0" + hdp, 0)


def sequence(hdp: bytes, size: int = 4, at: int = 0) -> int:
    """Return a nonzero number of so many bytes that differs from probe to probe, and that no stranger can foretell.

    It is the timestamp's end and, where a tag follows the header, its MAC from byte `at` on (`tag.py`).
    """
    start = _MAC_AT + at
    return (int.from_bytes(hdp[12 - size : 12], "big") ^ int.from_bytes(hdp[start : start + size], "big")) or 1


def _six_to_four(address: bytes) -> bytes:
    return b"\x20\x02" + address + bytes(9) + b"\x01"
