"""Somebody forges where our packets come from: the far end sends nothing there, or no more than a few."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.lab.wires import Delay
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.campaign.campaign import Campaign
from pytest_hdp.measure.experiments.path_check import try_path
from pytest_hdp.measure.latency.experiment import Comparison, LatencyPlan
from pytest_hdp.measure.path.endpoints import Endpoint
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.measure.schedule.meeting import Unconfirmed
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.vantage.netns.socket_pool import Opener
from pytest_hdp.vantage.remote import launcher
from pytest_hdp.vantage.remote.client import RemoteStation
from pytest_hdp.vantage.remote.launcher import Terms
from pytest_hdp.vantage.station import Station

STRANGER = "203.0.113.77"
MOST = 64
OUTGOING = 4
UDP = 17
HOLD = 150_000  # us that a box holds what passes, for what is forged to be there before
SLOW = LabSpec("slow", "a box that holds everything", (Router(), Delay(us=HOLD), Router()))
NUMBERS = (*range(100, 180), 17)
TRAINS = tuple(Train(number, direction, Form.BARE) for direction in Direction for number in NUMBERS)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture(params=["in this process", "agent"])
def path_through(request, stack: ExitStack) -> Callable[[LabSpec], tuple[Lab, OpenPath]]:
    """A path through a lab whose far end is a station of ours, or an agent's."""

    def opened(spec: LabSpec) -> tuple[Lab, OpenPath]:
        try:
            lab = stack.enter_context(Lab(spec, seed=1))
        except LabUnavailable as error:
            pytest.skip(f"privilege: {error}")
        near, far = station(lab, lab.client), (station if request.param != "agent" else agent)(lab, lab.target)
        ends = Endpoint(near, lab.client_address, "eth0"), Endpoint(far, lab.target_address, "eth0")
        name = PathInfo("internet", "target", lab.client_address, lab.target_address, request.param)
        return lab, stack.enter_context(OpenPath(name, *ends))

    def station(lab: Lab, node: str) -> Station:
        return stack.enter_context(Station(stack.enter_context(Opener(lab.namespace(node)))))

    def agent(lab: Lab, node: str) -> RemoteStation:
        space = lab.namespace(node)
        enter = [f"--net=/proc/{os.getpid()}/fd/{space.descriptor}"]
        if space.supervisor.private:
            enter = [f"--user=/proc/{space.supervisor.pid}/ns/user", "--preserve-credentials", *enter]
        command = ["nsenter", *enter, *launcher.loader(sys.executable)]
        return stack.enter_context(launcher.start(command, "the agent", Terms()))

    return opened


@contextmanager
def watching(lab: Lab) -> Iterator[Callable[[], list[bytes]]]:
    """All that left the target so far, from the IP header on."""
    tap = lab.socket_factory(lab.target)(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    try:
        tap.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE: read at the end
    except PermissionError:  # no root: as much as anybody may have
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    tap.bind(("eth0", 3))  # ETH_P_ALL: what goes out is shown to no other
    found: list[bytes] = []

    def left() -> list[bytes]:
        while True:
            try:
                data, (_, kind, direction, *_) = tap.recvfrom(2048)
            except BlockingIOError:
                return found
            if direction == OUTGOING and kind == 0x0800:
                found.append(data)

    with tap:
        yield left


def aimed(path: OpenPath, packets: list[bytes]) -> int:
    """How many of these went to the stranger, and were sent by us: the kernel answers by itself."""
    return sum(data[16:20] == socket.inet_aton(STRANGER) and path.run_id in data for data in packets)


def exact(data: bytes) -> bytes:
    """The datagram as it was sent."""
    return data


def zeros(data: bytes) -> bytes:
    """Run id and index where they belong, and nothing else that only who saw it could know."""
    return bytes(12) + data[12:24] + bytes(58)


def elsewhere(data: bytes) -> bytes:
    """The same at another place, which the kernel's filter lets through too."""
    return bytes(4) + data[12:24] + bytes(66)


class Forger:
    """A box on the path: for each of our datagrams that leaves the client, another is at the target before.

    In the stranger's name, with what `body` makes of the one that was sent.
    """

    def __init__(self, lab: Lab, run_id: bytes, body: Callable[[bytes], bytes]) -> None:
        self.run_id, self._body = run_id, body
        self.tap = lab.socket_factory(lab.client)(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.tap.bind(("eth0", 3))
        self.tap.settimeout(0.05)
        self.raw = lab.socket_factory("router2")(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._forge)

    def __enter__(self) -> Forger:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._thread.join()
        self.tap.close()
        self.raw.close()

    def _forge(self) -> None:
        while not self.ended.is_set():
            try:
                data, (_, _, direction, *_) = self.tap.recvfrom(2048)
            except TimeoutError:
                continue
            if direction == OUTGOING and data[9] == UDP and data[40:48] == self.run_id:
                body, target = self._body(data[28:]), socket.inet_ntoa(data[16:20])
                datagram = data[20:24] + struct.pack("!HH", 8 + len(body), 0) + body
                packet = build_ipv4(datagram, source=STRANGER, destination=target, protocol=UDP)
                self.raw.sendto(packet, (target, 0))


@pytest.mark.parametrize("body", [zeros, elsewhere])
@pytest.mark.night(but=["agent-zeros"])
def test_who_knows_no_mac_aims_nothing(path_through, body):
    lab, path = path_through(SLOW)
    few = tuple(each for each in TRAINS if each.protocol < 110)
    with watching(lab) as left, Forger(lab, path.run_id, body):
        measuring = Measurement(path, plan.Plan(few, plan.LAB))
        found = measuring.run()
        assert aimed(path, left()) == 0
    assert measuring.know.control.source_seen[Direction.FORWARD][0] == lab.client_address
    assert not {train: each for train, each in found.items() if each.verdict is not Verdict.DELIVERED}


def drop_at_router1(lab: Lab, what: str) -> None:
    rules = f"table ip t {{ chain f {{ type filter hook forward priority 10; {what} drop; }}; }}"
    status, printed = lab.namespace("router1").run(["/bin/sh", "-c", f"PATH=$PATH:/usr/sbin:/sbin; nft '{rules}'"])
    assert status == 0, printed


@pytest.mark.parametrize("body", [zeros, elsewhere])
@pytest.mark.night
def test_who_knows_no_mac_is_no_control(path_through, body):
    """The path lets no datagram through, and somebody behind it makes up all that should have come."""
    lab, path = path_through(make("transparent"))
    drop_at_router1(lab, f"ip saddr {lab.client_address}")
    with Forger(lab, path.run_id, body):
        assert try_path(path, 3, 0.3).came == 0


@pytest.mark.night
def test_a_copy_in_anothers_name_aims_but_a_few(path_through):
    lab, path = path_through(SLOW)
    said = f"nothing of {MOST} packets sent to {STRANGER}, the address that the far end saw, came back; "
    with watching(lab) as left, Forger(lab, path.run_id, exact):
        found = Measurement(path, plan.Plan(TRAINS, plan.LAB)).run()
        assert aimed(path, left()) == MOST
        back, forth = ([found[each] for each in TRAINS if each.direction is way] for way in reversed(Direction))
        assert {each.verdict for each in back} == {Verdict.INCONCLUSIVE}
        for each in back:
            assert said + "no more are sent to an address that nobody has confirmed" in each.explanation
        assert {each.verdict for each in forth} == {Verdict.DELIVERED}
        # whatever else is sent in this run
        by_hand = Train(253, Direction.REVERSE)
        again = Measurement(path, plan.Plan((by_hand,), plan.LAB, locate="all")).run()[by_hand]
        assert (again.verdict, again.sent) == (Verdict.INCONCLUSIVE, 0)
        assert said in again.explanation
        with Comparison(path, LatencyPlan(pairs=5), one_way=False) as latency, pytest.raises(Unconfirmed, match=said):
            latency.run()
        assert aimed(path, left()) == MOST
    assert not path.gone


class Crowd(Forger):
    """It copies probes instead, each in the name of another stranger of one network."""

    def _forge(self) -> None:
        while not self.ended.is_set():
            try:
                data, (_, _, direction, *_) = self.tap.recvfrom(2048)
            except TimeoutError:
                continue
            if direction == OUTGOING and data[9] in range(100, 180) and self.run_id in data:
                name, target = f"203.0.113.{data[9] - 20}", socket.inet_ntoa(data[16:20])
                packet = build_ipv4(data[20:], source=name, destination=target, protocol=data[9])
                self.raw.sendto(packet, (target, 0))


@pytest.mark.night("in this process")
def test_copies_of_probes_in_the_names_of_many_aim_no_more(path_through):
    """To each number its own stranger: 64 packets go to all of them together."""
    lab, path = path_through(SLOW)
    with watching(lab) as left, Crowd(lab, path.run_id, exact):
        found = Measurement(path, plan.Plan(TRAINS, plan.LAB)).run()
        strangers = [data[16:20] for data in left() if path.run_id in data and data[16:19] == bytes((203, 0, 113))]
        assert 0 < len(strangers) <= MOST
    assert len(set(strangers)) > 1
    back, forth = ([found[each] for each in TRAINS if each.direction is way] for way in reversed(Direction))
    assert {each.verdict for each in forth} == {Verdict.DELIVERED}
    assert {each.verdict for each in back if each.sent_to is not None} == {Verdict.INCONCLUSIVE}
    assert not path.gone


def test_what_was_sent_counts_when_the_path_is_opened_once_more():
    asked = plan.Plan((Train(253, Direction.REVERSE),), plan.LAB)
    path_spec = path_specs.in_lab(make("transparent"), asked, None, expect_truth=False)[0]
    campaign = Campaign(specs={path_spec.key: path_spec})
    try:
        first = campaign.path(path_spec.key)
        assert [first.confirmed.take(STRANGER, index) for index in range(MOST + 1)] == [True] * MOST + [False]
        campaign.tidy(path_spec.key)
        second = campaign.path(path_spec.key)
        assert second is not first
        assert not second.confirmed.take(STRANGER, 0)
        assert not second.confirmed.take("203.0.113.78", 0), "nor to another one"
        assert second.confirmed.take(second.near.address, 0)
    finally:
        campaign.close()


def test_a_nat_that_answers_is_confirmed_and_costs_nothing(path_through):
    lab, path = path_through(make("home-nat"))
    trains = (Train(253), Train(253, Direction.REVERSE))
    found = Measurement(path, plan.Plan(trains, plan.LAB)).run()
    assert {judgement.verdict for judgement in found.values()} == {Verdict.DELIVERED}
    assert path.confirmed.free(lab.outside_address)
    assert path.confirmed.left == MOST


@pytest.mark.night(but=["agent"])
def test_where_no_control_comes_back_a_probe_confirms(path_through):
    lab, path = path_through(make("home-nat"))
    drop_at_router1(lab, f"ip saddr {lab.target_address} ip protocol {{ icmp, udp }}")
    trains = tuple(Train(number, direction) for number in (6, 253) for direction in Direction)
    found = Measurement(path, plan.Plan(trains, plan.LAB)).run()
    assert path.confirmed.free(lab.outside_address)
    assert found[trains[3]].verdict is Verdict.DELIVERED
    assert found[trains[1]].verdict is Verdict.LOST, "beside 253, which stands in for the control"
    assert "(packets of 253 (experimental-1), since neither" in found[trains[1]].explanation


@pytest.mark.night
def test_where_one_number_comes_through_both_ways_its_word_is_waited_for(path_through):
    """It stands in for the control, until all that goes forward is over; another number's turn comes before."""
    lab, path = path_through(make("transparent"))
    drop_at_router1(lab, f"ip saddr {lab.client_address} ip protocol != {{ 6, 200 }}")
    drop_at_router1(lab, f"ip saddr {lab.target_address} ip protocol != 6")
    trains = tuple(Train(number, direction) for number in (6, 47, 200) for direction in Direction)
    found = Measurement(path, plan.Plan(trains, plan.LAB)).run()
    passed = {train for train in trains if found[train].verdict is Verdict.DELIVERED}
    assert passed == {Train(6), Train(6, Direction.REVERSE), Train(200)}, [each.explanation for each in found.values()]
    assert {found[train].verdict for train in trains if train not in passed} == {Verdict.LOST}
    assert path.confirmed.left == MOST


@pytest.mark.night(but=["agent"])
def test_where_nothing_comes_back_nobody_is_accused(path_through):
    lab, path = path_through(make("home-nat"))
    drop_at_router1(lab, f"ip saddr {lab.target_address}")
    trains = tuple(Train(number, direction) for number in (6, 253) for direction in Direction)
    with watching(lab) as left:
        found = Measurement(path, plan.Plan(trains, plan.LAB)).run()
        outside = socket.inet_aton(lab.outside_address)
        sent = sum(data[16:20] == outside and path.run_id in data and not is_answer(data) for data in left())
    assert 10 < sent <= MOST
    for train in trains[1::2]:
        assert found[train].verdict is Verdict.INCONCLUSIVE
        assert f"nothing of {sent} packets sent to {lab.outside_address}, the address" in found[train].explanation


def is_answer(packet: bytes) -> bool:
    """What a kernel sends by itself: an echo reply, or an ICMP error."""
    return packet[9] == 1 and packet[(packet[0] & 15) * 4] in (0, 3)
