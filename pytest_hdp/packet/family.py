"""What differs between IPv4 and IPv6, in one object for each: so that nobody else asks for the version. No I/O.

Numbers of ICMP are those of RFC 792 and RFC 4443, offsets those of RFC 791 and RFC 8200, and address families those of
Linux (linux/socket.h), which is where raw sockets are opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One version of IP. Sizes and offsets: in bytes, from the start of the IP header.

    `name`: for sentences; `icmp`: the protocol number of its ICMP, which `icmp_name` names; `icmp_errors`: the types of
    ICMP messages that quote a packet; `header_size`: of the header without options; `anywhere`: the address that a
    socket is bound to which listens at all of them.
    """

    version: int
    name: str
    socket_family: int
    ethertype: int
    header_size: int
    address_size: int
    protocol_at: int
    source_at: int
    destination_at: int
    icmp: int
    icmp_name: str
    icmp_errors: frozenset[int]
    echo_request: int
    echo_reply: int
    anywhere: str
    loopback: str
    hop_limit: str

    @property
    def addresses(self) -> slice:
        """Where both addresses stand."""
        return slice(self.source_at, self.source_at + 2 * self.address_size)


IPV4 = Family(
    version=4,
    name="IPv4",
    socket_family=2,
    ethertype=0x0800,
    header_size=20,
    address_size=4,
    protocol_at=9,
    source_at=12,
    destination_at=16,
    icmp=1,
    icmp_name="ICMP",
    icmp_errors=frozenset({3, 4, 5, 11, 12}),
    echo_request=8,
    echo_reply=0,
    anywhere="0.0.0.0",  # noqa: S104 (what is not ours is dropped by the socket's filter)
    loopback="127.0.0.1",
    hop_limit="TTL",
)
IPV6 = Family(
    version=6,
    name="IPv6",
    socket_family=10,
    ethertype=0x86DD,
    header_size=40,
    address_size=16,
    protocol_at=6,
    source_at=8,
    destination_at=24,
    icmp=58,
    icmp_name="ICMPv6",
    icmp_errors=frozenset({1, 2, 3, 4}),
    echo_request=128,
    echo_reply=129,
    anywhere="::",
    loopback="::1",
    hop_limit="hop limit",
)
FAMILIES = (IPV4, IPV6)


def family_of(address: str) -> Family:
    """Return the family of a numeric address; only IPv6's have colons."""
    return IPV6 if ":" in address else IPV4


def of_version(version: int) -> Family:
    """Return the family of IP version 4 or 6; KeyError for another one."""
    return {family.version: family for family in FAMILIES}[version]


@lru_cache(maxsize=4096)
def address_text(packed: bytes) -> str:
    """Return 4 or 16 bytes as a numeric address, IPv6 as RFC 5952 has it."""
    if len(packed) == 4:
        return "%d.%d.%d.%d" % tuple(packed)  # noqa: UP031 (a third faster than the f-string)
    return str(IPv6Address(packed))


@lru_cache(maxsize=1024)
def packed(address: str) -> bytes:
    """Return the 4 or 16 bytes of a numeric address, without its zone; ValueError if it is neither."""
    return IPv6Address(address).packed if ":" in address else IPv4Address(address).packed


def without_zone(address: str) -> str:
    """Return a numeric address as it stands in packets, which name no interface."""
    return address.partition("%")[0]


@lru_cache(maxsize=1024)
def of_one_host(address: str) -> bool:
    """Return whether one host may have it: not one of those that lead to many, to nobody, or to whoever asks."""
    if ":" not in address:
        return 0 < int(address.partition(".")[0]) < 224
    found = IPv6Address(address)
    return not (found.is_multicast or found.is_unspecified or found.ipv4_mapped)


def canonical(text: str) -> str:
    """Return the numeric address of one host as RFC 791 or RFC 5952 writes it, a link-local one with its zone.

    Brackets around an IPv6 address may be there. ValueError says in one line what to write instead.
    """
    given = text.strip()
    if given.startswith("[") and given.endswith("]"):
        given = given[1:-1]
    try:
        found = ip_address(given)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a numeric address such as 198.51.100.2 or 2001:db8::2: name the one you mean"
        ) from None
    if isinstance(found, IPv4Address):
        if found.is_multicast or found.is_unspecified or found == IPv4Address("255.255.255.255"):
            raise ValueError(f"{text!r} is not the address of one host")
        return str(found)
    if found.ipv4_mapped is not None:
        raise ValueError(f"{text!r} is IPv4 inside IPv6: write {found.ipv4_mapped}")
    if found.is_multicast or found.is_unspecified:
        raise ValueError(f"{text!r} is not the address of one host")
    if found.is_link_local and not found.scope_id:
        raise ValueError(f"{found} needs its interface: {found}%eth0")
    if found.scope_id and not found.is_link_local:
        raise ValueError(f"{text!r}: only a link-local address has an interface")
    return str(found)
