"""Packets as the simulated network passes them on: fields to change at will, bytes only where somebody looks."""

from __future__ import annotations

import socket
import struct
from functools import lru_cache

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
EXTENSION_HEADERS = frozenset({43, 44, 60})  # behind which, well-formed, comes a packet of 253
INNER, SHORTEST = 253, 8
DONT_FRAGMENT = 0x4000
_HEADER = struct.Struct("!BBHHHBBH4s4s")
_HEADER6 = struct.Struct("!IHBB16s16s")
_WHOLE = 576 - 28  # bytes of a packet that an ICMP error quotes: RFC 1812 section 4.3.2.3
_WHOLE6 = 1280 - 88  # and an ICMPv6 error: RFC 4443 section 2.4
_POINTER = 6  # where the Next Header stands
# The codes of routers and hosts here are IPv4's; what stands for them over IPv6: RFC 4443 section 3.
_OVER_IPV6 = {(11, 0): (3, 0), (3, 0): (1, 0), (3, 1): (1, 3), (3, 2): (4, 1), (3, 3): (1, 4), (3, 13): (1, 1)}


class Packet:
    """One packet, IPv6 if its addresses are.

    `quote`: of an ICMP error, the packet it is about, of which `quoted` bytes of payload are told. `valid`: whether it
    is a message of its protocol, for who knows that. `sent`: a number for each packet that a host sent, which its
    copies keep: by it the truth is counted. `inner`: the packet that a tunnel's carries.
    """

    __slots__ = (
        "destination", "flags", "identification", "inner", "payload", "protocol", "quote", "quoted", "sent", "source",
        "tos", "ttl", "valid",
    )  # fmt: skip

    def __init__(
        self,
        source: str,
        destination: str,
        protocol: int,
        payload: bytes,
        *,
        ttl: int = 64,
        identification: int = 0,
        sent: int = -1,
    ) -> None:
        self.source = source
        self.destination = destination
        self.protocol = protocol
        self.payload = payload
        self.ttl = ttl
        self.identification = identification
        self.tos = 0
        self.flags = DONT_FRAGMENT
        self.sent = sent
        self.quote: Packet | None = None
        self.quoted = 0
        self.valid = True
        self.inner: Packet | None = None

    def copy(self) -> Packet:
        """Another one with the same fields."""
        other = Packet(
            self.source, self.destination, self.protocol, self.payload,
            ttl=self.ttl, identification=self.identification, sent=self.sent,
        )  # fmt: skip
        other.valid, other.inner = self.valid, self.inner
        other.tos, other.flags, other.quote, other.quoted = self.tos, self.flags, self.quote, self.quoted
        return other

    @property
    def data(self) -> bytes:
        """As on the wire; header checksums are left 0, since nobody here looks at them."""
        payload = self.payload
        if self.quote is not None:
            payload += self.quote.data[: self.header + self.quoted]
        if self.six:
            addresses = _packed(self.source), _packed(self.destination)
            return _HEADER6.pack(0x60000000, len(payload), self.protocol, self.ttl, *addresses) + payload
        return (
            _HEADER.pack(
                0x45, self.tos, 20 + len(payload), self.identification, self.flags, self.ttl, self.protocol, 0,
                _packed(self.source), _packed(self.destination),
            )
            + payload
        )  # fmt: skip

    @property
    def six(self) -> bool:
        """Whether it is IPv6."""
        return ":" in self.destination

    @property
    def header(self) -> int:
        """Bytes of its IP header."""
        return 40 if self.six else 20

    @property
    def icmp(self) -> int:
        """The number of ICMP over its version of IP."""
        return ICMPV6 if self.six else ICMP

    @property
    def is_error(self) -> bool:
        """Whether it is an ICMP error, of a router's or a host's, or reads like one."""
        if self.six:
            return self.protocol == ICMPV6 and self.payload[0] < 128  # RFC 4443 section 2.1
        return self.protocol == ICMP and self.payload[:1] in _ERRORS

    @property
    def inside(self) -> Packet | None:
        """The packet behind an extension header that is one: IPv6 hosts go on with it."""
        if not (self.six and self.valid and self.protocol in EXTENSION_HEADERS):
            return None
        inner = self.copy()
        inner.protocol, inner.payload = INNER, self.payload[SHORTEST:]
        return inner

    @property
    def ports(self) -> tuple[int, int] | None:
        """Source and destination port of a valid UDP datagram; None for anything else."""
        if self.protocol != UDP or len(self.payload) < 8:
            return None
        source, destination, length = struct.unpack_from("!HHH", self.payload)
        return (source, destination) if length == len(self.payload) else None


# what Linux never answers with an error: errors, and types that nobody uses, as which bare HDP reads (net/ipv4/icmp.c)
_ERRORS = frozenset(bytes([kind]) for kind in (1, 2, 3, 4, 5, 7, 11, 12))


def error_about(packet: Packet, source: str, kind: int, code: int, *, short: bool = False) -> Packet:
    """An ICMP error about a packet, as it came in. `short`: it quotes 8 bytes beyond the header, as RFC 792 says."""
    rest = 0
    if packet.six:
        kind, code = _OVER_IPV6[kind, code]
        rest = (_POINTER if packet.inside is None else packet.header) if kind == 4 else 0
    error = Packet(source, packet.source, packet.icmp, struct.pack("!BBHI", kind, code, 0, rest))
    error.quote = packet.copy()
    error.quoted = 8 if short else _WHOLE6 if packet.six else _WHOLE
    error.flags = 0
    return error


@lru_cache(maxsize=4096)
def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
