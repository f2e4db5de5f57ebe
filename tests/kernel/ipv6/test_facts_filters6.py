"""What nft(8) rules, reject and connection tracking take of IPv6: facts that labs and verdicts rest on, measured."""

from contextlib import ExitStack
from ipaddress import IPv6Address

import pytest
from wired import FEW, MARK, behind, hdp

from pytest_hdp.packet.checksums import checksum, pseudo_header
from pytest_hdp.packet.family import packed

NUMBERS = (6, 17, 47, 58, 132, 253)
HEADERS = (0, 43, 44, 51, 60)
ALL = {(header, number) for header in (None, *HEADERS) for number in NUMBERS}
TRACKED = range(1, 256)
INVALID = {1, 6, 17, 43, 51, 58, 59, 60, 132, 136}


def at(headers, numbers=NUMBERS):
    return {(header, number) for header in headers for number in numbers}


def passing(path, wanted):
    """Which of these chains come to the target, with HDP at their ends, which has port 420 twice."""
    path.forget()
    sent = {}
    for place, (header, number) in enumerate(sorted(wanted, key=str), 1):
        outer = number if header is None else header
        payload = hdp(number) if header is None else behind(header, number)
        sent[outer, payload] = (header, number)
        path.send(outer, payload)
        if place % FEW == 0:
            path.settle()
    path.settle()
    return {sent[each[6], each[40:]] for each in path.ours("target") if (each[6], each[40:]) in sent}


@pytest.mark.parametrize(
    ("rule", "dropped"),
    [
        ("ip6 nexthdr 253", at([None], [253])),
        ("meta l4proto 253", at([None, 0, 43, 44, 60], [253])),
        ("meta l4proto { 0, 43, 44, 60 }", set()),
        ("meta l4proto 51", at([51])),
        ("ip6 nexthdr 0", at([0])),
        ("ip6 nexthdr 43", at([43])),
        ("ip6 nexthdr 60", at([60])),
        ("exthdr hbh exists", at([0])),
        ("exthdr dst exists", at([60])),
        ("exthdr frag exists", at([44])),
        ("meta l4proto != { 6, 17, 58 }", ALL - at([None, 0, 43, 44, 60], [6, 17, 58])),
        ("ip6 nexthdr != { 6, 17, 58 }", ALL - at([None], [6, 17, 58])),
    ],
)
def test_what_a_rule_drops(wired, rule, dropped):
    wired.rules(wired.nodes[1], "forward", f"{rule} drop")
    assert ALL - passing(wired, ALL) == dropped


@pytest.mark.parametrize(
    ("rule", "dropped"),
    [
        ("meta l4proto 1", {1, 43, 44, 60}),
        ("meta l4proto != { 6, 17, 58, 1 }", set(TRACKED) - {1, 6, 17, 58, 43, 44, 60}),
    ],
)
def test_of_bare_hdp_the_protocol_is_read_out_of_its_port(wired, rule, dropped):
    """420 is 0x01A4: a header that says next is 1. 51 is where reading stops."""
    wired.rules(wired.nodes[1], "forward", f"{rule} drop")
    bare = at([None], TRACKED)
    assert {number for _, number in bare - passing(wired, bare)} == dropped


def test_of_bare_numbers_reject_answers_those_it_does_not_sum_up(wired):
    wired.rules(wired.nodes[1], "forward", "meta l4proto != 58 reject with icmpv6 type admin-prohibited")
    answers = wired.ask(*((number, hdp(number)) for number in TRACKED))
    assert {each.number for each in answers if each.kind == (1, 1)} == {47, 50, 132, 136}
    assert not wired.ours("target") or {each[6] for each in wired.ours("target")} == {58}


def test_reject_answers_what_is_balanced_over_the_pseudo_header_with_the_packets_own_number(wired):
    wired.rules(wired.nodes[1], "forward", "meta l4proto != 58 reject with icmpv6 type admin-prohibited")
    ends = packed(wired.near), packed(wired.far)

    def balanced(number):
        summed = checksum(pseudo_header(*ends, number, 58) + hdp(number))
        return hdp(number) + summed.to_bytes(2, "big")

    answers = wired.ask(*((number, balanced(number)) for number in TRACKED))
    answered = {each.number for each in answers if each.kind == (1, 1)}
    assert set(TRACKED) - answered == {43, 44, 51, 58, 59, 60}


def test_where_connections_are_tracked_44_vanishes_and_ten_numbers_are_invalid(wired):
    bare = at([None], TRACKED)
    wired.rules(wired.nodes[1], "forward", "ct state new counter")
    assert {number for _, number in bare - passing(wired, bare)} == {44}
    wired.run(wired.nodes[1], "nft", "insert", "rule", "inet", "t", "c", "ct", "state", "invalid", "drop")
    assert {number for _, number in bare - passing(wired, bare)} == INVALID | {44}


def test_at_the_target_tracking_hides_44_from_raw_sockets(wired):
    with wired.raw("target", 44) as fragments, wired.raw("target", 253) as usual:
        wired.ask((44, hdp(44)), (253, hdp(253)))
        assert (wired.delivered(fragments), wired.delivered(usual)) == ([hdp(44)], [hdp(253)])
        wired.rules("target", "input", "ct state new counter")
        wired.ask((44, hdp(44)), (253, hdp(253)))
        assert (wired.delivered(fragments), wired.delivered(usual)) == ([], [hdp(253)])


def test_a_firewall_that_lets_in_what_is_related_lets_in_no_error_about_the_invalid(wired):
    """So at such a sender `silent` is all that can be said of 1, 51 and 132."""
    wired.rules("client", "input", "ct state established,related accept", "icmpv6 type { 129, 133-137 } accept", "drop")
    wired.rules("target", "output", "icmpv6 type parameter-problem accept")
    with wired.raw("client", 58) as hears:
        numbers = [number for number in TRACKED if number not in {6, 17, 43, 44, 58, 59, 60, 103, 136}]
        heard = set()
        for start in range(0, len(numbers), FEW):
            wired.ask(*((number, hdp(number)) for number in numbers[start : start + FEW]))
            heard |= {each[8 + 6] for each in wired.delivered(hears) if each[0] == 4}
    assert set(numbers) - heard == {1, 51, 132}


@pytest.mark.parametrize("where", ["router", "target"])
def test_behind_a_header_the_number_inside_decides_what_is_invalid(wired, where):
    """Of what is bare eleven numbers come to no socket; behind a header these whose transport has a form of its own."""
    node, hook = (wired.nodes[1], "forward") if where == "router" else ("target", "input")
    inside = (*NUMBERS, 59)
    with ExitStack() as opened:
        numbers = sorted(INVALID | {44, 47, 50, 253})
        sockets = {number: opened.enter_context(wired.raw("target", number)) for number in numbers}
        wired.rules(node, hook, "icmpv6 type { 128, 129, 133-137 } accept", "ct state invalid drop")
        wired.ask(*((number, hdp(number)) for number in numbers))
        heard = {number for number, each in sockets.items() if any(MARK in got for got in wired.delivered(each))}
        assert heard == {47, 50, 253}
        wired.ask(*((60, behind(60, number)) for number in inside))
        assert {each[0] for each in wired.delivered(sockets[60])} == {47, 253}


MASQUERADE = "table ip6 n {{ chain c {{ type nat hook postrouting priority 100; oifname {} masquerade; }}\n}}\n"


@pytest.fixture
def masquerade(wired):
    """The first router is a translator. Bindings outlive their rules: each test has a path of its own."""
    node = wired.nodes[1]
    way = wired.run(node, "ip", "-6", "route", "get", wired.far).split()
    wired.run(node, "nft", "-f", "-", text=MASQUERADE.format(way[way.index("dev") + 1]))
    return wired


def test_errors_come_back_through_a_translator_with_the_inner_source(masquerade):
    """From the translator, from beyond it and from the target: known by their tags, placed by hop limits."""
    for hops, source, kind in zip(
        (1, 2, 64), (*masquerade.routers, masquerade.far), ((3, 0), (3, 0), (4, 1)), strict=True
    ):
        masquerade.came["client"].clear()
        (answer,) = masquerade.ask((253, hdp(253)), hops=hops)
        assert (answer.source, answer.kind) == (source, kind)
        assert (str(IPv6Address(answer.quote[8:24])), answer.quote[40:]) == (masquerade.near, hdp(253))
    assert {str(IPv6Address(each[8:24])) for each in masquerade.ours("target")} != {masquerade.near}


def test_of_two_hosts_behind_a_translator_the_second_gets_nothing_through(masquerade):
    """A number without ports has one binding for each far address, and who was first holds it."""
    other = str(IPv6Address(int(IPv6Address(masquerade.near)) + 0x100))
    masquerade.run("client", "ip", "addr", "add", f"{other}/128", "dev", "eth0", "nodad")
    masquerade.run(masquerade.nodes[1], "ip", "-6", "route", "add", other, "via", masquerade.near)
    for source, payload in ((masquerade.near, hdp(253)), (other, hdp(253, 60))):
        masquerade.send(253, payload, source=source)
        masquerade.settle()
    assert [each[40:] for each in masquerade.ours("target")] == [hdp(253)]
