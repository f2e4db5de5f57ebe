"""A datagram as IP can also have it: in two fragments, or behind options that say nothing. Bytes in, bytes out.

Filters that look at what follows the IP header look for it at one place, and in the first fragment alone. So both
fragments bear our tag: an eye knows either by itself. Over IPv4 a packet is made with its header, into which whoever
sends it puts the addresses; over IPv6 with an extension header, whose number is that of the raw socket that sends it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pytest_hdp.packet.chain import DESTINATION, FRAGMENT
from pytest_hdp.packet.family import IPV4, IPV6
from pytest_hdp.packet.view import IPv6View

if TYPE_CHECKING:
    from pytest_hdp.packet.family import Family
    from pytest_hdp.packet.view import PacketView

_UNIT = 8  # bytes: where a fragment begins is counted in these (RFC 791, RFC 8200)
_DONT_FRAGMENT, _MORE = 0x4000, 0x2000
_TTL = 64
_NO_OPERATION = bytes([1, 1, 1, 0])  # IPv4: three times, and the end of the list
_PADDING = bytes([0, 1, 4, 0, 0, 0, 0])  # IPv6: the header's length, and an option of six bytes
_HEADER6 = IPV6.header_size


def twice(hdp: bytes, offset: int) -> bytes:
    """Return HDP twice, the second one where a fragment can begin if the first is at `offset` of a payload."""
    return hdp + bytes(-(offset + len(hdp)) % _UNIT) + hdp


def halves(payload: bytes, start: int) -> tuple[bytes, bytes]:
    """Return what is in the two fragments of a payload, of which the first HDP begins at `start`."""
    cut = payload.rindex(payload[start : start + 20])  # the HDP header, and the run id behind it
    return payload[:cut], payload[cut:]


def in_fragments(family: Family, protocol: int, payload: bytes, start: int, number: int) -> tuple[bytes, bytes]:
    """Return two fragments, as a socket is given them. `number`: their identification, of no other datagram's.

    `start`: where the first HDP is.
    """
    first, second = halves(payload, start)
    at = len(first) // _UNIT
    if family is IPV4:
        return _header(protocol, number, _MORE) + first, _header(protocol, number, at) + second
    identification = number & 0xFFFFFFFF
    header = struct.Struct("!BBHI")
    return (
        header.pack(protocol, 0, 1, identification) + first,
        header.pack(protocol, 0, at << 3, identification) + second,
    )


def behind_options(family: Family, protocol: int, payload: bytes, number: int) -> bytes:
    """Return a packet with options, as a socket is given it. `number`: its identification over IPv4."""
    if family is IPV4:
        return _header(protocol, number, _DONT_FRAGMENT, _NO_OPERATION) + payload
    return bytes([protocol]) + _PADDING + payload


def taken_out(packet: PacketView, protocol: int) -> PacketView:
    """Return an IPv6 packet without the extension header that was put before this number here; any other as it is."""
    payload = packet.payload
    if not isinstance(packet, IPv6View) or len(payload) < _UNIT or payload[0] != protocol:
        return packet
    if payload[1:_UNIT] != _PADDING if packet.protocol == DESTINATION else packet.protocol != FRAGMENT:
        return packet
    header = bytearray(packet.data[:_HEADER6])
    header[4:7] = (len(payload) - _UNIT).to_bytes(2, "big") + bytes([protocol])
    return IPv6View(bytes(header) + payload[_UNIT:])


def _header(protocol: int, number: int, flags: int, options: bytes = b"") -> bytes:
    """An IPv4 header without length, checksum and addresses; 0 as its identification the kernel would replace."""
    words = 5 + len(options) // 4
    return struct.pack("!BBHHHBBH8x", 0x40 | words, 0, 0, number % 0xFFFF + 1, flags, _TTL, protocol, 0) + options
