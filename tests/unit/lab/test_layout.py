"""From boxes to addresses, routes and hops, and truth composed along the path. No namespace is made."""

from __future__ import annotations

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.result import Hop
from pytest_hdp.judge.verdict import BOTH_FORMS, Direction, Form, Place, Verdict
from pytest_hdp.lab import stateful, tracking
from pytest_hdp.lab.boxes import Router, Traffic
from pytest_hdp.lab.catalogue import names
from pytest_hdp.lab.extensions import ConntrackOnly
from pytest_hdp.lab.filters import Allowlist, HostFirewall, SenderFirewall, TtlShort
from pytest_hdp.lab.layout import layout
from pytest_hdp.lab.mangling import MangleByte
from pytest_hdp.lab.stateful import CarrierNat, FirstOnly, Nat
from pytest_hdp.lab.truth import Truth
from pytest_hdp.lab.uplinks import Multipath, Uplink
from pytest_hdp.lab.userlab import kinds
from pytest_hdp.lab.wires import Loss, Refuse

FORWARD, REVERSE = Direction.FORWARD, Direction.REVERSE
BARE, WELLFORMED = Form.BARE, Form.WELLFORMED
ALLOWED = [
    ipaddress.ip_network(each) for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "100.64.0.0/10")
]

box_lists = st.lists(st.sampled_from([kinds()[name]() for name in sorted(kinds())]), max_size=8).filter(
    lambda boxes: not boxes or boxes[-1].name != "refuse"
)


def usable(boxes):
    """Boxes with a router at both ends, so that what rejects has one behind it in either direction."""
    return layout([Router(), *boxes, Router()])


@given(box_lists)
def test_every_address_is_of_documentation_or_shared_and_used_once(boxes):
    found = usable(boxes)
    addresses = [port.address for link in found.links for port in (link.left, link.right)]
    assert len(set(addresses)) == len(addresses)
    assert all(any(ipaddress.ip_address(each) in network for network in ALLOWED) for each in addresses)
    assert addresses[-1] == found.target_address


@given(box_lists)
def test_both_ends_of_a_link_are_in_one_network_and_no_two_links_are(boxes):
    networks = []
    for link in usable(boxes).links:
        left, right = (
            ipaddress.ip_interface(f"{port.address}/{port.prefix}").network for port in (link.left, link.right)
        )
        assert left == right
        networks.append(left)
    assert not any(one.overlaps(other) for one, other in pairwise(networks))


@given(box_lists)
def test_each_hop_answers_from_the_side_of_the_sender(boxes):
    found = usable(boxes)
    forward, reverse = found.hops(FORWARD), found.hops(REVERSE)
    assert [hop.ttl for hop in forward] == [hop.ttl for hop in reverse] == list(range(1, len(found.routers) + 1))
    assert forward[0].address == found.links[0].right.address
    assert reverse[0].address == found.links[-1].left.address


@given(box_lists, st.integers(1, 255), st.sampled_from(Direction), st.sampled_from(BOTH_FORMS), st.booleans())
def test_a_truth_is_complete(boxes, number, direction, form, solicited):
    found = usable(boxes)
    truth = found.expected(number, direction, form, Traffic(solicited=solicited))
    hops = found.hops(direction)
    assert truth.place is not Place.UNKNOWN
    assert (truth.nat_source is not None) == (truth.nat != "none" and not truth.ends) or truth.ends
    if truth.verdict is Verdict.REJECTED:
        assert truth.icmp_from in {hop.address for hop in hops}
    if truth.last_hop is not None:
        assert truth.last_hop in hops
    if truth.verdict is not Verdict.DELIVERED:
        assert truth.box in {box.name for box in found.boxes}


def test_nobody_outside_a_nat_has_a_route_inside():
    found = layout([Nat(), CarrierNat(), Router()])
    inside = {"192.0.2.0/25", "192.0.2.128/25", "100.64.1.0/30"}
    assert not inside & {route.network for route in found.routes("router3")}
    assert "192.0.2.0/25" not in {route.network for route in found.routes("router2")}
    assert found.outside_address == found.links[2].left.address == "203.0.113.9"
    assert found.links[1].left.address.startswith("100.64.")


def test_a_router_before_the_nat_reaches_both_clients():
    routes = {route.network: route.via for route in layout([Router(), Nat()]).routes("router2")}
    assert routes["192.0.2.0/25"] == routes["192.0.2.128/25"] == "203.0.113.5"


@pytest.mark.parametrize(("direction", "ttl"), [(FORWARD, 2), (REVERSE, 2)], ids=["forward", "reverse"])
def test_the_router_that_drops_is_the_last_to_answer(direction, ttl):
    truth = layout([Router(), Allowlist(), Router()]).expected(253, direction, BARE)
    assert truth.verdict is Verdict.LOST
    assert truth.last_hop is not None
    assert truth.last_hop.ttl == ttl


def test_unasked_packets_end_before_the_nat_itself():
    found = layout([Router(), Nat(), Router(), Router()])
    truth = found.expected(253, REVERSE, BARE)
    assert truth.last_hop == found.hops(REVERSE)[1]


def test_a_leaked_train_gets_no_answer_from_beyond_the_nat():
    found = layout([Nat(), Router(), Allowlist()])
    leaked = found.expected(132, FORWARD, BARE)
    assert (leaked.verdict, leaked.last_hop) == (Verdict.LOST, Hop(1, "192.0.2.1"))
    assert found.expected(253, FORWARD, BARE).last_hop == Hop(3, found.hops()[2].address)


def test_what_a_tracker_gathers_is_gone_before_its_hop_limit_is_looked_at():
    found = layout([Router(), ConntrackOnly(), Router()]).over(6)
    gathered = [found.expected(44, way, BARE) for way in (FORWARD, REVERSE)]
    assert [(each.verdict, each.last_hop) for each in gathered] == [
        (Verdict.LOST, found.hops(way)[0]) for way in (FORWARD, REVERSE)
    ]


def test_a_leaked_train_never_hears_that_it_was_rejected():
    found = layout([Nat(), Refuse(), Router()])
    assert found.expected(132, FORWARD, BARE).verdict is Verdict.LOST
    assert found.expected(253, FORWARD, BARE).verdict is Verdict.REJECTED


def test_what_rejects_for_a_router_needs_one():
    with pytest.raises(ValueError, match="put one between"):
        layout([Router(), Refuse()]).expected(253, FORWARD, BARE)


def test_a_ttl_of_one_is_enough_for_the_target():
    assert layout([Router(), TtlShort()]).expected(253, FORWARD, BARE).verdict is Verdict.DELIVERED
    rejected = layout([TtlShort(), Router()]).expected(253, FORWARD, BARE)
    assert (rejected.icmp, rejected.icmp_from) == ((11, 0), "203.0.113.6")


@pytest.mark.parametrize(("number", "errno"), [(-1, "EINVAL"), (263, "EINVAL"), (70000, "EINVAL")])
def test_what_socket_refuses_never_meets_a_box(number, errno):
    truth = layout([SenderFirewall(), Allowlist()]).expected(number, FORWARD, BARE)
    assert (truth.verdict, truth.errno) == (Verdict.REFUSED_AT_SOCKET, errno)


def test_a_second_uplink_takes_its_numbers_past_the_path_and_no_answers():
    found = layout([Uplink(), Router(), Router()])
    dead = found.expected(47, FORWARD, BARE)
    assert (dead.verdict, dead.last_hop, dead.box) == (Verdict.LOST, Hop(1, "203.0.113.250"), "policy-routed")
    assert found.expected(50, FORWARD, BARE).verdict is Verdict.DELIVERED
    assert found.expected(47, Direction.REVERSE, BARE).verdict is Verdict.DELIVERED
    assert found.hops() == layout([Router(), Router()]).hops()
    two = layout([Multipath(), Router()])
    assert {n for n in range(256) if two.expected(n, FORWARD, BARE).verdict is Verdict.LOST} == {
        n for n in range(3, 256) if n % 2 and n != 17
    }
    for boxes in ([Uplink(), Nat()], [Uplink(), Loss(0.1), Router()], [Uplink(), Multipath(), Router()]):
        with pytest.raises(ValueError, match="is a second way beside plain routers: leave other boxes out"):
            layout(boxes)


def test_number_0_is_sent_and_nobody_can_listen_to_it():
    wire, host = layout([Loss(0.05), Router()]), layout([Router(), HostFirewall(frozenset({17}))])
    assert host.expected(3, FORWARD, BARE).verdict is Verdict.HELD_BY_RECEIVER
    for found in (wire, host, layout([Router()])):
        truth = found.expected(0, FORWARD, BARE)
        assert (truth.verdict, truth.place) == (Verdict.REACHED, Place.TARGET)
        assert Verdict.DELIVERED not in truth.also
    assert layout([Router(), Allowlist()]).expected(0, FORWARD, BARE).verdict is Verdict.LOST
    assert layout([SenderFirewall(), Router()]).expected(0, FORWARD, BARE).verdict is Verdict.REFUSED_AT_SEND
    assert layout([Nat(), Router()]).expected(0, FORWARD, BARE).second_host is Verdict.LOST


def test_a_number_of_more_than_eight_bits_is_renumbered_unless_its_low_bits_are_refused(monkeypatch):
    monkeypatch.setattr("pytest_hdp.vantage.kernel.knows_mptcp", lambda: True)
    assert layout([Allowlist()]).expected(257, FORWARD, BARE).verdict is Verdict.RENUMBERED
    firewalled = layout([SenderFirewall(), Router()])
    assert firewalled.expected(256, FORWARD, BARE).verdict is Verdict.REFUSED_AT_SEND
    assert firewalled.expected(262, FORWARD, BARE).verdict is Verdict.RENUMBERED  # 262 & 255 is TCP


def test_the_first_box_that_ends_a_train_decides_in_each_direction():
    found = layout([SenderFirewall(), Router(), Allowlist(), HostFirewall()])
    assert found.expected(253, FORWARD, BARE).box == "sender-firewall"
    assert found.expected(253, REVERSE, BARE).box == "allowlist"


def test_the_higher_rung_wins_among_boxes_that_end_nothing():
    found = layout([Router(), MangleByte(), FirstOnly(), Loss(0.2)])
    truth = found.expected(253, FORWARD, BARE)
    assert (truth.verdict, truth.box, truth.changed) == (Verdict.FIRST_ONLY, "first-only", ("payload",))
    assert truth.also == {Verdict.INCONCLUSIVE, Verdict.LOST, Verdict.LOSSY}  # the loss may take the one that passes
    assert truth.recovers_after == 2


ON_THE_PATH = [Verdict.REJECTED, Verdict.LOST, Verdict.FIRST_ONLY, Verdict.LOSSY, Verdict.MODIFIED, Verdict.DELIVERED]


@given(st.lists(st.builds(Truth, st.sampled_from(ON_THE_PATH), box=st.text(max_size=2)), min_size=1, max_size=5))
def test_composition_is_associative_in_what_it_says_of_the_verdict(truths):
    total = truths[0]
    for each in truths[1:]:
        total = total.followed_by(each)
    tail = truths[-1]
    for each in truths[-2::-1]:
        tail = each.followed_by(tail)
    assert (total.verdict, total.box, total.ends) == (tail.verdict, tail.box, tail.ends)


@pytest.mark.parametrize(("known", "dccp", "udplite"), [
    ({1, 6, 17, 33, 58, 132, 136}, "leaked", "leaked"),
    ({1, 6, 17, 58, 132, 136}, "translated", "leaked"),
    ({1, 6, 17, 58, 132}, "translated", "translated"),
], ids=["to 6.16", "to 7.0", "from 7.1"])  # fmt: skip
def test_truth_follows_the_trackers_that_the_kernel_has(known, dccp, udplite, monkeypatch):
    for room in (stateful, tracking):
        monkeypatch.setattr(room, "checked_numbers", lambda: frozenset(known))
    nat = Nat()
    assert [nat.expected(number, FORWARD, BARE).nat for number in (33, 136)] == [dccp, udplite]
    assert [nat.expected(number, FORWARD, WELLFORMED).nat for number in (33, 136)] == ["translated", udplite]
    told = Verdict.DELIVERED if 33 in known else Verdict.LOST
    assert nat.expected(33, FORWARD, WELLFORMED).second_host is told  # with a tracker, ports tell hosts apart


@pytest.mark.parametrize("known", [True, False])
def test_truth_of_numbers_above_255_follows_the_kernel(known, monkeypatch):
    monkeypatch.setattr("pytest_hdp.vantage.kernel.knows_mptcp", lambda: known)
    for number in (256, 262):
        truth = layout([Router()]).expected(number, FORWARD, BARE)
        assert (truth.verdict, truth.errno) == (
            (Verdict.RENUMBERED, None) if known else (Verdict.REFUSED_AT_SOCKET, "EINVAL")
        )


def test_every_catalogue_box_can_be_named_in_a_file():
    assert len(kinds()) >= 20
    assert all(name in names() or name for name in kinds())


def test_too_many_routers_are_refused():
    with pytest.raises(ValueError, match="at most 60"):
        layout([Router()] * 61)


def test_a_syn_in_reverse_may_overtake_the_targets_reset_at_every_translator():
    answer = Traffic(solicited=True)
    behind = layout([Nat(), Router()])
    truth = behind.expected(6, REVERSE, WELLFORMED, answer)
    assert truth.verdict is Verdict.LOST
    assert {Verdict.DELIVERED, Verdict.LOSSY, Verdict.INCONCLUSIVE} <= truth.also
    assert not behind.expected(6, FORWARD, WELLFORMED).also
    assert not behind.expected(6, REVERSE, BARE, answer).also
    assert not layout([Router()]).expected(6, REVERSE, WELLFORMED, answer).also
