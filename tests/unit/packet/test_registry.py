from __future__ import annotations

import re
import socket

import pytest

from pytest_hdp.packet import registry
from pytest_hdp.packet.registry import NUMBERS, Status, lookup, slug


def test_all_256_numbers_are_there_in_order() -> None:
    assert [entry.number for entry in NUMBERS] == list(range(256))
    assert all(entry.keyword and entry.name for entry in NUMBERS)


def test_the_ranges_of_each_status() -> None:
    by_status = {status: [e.number for e in NUMBERS if e.status is status] for status in Status}
    assert by_status[Status.ASSIGNED] == list(range(148))
    assert by_status[Status.UNASSIGNED] == list(range(148, 253))
    assert by_status[Status.EXPERIMENTAL] == [253, 254]
    assert by_status[Status.RESERVED] == [255]
    assert by_status[Status.OUT_OF_RANGE] == []


def test_no_two_assigned_numbers_share_a_keyword_or_slug() -> None:
    assigned = [entry for entry in NUMBERS if entry.status is not Status.UNASSIGNED]
    assert len({entry.keyword for entry in assigned}) == len({slug(entry.number) for entry in assigned}) == 151


# The C library's names, where they are IANA's too: a source of numbers that this table was not made from.
SAME = {"ICMP", "IGMP", "GGP", "TCP", "EGP", "PUP", "UDP", "RSVP", "GRE", "ESP", "AH", "PIM", "SCTP", "UDPLITE", "IPV6"}
LIBC = {name: name.lower() for name in sorted(SAME)} | {"IDP": "xns-idp", "ICMPV6": "ipv6-icmp"}


@pytest.mark.parametrize("name", [name for name in LIBC if hasattr(socket, f"IPPROTO_{name}")])
def test_numbers_agree_with_the_c_library(name: str) -> None:
    assert slug(getattr(socket, f"IPPROTO_{name}")) == LIBC[name]


@pytest.mark.parametrize(
    ("number", "keyword"),
    [
        (0, "HOPOPT"),
        (4, "IPv4"),
        (9, "IGP"),
        (33, "DCCP"),
        (41, "IPv6"),
        (55, "Min-IPv4"),
        (88, "EIGRP"),
        (89, "OSPFIGP"),
        (94, "IPIP"),
        (97, "ETHERIP"),
        (108, "IPComp"),
        (112, "VRRP"),
        (115, "L2TP"),
        (124, "ISIS over IPv4"),
        (137, "MPLS-in-IP"),
        (142, "ROHC"),
        (143, "Ethernet"),
        (144, "AGGFRAG"),
        (145, "NSH"),
        (146, "Homa"),
        (147, "BIT-EMU"),
        (148, "unassigned"),
        (252, "unassigned"),
    ],
)
def test_some_keywords(number: int, keyword: str) -> None:
    assert lookup(number).keyword == keyword


@pytest.mark.parametrize("number", [-1, 256, 263, -(10**9), 10**9])
def test_out_of_range(number: int) -> None:
    entry = lookup(number)
    assert (entry.number, entry.keyword, entry.status) == (number, "out-of-range", "out-of-range")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (6, "p006-tcp"),
        (0, "p000-hopopt"),
        (39, "p039-tp"),
        (61, "p061-any-host-internal"),
        (93, "p093-ax-25"),
        (107, "p107-a-n"),
        (200, "p200-unassigned"),
        (253, "p253-experimental-1"),
        (254, "p254-experimental-2"),
        (255, "p255-reserved"),
        (256, "p256-out-of-range"),
        (-1, "p-01-out-of-range"),
    ],
)
def test_ids(number: int, expected: str) -> None:
    assert registry.test_id(number) == expected


def test_ids_are_distinct_and_of_plain_characters() -> None:
    ids = [registry.test_id(number) for number in range(-1024, 1024)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"p-?[0-9]{2,4}(-[a-z0-9]+)+", one) for one in ids)
