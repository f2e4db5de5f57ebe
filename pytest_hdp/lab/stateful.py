"""Middleboxes that keep state: NAT and connection tracking, by the kernel's own. `tracking` says what has a state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import (
    COMMON,
    DCCP,
    FRAGMENT,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    USUAL,
    Box,
    Traffic,
    Where,
    filter_chain,
    listed,
    number_set,
)
from pytest_hdp.lab.trackers import checked_numbers
from pytest_hdp.lab.tracking import gathers, joins, shares_a_flow, tracks
from pytest_hdp.lab.truth import DELIVERED, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_hdp.lab.versions import Version

_WITH_PORTS = frozenset({ICMP, TCP, UDP, DCCP, ICMPV6, SCTP})


@dataclass(frozen=True, slots=True)
class Home(Box):
    """A router with state and without translation: what leaves opens the way for what answers it, and for nothing else.

    `passes`: None for every number; else the rest is dropped, and with it what is `invalid` to the tracker.
    """

    name: ClassVar[str] = "home-v6"
    passes: frozenset[int] | None = None
    features: ClassVar[str] = "a kernel with connection tracking and nftables filters"
    reassembles: ClassVar[bool] = True
    answers_ttl: ClassVar[bool] = True
    states_chains: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "lets in what answers, and translates nothing: what home routers do over IPv6"

    @property
    def sysctls(self) -> Mapping[str, object]:
        """What left is remembered for longer than a sweep takes on a busy machine: the kernel's 10 s may be too few."""
        return _remembered_for(600)

    def remembers(self, ip_version: int) -> bool:
        """It does, over both versions."""
        return True

    def translation(self, version: Version) -> str:
        """Return the chains that translate."""
        return ""

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        allowed = ""
        if self.passes is not None:
            passed = number_set(version.of(self.passes))
            allowed = f"    {version.selector} != {passed} drop\n    ct state invalid drop\n"
        answers = "ct state established,related accept"
        chains = self.translation(version) if self.hides(version.number) else ""
        return f"""table {version.family} lab {{
{chains}  chain input {{
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
        """Translated or leaked going out, where it translates; coming in, lost unless it answers."""
        tracked = tracks(protocol, form, traffic)
        passed = self.passes is None or (protocol in traffic.version.of(self.passes) and tracked)
        through = passed_on(self.name, protocol, form, traffic)
        if not passed or through.ends:
            return through if through.ends else Truth(Verdict.LOST, box=self.name)
        if direction is Direction.REVERSE:
            answers = traffic.solicited and tracked and self._answers(protocol, form, traffic)
            return through if answers else Truth(Verdict.LOST, box=self.name)
        if not self.hides(traffic.ip_version):
            return through
        if not tracked:
            return Truth(nat="leaked", second_host=Verdict.DELIVERED, box=self.name)
        return replace(through, nat="translated", second_host=self._second(protocol, form, traffic), box=self.name)

    def _answers(self, protocol: int, form: Form, traffic: Traffic) -> bool:
        """Whether what the target sends under this number, in this form, is an answer to the tracker.

        That is more than the same packet the other way round: an echo request answers nothing, nor does a SYN after the
        target's reset (before it, one opens the connection from both ends at once: RFC 9293 section 3.5,
        tcp_conntracks in nf_conntrack_proto_tcp.c).
        """
        if form is Form.BARE:
            return True
        protocol = traffic.upper(protocol)
        return protocol != traffic.version.icmp and (protocol != TCP or not traffic.reset)

    def _second(self, protocol: int, form: Form, traffic: Traffic) -> Verdict:
        """What becomes of the same from a second host inside: there must be ports by which to tell them apart."""
        has_ports = form is Form.WELLFORMED and protocol in _WITH_PORTS & checked_numbers()
        return Verdict.DELIVERED if has_ports else Verdict.LOST


@dataclass(frozen=True, slots=True)
class Nat(Home):
    """A router that masquerades what leaves outside over IPv4 and lets in only what belongs to it.

    Over IPv6 it lets in what answers, and translates nothing.
    """

    name: ClassVar[str] = "home-nat"
    features: ClassVar[str] = "a kernel with connection tracking and nftables masquerade"
    translates: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        if self.passes is None:
            return "NATs what conntrack accepts, forwards the rest un-NATed, drops unsolicited inbound"
        return f"translates {listed(self.passes)}, drops all other numbers and what its tracker calls invalid"

    def translation(self, version: Version) -> str:
        """Its own address stands for what is inside."""
        return """  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "outside" masquerade
  }
"""


@dataclass(frozen=True, slots=True)
class CloudNat(Nat):
    """What a cloud's NAT gateway states: TCP, UDP and ICMP."""

    passes: frozenset[int] | None = COMMON
    name: ClassVar[str] = "aws-nat-gateway"
    states_chains: ClassVar[bool] = False


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
    reassembles: ClassVar[bool] = True
    features: ClassVar[str] = "a kernel with connection tracking and nftables filters"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"lets {listed(self.admits)} through, and else from the client only what answers the target"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain(
            "forward",
            "ct state established,related accept",
            f"{version.selector} {number_set(version.of(self.admits))} accept",
            'iifname "inside" drop',
            version=version,
        )

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Forward nothing answers, as long as nothing of the number has come from the target."""
        through = passed_on(self.name, protocol, form, traffic)
        passed = direction is Direction.REVERSE or protocol in traffic.version.of(self.admits)
        return through if passed or through.ends else Truth(Verdict.LOST, box=self.name)


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

    def ruleset(self, version: Version) -> str:
        """Ruleset of the target's namespace."""
        return filter_chain(
            "input",
            'iifname "lo" accept',
            "ct state established,related accept",
            "ct state invalid drop",
            f"icmp{'v6' if version.number == 6 else ''} type echo-request accept",
            "tcp dport 22 accept",
            "drop",
            version=version,
        )

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Held, going in, as long as nothing of the number has gone out; going out nothing is filtered."""
        if direction is Direction.REVERSE:
            joined = Truth(Verdict.RENUMBERED, box=self.name) if joins(protocol, form, traffic) else DELIVERED
            return Truth(Verdict.HELD_BY_SENDER, box=self.name) if gathers(protocol, form, traffic) else joined
        if protocol == traffic.version.icmp and form is Form.WELLFORMED:
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
    reassembles: ClassVar[bool] = True
    features: ClassVar[str] = "a kernel with connection tracking with accounting"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"one packet per flow, again after {self.timeout} s of silence; {listed(self.spares)} freely"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        spared = f"{version.selector} != {number_set(version.of(self.spares))}"
        return filter_chain(
            "forward",
            f"{spared} ct direction original ct original packets > 1 drop",
            f"{spared} ct direction reply ct reply packets > 1 drop",
            version=version,
        )

    @property
    def sysctls(self) -> Mapping[str, object]:
        """Idle timeouts, by the tracker's own names; what this kernel lacks is left out."""
        return _remembered_for(self.timeout)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """First_only where there is a flow."""
        through = passed_on(self.name, protocol, form, traffic)
        if through.ends:
            return through
        restarts = form is Form.WELLFORMED and protocol == SCTP
        if protocol in traffic.version.of(self.spares) or restarts or not tracks(protocol, form, traffic):
            return through
        also = {Verdict.LOST, through.verdict} if shares_a_flow(protocol, form, traffic) else set()
        told = Truth(Verdict.FIRST_ONLY, also=frozenset(also), recovers_after=float(self.timeout), box=self.name)
        return replace(told, changed=through.changed)


def passed_on(box: str, protocol: int, form: Form, traffic: Traffic) -> Truth:
    """What becomes of a packet that this box lets through, for its tracker alone."""
    if gathers(protocol, form, traffic):
        return Truth(Verdict.LOST, box=box, gathered=True)
    field = "protocol" if protocol == FRAGMENT else "payload"  # what shows that a fragment header was taken out
    return Truth(Verdict.MODIFIED, changed=(field,), box=box) if joins(protocol, form, traffic) else DELIVERED


def _remembered_for(seconds: int) -> Mapping[str, object]:
    """Return how long flows are kept that idle, and those of an SCTP INIT, which no further INIT prolongs."""
    names = ["generic_timeout", "udp_timeout", "udp_timeout_stream", "gre_timeout", "gre_timeout_stream"]
    sctp = ("closed", "cookie_wait", "cookie_echoed", "established", "heartbeat_sent")
    names += [f"sctp_timeout_{each}" for each in sctp]
    names += [f"dccp_timeout_{each}" for each in ("request", "respond", "open")]
    return {f"netfilter/nf_conntrack_{each}": seconds for each in names}
