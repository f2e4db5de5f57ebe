"""Packets as a relay changes and answers them: IPv4 and IPv6, bytes in and bytes out."""

from __future__ import annotations

import struct

from pytest_hdp.lab.frames import ETHERNET
from pytest_hdp.packet.checksums import checksum, pseudo_header

_ICMP, _ICMPV6 = 1, 58
_HEADER6 = 40
_QUOTED_AT_MOST = {4: 548, 6: 1232}  # bytes: with it the error is of 576 (RFC 1812 section 4.3.2.3), of 1280 (RFC 4443)
# Offset of the 16-bit checksum in transport headers, by whether it covers a pseudo header too.
_WITH_PSEUDO_HEADER = {6: 16, 17: 6, 33: 6, 58: 2, 136: 6}
_WITHOUT = {1: 2}


def version_of(packet: bytes) -> int:
    """Return 4 or 6."""
    return packet[0] >> 4


def header_size(packet: bytes) -> int:
    """Return the size of the fixed header, with IPv4's options, in bytes."""
    return _HEADER6 if version_of(packet) == 6 else (packet[0] & 0xF) * 4


def size_of(packet: bytes) -> int:
    """Return how long the packet says that it is, in bytes."""
    length = int.from_bytes(packet[4:6], "big") + _HEADER6 if version_of(packet) == 6 else 0
    return length or int.from_bytes(packet[2:4], "big")


def ends_of(packet: bytes) -> tuple[bytes, bytes]:
    """Return the addresses of source and destination."""
    return (packet[8:24], packet[24:40]) if version_of(packet) == 6 else (packet[12:16], packet[16:20])


def number_of(packet: bytes) -> int:
    """Return the protocol number of the fixed header."""
    return packet[6] if version_of(packet) == 6 else packet[9]


def with_header_checksum(packet: bytes) -> bytes:
    """Return the packet with the right header checksum, which IPv6 has not."""
    if version_of(packet) == 6:
        return packet
    size = header_size(packet)
    header = packet[:10] + b"\0\0" + packet[12:size]
    return header[:10] + checksum(header).to_bytes(2, "big") + packet[12:]


def icmp_error(frame: bytes, source: bytes, kind: int, code: int) -> bytes:
    """Return the frame of an ICMP error about this one, back to where it came from; `source`: the address, packed."""
    packet = frame[ETHERNET:]
    version, back = version_of(packet), ends_of(packet)[0]
    message = struct.pack("!BBHI", kind, code, 0, 0) + packet[: _QUOTED_AT_MOST[version]]
    pseudo = pseudo_header(source, back, _ICMPV6, len(message)) if version == 6 else b""
    message = message[:2] + checksum(pseudo + message).to_bytes(2, "big") + message[4:]
    if version == 6:
        header = struct.pack("!IHBB", 6 << 28, len(message), _ICMPV6, 64) + source + back
    else:
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(message), 0, 0, 64, _ICMP, 0, source, back)
    return frame[6:12] + frame[:6] + frame[12:14] + with_header_checksum(header + message)


def _last_byte(packet: bytes, _: int) -> bytes:
    """Invert the last byte; a transport checksum that was right is made right again."""
    return _checksum_kept_right(packet, packet[:-1] + bytes([packet[-1] ^ 0xFF]))


def _truncated(packet: bytes, size: int) -> bytes:
    """Cut off the last bytes, the header's length with them."""
    shorter = packet[: max(header_size(packet), len(packet) - size)]
    return _checksum_kept_right(packet, _of_length(shorter))


def _without_dscp(packet: bytes, _: int) -> bytes:
    """Clear the six DSCP bits, RFC 2474, and leave the two of ECN."""
    if version_of(packet) == 6:
        return bytes([packet[0] & 0xF0, packet[1] & 0x3F]) + packet[2:]
    return with_header_checksum(packet[:1] + bytes([packet[1] & 0x03]) + packet[2:])


def _raised_ttl(packet: bytes, ttl: int) -> bytes:
    """Raise the TTL, the hop limit, to at least `ttl`."""
    at = 7 if version_of(packet) == 6 else 8
    return with_header_checksum(packet[:at] + bytes([max(packet[at], ttl)]) + packet[at + 1 :])


def _cut(packet: bytes, size: int) -> bytes:
    """Cut off the first bytes of the payload, the header's length with them."""
    start = header_size(packet)
    return _of_length(packet[:start] + packet[start + size :])


def _put_before(packet: bytes, size: int) -> bytes:
    """Put zero bytes before the payload."""
    return _of_length(packet[: header_size(packet)] + bytes(size) + packet[header_size(packet) :])


def _of_length(packet: bytes) -> bytes:
    if version_of(packet) == 6:
        return packet[:4] + (len(packet) - _HEADER6).to_bytes(2, "big") + packet[6:]
    return with_header_checksum(packet[:2] + len(packet).to_bytes(2, "big") + packet[4:])


def _renumbered(packet: bytes, number: int) -> bytes:
    at = 6 if version_of(packet) == 6 else 9
    return with_header_checksum(packet[:at] + bytes([number]) + packet[at + 1 :])


MANGLERS = {
    "byte": _last_byte,
    "truncate": _truncated,
    "cut-front": _cut,
    "insert-front": _put_before,
    "renumber": _renumbered,
    "dscp": _without_dscp,
    "ttl": _raised_ttl,
}


def _checksum_kept_right(before: bytes, after: bytes) -> bytes:
    place = _checksum_place(before)
    if place is None or _checksum_of(before, place) != int.from_bytes(before[place : place + 2], "big"):
        return after
    return after[:place] + _checksum_of(after, place).to_bytes(2, "big") + after[place + 2 :]


def _checksum_place(packet: bytes) -> int | None:
    """Where in the packet the transport checksum stands, if we know and it is there."""
    number = number_of(packet)
    offset = _WITH_PSEUDO_HEADER.get(number, _WITHOUT.get(number))
    if offset is None or len(packet) < header_size(packet) + offset + 2:
        return None
    return header_size(packet) + offset


def _checksum_of(packet: bytes, place: int) -> int:
    """Compute the transport checksum over the whole payload as if it were zero there."""
    start, number = header_size(packet), number_of(packet)
    pseudo = b""
    if number in _WITH_PSEUDO_HEADER:
        pseudo = pseudo_header(*ends_of(packet), number, len(packet) - start)
    return checksum(pseudo + packet[start:place] + b"\0\0" + packet[place + 2 :])
