"""Carriers of the protocols that routers speak among themselves; valid, and of no consequence."""

from __future__ import annotations

import struct

from pytest_hdp.packet._carrier_base import Carrier, Endpoints, after, balanced, put_checksum
from pytest_hdp.packet.checksums import pseudo_header
from pytest_hdp.packet.family import packed

_TEST_GROUP = bytes([233, 252, 0, 1])  # MCAST-TEST-NET, RFC 6676
_ENTERPRISE = 32473  # for documentation, RFC 5612
_PRIVATE_LLS_TYPE = 0x8000
_PRIVATE_PIM_OPTION = 65001
_LLS_BIT = 0x10
_OSPF_HELLO_SIZE = 44
_LLS_SIZE = 16


def _igmp(hdp: bytes, _: Endpoints) -> bytes:
    """Build a membership report, RFC 2236; what follows its 8 bytes is ignored (section 2.5)."""
    return put_checksum(bytes([0x16, 0, 0, 0]) + _TEST_GROUP, 2) + balanced(hdp)


def _ospf(hdp: bytes, ends: Endpoints) -> bytes:
    """Build an OSPFv2 Hello, RFC 2328 A.3.2, with HDP in a private TLV of its link-local block, RFC 5613."""
    header = struct.pack("!BBH4s4sHHQ", 2, 1, _OSPF_HELLO_SIZE, packed(ends.inner_ipv4()[0]), bytes(4), 0, 0, 0)
    hello = struct.pack("!4sHBBI4s4s", bytes([255, 255, 255, 0]), 10, _LLS_BIT, 0, 40, bytes(4), bytes(4))
    # A length of our own, so that the value fills whole words: not every reader of this block knows to skip
    # padding.
    value = struct.pack("!II", _ENTERPRISE, len(hdp)) + hdp + bytes(-len(hdp) % 4)
    tlv = struct.pack("!HH", _PRIVATE_LLS_TYPE, len(value)) + value
    block = put_checksum(struct.pack("!HH", 0, (4 + len(tlv)) // 4) + tlv, 0)
    return put_checksum(header + hello, 12) + block


def _from_ospf(data: bytes) -> bytes | None:
    start = _OSPF_HELLO_SIZE + _LLS_SIZE
    if len(data) < start or data[:2] != b"\x02\x01":
        return None
    kind, _, enterprise, length = struct.unpack_from("!HHII", data, _OSPF_HELLO_SIZE + 4)
    return data[start : start + length] if (kind, enterprise) == (_PRIVATE_LLS_TYPE, _ENTERPRISE) else None


def _pim(hdp: bytes, ends: Endpoints) -> bytes:
    """Build a PIM version 2 Hello with HDP in an option for private use, RFC 7761 sections 4.9 and 4.9.2."""
    message = bytes([0x20, 0, 0, 0]) + struct.pack("!HH", _PRIVATE_PIM_OPTION, len(hdp)) + hdp
    over_ipv6 = len(ends.source) == 16
    pseudo = pseudo_header(ends.source, ends.destination, 103, len(message)) if over_ipv6 else b""
    return put_checksum(message, 2, pseudo)


def _from_pim(data: bytes) -> bytes | None:
    if len(data) < 8 or data[0] != 0x20:
        return None
    kind, length = struct.unpack_from("!HH", data, 4)
    return data[8 : 8 + length] if kind == _PRIVATE_PIM_OPTION else None


def _vrrp(hdp: bytes, ends: Endpoints) -> bytes:
    """Build a VRRP version 2 advertisement of the lowest priority, RFC 3768 section 5.1, with HDP behind it.

    Version 2, since readers of version 3 differ on whether its checksum covers a pseudo header over IPv4.
    """
    lowest_priority = 1
    fixed = struct.pack("!BBBBBBH", 2 << 4 | 1, 255, lowest_priority, 1, 0, 1, 0)
    return put_checksum(fixed + packed(ends.inner_ipv4()[0]) + bytes(8), 6) + balanced(hdp)


ROUTING = (
    Carrier(2, "IGMPv2 membership report (RFC 2236)", 10, _igmp, after(10)),
    Carrier(89, "OSPFv2 Hello with a link-local block (RFC 2328, RFC 5613)", 60, _ospf, _from_ospf),
    Carrier(103, "PIM Hello (RFC 7761)", 8, _pim, _from_pim),
    Carrier(112, "VRRPv2 advertisement (RFC 3768)", 22, _vrrp, after(22)),
)
