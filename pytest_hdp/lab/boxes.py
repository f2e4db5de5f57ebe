"""What every middlebox has: a place on the path, what its node needs, and its truth.

A box stands on the path as a router of its own (`Where.ROUTER`), on a link as a bump in the wire (`Where.WIRE`,
see `wires`), at an end (`Where.CLIENT`, `Where.TARGET`), or is the router of a way beside (`Where.BESIDE`, see
`uplinks`). A router's interface towards the client is called `inside`, towards the target `outside`; an end has `eth0`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.lab.truth import DELIVERED, Truth
from pytest_hdp.lab.versions import V4, V6, VERSIONS, Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_hdp.judge.verdict import Direction, Form
    from pytest_hdp.packet.chain import Chain

ICMP, IGMP, TCP, UDP, DCCP, GRE, ESP, AH, ICMPV6 = 1, 2, 6, 17, 33, 47, 50, 51, 58
OSPF, PIM, VRRP, SCTP, UDPLITE = 89, 103, 112, 132, 136
HOP_BY_HOP, ROUTING, FRAGMENT, NO_NEXT, DST_OPTIONS = 0, 43, 44, 59, 60
COMMON = frozenset({ICMP, TCP, UDP})


class Where(StrEnum):
    """Where on the path a box stands."""

    ROUTER = "router"
    WIRE = "wire"
    CLIENT = "client"
    TARGET = "target"
    BESIDE = "beside"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a box's truth may hang on beside number, direction and form.

    `size`: of each packet in bytes, IP header included. `solicited`: of packets to the client: it sent packets of
    the same number and form to the target a moment ago, and they came past the box that is asked. `spoiled`: a box
    before this one has left a checksum wrong that the tracker verifies. `reset`: of well-formed TCP: what the target's
    own stack answers to a SYN, a reset, has come to this box; with loss it may not have. `ip_version`: of IP. `chain`:
    the extension headers in front of it, where these are the question, and `transport`: what is behind them.
    """

    size: int = 64
    solicited: bool = False
    spoiled: bool = False
    reset: bool = True
    ip_version: int = 4
    chain: Chain | None = None
    transport: int | None = None

    def upper(self, protocol: int) -> int:
        """What a tracker finds: the number behind extension headers, where these are the question, else this one."""
        return protocol if self.chain is None or self.transport is None else self.transport

    @property
    def version(self) -> Version:
        """What is peculiar to its version of IP."""
        return VERSIONS[self.ip_version]


USUAL = Traffic()


@dataclass(frozen=True, slots=True)
class Box:
    """The base of all boxes: does nothing.

    Subclasses give `name`, `where`, what their node needs, and `expected`.
    `translates`, `translates6`: over IPv4, over IPv6: nobody outside has a route to what is inside.
    `announced`: the network, over IPv6, to which those outside have a route instead.
    `answers_ttl`: a train that ends here still brings a time exceeded from here when its TTL ends here.
    `contains`: it is the policy of the client, and not of the second client beside it (see `sandboxes`).
    `reassembles`: it tracks connections, and so puts fragments together before it looks at them.
    `features`: what the kernel must have, in words, for the message when it has not.
    `states_chains`: whether its truth is stated for chains of extension headers too (`Traffic.chain`).
    """

    name: ClassVar[str] = "router"
    where: ClassVar[Where] = Where.ROUTER
    features: ClassVar[str] = "a kernel with forwarding"
    translates: ClassVar[bool] = False
    translates6: ClassVar[bool] = False
    announced: ClassVar[str | None] = None
    answers_ttl: ClassVar[bool] = True
    contains: ClassVar[bool] = False
    reassembles: ClassVar[bool] = False
    states_chains: ClassVar[bool] = False

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "does nothing"

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace for `nft -f`, "" for none."""
        return self.ruleset(V4)

    @property
    def rules6(self) -> str:
        """What is loaded beside `rules` where the kernel has IPv6."""
        return self.ruleset(V6)

    def ruleset(self, version: Version) -> str:
        """What the box does over one version of IP, in a table of that family, "" for nothing."""
        return ""

    @property
    def sysctls(self) -> Mapping[str, object]:
        """Settings of the box's namespace, by their names below /proc/sys/net."""
        return {}

    @property
    def link_mtu(self) -> int | None:
        """Largest packet of the link towards the target, in bytes; None for the usual."""
        return None

    def hides(self, ip_version: int) -> bool:
        """Whether it translates over this version of IP."""
        return self.translates6 if ip_version == 6 else self.translates

    def remembers(self, ip_version: int) -> bool:
        """Whether it lets in what answers, and nothing else."""
        return self.hides(ip_version)

    def outside(self, address: str) -> str | None:
        """The address that it gives to this one inside, None for its own."""
        return None

    def spoils(self, protocol: int) -> bool:
        """Whether it leaves a checksum wrong, inside the carrier of this number, that connection tracking verifies."""
        return False

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Truth about a train of this number on the wire (0..255) that reaches this box.

        Hops and addresses are for the path to fill in.
        """
        return DELIVERED


UNLIMITED: Mapping[str, object] = MappingProxyType({"ipv4/icmp_ratemask": 0, "ipv6/icmp/ratemask": 255})
"""Settings with which no ICMP error is limited: the masks name the types that are, and 255 is none of an error."""


@dataclass(frozen=True, slots=True)
class Router(Box):
    """A transparent router. `icmp_limit`: it limits its ICMP errors as Linux does, to about one a second."""

    icmp_limit: bool = True
    states_chains: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "forwards everything" + ("" if self.icmp_limit else ", without a limit on ICMP errors")

    @property
    def sysctls(self) -> Mapping[str, object]:
        """No type of ICMP is limited without `icmp_limit`, neither per peer nor altogether."""
        return {} if self.icmp_limit else UNLIMITED


def number_set(numbers: frozenset[int]) -> str:
    """Return numbers as an anonymous set of nftables; protocols are written as numbers."""
    return "{ " + ", ".join(map(str, sorted(numbers))) + " }"


def listed(numbers: frozenset[int]) -> str:
    """Return numbers in words: "1, 6, 17"."""
    return ", ".join(map(str, sorted(numbers)))


def filter_chain(hook: str, *rules: str, version: Version = V4) -> str:
    """Return a ruleset with one filter chain at this hook, for packets of this version of IP."""
    lines = "\n".join(f"    {rule}" for rule in rules)
    return (
        f"table {version.family} lab {{\n  chain {hook} {{\n"
        f"    type filter hook {hook} priority filter; policy accept;\n{lines}\n  }}\n}}\n"
    )
