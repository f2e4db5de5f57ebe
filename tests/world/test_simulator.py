"""The simulator itself: what it does is what kernels and networks do, so that a world's word can be trusted."""

from __future__ import annotations

import random
import socket
from ctypes import addressof, create_string_buffer

import pytest
from sim.blueprint import FAR, NEAR
from sim.bpf import compiled
from sim.clock import Endless, SimClock
from sim.elements import Branches, Established, Link, Loop, Nat, Router, SharedLimit, outages
from sim.elements.boxes import by_number
from sim.host import Bucket, Host, Tunnel
from sim.network import FORWARD, REVERSE, Network
from sim.packet import Packet, error_about
from sim.station import SimStation
from small_worlds import MS, SECOND

from pytest_hdp.vantage import bpf

NEEDLE = b"run id 8"


SO_ATTACH_FILTER = 26


PROGRAMS = {
    "matching": bpf.matching(NEEDLE, [12])[3:],  # without the question for the EtherType, which a Unix socket has not
    "protocols": bpf.matching(NEEDLE, [12, 20, 40], protocols={1, 17, 253})[3:],
    "errors": bpf.matching(NEEDLE, [12, 20, 32], icmp_errors_to=FAR)[3:],
    "datagram": bpf.matching_datagram(NEEDLE, [8, 20]),
    "answers": bpf.answers(FAR, {1, 6, 33, 132, 253}, 420)[3:],
    "drop": bpf.drop_all(),
}


# --- filters


def kernel_keeps(program: bytes, data: bytes) -> bool:
    """What the kernel's own filter decides, on a Unix socket."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far:
        code = create_string_buffer(program)
        count = (len(program) // 8).to_bytes(2, "little").ljust(8, b"\0")
        far.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, count + addressof(code).to_bytes(8, "little"))
        far.setblocking(False)
        near.send(data)
        try:
            return far.recv(len(data) + 1) == data
        except BlockingIOError:
            return False


def some_packets(chance: random.Random, count: int) -> list[bytes]:
    """Packets with the needle here and there, errors that quote some, stumps and noise."""
    packets = []
    for _ in range(count):
        payload = chance.randbytes(chance.choice((8, 12, 20))) + NEEDLE + chance.randbytes(chance.randint(0, 30))
        payload = (420).to_bytes(2, "big") * 2 + payload[4:] if chance.random() < 0.3 else payload
        packet = Packet(chance.choice((NEAR, FAR)), chance.choice((NEAR, FAR)), chance.choice((1, 6, 17, 253)), payload)
        packet = error_about(packet, NEAR, chance.choice((3, 11, 8)), 0) if chance.random() < 0.3 else packet
        data = packet.data
        data = data[: chance.randint(1, len(data))] if chance.random() < 0.3 else data
        packets.append(bytes([0x45 + chance.randint(0, 3)]) + data[1:] if chance.random() < 0.2 else data)
    return packets


@pytest.mark.parametrize("name", PROGRAMS)
def test_filters_decide_as_the_kernel_does(name: str) -> None:
    program = bpf.assemble(PROGRAMS[name])
    keeps = compiled(program)
    packets = some_packets(random.Random(name), 300)
    if name == "datagram":  # such a socket's filter sees the UDP header first
        packets = [data[20:] or b"x" for data in packets]
    said = [keeps(data) for data in packets]
    assert said == [kernel_keeps(program, data) for data in packets]
    assert name == "drop" or {True, False} <= set(said)


# --- time


def tell(clock: SimClock, seen: list[object], what: object) -> None:
    """Something to read."""
    seen.append(what)
    clock.told += 1


def test_time_jumps_to_what_is_due_and_no_further() -> None:
    clock, seen = SimClock(), []
    clock.at(5 * MS, tell, clock, seen, "second")
    clock.at(2 * MS, seen.append, "first")
    clock.at(2 * MS, seen.append, "as planned")
    assert not clock.wait(0.003, lambda: False)
    assert (clock.now, seen) == (3 * MS, ["first", "as planned"])
    assert clock.wait(1, lambda: len(seen) == 3)
    assert 5 * MS <= clock.now < 6 * MS


def test_equal_events_are_shuffled_only_if_asked_for() -> None:
    orders = set()
    for ties in range(20):
        clock, seen = SimClock(random.Random(ties)), []
        for number in range(3):
            clock.at(MS, seen.append, number)
        clock.spend(MS)
        orders.add(tuple(seen))
    assert len(orders) > 3


def test_who_waits_beyond_all_bounds_is_told() -> None:
    clock = SimClock(limit=SECOND)
    clock.wait(2, lambda: False)
    with pytest.raises(Endless):
        clock.wait(1, lambda: False)


def test_a_stalled_process_loses_the_time_and_packets_pile_up() -> None:
    clock, seen = SimClock(), []
    clock.stalls.append((0, 3 * SECOND))
    clock.at(SECOND, seen.append, "meanwhile")
    assert clock.wait(10, lambda: bool(seen))
    assert clock.now >= 3 * SECOND == clock.stalled


# --- budgets


def test_a_bucket_gives_its_burst_and_then_one_each() -> None:
    bucket = Bucket(SECOND, 6)
    assert [bucket.take(0) for _ in range(7)] == [True] * 6 + [False]
    assert not bucket.take(SECOND - 1)
    assert bucket.take(SECOND)
    assert not bucket.take(SECOND)
    assert sum(bucket.take(100 * SECOND) for _ in range(10)) == 6


def test_a_route_that_says_no_pays_for_two_errors_also_in_vain() -> None:
    bucket = Bucket(SECOND, 6)
    assert [bucket.take_routed(0) for _ in range(4)] == [True, True, False, False]  # five saved up: 2, 2, 1 in vain
    assert not bucket.take_routed(SECOND)
    assert not bucket.take_routed(2 * SECOND), "each question in vain takes what was earned since"
    assert bucket.take_routed(4 * SECOND)


# --- networks


class Wire:
    """Two hosts and what stands between them; what arrives is kept."""

    def __init__(self, *elements: object) -> None:
        self.clock = SimClock()
        self.network = Network(self.clock, list(elements))
        self.near = Host("near", [NEAR], self.network, FORWARD)
        self.far = Host("far", [FAR], self.network, REVERSE)
        self.network.hosts = {FORWARD: self.far, REVERSE: self.near}
        self.came: dict[str, list[Packet]] = {"near": [], "far": []}
        self.near.watchers.append(self.came["near"].append)
        self.far.watchers.append(self.came["far"].append)

    def send(self, protocol: int, *, to: str = FAR, ttl: int = 64, payload: bytes = b"twelve bytes") -> None:
        """Send a packet, and wait for what comes of it."""
        host = self.near if to == FAR else self.far
        host.send(Packet(host.address, to, protocol, payload, ttl=ttl))
        self.clock.spend(SECOND)


def line() -> list[object]:
    """Three links and two routers."""
    chance = random.Random(1)
    return [
        Link("a", chance), Router("one", "10.1.0.1"), Link("b", chance), Router("two", "10.2.0.1"), Link("c", chance),
    ]  # fmt: skip


@pytest.mark.parametrize(("ttl", "who"), [(1, "10.1.0.1"), (2, "10.2.0.1")])
def test_a_router_where_the_ttl_ends_says_so_and_quotes_it(ttl: int, who: str) -> None:
    wire = Wire(*line())
    wire.send(253, ttl=ttl)
    (error,) = wire.came["near"]
    assert (error.source, error.payload[:2]) == (who, bytes((11, 0)))
    assert error.quote is not None
    assert error.quote.ttl == 1
    assert not wire.came["far"]


def test_a_packet_arrives_with_a_ttl_less_for_each_router_and_is_refused_by_the_stack() -> None:
    wire = Wire(*line())
    wire.send(253, ttl=3)
    assert [packet.ttl for packet in wire.came["far"]] == [1]
    assert [packet.payload[:2] for packet in wire.came["near"]] == [bytes((3, 2))]
    wire.send(1, payload=bytes((3, 0)) + bytes(10))
    assert len(wire.came["near"]) == 1, "no error is sent about what reads like one"


def test_an_outage_loses_what_comes_in_it() -> None:
    link = Link("a", random.Random(1), loss=outages([(SECOND, 2 * SECOND)]))
    wire = Wire(link)
    for _ in range(3):
        wire.send(253)
    assert len(wire.came["far"]) == 2
    assert [fate.died for fate in wire.network.fates][1] == "lost on a"


def test_a_translator_lets_answers_back_and_nothing_else() -> None:
    wire = Wire(Nat("nat", "203.0.113.5", "address"), *line())
    wire.send(50, to="203.0.113.5")
    assert not wire.came["near"]
    wire.send(50)
    assert wire.came["far"][0].source == "203.0.113.5"
    wire.send(50, to="203.0.113.5")
    error, answer = wire.came["near"]
    assert (answer.protocol, answer.destination) == (50, NEAR)
    assert error.quote is not None
    assert error.quote.source == NEAR, "the error's quote is translated back"


def test_a_linux_translator_leaks_what_it_cannot_read() -> None:
    wire = Wire(Nat("nat", "203.0.113.5", "linux"))
    packet = Packet(NEAR, FAR, 132, b"no sctp")
    wire.network.run_id = b""
    wire.near.send(packet)
    packet.valid = False
    wire.clock.spend(SECOND)
    wire.network.run_id = NEEDLE
    wire.send(132, payload=bytes(12) + NEEDLE)
    assert wire.came["far"][-1].source == NEAR


def test_established_only_lets_in_what_answers_until_it_forgets() -> None:
    router = Router("one", "10.1.0.1", [Established(FORWARD, timeout=10 * SECOND)])
    wire = Wire(router)
    wire.send(50, to=NEAR)
    assert not wire.came["near"]
    wire.send(50)
    wire.send(50, to=NEAR)
    assert [packet.protocol for packet in wire.came["near"] if packet.quote is None] == [50]
    wire.clock.spend(20 * SECOND)
    wire.send(50, to=NEAR)
    assert len([packet for packet in wire.came["near"] if packet.quote is None]) == 1


def test_a_shared_limit_has_one_bucket_for_all() -> None:
    wire = Wire(Router("one", "10.1.0.1", [SharedLimit(100 * SECOND, 3)]))
    for number in (47, 50, 51, 89, 17):
        wire.send(number)
    assert [packet.protocol for packet in wire.came["far"]] == [47, 50, 51, 17]
    wire.send(47, to=NEAR)  # the other way has its own
    assert [packet.protocol for packet in wire.came["near"] if packet.quote is None] == [47]


def test_a_joint_limit_has_one_bucket_for_both_ways() -> None:
    wire = Wire(Router("one", "10.1.0.1", [SharedLimit(100 * SECOND, 3, joint=True)]))
    for number in (47, 50, 51, 89):
        wire.send(number)
        wire.send(number, to=NEAR)
    came = [packet for packet in (*wire.came["far"], *wire.came["near"]) if packet.quote is None]
    assert len(came) == 3


def test_branches_go_by_number_and_errors_go_the_way_of_what_they_are_about() -> None:
    ways = tuple((Router(name, name),) for name in ("10.3.0.1", "10.4.0.1"))
    wire = Wire(Branches("branches", ways, by_number(0)))
    for number in range(60, 90):
        wire.send(number, ttl=1)
    assert {packet.source for packet in wire.came["near"]} == {"10.3.0.1", "10.4.0.1"}


def test_a_loop_spends_the_ttl_between_two_routers() -> None:
    first, second = Router("one", "10.1.0.1"), Router("two", "10.2.0.1")
    wire = Wire(first, Loop("loop", frozenset({50}), first, second))
    for ttl in (2, 3, 4, 64):
        wire.send(50, ttl=ttl)
    assert [packet.source for packet in wire.came["near"]] == ["10.2.0.1", "10.1.0.1", "10.2.0.1", "10.2.0.1"]


@pytest.mark.parametrize("protocol", [4, 17])
def test_a_tunnel_carries_packets_and_taps_see_both(protocol: int) -> None:
    wire = Wire(*line())
    wire.near.tunnel = Tunnel("tun0", "192.0.2.1", "192.0.2.2", protocol)
    wire.far.tunnel = Tunnel("tun0", "192.0.2.2", "192.0.2.1", protocol)
    station = SimStation(wire.far)
    station.tap(None, bpf.accept_all())
    wire.send(253)
    seen = [(each[5], each[3][9]) for each in station.poll(0)]
    assert seen[:2] == [("eth0", protocol), ("tun0", 253)]
    assert wire.came["far"][0].ttl == 64


def test_a_buffer_that_is_full_drops_and_counts() -> None:
    wire = Wire(*line())
    station = SimStation(wire.far, room=2)
    handle = station.listen(socket.AF_INET, 253, bpf.accept_all())
    for _ in range(5):
        wire.send(253)
    assert len(station.poll(0)) == 2
    assert station.drops() == {handle: 3}
    assert station.overflowed
    wire.send(253)
    assert len(station.poll(0)) == 1
