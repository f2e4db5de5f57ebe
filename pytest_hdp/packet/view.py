"""A packet as an observer saw it, read field by field as somebody asks: of most hardly anything is asked. No I/O.

`view` takes any bytes; what it returns has at least a whole IP header. Nobody who has one needs to know the version.
"""

from __future__ import annotations

from typing import ClassVar

from pytest_hdp.packet.family import IPV4, IPV6, Family, address_text

_OFFSET_AND_MORE, _MORE_OF_THE_FIRST = 0x3FFF, 0x2000  # of IPv4's flags and fragment offset


class PacketView:
    """A packet from its IP header on. `protocol`: the number in that header; `data`: all of it, link padding too.

    `payload`: what the header's length says follows it; where that says nothing (0 of a segment that the kernel has yet
    to split, a jumbogram), all that was seen.
    """

    __slots__ = ("_payload", "data", "protocol")
    family: ClassVar[Family]

    def __init__(self, data: bytes, protocol: int) -> None:
        self.data = data
        self.protocol = protocol
        self._payload: bytes | None = None

    def __repr__(self) -> str:
        return f"<{self.family.name} {self.source} > {self.destination} protocol {self.protocol}>"

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.family.version

    @property
    def payload(self) -> bytes:
        """What follows the header."""
        if self._payload is None:
            self._payload = self._cut()
        return self._payload

    def _cut(self) -> bytes:
        raise NotImplementedError

    @property
    def source_bytes(self) -> bytes:
        """The source, 4 or 16 bytes."""
        raise NotImplementedError

    @property
    def destination_bytes(self) -> bytes:
        """The destination, 4 or 16 bytes."""
        raise NotImplementedError

    @property
    def source(self) -> str:
        """The source as text."""
        return address_text(self.source_bytes)

    @property
    def destination(self) -> str:
        """The destination as text."""
        return address_text(self.destination_bytes)

    @property
    def hop_limit(self) -> int:
        """TTL or hop limit."""
        raise NotImplementedError

    @property
    def identification(self) -> int | None:
        """The IP-ID; None: there is none, and nothing can be told by it."""
        return None

    @property
    def flow_label(self) -> int | None:
        """The flow label; None: there is none."""
        return None

    @property
    def is_fragment(self) -> bool:
        """Whether more follows, or something came before."""
        return False

    @property
    def is_first_fragment(self) -> bool:
        """Whether more follows and nothing came before."""
        return False

    @property
    def is_echo_reply(self) -> bool:
        """Whether it is an ICMP echo reply."""
        return self.protocol == self.family.icmp and self.payload[:1] == bytes([self.family.echo_reply])

    @property
    def is_icmp_error(self) -> bool:
        """Whether it reads as an ICMP message that quotes a packet."""
        return self.protocol == self.family.icmp and bool(
            (first := self.payload[:1]) and first[0] in self.family.icmp_errors
        )

    def changes_from(self, left: PacketView, *, quoted: bool = False) -> tuple[str, ...]:
        """Return the names of the header fields that differ from what left.

        A lower hop limit is a router's duty and no change; a higher one is, but in a quote of an ICMP error.
        """
        if self.data == left.data:
            return ()
        if self.family is not left.family:
            return ("source", "destination")
        changed = self._own_changes(left)
        if self.protocol != left.protocol:
            changed.append("protocol")
        if self.source_bytes != left.source_bytes:
            changed.append("source")
        if self.destination_bytes != left.destination_bytes:
            changed.append("destination")
        if self.hop_limit > left.hop_limit and not quoted:
            changed.append("ttl")
        return tuple(changed)

    def _own_changes(self, left: PacketView) -> list[str]:
        raise NotImplementedError


def _class_changes(mine: int, theirs: int) -> list[str]:
    """Of the 8 bits that hold DSCP and ECN (RFC 2474, RFC 3168)."""
    if mine == theirs:
        return []
    return ["dscp"] * (mine >> 2 != theirs >> 2) + ["ecn"] * (mine & 3 != theirs & 3)


class IPv4View(PacketView):
    """RFC 791."""

    __slots__ = ("_header",)
    family = IPV4

    def __init__(self, data: bytes, header: int) -> None:
        super().__init__(data, data[9])
        self._header = header

    def _cut(self) -> bytes:
        data, header = self.data, self._header
        total = data[2] << 8 | data[3]
        return data[header : total if total >= header else len(data)]

    @property
    def source_bytes(self) -> bytes:
        """The source, 4 bytes."""
        return self.data[12:16]

    @property
    def destination_bytes(self) -> bytes:
        """The destination, 4 bytes."""
        return self.data[16:20]

    @property
    def hop_limit(self) -> int:
        """The TTL."""
        return self.data[8]

    @property
    def identification(self) -> int:
        """The IP-ID."""
        return self.data[4] << 8 | self.data[5]

    @property
    def is_fragment(self) -> bool:
        """Whether more follows, or something came before."""
        return bool((self.data[6] << 8 | self.data[7]) & _OFFSET_AND_MORE)

    @property
    def is_first_fragment(self) -> bool:
        """Whether more follows and nothing came before."""
        return (self.data[6] << 8 | self.data[7]) & _OFFSET_AND_MORE == _MORE_OF_THE_FIRST

    def _own_changes(self, left: PacketView) -> list[str]:
        seen, was = self.data, left.data
        changed = _class_changes(seen[1], was[1])
        if seen[4:6] != was[4:6]:
            changed.append("identification")
        flags = seen[6] >> 5 != was[6] >> 5 and not left.is_fragment  # of what is put together again they tell nothing
        if flags and not (seen[6] & 0x1F or seen[7]):  # nor of a later fragment
            changed.append("flags")
        if seen[20 : self._header] != was[20 : (was[0] & 15) * 4]:
            changed.append("options")
        return changed


class IPv6View(PacketView):
    """RFC 8200. Extension headers are part of the payload: HDP's own bytes under their numbers read as such, too."""

    __slots__ = ()
    family = IPV6

    def __init__(self, data: bytes) -> None:
        super().__init__(data, data[6])

    def _cut(self) -> bytes:
        length = self.data[4] << 8 | self.data[5]
        return self.data[40 : 40 + length] if length else self.data[40:]

    @property
    def source_bytes(self) -> bytes:
        """The source, 16 bytes."""
        return self.data[8:24]

    @property
    def destination_bytes(self) -> bytes:
        """The destination, 16 bytes."""
        return self.data[24:40]

    @property
    def hop_limit(self) -> int:
        """The hop limit."""
        return self.data[7]

    @property
    def flow_label(self) -> int:
        """The flow label, 20 bits."""
        return (self.data[1] & 15) << 16 | self.data[2] << 8 | self.data[3]

    @property
    def traffic_class(self) -> int:
        """DSCP and ECN."""
        return (self.data[0] & 15) << 4 | self.data[1] >> 4

    def _own_changes(self, left: PacketView) -> list[str]:
        assert isinstance(left, IPv6View)
        changed = _class_changes(self.traffic_class, left.traffic_class)
        if self.flow_label != left.flow_label:
            changed.append("flow_label")
        return changed


def view(data: bytes) -> PacketView | None:
    """Return a packet, or None where `data` does not begin with a whole IP header; never raises."""
    if not data:
        return None
    version = data[0] >> 4
    if version == 4:
        header = (data[0] & 15) * 4
        return IPv4View(data, header) if 20 <= header <= len(data) else None
    return IPv6View(data) if version == 6 and len(data) >= 40 else None
