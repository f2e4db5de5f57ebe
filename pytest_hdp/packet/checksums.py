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
