"""Hops, state and time: who answers at which TTL, what recovers after silence, what a policer lets through."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.catalogue import make, names

if TYPE_CHECKING:
    from conftest import Direct

OpenLab = "Callable[..., Direct]"
BARE = Form.BARE
DIES = [
    (name, direction)
    for name in names()
    if not name.startswith(("home-nat-loss", "forger", "tcp-only", "two-paths"))  # no echo comes through the last two
    if name != "multipath"  # 253 leaves by an interface at which these tests do not look
    for direction in Direction
    if make(name).expected(253, direction, BARE).verdict in (Verdict.LOST, Verdict.REJECTED)
]


def answers(direct: Direct, number: int, ttl: int, direction: Direction = Direction.FORWARD) -> list[str]:
    """Who says that the TTL was exceeded."""
    seen = direct.exchange([number], direction, BARE, count=1, ttl=ttl)
    return [source for source, kind, _ in seen[number].icmp if kind == 11]


@pytest.mark.night
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("name", ["transparent", "raise-ttl", "delay", "duplicate"])
def test_each_router_answers_at_its_ttl(name: str, direction: Direction, open_lab: OpenLab):
    direct = open_lab(name)
    hops = direct.lab.layout.hops(direction)
    first = hops[0]
    assert answers(direct, 253, first.ttl, direction)[:1] == [first.address]
    if name == "transparent":
        assert answers(direct, 253, 2, direction) == [hops[1].address]
        assert not answers(direct, 253, 3, direction)


def test_routers_inside_and_outside_a_carriers_nat_answer(open_lab: OpenLab):
    direct = open_lab("carrier-grade")
    for hop in direct.lab.hops:
        assert answers(direct, 253, hop.ttl) == [hop.address]


def test_a_leaked_packet_gets_no_answer_from_outside(open_lab: OpenLab):
    direct = open_lab("carrier-grade")
    assert [answers(direct, 132, ttl) for ttl in (1, 2, 3)] == [["192.0.2.1"], [], []]


@pytest.mark.parametrize(("name", "direction"), DIES, ids=[f"{name}-{direction}" for name, direction in DIES])
def test_a_train_dies_behind_the_hop_that_its_truth_names(name: str, direction: Direction, open_lab: OpenLab):
    direct = open_lab(name)
    truth = direct.lab.expected(253, direction, BARE)
    hops = direct.lab.layout.hops(direction)
    reached = truth.last_hop.ttl if truth.last_hop else 0
    for hop in hops[:reached]:
        assert answers(direct, 253, hop.ttl, direction) == [hop.address]
    if truth.icmp != (11, 0):  # there the next hop answers: that is how the train dies
        for hop in hops[reached:]:
            assert answers(direct, 253, hop.ttl, direction) == []


@pytest.mark.night
def test_a_flow_that_was_shut_opens_again_after_silence_and_only_then(open_lab: OpenLab):
    direct = open_lab("first-only")
    truth = direct.lab.expected(253, Direction.FORWARD, BARE)
    assert truth.recovers_after is not None
    assert len(direct.exchange([253], count=3)[253].arrived) == 1
    until = time.monotonic() + 1.5 * truth.recovers_after
    while time.monotonic() < until:  # probing on keeps it shut
        assert not direct.exchange([253], count=1)[253].arrived
        time.sleep(0.1)
    assert len(direct.exchange([254], count=3)[254].arrived) == 1  # another number starts afresh
    time.sleep(truth.recovers_after + 0.5)  # the silence itself is what is tested
    assert len(direct.exchange([253], count=3)[253].arrived) == 1


def test_a_policer_counts_each_number_by_itself(open_lab: OpenLab):
    direct = open_lab("rate-limited")
    seen = direct.exchange([252, 253, 17], form=Form.WELLFORMED, count=40)
    for number in (252, 253):
        assert 5 <= len(seen[number].arrived) <= 12
    assert len(seen[17].arrived) == 40


def test_reject_answers_every_packet_of_a_burst(open_lab: OpenLab):
    direct = open_lab("reject")
    seen = direct.exchange([253], count=100)
    assert seen[253].icmp == [(direct.lab.hops[1].address, 3, 13)] * 100


def test_a_stock_router_limits_its_errors(open_lab: OpenLab):
    direct = open_lab("transparent")
    seen = direct.exchange([253], count=40, ttl=1)
    assert 1 <= len(seen[253].icmp) <= 20


def test_no_lab_reaches_the_outside(open_lab: OpenLab):
    """There is no route: the kernel refuses before a packet exists. The address is documentation's."""
    lab = open_lab("transparent").lab
    for node in lab.layout.nodes[1:-1]:
        with (
            lab.socket_factory(node)(socket.AF_INET, socket.SOCK_DGRAM, 0) as opened,
            pytest.raises(OSError, match="unreachable"),
        ):
            opened.sendto(b"x", ("233.252.0.1", 9))
    for node in lab.layout.nodes:
        with lab.socket_factory(node)(socket.AF_INET, socket.SOCK_DGRAM, 0) as opened:
            assert {name for _, name in _interfaces(opened)} <= {"lo", "eth0", "inside", "outside"}


def _interfaces(opened: socket.socket) -> list[tuple[int, str]]:
    """Interfaces of the namespace that this socket is of, by SIOCGIFNAME, which gives an index its name."""
    import fcntl
    import struct

    found = []
    for index in range(1, 30):
        try:
            answer = fcntl.ioctl(opened.fileno(), 0x8910, struct.pack("16si20x", b"", index))
        except OSError:
            continue
        found.append((index, answer[:16].rstrip(b"\0").decode()))
    return found
