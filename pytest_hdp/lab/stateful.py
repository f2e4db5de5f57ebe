"""Middleboxes that keep state: NAT and connection tracking, by the kernel's own.

Linux's tracker knows some protocols by their headers. What fails its checks is `invalid`: it has no state, and
NAT lets it through as it is (net/netfilter/nf_conntrack_proto_*.c, nf_nat_core.c). HDP right after the IP header
fails them under each of `checked_numbers`; inside its carrier it does not, with two exceptions: ICMPv6 is never
valid inside IPv4, and UDP-Lite's checksum is verified with the number of UDP in the pseudo header (udplite_error in
nf_conntrack_proto_udp.c, until it left with Linux 7.1), so that a right one is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import (
    COMMON,
    DCCP,
    GRE,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    UDPLITE,
    USUAL,
    Box,
    Traffic,
    Where,
    filter_chain,
    listed,
    number_set,
)
from pytest_hdp.lab.trackers import checked_numbers
from pytest_hdp.lab.truth import DELIVERED, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

_WITH_PORTS = frozenset({ICMP, TCP, UDP, DCCP, SCTP})
_NEVER_VALID = frozenset({ICMPV6, UDPLITE})
# What the tracker takes for an answer is more than the same packet the other way round: an echo request answers
# nothing, nor does a SYN after the target's reset (before it, one opens the connection from both ends at once: RFC 9293
# section 3.5, tcp_conntracks in nf_conntrack_proto_tcp.c); and an unknown version of GRE is translated in one direction
# only (gre_manip_pkt in nf_nat_proto.c).
_NO_ANSWER = {Form.BARE: frozenset({GRE}), Form.WELLFORMED: frozenset({ICMP, TCP})}


def tracks(protocol: int, form: Form, *, spoiled: bool = False) -> bool:
    """Whether this kernel's tracker keeps state for such a packet. `spoiled`: its checksum is wrong by now."""
    invalid = form is Form.BARE or spoiled or protocol in _NEVER_VALID
    return not (invalid and protocol in checked_numbers())


@dataclass(frozen=True, slots=True)
class Nat(Box):
    """A router that masquerades what leaves outside and lets in only what belongs to it.

    `passes`: None for every number; else the rest is dropped, and with it what is `invalid` to the tracker.
    """

    name: ClassVar[str] = "home-nat"
    passes: frozenset[int] | None = None
    features: ClassVar[str] = "a kernel with connection tracking and nftables masquerade"
    translates: ClassVar[bool] = True
    answers_ttl: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        if self.passes is None:
            return "NATs what conntrack accepts, forwards the rest un-NATed, drops unsolicited inbound"
        return f"translates {listed(self.passes)}, drops all other numbers and what its tracker calls invalid"

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace."""
        allowed = ""
        if self.passes is not None:
            allowed = f"    ip protocol != {number_set(self.passes)} drop\n    ct state invalid drop\n"
        answers = "ct state established,related accept"
        return f"""table ip lab {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "outside" masquerade
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "outside" {answers}
    iifname "outside" drop
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
{allowed}    iifname "outside" {answers}
    iifname "outside" drop
  }}
}}
"""

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Translated or leaked going out; coming in, lost unless it answers."""
        tracked = tracks(protocol, form, spoiled=traffic.spoiled)
        passed = self.passes is None or (protocol in self.passes and tracked)
        opens = form is Form.WELLFORMED and protocol == TCP and not traffic.reset
        answers = traffic.solicited and tracked and (opens or protocol not in _NO_ANSWER[form])
        if not passed or (direction is Direction.REVERSE and not answers):
            return Truth(Verdict.LOST, box=self.name)
        if direction is Direction.REVERSE:
            return DELIVERED
        if not tracked:
            return Truth(nat="leaked", second_host=Verdict.DELIVERED, box=self.name)
        has_ports = form is Form.WELLFORMED and protocol in _WITH_PORTS & checked_numbers()
        second = Verdict.DELIVERED if has_ports else Verdict.LOST
        return Truth(nat="translated", second_host=second, box=self.name)


@dataclass(frozen=True, slots=True)
class CloudNat(Nat):
    """What a cloud's NAT gateway states: TCP, UDP and ICMP."""

    passes: frozenset[int] | None = COMMON
    name: ClassVar[str] = "aws-nat-gateway"


@dataclass(frozen=True, slots=True)
class CarrierNat(Nat):
    """The provider's NAT behind the home's."""

    name: ClassVar[str] = "carrier-nat"


@dataclass(frozen=True, slots=True)
class SecurityGroup(Box):
    """A router that lets new flows in from the target's side only, and from the client's what answers them.

    `admits`: numbers that may come from the client's side in any case.
    """

    admits: frozenset[int] = COMMON
    name: ClassVar[str] = "security-group"
    features: ClassVar[str] = "a kernel with connection tracking and nftables filters"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"lets {listed(self.admits)} through, and else from the client only what answers the target"

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain(
            "forward",
            "ct state established,related accept",
            f"ip protocol {number_set(self.admits)} accept",
            'iifname "inside" drop',
        )

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Forward nothing answers, as long as nothing of the number has come from the target."""
        if direction is Direction.REVERSE or protocol in self.admits:
            return DELIVERED
        return Truth(Verdict.LOST, box=self.name)


@dataclass(frozen=True, slots=True)
class Ufw(Box):
    """The target's own firewall as `ufw enable` leaves it: in comes what answers, a ping, SSH; everything goes out."""

    name: ClassVar[str] = "ufw"
    where: ClassVar[Where] = Where.TARGET
    features: ClassVar[str] = "a kernel with connection tracking and nftables filters"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "the target's own firewall lets in what answers it, a ping and SSH, and drops the rest, UDP too"

    @property
    def rules(self) -> str:
        """Ruleset of the target's namespace."""
        return filter_chain(
            "input",
            'iifname "lo" accept',
            "ct state established,related accept",
            "ct state invalid drop",
            "icmp type echo-request accept",
            "tcp dport 22 accept",
            "drop",
        )

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Held, going in, as long as nothing of the number has gone out; going out nothing is filtered."""
        if direction is Direction.REVERSE or (protocol == ICMP and form is Form.WELLFORMED):
            return DELIVERED
        return Truth(Verdict.HELD_BY_RECEIVER, box=self.name)


@dataclass(frozen=True, slots=True)
class FirstOnly(Box):
    """Lets one packet of each flow and direction pass, then nothing until the flow has idled for `timeout` seconds.

    Probing on keeps it shut. What the tracker calls invalid has no flow and is not counted, and each SCTP INIT
    starts a flow of its own.
    """

    timeout: int = 2
    spares: frozenset[int] = COMMON
    name: ClassVar[str] = "first-only"
    features: ClassVar[str] = "a kernel with connection tracking with accounting"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"one packet per flow, again after {self.timeout} s of silence; {listed(self.spares)} freely"

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace."""
        spared = f"ip protocol != {number_set(self.spares)}"
        return filter_chain(
            "forward",
            f"{spared} ct direction original ct original packets > 1 drop",
            f"{spared} ct direction reply ct reply packets > 1 drop",
        )

    @property
    def sysctls(self) -> Mapping[str, object]:
        """Idle timeouts, by the tracker's own names; what this kernel lacks is left out."""
        udp = {f"netfilter/nf_conntrack_{each}": self.timeout for each in ("udp_timeout", "udp_timeout_stream")}
        sctp = {
            f"netfilter/nf_conntrack_sctp_timeout_{each}": self.timeout
            for each in ("closed", "cookie_wait", "cookie_echoed", "established", "heartbeat_sent")
        }
        gre = {f"netfilter/nf_conntrack_{each}": self.timeout for each in ("gre_timeout", "gre_timeout_stream")}
        dccp = {f"netfilter/nf_conntrack_dccp_timeout_{each}": self.timeout for each in ("request", "respond", "open")}
        return {"netfilter/nf_conntrack_generic_timeout": self.timeout, **udp, **sctp, **gre, **dccp}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """First_only where there is a flow."""
        restarts = form is Form.WELLFORMED and protocol == SCTP
        if protocol in self.spares or restarts or not tracks(protocol, form, spoiled=traffic.spoiled):
            return DELIVERED
        return Truth(Verdict.FIRST_ONLY, recovers_after=float(self.timeout), box=self.name)
