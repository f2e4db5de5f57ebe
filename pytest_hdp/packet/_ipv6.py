"""Carriers of IPv6 alone: its extension headers, its ICMP, and the routing protocols that have another version there.

An extension header is the shortest that there is, 8 bytes, with HDP under 253 behind it: whoever walks the chain finds
the next number where RFC 8200 has it. Of routing headers it is the experimental type (RFC 4727) with no segments left:
type 0 is deprecated (RFC 5095), and filtered.
"""

from __future__ import annotations

import struct

from pytest_hdp.packet._carrier_base import INNER_PROTOCOL, Carrier, Endpoints, after, balanced, put_checksum, sequence
from pytest_hdp.packet.checksums import pseudo_header
from pytest_hdp.packet.icmp import build_echo

_PAD_SIX = bytes([1, 4, 0, 0, 0, 0])  # PadN, RFC 8200 section 4.2
_EXPERIMENTAL_ROUTING = 253
_LLS_BIT = 0x000200
_ENTERPRISE = 32473  # for documentation, RFC 5612
_PRIVATE_LLS_TYPE = 0x8000
_OSPF_HELLO_SIZE = 36

EXTENSION_HEADERS = frozenset({0, 43, 44, 60})
"""Numbers whose carrier is an extension header, behind which the packet's own number is 253."""


def _options(hdp: bytes, _: Endpoints) -> bytes:
    """Build a header of options that are padding alone, RFC 8200 sections 4.3 and 4.6."""
    return bytes([INNER_PROTOCOL, 0]) + _PAD_SIX + hdp


def _routing(hdp: bytes, _: Endpoints) -> bytes:
    """Build a routing header of the experimental type with no segments left, RFC 8200 section 4.4."""
    return bytes([INNER_PROTOCOL, 0, _EXPERIMENTAL_ROUTING, 0]) + bytes(4) + hdp


def _fragment(hdp: bytes, _: Endpoints) -> bytes:
    """Build the header of a fragment that is all of its packet, RFC 6946; each has an identification of its own."""
    return struct.pack("!BBHI", INNER_PROTOCOL, 0, 0, sequence(hdp)) + hdp


def _echo(hdp: bytes, ends: Endpoints) -> bytes:
    """Build an echo request, RFC 4443 section 4.1: the source port is its identifier."""
    return build_echo(ends.source_port, sequence(hdp) & 0xFFFF, hdp, ends=ends.inner_ipv6())


def _from_echo(data: bytes) -> bytes | None:
    return data[8:] if len(data) >= 8 and data[0] in (128, 129) and data[1] == 0 else None


def _nothing_follows(hdp: bytes, _: Endpoints) -> bytes:
    """Say nothing: what follows 59 is passed on unchanged and looked at by nobody, RFC 8200 section 4.7."""
    return hdp


def _ospf(hdp: bytes, ends: Endpoints) -> bytes:
    """Build an OSPFv3 Hello, RFC 5340 A.3.2, with HDP in a private TLV of its link-local block, RFC 5613."""
    header = struct.pack("!BBH4s4sHBB", 3, 1, _OSPF_HELLO_SIZE, ends.source[-4:], bytes(4), 0, 0, 0)
    hello = struct.pack("!IIHH4s4s", 1, _LLS_BIT, 10, 40, bytes(4), bytes(4))
    value = struct.pack("!II", _ENTERPRISE, len(hdp)) + hdp + bytes(-len(hdp) % 4)
    tlv = struct.pack("!HH", _PRIVATE_LLS_TYPE, len(value)) + value
    block = put_checksum(struct.pack("!HH", 0, (4 + len(tlv)) // 4) + tlv, 0)
    source, destination = ends.inner_ipv6()
    return put_checksum(header + hello, 12, pseudo_header(source, destination, 89, _OSPF_HELLO_SIZE)) + block


def _vrrp(hdp: bytes, ends: Endpoints) -> bytes:
    """Build a VRRP version 3 advertisement of the lowest priority, RFC 5798 section 5.1, with HDP behind it."""
    lowest_priority = 1
    fixed = struct.pack("!BBBBHH", 3 << 4 | 1, 255, lowest_priority, 1, 100, 0) + ends.source
    source, destination = ends.inner_ipv6()
    behind = balanced(hdp)
    return put_checksum(fixed, 6, pseudo_header(source, destination, 112, len(fixed) + len(behind))) + behind


IPV6_ONLY = (
    Carrier(0, "hop-by-hop options (RFC 8200) before 253", 8, _options, after(8)),
    Carrier(43, "routing header of type 253 (RFC 8200, RFC 4727) before 253", 8, _routing, after(8)),
    Carrier(44, "atomic fragment (RFC 8200, RFC 6946) of 253", 8, _fragment, after(8)),
    Carrier(58, "ICMPv6 echo request (RFC 4443)", 8, _echo, _from_echo),
    Carrier(59, "no next header (RFC 8200)", 0, _nothing_follows, after(0)),
    Carrier(60, "destination options (RFC 8200) before 253", 8, _options, after(8)),
    Carrier(89, "OSPFv3 Hello with a link-local block (RFC 5340, RFC 5613)", 52, _ospf, after(52)),
    Carrier(112, "VRRPv3 advertisement (RFC 5798)", 26, _vrrp, after(26)),
)
