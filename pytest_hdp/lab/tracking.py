"""What Linux's connection tracking makes of a packet, by number, form and version of IP: the truth of boxes with state.

The tracker knows some protocols by their headers. What fails its checks is `invalid`: it has no state, and NAT lets it
through as it is (net/netfilter/nf_conntrack_proto_*.c, nf_nat_core.c). HDP right after the IP header fails them under
each of `checked_numbers`; inside its carrier it does not, with two exceptions: the other version's ICMP is never valid,
and UDP-Lite's checksum is verified with the number of UDP in the pseudo header (udplite_error in
nf_conntrack_proto_udp.c, until it left with Linux 7.1), so that a right one is wrong.

Over IPv6 it walks extension headers first (ipv6_skip_exthdr): with port 420 bare HDP under 43, 51 and 60 reads as one
that is longer than the packet, and what follows 59 is nothing, so these are invalid as well. A fragment, which bare HDP
under 44 is, waits for the others, that never come: it is gone without a trace, whoever is asked. And a well-formed
fragment, whole in one, goes on without its header, under the number that was inside: `joins`.
"""

from __future__ import annotations

from pytest_hdp.judge.verdict import Form
from pytest_hdp.lab.boxes import AH, DST_OPTIONS, FRAGMENT, HOP_BY_HOP, ICMP, ICMPV6, NO_NEXT, ROUTING, UDPLITE, Traffic
from pytest_hdp.lab.trackers import checked_numbers
from pytest_hdp.packet.carrier import INNER_PROTOCOL

_NEVER_VALID = {4: frozenset({ICMPV6, UDPLITE}), 6: frozenset({ICMP, UDPLITE})}
_AROUND = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT, AH, DST_OPTIONS, INNER_PROTOCOL})
_WALKED = {Form.BARE: frozenset({ROUTING, AH, NO_NEXT, DST_OPTIONS}), Form.WELLFORMED: frozenset({NO_NEXT})}


def tracks(protocol: int, form: Form, traffic: Traffic) -> bool:
    """Whether this kernel's tracker keeps state for such a packet."""
    protocol = traffic.upper(protocol)
    if traffic.ip_version == 6 and protocol in _WALKED[form]:
        return False
    invalid = form is Form.BARE or traffic.spoiled or protocol in _NEVER_VALID[traffic.ip_version]
    return not (invalid and protocol in checked_numbers())


def gathers(protocol: int, form: Form, traffic: Traffic) -> bool:
    """Whether the tracker keeps such a packet to itself, as a part of one that never becomes whole."""
    return traffic.ip_version == 6 and protocol == FRAGMENT and form is Form.BARE


def joins(protocol: int, form: Form, traffic: Traffic) -> bool:
    """Whether what the tracker hands on is a fragment's inside, without the header of the fragment."""
    within = protocol == FRAGMENT if traffic.chain is None else FRAGMENT in traffic.chain.numbers
    return traffic.ip_version == 6 and within and form is Form.WELLFORMED


def shares_a_flow(protocol: int, form: Form, traffic: Traffic) -> bool:
    """Whether other numbers are the same flow to the tracker: the extension headers around one number inside."""
    return traffic.ip_version == 6 and form is Form.WELLFORMED and protocol in _AROUND
