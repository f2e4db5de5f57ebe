"""ICMP: the errors that quote a packet of ours, and the echo that serves as a control.

RFC 792 and RFC 4443 lay the messages out, RFC 4884 says how long the quote is, RFC 1812 and RFC 4443 name the
codes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pytest_hdp.packet.checksums import checksum, pseudo_header
from pytest_hdp.packet.family import IPV4, IPV6, of_version

if TYPE_CHECKING:
    from pytest_hdp.packet.view import PacketView

_HEADER = struct.Struct("!BBHI")
_ECHO = struct.Struct("!BBHHH")
_EXTENSIONS_AT = 128


class Meaning(Enum):
    """What an ICMP error says, whichever version of IP it is about. Its value: words.

    PROTOCOL and PORT: who has the packet's address has no use for it. EXPIRED: its hop limit ran out. PROHIBITED,
    NO_ROUTE, NO_HOST, UNREACHABLE: it was not passed on. TOO_BIG: for the next link. BAD_HEADER: something in it could
    not be read. INCOMPLETE: one of its fragments never came to who puts it together. ADVICE: it was passed on. UNKNOWN:
    nothing that is known.
    """

    PROTOCOL = "its protocol number is unknown there"
    PORT = "nobody listens at its port there"
    EXPIRED = "its hop limit ran out"
    PROHIBITED = "it is prohibited"
    NO_ROUTE = "there is no route to its destination"
    NO_HOST = "its destination does not answer its neighbours"
    UNREACHABLE = "its destination can't be reached"
    TOO_BIG = "it is too big for the next link"
    BAD_HEADER = "its header could not be read"
    INCOMPLETE = "one of its fragments never came"
    ADVICE = "it was passed on, and could be sent otherwise"
    UNKNOWN = "an error that is not known"

    @property
    def drops(self) -> bool:
        """Whether it says that a packet was dropped (RFC 1812 section 5.2.7, RFC 4443 section 3)."""
        return self not in {Meaning.ADVICE, Meaning.UNKNOWN}

    @property
    def by_stack(self) -> bool:
        """Whether a stack says so of what came to it: RFC 1122 section 3.2.2.1, RFC 8200 section 4."""
        return self in {Meaning.PROTOCOL, Meaning.PORT}


# RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1.
V4 = {
    (3, 0): ("network unreachable", Meaning.NO_ROUTE),
    (3, 1): ("host unreachable", Meaning.NO_HOST),
    (3, 2): ("protocol unreachable", Meaning.PROTOCOL),
    (3, 3): ("port unreachable", Meaning.PORT),
    (3, 4): ("fragmentation needed", Meaning.TOO_BIG),
    (3, 5): ("source route failed", Meaning.UNREACHABLE),
    (3, 6): ("network unknown", Meaning.NO_ROUTE),
    (3, 7): ("host unknown", Meaning.NO_HOST),
    (3, 8): ("source host isolated", Meaning.UNREACHABLE),
    (3, 9): ("network administratively prohibited", Meaning.PROHIBITED),
    (3, 10): ("host administratively prohibited", Meaning.PROHIBITED),
    (3, 11): ("network unreachable for this type of service", Meaning.UNREACHABLE),
    (3, 12): ("host unreachable for this type of service", Meaning.UNREACHABLE),
    (3, 13): ("communication administratively prohibited", Meaning.PROHIBITED),
    (3, 14): ("host precedence violation", Meaning.PROHIBITED),
    (3, 15): ("precedence cutoff in effect", Meaning.PROHIBITED),
    (11, 1): ("reassembly time exceeded", Meaning.INCOMPLETE),
}
# RFC 4443 section 3, RFC 7112 section 4, RFC 8883 section 2.
V6 = {
    (1, 0): ("no route to destination", Meaning.NO_ROUTE),
    (1, 1): ("communication administratively prohibited", Meaning.PROHIBITED),
    (1, 2): ("beyond scope of source address", Meaning.UNREACHABLE),
    (1, 3): ("address unreachable", Meaning.NO_HOST),
    (1, 4): ("port unreachable", Meaning.PORT),
    (1, 5): ("source address failed ingress/egress policy", Meaning.PROHIBITED),
    (1, 6): ("reject route to destination", Meaning.PROHIBITED),
    (1, 7): ("error in source routing header", Meaning.BAD_HEADER),
    (3, 0): ("hop limit exceeded", Meaning.EXPIRED),
    (3, 1): ("reassembly time exceeded", Meaning.INCOMPLETE),
    (4, 0): ("erroneous header field", Meaning.BAD_HEADER),
    (4, 1): ("unrecognized Next Header", Meaning.PROTOCOL),
    (4, 2): ("unrecognized IPv6 option", Meaning.BAD_HEADER),
    (4, 3): ("incomplete IPv6 header chain in first fragment", Meaning.BAD_HEADER),
}
_TYPES = {
    4: {
        3: ("destination unreachable", Meaning.UNREACHABLE),
        4: ("source quench", Meaning.ADVICE),
        5: ("redirect", Meaning.ADVICE),
        11: ("time to live exceeded", Meaning.EXPIRED),
        12: ("parameter problem", Meaning.BAD_HEADER),
    },
    6: {
        1: ("destination unreachable", Meaning.UNREACHABLE),
        2: ("packet too big", Meaning.TOO_BIG),
        3: ("time exceeded", Meaning.EXPIRED),
        4: ("parameter problem", Meaning.BAD_HEADER),
    },
}
_NEITHER = ("error", Meaning.UNKNOWN)
PARAMETER_PROBLEM_V6 = 4


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


def error_in(packet: PacketView | None) -> IcmpError | None:
    """Return the ICMP error that a packet is, or None if it is something else; never raises."""
    if packet is None or packet.protocol != packet.family.icmp:
        return None
    return (parse_error_v6 if packet.version == 6 else parse_error)(packet.payload)


def parse_error(icmp: bytes) -> IcmpError | None:
    """Return the ICMPv4 error in `icmp` (the IP payload), or None if it is something else; never raises.

    Errors are the types 3, 4, 5, 11 and 12. The checksum is not checked: what authenticates an error is the
    tag in its quote.
    """
    # RFC 4884 section 4: the length of the quote in words of 4 bytes is byte 5 of types 3, 11 and 12.
    return _parse(icmp, IPV4.icmp_errors, with_length=(3, 11, 12), length_at=5, unit=4)


def parse_error_v6(icmp: bytes) -> IcmpError | None:
    """Do as `parse_error` does, for ICMPv6 (RFC 4443): types 1, 2, 3 and 4."""
    # RFC 4884 section 4.5: in words of 8 bytes, byte 4 of types 1 and 3.
    return _parse(icmp, IPV6.icmp_errors, with_length=(1, 3), length_at=4, unit=8)


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


def _known(type_: int, code: int, version: int) -> tuple[str, Meaning]:
    exact = (V6 if version == 6 else V4).get((type_, code))
    return exact or _TYPES[6 if version == 6 else 4].get(type_, _NEITHER)


def describe(type: int, code: int, *, version: int = 4) -> str:  # noqa: A002 (the field's name)
    """Say what an ICMP error means: "protocol unreachable (ICMP 3/2)"; never raises. `version`: 4 or 6, of IP."""
    name = of_version(6 if version == 6 else 4).icmp_name
    return f"{_known(type, code, version)[0]} ({name} {type}/{code})"


def meaning(type: int, code: int, *, version: int = 4) -> Meaning:  # noqa: A002
    """Return what an ICMP error says; never raises. `version`: 4 or 6, of IP."""
    return _known(type, code, version)[1]


def build_echo(
    identifier: int, sequence: int, payload: bytes = b"", *, ends: tuple[bytes, bytes] | None = None
) -> bytes:
    """Return an ICMP echo request; ValueError if a number does not fit 16 bits.

    `ends`: source and destination, 16 bytes each, for ICMPv6, whose checksum covers them; None for ICMPv4.
    """
    kind = (IPV4 if ends is None else IPV6).echo_request
    try:
        message = _ECHO.pack(kind, 0, 0, identifier, sequence) + payload
    except struct.error as error:
        raise ValueError(f"echo identifier {identifier} or sequence {sequence} does not fit 16 bits") from error
    before = b"" if ends is None else pseudo_header(*ends, IPV6.icmp, len(message))
    return message[:2] + checksum(before + message).to_bytes(2, "big") + message[4:]
