"""Boxes on the wire, by what plain sockets see: shares of loss, times of delay, and what packets look like."""

from __future__ import annotations

import socket
import statistics
import struct
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.wires import BurstLoss, Delay, Loss

if TYPE_CHECKING:
    from conftest import Direct

OpenLab = "Callable[..., Direct]"
MARK = b"lab-test"


def sequences(packets: list[bytes]) -> list[int]:
    return [struct.unpack_from("!I", packet, packet.index(MARK) + len(MARK) + 2)[0] for packet in packets]


def wire(box: object) -> LabSpec:
    return LabSpec("one wire", "", (Router(), box, Router()))  # type: ignore[arg-type]


@pytest.mark.night(but=["0.05", "0.2"])
@pytest.mark.parametrize("probability", [0.05, 0.2, 0.5])
def test_independent_loss_takes_its_share_of_probes_and_control_alike(probability: float, open_lab: OpenLab):
    direct = open_lab(wire(Loss(probability)))
    for direction in Direction:
        seen = direct.exchange([17, 253], direction, Form.WELLFORMED, count=1000)
        for number in (17, 253):
            share = 1 - len(seen[number].arrived) / len(seen[number].left)
            assert abs(share - probability) < 5 * (probability * (1 - probability) / 1000) ** 0.5


def test_the_seed_decides_what_is_lost(open_lab: OpenLab):
    lost = []
    for seed in (1, 1, 2):
        direct = open_lab(wire(Loss(0.5)), seed=seed)
        seen = direct.exchange([253], count=70)  # the first packets on this wire: no echo before or among them
        lost.append(sequences(seen[253].arrived))
    assert lost[0] == lost[1] != lost[2]


@pytest.mark.night
def test_bursts_hit_neighbours(open_lab: OpenLab):
    direct = open_lab(wire(BurstLoss(0.2, mean=20)))
    seen = direct.exchange([253], count=4000)
    arrived = sequences(seen[253].arrived)
    bursts = [later - earlier - 1 for earlier, later in pairwise(arrived) if later - earlier > 1]
    assert 0.1 < 1 - len(arrived) / 4000 < 0.3
    assert 10 < statistics.mean(bursts) < 40


def test_a_delay_is_for_its_number_alone_and_as_long_as_stated(open_lab: OpenLab):
    for us in (200, 2000):
        direct = open_lab(wire(Delay(us=us, protocols=frozenset({253}))))
        extra = min(_latency(direct, 253)) - min(_latency(direct, 254))  # a busy machine adds to most, not to all
        assert us * 0.9 < extra / 1000 < us * 1.1 + 400


def _latency(direct: Direct, number: int, count: int = 60) -> list[int]:
    """From before sendto() to after recv(), in nanoseconds."""
    lab = direct.lab
    sender = lab.socket_factory(lab.client)(socket.AF_INET, socket.SOCK_RAW, number)
    receiver = lab.socket_factory(lab.target)(socket.AF_INET, socket.SOCK_RAW, number)
    receiver.settimeout(5)
    taken = []
    with sender, receiver:
        for _ in range(count):
            began = time.monotonic_ns()
            sender.sendto(b"x" * 40, (lab.target_address, 0))
            receiver.recv(100)
            taken.append(time.monotonic_ns() - began)
    return taken


def test_jitter_keeps_order(open_lab: OpenLab):
    direct = open_lab(wire(Delay(us=1000, jitter_us=5000)))
    seen = direct.exchange([253], count=150, awaited=lambda _: 150)
    assert sequences(seen[253].arrived) == list(range(150))


def test_reordering_overtakes_and_loses_nothing(open_lab: OpenLab):
    direct = open_lab("reorder")
    seen = direct.exchange([253], count=150, awaited=lambda _: 150)
    arrived = sequences(seen[253].arrived)
    assert sorted(arrived) == list(range(150))
    assert arrived != sorted(arrived)


def test_duplicates_are_surplus_copies(open_lab: OpenLab):
    direct = open_lab("duplicate")
    arrived = sequences(direct.exchange([253], count=100)[253].arrived)
    assert set(arrived) == set(range(100))
    assert 120 < len(arrived) < 180


def test_dscp_is_cleared_and_ecn_left(open_lab: OpenLab):
    direct = open_lab("clear-dscp")
    seen = direct.exchange([17, 253], form=Form.WELLFORMED, tos=0xBA)
    assert {packet[1] for packet in seen[253].arrived} == {0x02}
    assert {packet[1] for packet in seen[17].arrived} == {0xBA}
    assert len(seen[253].delivered) == 3


def test_a_raised_ttl_outlives_the_routers_behind(open_lab: OpenLab):
    direct = open_lab("raise-ttl")
    seen = direct.exchange([17, 253], form=Form.WELLFORMED, ttl=2)
    assert {packet[8] for packet in seen[253].arrived} == {199}
    assert not seen[17].arrived
    assert ("203.0.113.6", 11, 0) in seen[17].icmp


def test_the_last_byte_is_changed_and_a_tcp_checksum_made_right(open_lab: OpenLab):
    direct = open_lab("mangle-byte")
    seen = direct.exchange([6], form=Form.WELLFORMED)
    assert len(seen[6].arrived) == 3
    assert {packet[-1] for packet in seen[6].arrived} == {0x0F ^ 0xFF}
    # The target's kernel answers a SYN to a closed port only if its checksum is right.
    assert direct.replies(6) == 3


def test_truncation_shortens_packet_and_header(open_lab: OpenLab):
    direct = open_lab("truncate")
    seen = direct.exchange([253])
    assert {(len(packet), int.from_bytes(packet[2:4], "big")) for packet in seen[253].arrived} == {(58, 58)}
    assert {len(packet) for packet in seen[253].left} == {62}


@pytest.mark.parametrize(("size", "arrives"), [(600, 3), (601, 0)])
def test_a_black_hole_begins_above_its_size(size: int, arrives: int, open_lab: OpenLab):
    direct = open_lab("black-hole")
    seen = direct.exchange([253], size=size)
    assert {len(packet) for packet in seen[253].left} == {size}
    assert len(seen[253].arrived) == arrives
    assert not seen[253].icmp


def test_a_forger_lies_to_the_sender_and_replays_to_the_target(open_lab: OpenLab):
    direct = open_lab("forger")
    seen = direct.exchange([253], count=100)
    whole = {packet[20:] for packet in seen[253].left}
    assert set(sequences(seen[253].arrived)) == set(range(100))
    assert len(seen[253].arrived) > 100
    assert len(seen[253].icmp) > 10
    assert {source for source, _, _ in seen[253].icmp} == {direct.lab.target_address}
    assert direct.quotes
    assert not [quote for quote in direct.quotes if quote[20:] in whole]


def test_a_datagram_of_an_ordinary_socket_arrives_with_its_checksum_done(open_lab: OpenLab):
    """Sent by UDP, not raw: the kernel leaves that checksum to the device, and veth would leave it undone."""
    lab = open_lab(wire(Delay(us=100))).lab
    with (
        lab.socket_factory(lab.target)(socket.AF_INET, socket.SOCK_DGRAM, 0) as receiver,
        lab.socket_factory(lab.client)(socket.AF_INET, socket.SOCK_DGRAM, 0) as sender,
    ):
        receiver.bind((lab.target_address, 0))
        receiver.settimeout(5)
        sender.sendto(b"through the wire", receiver.getsockname())
        assert receiver.recv(100) == b"through the wire"
