"""Boxes that IPv6 alone gives something to do: extension headers, fragments, translation, a small MTU.

Over IPv4 those of the first kind pass everything. Rules by `ip6 nexthdr` see the number of the fixed header alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import (
    AH,
    DST_OPTIONS,
    FRAGMENT,
    HOP_BY_HOP,
    ROUTING,
    USUAL,
    Box,
    Traffic,
    filter_chain,
    listed,
    number_set,
)
from pytest_hdp.lab.stateful import Nat, passed_on
from pytest_hdp.lab.truth import DELIVERED, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_hdp.lab.versions import Version

_ASSIGNED = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT, AH, DST_OPTIONS, 135, 139, 140})
_IN_WORDS_OF_8 = frozenset({HOP_BY_HOP, ROUTING, DST_OPTIONS})
_FIXED_HEADER = 40


@dataclass(frozen=True, slots=True)
class ExtensionDrop(Box):
    """Drops silently packets whose first header behind IPv6's is one of these."""

    headers: frozenset[int] = _ASSIGNED
    name: ClassVar[str] = "eh-drop"
    features: ClassVar[str] = "a kernel with nftables filters"
    states_chains: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"over IPv6 drops {listed(self.headers)} silently"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        rule = f"{version.selector} {number_set(self.headers)} drop"
        return filter_chain("forward", rule, version=version) if version.number == 6 else ""

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost if dropped."""
        dropped = traffic.ip_version == 6 and protocol in self.headers
        return Truth(Verdict.LOST, box=self.name) if dropped else DELIVERED


@dataclass(frozen=True, slots=True)
class HopByHopDrop(ExtensionDrop):
    """Drops hop-by-hop options, as four networks in ten do (RFC 7872)."""

    headers: frozenset[int] = frozenset({HOP_BY_HOP})
    name: ClassVar[str] = "hbh-drop"


@dataclass(frozen=True, slots=True)
class FragmentDrop(ExtensionDrop):
    """Drops what has a fragment header anywhere in its chain."""

    headers: frozenset[int] = frozenset({FRAGMENT})
    name: ClassVar[str] = "frag-drop"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain("forward", "exthdr frag exists drop", version=version) if version.number == 6 else ""

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost if there is one, wherever it stands."""
        within = traffic.chain is not None and FRAGMENT in traffic.chain.numbers
        return ExtensionDrop.expected(self, FRAGMENT if within else protocol, direction, form, traffic)


@dataclass(frozen=True, slots=True)
class ExtensionDeep(Box):
    """Drops chains of extension headers that are longer than what it looks at, as lookup engines do (RFC 9098).

    Bare HDP under 43, 51 and 60 says with port 420 that it is longer by far.
    """

    longest: int = 24
    name: ClassVar[str] = "eh-deep"
    features: ClassVar[str] = "a kernel with nftables filters"
    states_chains: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"over IPv6 drops chains of extension headers above {self.longest} bytes silently"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain("forward", *_too_long(self.longest), version=version) if version.number == 6 else ""

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost where it reads as too long."""
        length = _length(protocol, form) if traffic.ip_version == 6 else 0
        length = traffic.chain.length if traffic.chain is not None else length
        return Truth(Verdict.LOST, box=self.name) if length > self.longest else DELIVERED


def _length(protocol: int, form: Form) -> int:
    """Return how long the extension header of this number is, in bytes; bare, it begins with port 420, 0x01A4."""
    if protocol in _IN_WORDS_OF_8:
        return 8 if form is Form.WELLFORMED else (0xA4 + 1) * 8
    if protocol == AH:
        return 24 if form is Form.WELLFORMED else (0xA4 + 2) * 4
    return 8 if protocol == FRAGMENT else 0


def _too_long(longest: int, used: int = 0, so_far: str = "") -> Iterator[str]:
    """Rules that drop a chain which goes on beyond `longest` bytes, of which `used` are those of the headers before."""
    at = (_FIXED_HEADER + used) * 8
    number = f"{so_far}ip6 nexthdr" if not used else so_far
    for numbers, unit, more in ((_IN_WORDS_OF_8, 8, 1), (frozenset({AH}), 4, 2)):
        which = f"{number} {number_set(numbers)}"
        most = (longest - used) // unit - more
        yield f"{which} @nh,{at + 8},8 > {most} drop" if most >= 0 else f"{which} drop"
        for words in range(most + 1):
            length = (words + more) * unit
            yield from _too_long(longest, used + length, f"{which} @nh,{at + 8},8 {words} @nh,{at},8")
    if used + 8 > longest:
        yield f"{number} {FRAGMENT} drop"
    else:
        yield from _too_long(longest, used + 8, f"{number} {FRAGMENT} @nh,{at},8")


@dataclass(frozen=True, slots=True)
class ConntrackOnly(Box):
    """Looks at connections, and drops nothing: but what its tracker takes for a fragment it keeps to itself."""

    name: ClassVar[str] = "conntrack-only"
    reassembles: ClassVar[bool] = True
    features: ClassVar[str] = "a kernel with connection tracking and nftables filters"
    states_chains: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "counts new connections and drops nothing; over IPv6 its tracker puts fragments together: 44 vanishes"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain("forward", "ct state new counter", version=version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """All pass that its tracker does not keep."""
        return passed_on(self.name, protocol, form, traffic)


@dataclass(frozen=True, slots=True)
class SmallLink(Box):
    """A router whose link towards the target takes packets of so many bytes."""

    mtu: int = 1280
    name: ClassVar[str] = "mtu-1280"
    states_chains: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"the link behind it takes {self.mtu} bytes"

    @property
    def link_mtu(self) -> int:
        """As given."""
        return self.mtu

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """What is larger is told to be, which is no rejection of a number."""
        if traffic.size <= self.mtu:
            return DELIVERED
        return Truth(Verdict.LOST, also=frozenset({Verdict.INCONCLUSIVE, Verdict.DELIVERED}), box=self.name)


@dataclass(frozen=True, slots=True)
class Nat66(Nat):
    """Masquerades over IPv6 too."""

    name: ClassVar[str] = "nat66"
    translates6: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Npt66(Nat66):
    """Gives what is inside another prefix over IPv6, each host an address of its own; with state, as nftables does it.

    What has no such prefix is masqueraded, and over IPv4 all is.
    """

    name: ClassVar[str] = "npt66"
    features: ClassVar[str] = "a kernel with connection tracking and nftables prefix translation"
    announced: ClassVar[str] = "2001:db8:f::/48"
    prefixes: ClassVar[dict[str, str]] = {
        "2001:db8:a::/64": "2001:db8:f::/64",
        "2001:db8:d::/64": "2001:db8:f:1::/64",
    }

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "over IPv6 gives what is inside another prefix, where conntrack accepts it; drops unsolicited inbound"

    def translation(self, version: Version) -> str:
        """Another prefix stands for that inside; what comes to it and is no answer goes nowhere."""
        if version.number == 4:
            return Nat66.translation(self, version)
        pairs = ", ".join(f"{inside} : {outside}" for inside, outside in self.prefixes.items())
        return f"""  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "outside" snat ip6 prefix to ip6 saddr map {{ {pairs} }}
    oifname "outside" masquerade
  }}
  chain unasked {{
    type filter hook prerouting priority filter; policy accept;
    iifname "outside" ip6 daddr {self.announced} drop
  }}
"""

    def outside(self, address: str) -> str | None:
        """The same host in the other prefix."""
        here = ip_address(address)
        for inside, beyond in self.prefixes.items():
            if here in ip_network(inside):
                host = int(here) & int(ip_network(inside).hostmask)
                return str(ip_address(int(ip_network(beyond).network_address) | host))
        return None

    def _second(self, protocol: int, form: Form, traffic: Traffic) -> Verdict:
        """A second host has, over IPv6, an address of its own outside too."""
        if traffic.ip_version == 4:
            return Nat66._second(self, protocol, form, traffic)
        return passed_on(self.name, protocol, form, traffic).verdict
