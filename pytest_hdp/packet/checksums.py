"""Checksums of the Internet's headers: RFC 1071, its pseudo headers, and the CRC32c of SCTP."""

from __future__ import annotations

import struct

_CRC32C_REVERSED = 0x82F63B78


def checksum(data: bytes) -> int:
    """Return the Internet checksum of `data` (RFC 1071): 0..0xFFFF, stored in network byte order.

    Over data that holds its own right checksum it is 0. An odd byte at the end counts as if a zero byte
    followed.
    """
    # The one's complement sum of 16-bit words is the number that the bytes spell, modulo 0xFFFF (2**16
    # leaves 1), with 0xFFFF, not 0, standing for a nonzero multiple.
    value = int.from_bytes(data, "big")
    if len(data) & 1:
        value <<= 8
    if value == 0:
        return 0xFFFF
    return 0xFFFF - (value % 0xFFFF or 0xFFFF)


def pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """Return the pseudo header of RFC 9293 section 3.1 (4-byte addresses) or RFC 8200 section 8.1 (16)."""
    if len(source) == 4:
        return source + destination + struct.pack("!xBH", protocol, length)
    return source + destination + struct.pack("!I3xB", length, protocol)


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_CRC32C_REVERSED if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Return the CRC32c (Castagnoli), 32 bits; SCTP stores it little-endian (RFC 9260 appendix A)."""
    value = 0xFFFFFFFF
    table = _CRC_TABLE
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


RIGHT, STALE, NONE = "right", "stale", "none"
_ICMP, _TCP, _UDP, _DCCP, _ICMPV6, _SCTP, _UDPLITE = 1, 6, 17, 33, 58, 132, 136
_AT = {_ICMP: 2, _TCP: 16, _UDP: 6, _DCCP: 6, _ICMPV6: 2, _SCTP: 8, _UDPLITE: 6}


def transport_checksum(protocol: int, source: bytes, destination: bytes, message: bytes) -> str | None:
    """Return what a receiver's stack finds in the checksum of a whole message: "right", "stale" or "none".

    None for a number that has no such checksum, or a message that is too short for it. Addresses are those of its IP
    header. `message` may be anything: nothing raises.
    """
    at = _AT.get(protocol)
    if at is None or (protocol == _ICMPV6 and len(source) == 4) or len(message) < at + (4 if protocol == _SCTP else 2):
        return None
    if protocol == _SCTP:
        found = crc32c(message[:at] + bytes(4) + message[at + 4 :]).to_bytes(4, "little")
        return RIGHT if found == message[at : at + 4] else STALE
    if protocol == _UDP and message[at : at + 2] == b"\0\0":
        return NONE
    covered = message[: _coverage(protocol, message)]
    before = b"" if protocol == _ICMP else pseudo_header(source, destination, protocol, len(message))
    return RIGHT if checksum(before + covered) in {0, 0xFFFF} else STALE


def _coverage(protocol: int, message: bytes) -> int:
    """Return how many bytes the checksum covers: RFC 3828 section 3.1, RFC 4340 section 9.2; elsewhere all."""
    if protocol == _UDPLITE:
        return int.from_bytes(message[4:6], "big") or len(message)
    if protocol == _DCCP and (part := message[5] & 15):
        return message[4] * 4 + (part - 1) * 4
    return len(message)
