"""Filters by the kernel: allowlists on the path and at its ends, a hop with a short TTL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import (
    AH,
    COMMON,
    ESP,
    GRE,
    ICMP,
    IGMP,
    OSPF,
    PIM,
    SCTP,
    UDP,
    UDPLITE,
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

_NOT_VERIFIED = frozenset({GRE, ESP, AH, SCTP, UDPLITE})
ANSWERED = {Form.BARE: _NOT_VERIFIED, Form.WELLFORMED: _NOT_VERIFIED | {IGMP, OSPF, PIM, VRRP}}
"""The numbers that netfilter's reject answers: those it does not verify, and those whose payload sums to nothing."""


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

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain("forward", f"ip protocol != {number_set(self.passes)} drop")

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost unless passed."""
        return DELIVERED if protocol in self.passes else Truth(Verdict.LOST, box=self.name)


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

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain("forward", f"ip protocol {number_set(self.drops)} drop")

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost if dropped."""
        return Truth(Verdict.LOST, box=self.name) if protocol in self.drops else DELIVERED


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

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace."""
        answers = "{ echo-reply, destination-unreachable, time-exceeded, parameter-problem }"
        odd = number_set(frozenset(range(3, 256, 2)) - {UDP})
        return filter_chain(
            "forward",
            f"icmp type {answers} accept",
            f"ip protocol {ICMP} drop",
            f"ip protocol {odd} drop",
            f"ip protocol {UDP} @th,15,1 1 drop",
        )

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost on the dead way. UDP trains have an even port."""
        if protocol % 2 and protocol != UDP:
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

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain(
            "forward", f"ip protocol != {number_set(self.passes)} reject with icmp type admin-prohibited"
        )

    @property
    def sysctls(self) -> Mapping[str, object]:
        """No ICMP error is limited: the truth is about which are sent at all."""
        return {"ipv4/icmp_ratemask": 0}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Rejected where netfilter answers, lost where not."""
        if protocol in self.passes:
            return DELIVERED
        if protocol in ANSWERED[form]:
            return Truth(Verdict.REJECTED, icmp=(3, 13), box=self.name)
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

    @property
    def rules(self) -> str:
        """Ruleset of the target's namespace."""
        return filter_chain("input", f"ip protocol != {number_set(self.accepts)} drop")

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Held, going in; going out nothing is filtered."""
        if direction is Direction.REVERSE or protocol in self.accepts:
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

    @property
    def rules(self) -> str:
        """Ruleset of the client's namespace."""
        return filter_chain("output", f"ip protocol != {number_set(self.accepts)} drop")

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Refused, going out; coming in nothing is filtered."""
        if direction is Direction.REVERSE or protocol in self.accepts:
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

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain("forward", f'oifname "outside" ip protocol {number_set(self.numbers)} ip ttl set 1')

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Rejected by the next router."""
        if direction is Direction.REVERSE or protocol not in self.numbers:
            return DELIVERED
        return Truth(Verdict.REJECTED, icmp=(11, 0), box=self.name)
