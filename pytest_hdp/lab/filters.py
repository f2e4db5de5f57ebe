"""Filters by the kernel: allowlists on the path and at its ends, a hop with a short TTL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import (
    AH,
    COMMON,
    DCCP,
    ESP,
    GRE,
    ICMP,
    IGMP,
    OSPF,
    PIM,
    SCTP,
    UDP,
    UDPLITE,
    UNLIMITED,
    USUAL,
    VRRP,
    Box,
    Traffic,
    Where,
    filter_chain,
    listed,
    number_set,
)
from pytest_hdp.lab.truth import DELIVERED, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_hdp.lab.versions import Version

_NOT_VERIFIED = frozenset({GRE, ESP, AH, SCTP, UDPLITE})
_NOT_VERIFIED6 = frozenset({GRE, ESP, SCTP, UDPLITE})
ANSWERED = {
    (4, Form.BARE): _NOT_VERIFIED,
    (4, Form.WELLFORMED): _NOT_VERIFIED | {IGMP, OSPF, PIM, VRRP},
    (6, Form.BARE): _NOT_VERIFIED6,
    (6, Form.WELLFORMED): _NOT_VERIFIED6 | {DCCP, PIM, VRRP},
}
"""The numbers that netfilter's reject answers, by version of IP: those it does not verify, and those whose payload sums
to nothing, over IPv6 with the pseudo header (nf_ip6_checksum). AH would not be either, but its chain is walked first.
"""


@dataclass(frozen=True, slots=True)
class Allowlist(Box):
    """Drops silently what is not among the numbers it lets pass."""

    passes: frozenset[int] = COMMON
    name: ClassVar[str] = "allowlist"
    features: ClassVar[str] = "a kernel with nftables filters"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"passes {listed(self.passes)}, drops all other numbers silently"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain("forward", _all_but(self.passes, version, "drop"), version=version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost unless passed."""
        return DELIVERED if protocol in traffic.version.of(self.passes) else Truth(Verdict.LOST, box=self.name)


@dataclass(frozen=True, slots=True)
class Blocklist(Box):
    """Drops silently the numbers that it is given."""

    drops: frozenset[int] = frozenset({GRE})
    name: ClassVar[str] = "blocklist"
    features: ClassVar[str] = "a kernel with nftables filters"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"drops {listed(self.drops)} silently"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain("forward", f"{version.selector} {_numbers(self.drops, version)} drop", version=version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost if dropped."""
        dropped = protocol in traffic.version.of(self.drops)
        return Truth(Verdict.LOST, box=self.name) if dropped else DELIVERED


@dataclass(frozen=True, slots=True)
class DeadPath(Box):
    """One of two ways of equal cost, chosen by number, and for UDP by source port, is dead: the odd ones go there.

    So it hangs on the port that the control happened to get whether it comes through, and no verdict may hang on that.
    ICMP errors and echo replies take the way of what they are about, which lives.
    """

    name: ClassVar[str] = "dead-path"
    features: ClassVar[str] = "a kernel with nftables filters"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "two ways of equal cost, by number and for UDP by source port; that of the odd ones is dead"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace. Of ICMP what asks goes the dead way, whatever its number is."""
        kinds = "icmpv6" if version.number == 6 else "icmp"
        answers = "{ echo-reply, destination-unreachable, time-exceeded, parameter-problem }"
        odd = number_set(frozenset(range(1, 256, 2)) - {ICMP, UDP} | {version.icmp})
        return filter_chain(
            "forward",
            f"{kinds} type {answers} accept",
            f"{version.selector} {odd} drop",
            f"{version.selector} {UDP} @th,15,1 1 drop",
            version=version,
        )

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost on the dead way. UDP trains have an even port; port 420 makes bare HDP an ICMPv6 error."""
        asks = protocol == traffic.version.icmp and (traffic.ip_version == 4 or form is Form.WELLFORMED)
        if asks or (protocol % 2 and protocol not in {ICMP, UDP}):
            return Truth(Verdict.LOST, box=self.name)
        return DELIVERED


@dataclass(frozen=True, slots=True)
class NetfilterReject(Allowlist):
    """Netfilter's own `reject with icmp admin-prohibited`, without a limit on ICMP.

    Its kernel code sends the error only about packets whose checksum is right, and takes for the checksum of a
    protocol it does not know the Internet checksum over the whole payload (include/net/netfilter/nf_reject.h,
    nf_reject_verify_csum): what is not among `ANSWERED` is dropped in silence, but for one in 65536 by chance.
    """

    name: ClassVar[str] = "reject-netfilter"
    features: ClassVar[str] = "a kernel with nftables reject"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"passes {listed(self.passes)}; netfilter's reject answers few other numbers, drops the rest silently"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        answer = f"reject with icmp{'v6' if version.number == 6 else ''} type admin-prohibited"
        return filter_chain("forward", _all_but(self.passes, version, answer), version=version)

    @property
    def sysctls(self) -> Mapping[str, object]:
        """No ICMP error is limited: the truth is about which are sent at all."""
        return UNLIMITED

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Rejected where netfilter answers, lost where not."""
        if protocol in traffic.version.of(self.passes):
            return DELIVERED
        if protocol in ANSWERED[traffic.ip_version, form]:
            return Truth(Verdict.REJECTED, icmp=traffic.version.prohibited, box=self.name)
        return Truth(Verdict.LOST, also=frozenset({Verdict.REJECTED}), box=self.name)


@dataclass(frozen=True, slots=True)
class HostFirewall(Box):
    """The target's own INPUT chain drops what is not among the numbers it accepts."""

    accepts: frozenset[int] = COMMON
    name: ClassVar[str] = "host-firewall"
    where: ClassVar[Where] = Where.TARGET
    features: ClassVar[str] = "a kernel with nftables filters"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"the target's own INPUT accepts {listed(self.accepts)} and drops the rest"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the target's namespace."""
        return filter_chain("input", _all_but(self.accepts, version, "drop"), version=version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Held, going in; going out nothing is filtered."""
        if direction is Direction.REVERSE or protocol in traffic.version.of(self.accepts):
            return DELIVERED
        return Truth(Verdict.HELD_BY_RECEIVER, box=self.name)


@dataclass(frozen=True, slots=True)
class SenderFirewall(Box):
    """The client's own OUTPUT chain drops what is not among the numbers it accepts."""

    accepts: frozenset[int] = COMMON
    name: ClassVar[str] = "sender-firewall"
    where: ClassVar[Where] = Where.CLIENT
    features: ClassVar[str] = "a kernel with nftables filters"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"the client's own OUTPUT accepts {listed(self.accepts)}; sendto() of the rest fails with EPERM"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the client's namespace."""
        return filter_chain("output", _all_but(self.accepts, version, "drop"), version=version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Refused, going out; coming in nothing is filtered."""
        if direction is Direction.REVERSE or protocol in traffic.version.of(self.accepts):
            return DELIVERED
        return Truth(Verdict.REFUSED_AT_SEND, errno="EPERM", box=self.name)


@dataclass(frozen=True, slots=True)
class TtlShort(Box):
    """Leaves some numbers a TTL of 1, towards the target: they die at the next router, one hop early."""

    numbers: frozenset[int] = frozenset(range(256)) - COMMON
    name: ClassVar[str] = "ttl-short"
    features: ClassVar[str] = "a kernel with nftables payload rewriting"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        spared = frozenset(range(256)) - self.numbers
        which = f"all numbers but {listed(spared)}" if len(spared) < 128 else listed(self.numbers)
        return f"leaves {which} too short a TTL: the next router answers time exceeded"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        which = f"{version.selector} {_numbers(self.numbers, version)}"
        shortened = "ip6 hoplimit set 1" if version.number == 6 else "ip ttl set 1"
        return filter_chain("forward", f'oifname "outside" {which} {shortened}', version=version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Rejected by the next router."""
        if direction is Direction.REVERSE or protocol not in traffic.version.of(self.numbers):
            return DELIVERED
        return Truth(Verdict.REJECTED, icmp=traffic.version.time_exceeded, box=self.name)


def _numbers(numbers: frozenset[int], version: Version) -> str:
    return number_set(version.of(numbers))


def _all_but(numbers: frozenset[int], version: Version, then: str) -> str:
    """Return the rule of what becomes of all other numbers."""
    return f"{version.selector} != {_numbers(numbers, version)} {then}"
