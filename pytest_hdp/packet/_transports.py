"""Carriers of transport protocols and of ICMP: the numbers that middleboxes keep state for."""

from __future__ import annotations

import struct

from pytest_hdp.packet._carrier_base import Carrier, Endpoints, after, put_transport_checksum, sequence
from pytest_hdp.packet.checksums import crc32c
from pytest_hdp.packet.icmp import build_echo

_PORTS = struct.Struct("!HH")
_SYN = 0x02
_SERVICE_CODE = b"HDP "
_INIT = 1
_PAD = 0x8005
_STREAMS = 1
_WINDOW = 0xFFFF


def _icmp(hdp: bytes, ends: Endpoints) -> bytes:
    """Build an echo request, RFC 792: the source port is its identifier, low timestamp bits its sequence."""
    return build_echo(ends.source_port, sequence(hdp) & 0xFFFF, hdp)


def _from_icmp(data: bytes) -> bytes | None:
    # An echo reply brings the request's data back: that is a sighting of the probe too.
    return data[8:] if len(data) >= 8 and data[0] in (0, 8) and data[1] == 0 else None


def _tcp(hdp: bytes, ends: Endpoints) -> bytes:
    """Build a SYN that carries data, RFC 9293 section 3.4; no options."""
    header = struct.pack("!HHIIBBHHH", *_ports(ends), sequence(hdp), 0, 5 << 4, _SYN, _WINDOW, 0, 0)
    return put_transport_checksum(header + hdp, 16, ends, 6, zero_means_none=False)


def _from_tcp(data: bytes) -> bytes | None:
    # Boxes on the path may have put options in: the data offset tells.
    offset = (data[12] >> 4) * 4 if len(data) > 12 else 0
    return data[offset:] if 20 <= offset <= len(data) else None


def _udp(hdp: bytes, ends: Endpoints) -> bytes:
    """Build a datagram, RFC 768."""
    message = _PORTS.pack(*_ports(ends)) + struct.pack("!HH", 8 + len(hdp), 0) + hdp
    return put_transport_checksum(message, 6, ends, 17, zero_means_none=True)


def _from_udp(data: bytes) -> bytes | None:
    if len(data) < 8:
        return None
    length = int.from_bytes(data[4:6], "big")
    return data[8:length] if length >= 8 else None


def _dccp(hdp: bytes, ends: Endpoints) -> bytes:
    """Build a DCCP-Request with data, RFC 4340 section 5.1: 48-bit sequence number, checksum over all."""
    words, extended_request = 5, 1
    header = struct.pack("!HHBBHBB", *_ports(ends), words, 0, 0, extended_request, 0)
    message = header + sequence(hdp, 6).to_bytes(6, "big") + _SERVICE_CODE + hdp
    return put_transport_checksum(message, 6, ends, 33, zero_means_none=False)


def _from_dccp(data: bytes) -> bytes | None:
    offset = data[4] * 4 if len(data) > 4 else 0
    return data[offset:] if 16 <= offset <= len(data) else None


def _sctp(hdp: bytes, ends: Endpoints) -> bytes:
    """Build an INIT, RFC 9260 section 3.3.2, with HDP in a padding parameter, RFC 4820.

    An INIT because it is what a tracker without state accepts: its verification tag must be 0. Receivers skip
    the padding.
    """
    parameter = struct.pack("!HH", _PAD, 4 + len(hdp)) + hdp
    fixed = struct.pack("!IIHHI", sequence(hdp, at=4), _WINDOW, _STREAMS, _STREAMS, sequence(hdp))
    # The length counts no padding behind the last parameter (RFC 9260 section 3.2).
    chunk = struct.pack("!BBH", _INIT, 0, 4 + len(fixed) + len(parameter)) + fixed + parameter
    message = _PORTS.pack(*_ports(ends)) + bytes(8) + chunk + bytes(-len(chunk) % 4)
    return message[:8] + crc32c(message).to_bytes(4, "little") + message[12:]


def _from_sctp(data: bytes) -> bytes | None:
    if len(data) < 36 or data[12] != _INIT:
        return None
    kind, length = _PORTS.unpack_from(data, 32)
    return data[36 : 32 + length] if kind == _PAD and length >= 4 else None


def _udplite(hdp: bytes, ends: Endpoints) -> bytes:
    """Build a datagram whose checksum covers all of it (coverage 0), RFC 3828."""
    message = _PORTS.pack(*_ports(ends)) + bytes(4) + hdp
    return put_transport_checksum(message, 6, ends, 136, zero_means_none=True)


def _ports(ends: Endpoints) -> tuple[int, int]:
    return ends.source_port, ends.destination_port


TRANSPORTS = (
    Carrier(1, "ICMP echo request (RFC 792)", 8, _icmp, _from_icmp),
    Carrier(6, "TCP SYN with data (RFC 9293)", 20, _tcp, _from_tcp),
    Carrier(17, "UDP datagram (RFC 768)", 8, _udp, _from_udp),
    Carrier(33, "DCCP-Request with data (RFC 4340)", 20, _dccp, _from_dccp),
    Carrier(132, "SCTP INIT with a padding parameter (RFC 9260, RFC 4820)", 36, _sctp, _from_sctp),
    Carrier(136, "UDP-Lite datagram (RFC 3828)", 8, _udplite, after(8)),
)
