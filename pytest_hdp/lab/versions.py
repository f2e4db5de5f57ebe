"""What differs between IPv4 and IPv6 in a lab: how nftables names them, their ICMP, and the addresses. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ICMP, _ICMPV6 = 1, 58


@dataclass(frozen=True, slots=True)
class Version:
    """One version of IP.

    `family`: of nftables' tables; `selector`: what reads the number that was sent out of the fixed header there.
    `time_exceeded`, `prohibited`: type and code of those errors. `header`: bytes of the fixed header.
    `rate_mask`: the setting that names the types of ICMP that are limited. `address_type`: in nftables' sets.
    """

    number: int
    family: str
    selector: str
    icmp: int
    header: int
    time_exceeded: tuple[int, int]
    prohibited: tuple[int, int]
    rate_mask: str
    address_type: str

    def of(self, numbers: frozenset[int]) -> frozenset[int]:
        """Return the numbers that are meant over this version, where its own ICMP stands for the other's.

        Lists are written for IPv4. Over IPv6, 1 and 58 change places, so that "all but ICMP" means the same too.
        """
        if self.number == 4:
            return numbers
        other = {_ICMP: _ICMPV6, _ICMPV6: _ICMP}
        return frozenset(other.get(number, number) for number in numbers)


V4 = Version(4, "ip", "ip protocol", _ICMP, 20, (11, 0), (3, 13), "ipv4/icmp_ratemask", "ipv4_addr")
V6 = Version(6, "ip6", "ip6 nexthdr", _ICMPV6, 40, (3, 0), (1, 1), "ipv6/icmp/ratemask", "ipv6_addr")
VERSIONS: Mapping[int, Version] = MappingProxyType({4: V4, 6: V6})


@dataclass(frozen=True, slots=True)
class Plan:
    """The addresses of one version. Pairs: of the left and the right end of a link, with the length of its prefix."""

    first: tuple[str, str, int]
    last: tuple[str, str, int]
    second: tuple[str, str, int]
    between: str
    behind: str
    length: int
    everywhere: str
    uplink: tuple[tuple[str, str, int], tuple[str, str, int]]

    def middle(self, number: int, *, hidden: bool) -> tuple[str, str, int]:
        """Return the ends of a link between two routers. `hidden`: it lies between two translators."""
        start = (self.behind if hidden else self.between).format
        left, right = (start(number=number, end=4 * number + own, own=own) for own in (1, 2))
        return left, right, self.length


PLANS: Mapping[int, Plan] = MappingProxyType(
    {
        4: Plan(
            first=("192.0.2.2", "192.0.2.1", 25),
            last=("198.51.100.1", "198.51.100.2", 24),
            second=("192.0.2.130", "192.0.2.129", 25),
            between="203.0.113.{end}",
            behind="100.64.{number}.{own}",
            length=30,
            everywhere="0.0.0.0/0",
            uplink=(("203.0.113.249", "203.0.113.250", 30), ("203.0.113.253", "203.0.113.254", 30)),
        ),
        6: Plan(
            first=("2001:db8:a::2", "2001:db8:a::1", 64),
            last=("2001:db8:b::1", "2001:db8:b::2", 64),
            second=("2001:db8:d::2", "2001:db8:d::1", 64),
            between="2001:db8:c:{number:x}::{own}",
            behind="fd00:64:{number:x}::{own}",
            length=64,
            everywhere="::/0",
            uplink=(("2001:db8:e::1", "2001:db8:e::2", 64), ("2001:db8:e:1::1", "2001:db8:e:1::2", 64)),
        ),
    }
)
"""Of documentation (RFC 5737, RFC 3849), shared (RFC 6598) and local (RFC 4193): nothing of a lab is anybody's."""
