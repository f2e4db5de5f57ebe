"""Carriers that promise a packet or a frame inside: tunnels and IPsec.

Where a packet is inside, it goes between the same two hosts under protocol 253, so that an endpoint that
unpacks it bothers no third party. Ethernet frames are of the EtherType for local experiments, between made-up
addresses.
"""

from __future__ import annotations

import struct

from pytest_hdp.packet._carrier_base import (
    INNER_PROTOCOL,
    LOCAL_EXPERIMENTAL_ETHERTYPE,
    Carrier,
    Endpoints,
    after,
    put_checksum,
)
from pytest_hdp.packet.family import packed
from pytest_hdp.packet.ip import build_ipv4, parse_ipv4

_SPI = 0x48445000
_SESSION = 0x48445000
_LABEL = 16
_ICV = bytes(12)
_FRAME_HEADER = bytes.fromhex("020000000002020000000001") + LOCAL_EXPERIMENTAL_ETHERTYPE.to_bytes(2, "big")


def _ipip(hdp: bytes, ends: Endpoints) -> bytes:
    """Build an IPv4 packet inside, RFC 2003."""
    source, destination = ends.inner_ipv4()
    return build_ipv4(hdp, source=source, destination=destination, protocol=INNER_PROTOCOL)


def _from_ipip(data: bytes) -> bytes | None:
    inner = parse_ipv4(data)
    return inner.payload if inner is not None and inner.protocol == INNER_PROTOCOL else None


def _ipv6(hdp: bytes, ends: Endpoints) -> bytes:
    """Build an IPv6 packet inside, RFC 4213 section 3."""
    source, destination = ends.inner_ipv6()
    return struct.pack("!IHBB", 6 << 28, len(hdp), INNER_PROTOCOL, 64) + source + destination + hdp


def _from_ipv6(data: bytes) -> bytes | None:
    if len(data) < 40 or data[0] >> 4 != 6 or data[6] != INNER_PROTOCOL:
        return None
    return data[40 : 40 + int.from_bytes(data[4:6], "big")]


def _gre(hdp: bytes, _: Endpoints) -> bytes:
    """Build a GRE packet of version 0 without options, RFC 2784."""
    return struct.pack("!HH", 0, LOCAL_EXPERIMENTAL_ETHERTYPE) + hdp


def _esp(hdp: bytes, _: Endpoints) -> bytes:
    """Build an ESP packet, RFC 4303, in NULL encryption (RFC 2410), its check value known to nobody."""
    padding = bytes(range(1, 1 + -(len(hdp) + 2) % 4))
    trailer = padding + bytes([len(padding), INNER_PROTOCOL])
    return struct.pack("!II", _SPI, 1) + hdp + trailer + _ICV


def _from_esp(data: bytes) -> bytes | None:
    if len(data) < 8:
        return None
    body = data[8 : len(data) - len(_ICV)]
    if len(body) >= 2 and body[-1] == INNER_PROTOCOL and body[-2] <= len(body) - 2:
        return body[: len(body) - 2 - body[-2]]
    return data[8:]  # cut short: there is no telling where the trailer would have been


def _ah(hdp: bytes, _: Endpoints) -> bytes:
    """Build an authentication header before HDP, RFC 4302, its 96-bit check value known to nobody."""
    words = (12 + len(_ICV)) // 4
    return struct.pack("!BBHII", INNER_PROTOCOL, words - 2, 0, _SPI, 1) + _ICV + hdp


def _from_ah(data: bytes) -> bytes | None:
    if len(data) < 12 or data[0] != INNER_PROTOCOL:
        return None
    offset = (data[1] + 2) * 4
    return data[offset:] if 12 <= offset <= len(data) else None


def _minimal(hdp: bytes, ends: Endpoints) -> bytes:
    """Build a minimal forwarding header without the original source, RFC 2004."""
    header = bytes([INNER_PROTOCOL, 0, 0, 0]) + packed(ends.inner_ipv4()[1])
    return put_checksum(header, 2) + hdp


def _ethernet(hdp: bytes, _: Endpoints) -> bytes:
    """Build an Ethernet frame, RFC 8986 section 10.1 (a short one: nothing pads it inside IP)."""
    return _FRAME_HEADER + hdp


def _etherip(hdp: bytes, ends: Endpoints) -> bytes:
    """Build an Ethernet frame behind an EtherIP header of version 3, RFC 3378."""
    return b"\x30\x00" + _ethernet(hdp, ends)


def _l2tp(hdp: bytes, _: Endpoints) -> bytes:
    """Build an L2TPv3 data message without cookie or sublayer, RFC 3931 section 4.1.1.1."""
    return struct.pack("!I", _SESSION) + hdp


def _mpls(hdp: bytes, _: Endpoints) -> bytes:
    """Build one label, bottom of stack, RFC 4023 section 3 and RFC 3032 section 2.1."""
    return struct.pack("!I", _LABEL << 12 | 1 << 8 | 64) + hdp


TUNNELS = (
    Carrier(4, "IPv4 in IP (RFC 2003)", 20, _ipip, _from_ipip),
    Carrier(41, "IPv6 in IP (RFC 4213)", 40, _ipv6, _from_ipv6),
    Carrier(47, "GRE version 0 (RFC 2784)", 4, _gre, after(4)),
    Carrier(50, "ESP with NULL encryption (RFC 4303, RFC 2410)", 8, _esp, _from_esp),
    Carrier(51, "Authentication Header (RFC 4302)", 24, _ah, _from_ah),
    Carrier(55, "minimal encapsulation (RFC 2004)", 8, _minimal, after(8)),
    Carrier(97, "EtherIP (RFC 3378)", 16, _etherip, after(16)),
    Carrier(115, "L2TPv3 data (RFC 3931)", 4, _l2tp, after(4)),
    Carrier(137, "MPLS in IP (RFC 4023)", 4, _mpls, after(4)),
    Carrier(143, "Ethernet frame (RFC 8986)", 14, _ethernet, after(14)),
)
