"""IPv4 (RFC 791) and IPv6 (RFC 8200): parsing that takes any bytes, and building of IPv4 packets."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pytest_hdp.packet.checksums import checksum
from pytest_hdp.packet.family import address_text, packed

__all__ = ["IPv4", "IPv6", "build_ipv4", "checksum", "first_header", "packed", "parse_ipv4", "parse_ipv6"]

DONT_FRAGMENT = 0b010
MORE_FRAGMENTS = 0b001
EXTENSION_HEADERS = frozenset({0, 43, 44, 51, 60})

_V4 = struct.Struct("!BBHHHBBH4s4s")
_V6 = struct.Struct("!IHBB16s16s")


@dataclass(frozen=True, slots=True)
class IPv4:
    """An IPv4 packet as read. Lengths are in bytes, `fragment_offset` in units of 8 bytes, `flags` is 3 bits.

    `payload` ends where `total_length` says, so link-layer padding is not in it; where that field is smaller
    than the header (0 for a segment that the kernel has yet to split), the payload is all that followed.
    `truncated`: fewer bytes were given than `total_length` promises. The checksum is not checked:
    `checksum(data[:header_length]) == 0` does that.
    """

    header_length: int
    dscp: int
    ecn: int
    total_length: int
    identification: int
    flags: int
    fragment_offset: int
    ttl: int
    protocol: int
    checksum: int
    source: str
    destination: str
    options: bytes
    payload: bytes
    truncated: bool


@dataclass(frozen=True, slots=True)
class IPv6:
    """An IPv6 packet as read.

    `next_header` and `body` are of the fixed header: what was sent, if the number under test is itself that
    of an extension header. `protocol` and `payload` are of the upper layer, behind the extension headers,
    whose numbers `extension_headers` lists in order. The walk ends at the first header that does not fit in
    the packet, and at any fragment but the first (`fragment_offset`, in units of 8 bytes): what is left is
    the payload.
    """

    traffic_class: int
    flow_label: int
    payload_length: int
    next_header: int
    hop_limit: int
    source: str
    destination: str
    extension_headers: tuple[int, ...]
    fragment_offset: int
    protocol: int
    payload: bytes
    body: bytes
    truncated: bool


def parse_ipv4(data: bytes) -> IPv4 | None:
    """Return the packet, or None where `data` does not hold a whole IPv4 header; never raises."""
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    first, tos, total_length, ident, fragment, ttl, protocol, check, source, destination = _V4.unpack_from(data)
    header_length = (first & 15) * 4
    if header_length < 20 or header_length > len(data):
        return None
    end = total_length if total_length >= header_length else len(data)
    return IPv4(
        header_length=header_length,
        dscp=tos >> 2,
        ecn=tos & 3,
        total_length=total_length,
        identification=ident,
        flags=fragment >> 13,
        fragment_offset=fragment & 0x1FFF,
        ttl=ttl,
        protocol=protocol,
        checksum=check,
        source=address_text(source),
        destination=address_text(destination),
        options=bytes(data[20:header_length]),
        payload=bytes(data[header_length:end]),
        truncated=total_length > len(data),
    )


def parse_ipv6(data: bytes) -> IPv6 | None:
    """Return the packet, or None where `data` does not hold the whole fixed IPv6 header; never raises."""
    if len(data) < 40 or data[0] >> 4 != 6:
        return None
    word, payload_length, next_header, hop_limit, source, destination = _V6.unpack_from(data)
    # 0 is a jumbogram (RFC 2675) or a packet without a payload; both are read to their end.
    body = bytes(data[40 : 40 + payload_length] if payload_length else data[40:])
    seen, fragment_offset, protocol, start = _walk(next_header, body)
    return IPv6(
        traffic_class=word >> 20 & 0xFF,
        flow_label=word & 0xFFFFF,
        payload_length=payload_length,
        next_header=next_header,
        hop_limit=hop_limit,
        source=address_text(source),
        destination=address_text(destination),
        extension_headers=seen,
        fragment_offset=fragment_offset,
        protocol=protocol,
        payload=body[start:],
        body=body,
        truncated=payload_length > len(data) - 40,
    )


def _walk(protocol: int, body: bytes) -> tuple[tuple[int, ...], int, int, int]:
    """Return the extension headers passed, the fragment offset, the upper protocol, and where that starts."""
    seen: list[int] = []
    start = 0
    while protocol in EXTENSION_HEADERS:
        end = start + _extension_length(protocol, body, start)
        if end > len(body):
            break
        seen.append(protocol)
        fragment = protocol == 44
        protocol = body[start]
        if fragment:
            offset = int.from_bytes(body[start + 2 : start + 4], "big") >> 3
            if offset:
                return tuple(seen), offset, protocol, end
        start = end
    return tuple(seen), 0, protocol, start


def _extension_length(protocol: int, body: bytes, start: int) -> int:
    if protocol == 44 or start + 2 > len(body):
        return 8
    if protocol == 51:  # the one header that counts in words of 4 bytes, less two (RFC 4302 section 2.2)
        return (body[start + 1] + 2) * 4
    return (body[start + 1] + 1) * 8


def first_header(number: int, body: bytes) -> tuple[int, int] | None:
    """Return how long the extension header that `body` begins with says it is, and what it says is next.

    It need not be there whole. None where it does not even say that.
    """
    if number not in EXTENSION_HEADERS or len(body) < 2:
        return None
    return _extension_length(number, body, 0), body[0]


def build_ipv4(  # noqa: PLR0913 (the fields of the header)
    payload: bytes,
    *,
    source: str,
    destination: str,
    protocol: int,
    ttl: int = 64,
    identification: int = 0,
    dscp: int = 0,
    ecn: int = 0,
    flags: int = 0,
    fragment_offset: int = 0,
    options: bytes = b"",
) -> bytes:
    """Return an IPv4 packet with right lengths and checksum; ValueError where a field does not fit.

    `options`: a multiple of 4 bytes, at most 40. `fragment_offset`: in units of 8 bytes.
    """
    header_length = 20 + len(options)
    if len(options) % 4 or len(options) > 40:
        raise ValueError(f"IPv4 options of {len(options)} bytes: a multiple of 4, at most 40, is needed")
    if not (0 <= dscp < 64 and 0 <= ecn < 4 and 0 <= flags < 8 and 0 <= fragment_offset < 8192):
        raise ValueError(f"dscp {dscp}, ecn {ecn}, flags {flags} or fragment offset {fragment_offset} is out of range")
    try:
        header = _V4.pack(
            0x40 | header_length // 4,
            dscp << 2 | ecn,
            header_length + len(payload),
            identification,
            flags << 13 | fragment_offset,
            ttl,
            protocol,
            0,
            packed(source),
            packed(destination),
        )
    except struct.error as error:
        fields = f"protocol {protocol}, ttl {ttl}, identification {identification}, {len(payload)} payload bytes"
        raise ValueError(f"one of these does not fit IPv4: {fields}") from error
    header += options
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + payload
