"""ICMP: the errors that quote a packet of ours, and the echo that serves as a control.

RFC 792 and RFC 4443 lay the messages out, RFC 4884 says how long the quote is, RFC 1812 and RFC 4443 name the
codes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pytest_hdp.packet.checksums import checksum

_HEADER = struct.Struct("!BBHI")
_ECHO = struct.Struct("!BBHHH")

_ERRORS_V4 = frozenset({3, 4, 5, 11, 12})
_ERRORS_V6 = frozenset({1, 2, 3, 4})
_EXTENSIONS_AT = 128

_V4_CODES = {
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "fragmentation needed",
    (3, 5): "source route failed",
    (3, 6): "destination network unknown",
    (3, 7): "destination host unknown",
    (3, 8): "source host isolated",
    (3, 9): "network administratively prohibited",
    (3, 10): "host administratively prohibited",
    (3, 11): "network unreachable for type of service",
    (3, 12): "host unreachable for type of service",
    (3, 13): "administratively prohibited",
    (3, 14): "host precedence violation",
    (3, 15): "precedence cutoff in effect",
    (4, 0): "source quench",
    (5, 0): "redirect for network",
    (5, 1): "redirect for host",
    (5, 2): "redirect for type of service and network",
    (5, 3): "redirect for type of service and host",
    (11, 0): "time to live exceeded in transit",
    (11, 1): "fragment reassembly time exceeded",
    (12, 0): "parameter problem",
    (12, 1): "required option missing",
    (12, 2): "bad length",
}
_V6_CODES = {
    (1, 0): "no route to destination",
    (1, 1): "administratively prohibited",
    (1, 2): "beyond scope of source address",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address failed ingress/egress policy",
    (1, 6): "reject route to destination",
    (1, 7): "error in source routing header",
    (2, 0): "packet too big",
    (3, 0): "hop limit exceeded in transit",
    (3, 1): "fragment reassembly time exceeded",
    (4, 0): "erroneous header field",
    (4, 1): "unrecognized next header",
    (4, 2): "unrecognized IPv6 option",
    (4, 3): "incomplete IPv6 header chain in first fragment",
}
_TYPES = {
    4: {
        3: "destination unreachable",
        4: "source quench",
        5: "redirect",
        11: "time exceeded",
        12: "parameter problem",
    },
    6: {1: "destination unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem"},
}


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error.

    `rest`: bytes 4..7 of the message as one number (the MTU, the pointer, the better gateway).
    `quote`: the start of the packet that the error is about, from its IP header on; any length, 0 too.
    """

    type: int
    code: int
    rest: int
    quote: bytes


@dataclass(frozen=True, slots=True)
class EchoReply:
    """An ICMP echo reply."""

    identifier: int
    sequence: int
    payload: bytes


def parse_error(icmp: bytes) -> IcmpError | None:
    """Return the ICMPv4 error in `icmp` (the IP payload), or None if it is something else; never raises.

    Errors are the types 3, 4, 5, 11 and 12. The checksum is not checked: what authenticates an error is the
    tag in its quote.
    """
    # RFC 4884 section 4: the length of the quote in words of 4 bytes is byte 5 of types 3, 11 and 12.
    return _parse(icmp, _ERRORS_V4, with_length=(3, 11, 12), length_at=5, unit=4)


def parse_error_v6(icmp: bytes) -> IcmpError | None:
    """Do as `parse_error` does, for ICMPv6 (RFC 4443): types 1, 2, 3 and 4."""
    # RFC 4884 section 4.5: in words of 8 bytes, byte 4 of types 1 and 3.
    return _parse(icmp, _ERRORS_V6, with_length=(1, 3), length_at=4, unit=8)


def _parse(
    icmp: bytes, errors: frozenset[int], *, with_length: tuple[int, ...], length_at: int, unit: int
) -> IcmpError | None:
    if len(icmp) < 8 or icmp[0] not in errors:
        return None
    kind, code, _, rest = _HEADER.unpack_from(icmp)
    quote = bytes(icmp[8:])
    if kind in with_length:
        length = icmp[length_at] * unit
        if length:
            quote = quote[:length]
        elif _has_extensions(quote):
            quote = quote[:_EXTENSIONS_AT]
    return IcmpError(kind, code, rest, quote)


def _has_extensions(quote: bytes) -> bool:
    """Tell whether extensions follow a quote without a length, as from old routers (RFC 4884 section 5.5)."""
    extensions = quote[_EXTENSIONS_AT:]
    if len(extensions) < 8 or extensions[0] >> 4 != 2:
        return False
    return extensions[2:4] != b"\0\0" and checksum(extensions) == 0


def describe(type: int, code: int, *, version: int = 4) -> str:  # noqa: A002 (the field's name)
    """Say what an ICMP error means: "protocol unreachable"; unknown codes by number, never raises.

    `version`: 4 or 6, of IP.
    """
    known = (_V6_CODES if version == 6 else _V4_CODES).get((type, code))
    if known is not None:
        return known
    name = _TYPES[6 if version == 6 else 4].get(type)
    return f"ICMP type {type} code {code}" if name is None else f"{name}, code {code}"


def build_echo(identifier: int, sequence: int, payload: bytes = b"", *, version: int = 4) -> bytes:
    """Return an ICMP echo request; ValueError if a number does not fit 16 bits.

    For `version` 6 the checksum is left 0: it covers the addresses, and the kernel fills it in (RFC 3542
    section 3.1).
    """
    kind = 128 if version == 6 else 8
    try:
        message = _ECHO.pack(kind, 0, 0, identifier, sequence) + payload
    except struct.error as error:
        raise ValueError(f"echo identifier {identifier} or sequence {sequence} does not fit 16 bits") from error
    if version == 6:
        return message
    return message[:2] + checksum(message).to_bytes(2, "big") + message[4:]


def parse_echo_reply(icmp: bytes, *, version: int = 4) -> EchoReply | None:
    """Return the echo reply in `icmp` (the IP payload), or None if it is something else; never raises."""
    if len(icmp) < 8 or icmp[0] != (129 if version == 6 else 0) or icmp[1] != 0:
        return None
    _, _, _, identifier, sequence = _ECHO.unpack_from(icmp)
    return EchoReply(identifier, sequence, bytes(icmp[8:]))
