"""What targets, routers and hosts do over IPv6: facts that verdicts rest on, measured again (docs/ipv6-facts.md)."""

import socket
import struct
import time
from collections import Counter
from contextlib import ExitStack
from ipaddress import IPv6Address

import pytest
from wired import FEW, MARK, behind, hdp

from pytest_hdp.packet.carrier import wrap
from pytest_hdp.packet.checksums import checksum, pseudo_header

SILENT_BARE = {0, 6, 17, 43, 44, 58, 59, 60, 103, 136}
MOST_QUOTED = 1280 - 40 - 8


def test_a_stock_target_answers_246_bare_numbers(plain):
    answers = plain.ask(*((number, hdp(number)) for number in range(256)))
    assert set(range(256)) - {each.number for each in answers} == SILENT_BARE
    assert {(each.source, each.kind, each.parameter) for each in answers} == {(plain.far, (4, 1), 6)}
    assert all(each.quote[40:] == hdp(each.number) for each in answers), "all of the packet is quoted"


def test_bare_0_dies_at_the_first_router_in_silence(plain):
    plain.ask((0, hdp(0)), (253, hdp(253)))
    _, first, second, _ = plain.nodes
    assert [each[6] for each in plain.ours(first)] == [0, 253]
    assert [each[6] for each in plain.ours(second)] == [253]


@pytest.mark.parametrize("header", [0, 43, 44, 60])
def test_behind_a_header_the_pointer_leads_to_the_number_inside(plain, header):
    (answer,) = plain.ask((header, behind(header, 253)))
    assert (answer.source, answer.kind, answer.parameter) == (plain.far, (4, 1), 40)


def test_what_wellformed_packets_bring(plain):
    """RST, port unreachable for UDP and UDP-Lite, an echo reply, an unknown number; of 59 and 103 nothing."""
    numbers = (6, 17, 58, 59, 103, 135, 136)
    answers = plain.ask(
        *(
            (number, wrap(number, hdp(number), source=plain.near, destination=plain.far) or hdp(number))
            for number in numbers
        )
    )
    assert {each.quote[6]: (each.kind, each.parameter) for each in answers} == {
        17: ((1, 4), 0), 136: ((1, 4), 0), 135: ((4, 1), 6),
    }  # fmt: skip
    assert {each.source for each in answers} == {plain.far}
    came = plain.came["client"]
    assert [each[53] & 4 for each in came if each[6] == 6] == [4], "TCP RST"
    assert len([each for each in came if each[6] == 58 and each[40] == 129 and MARK in each]) == 1
    assert not any(each[6] in (59, 103) for each in came)


@pytest.mark.parametrize(
    ("number", "payload", "by", "kind", "pointer"),
    [
        (60, bytes([253, 0, 0x9E, 4, 0, 0, 0, 0]) + hdp(253), "far", (4, 2), 42),
        (0, bytes([253, 0, 0x9E, 4, 0, 0, 0, 0]) + hdp(253), "first", (4, 2), 42),
        (43, bytes([253, 0, 253, 1, 0, 0, 0, 0]) + hdp(253), "far", (4, 0), 42),
        (44, bytes([253, 0, 0, 1, 0, 0, 0, 9]) + hdp(253, 57), "far", (4, 0), 4),
        (60, behind(60, 0, behind(0, 253)), "far", (4, 1), 40),
        (43, hdp(43, 1320 + 8), "far", (4, 0), 42),
    ],
    ids=["60-option", "0-option", "43-left", "44-length", "0-behind-60", "43-of-HDP"],
)
def test_a_bad_header_is_told_with_its_place(plain, number, payload, by, kind, pointer):
    answers = plain.ask((number, payload))
    place = plain.far if by == "far" else plain.routers[0]
    assert [(each.source, each.kind, each.parameter) for each in answers] == [(place, kind, pointer)]


def test_each_router_tells_of_a_hop_limit_exceeded_but_for_0_and_58(plain):
    every = [(number, hdp(number)) for number in range(256)]
    for hops, router in enumerate(plain.routers, 1):
        plain.came["client"].clear()
        answers = plain.ask(*every, hops=hops)
        assert {(each.source, each.kind) for each in answers} == {(router, (3, 0))}
        assert set(range(256)) - {each.number for each in answers} == {0, 58}


def test_a_quote_is_all_of_the_packet_that_1280_bytes_hold(plain):
    short, long = plain.ask((253, hdp(253, 1191)), (253, hdp(253, 1232)))
    assert len(short.quote) == MOST_QUOTED - 1
    assert len(long.quote) == MOST_QUOTED


LIMITED = {"ipv6__icmp__ratemask": "0-1,3-127", "ipv6__icmp__ratelimit": 10_000}


def test_errors_are_limited_for_each_peer_and_six_come_at_once(wired):
    """How soon there are more differs between kernels: each run measures that, and none assumes it."""
    wired.sysctls("target", **LIMITED)
    other = str(IPv6Address(int(IPv6Address(wired.near)) + 0x100))
    wired.run("client", "ip", "addr", "add", f"{other}/128", "dev", "eth0", "nodad")
    wired.run(wired.nodes[1], "ip", "-6", "route", "add", other, "via", wired.near)
    assert len(wired.ask(*((number, hdp(number)) for number in range(200, 220)))) == 6
    assert len(wired.ask((17, wrap(17, hdp(17), source=wired.near, destination=wired.far)))) == 6, "of all kinds"
    for number in range(220, 240):
        wired.send(number, hdp(number), source=other)
    wired.settle()
    assert len(wired.answers()) == 12


def test_each_router_has_a_limit_of_its_own(wired):
    """So where one hop has no error left, the next one still tells."""
    for node in wired.nodes[1:3]:
        wired.sysctls(node, **LIMITED)
    for hops in (1, 2):
        answers = wired.ask(*((number, hdp(number)) for number in range(200, 212)), hops=hops)
    assert Counter(answer.source for answer in answers) == dict.fromkeys(wired.routers, 6)


def test_what_brings_no_answer_costs_none(wired):
    wired.sysctls("target", **LIMITED)
    assert len(wired.ask(*((59, hdp(59)) for _ in range(20)), *((200, hdp(200)) for _ in range(6)))) == 6


def test_too_big_brings_the_mtu_and_no_router_makes_fragments(wired):
    second = wired.nodes[2]
    route = wired.run(second, "ip", "-6", "route", "get", wired.far).split()
    wired.run(second, "ip", "link", "set", route[route.index("dev") + 1], "mtu", "1280")
    (answer,) = wired.ask((253, hdp(253, 1300)))
    assert (answer.source, answer.kind, answer.parameter) == (wired.routers[1], (2, 0), 1280)
    assert not wired.ours("target")


def test_below_1280_bytes_an_interface_loses_its_addresses(wired):
    assert wired.far in wired.run("target", "ip", "-6", "addr")
    wired.run("target", "ip", "link", "set", "eth0", "mtu", "1200")
    assert wired.far not in wired.run("target", "ip", "-6", "addr")


@pytest.mark.parametrize(("kind", "answer"), [("prohibit", (1, 1)), ("unreachable", (1, 0)), ("blackhole", None)])
def test_a_route_rejects_whatever_the_number_but_0(wired, kind, answer):
    wired.ask()
    first = wired.nodes[1]
    far = str(IPv6Address(int(IPv6Address(wired.far)) + 0x100))
    wired.run(first, "ip", "-6", "route", "add", kind, f"{far}/128")
    before, wired.far = wired.far, far
    for number in range(256):
        wired.far = far
        wired.send(number, hdp(number))
        wired.far = before
        if number % FEW == 0:
            wired.settle()
    wired.settle()
    answers = wired.answers()
    assert {each.number for each in answers} == (set(range(1, 256)) - {58} if answer else set())
    assert {each.kind for each in answers} == ({answer} if answer else set())


def test_a_missing_last_neighbour_is_told_by_the_last_router(plain):
    """1/3 is no word of any number: the target is not there."""
    gone = str(IPv6Address(int(IPv6Address(plain.far)) + 0x100))
    before, plain.far = plain.far, gone
    plain.send(253, hdp(253))
    plain.far = before
    deadline = time.monotonic() + 15
    while not plain.answers() and time.monotonic() < deadline:
        plain.settle()
        time.sleep(0.1)
    assert [(each.source, each.kind) for each in plain.answers()] == [(plain.routers[-1], (1, 3))]


def test_a_wellformed_header_is_heard_under_its_number_and_under_the_one_inside(plain):
    """0 only inside; a fragment header leaves no trace, and nor do the others in what is handed over."""
    with ExitStack() as opened:
        sockets = {number: opened.enter_context(plain.raw("target", number)) for number in (43, 44, 60, 253)}
        for header in (0, 43, 44, 60):
            plain.ask((header, behind(header, 253)))
            heard = {number: plain.delivered(each) for number, each in sockets.items()}
            assert heard.pop(253) == [hdp(253)], header
            assert {number: each for number, each in heard.items() if each} == (
                {header: [behind(header, 253)]} if header else {}
            )


def test_options_that_are_padding_are_dropped_and_one_that_nobody_knows_is_skipped(plain):
    """More than seven bytes of padding in a row are an attack to Linux; type 0x1e says "skip me"."""
    padding, experimental = 0x01, 0x1E
    with plain.raw("target", 253) as opened:
        for header in (0, 60):
            for kind, sizes in ((padding, (16, 64)), (experimental, (16, 24, 64, 256))):
                for size in sizes:
                    options = bytes([253, size // 8 - 1, kind, size - 4]) + bytes(size - 4)
                    plain.ask((header, options + hdp(253)))
                    heard = plain.delivered(opened)
                    assert heard == ([hdp(253)] if kind == experimental else []), (header, kind, size)


def test_wellformed_options_for_hops_bring_a_hop_limit_exceeded(plain):
    for hops, router in enumerate(plain.routers, 1):
        plain.came["client"].clear()
        (answer,) = plain.ask((0, behind(0, 253)), hops=hops)
        assert (answer.source, answer.kind, answer.quote[40:]) == (router, (3, 0), behind(0, 253))


def test_a_datagram_without_a_checksum_is_dropped(plain):
    with plain.lab.socket_factory("target")(socket.AF_INET6, socket.SOCK_DGRAM, 0) as opened:
        opened.bind((plain.far, 0))
        datagram = struct.pack("!HHHH", 420, opened.getsockname()[1], 8 + 56, 0) + hdp(17)
        ends = (IPv6Address(plain.near).packed, IPv6Address(plain.far).packed)
        summed = checksum(pseudo_header(*ends, 17, len(datagram)) + datagram)
        plain.ask((17, datagram))
        assert plain.delivered(opened) == []
        plain.ask((17, datagram[:6] + struct.pack("!H", summed) + datagram[8:]))
        assert plain.delivered(opened) == [hdp(17)]


def test_a_link_local_target_without_its_zone_is_sent_to_all_the_same(plain):
    """So whoever leaves the zone out is told: the kernel would take an interface of its choice."""
    link = plain.run(plain.nodes[1], "ip", "-6", "addr", "show", "scope", "link")
    router = next(word for word in link.split() if word.startswith("fe80")).partition("/")[0]
    with plain.raw("client", 253) as opened:
        opened.sendto(hdp(253), (router, 0))
    plain.settle()
    assert [each[6] for each in plain.ours(plain.nodes[1])] == [253]
