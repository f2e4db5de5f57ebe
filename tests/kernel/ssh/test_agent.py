"""An agent by itself, started without SSH in a namespace of the test's own: what it does, and what it never does."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import time

import pytest
from agents import HERE, INET, MARK, OTHER, PACKET, PAYLOAD, PROGRAM, Packet

from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.remote.agent import Agent
from pytest_hdp.vantage.remote.channel import NOBODY_KNOWS, AgentGone
from pytest_hdp.vantage.remote.client import RemoteStation
from pytest_hdp.vantage.station import Station


def seen_by(station, handle: int, count: int) -> list[bytes]:
    found: list[bytes] = []
    deadline = time.monotonic() + 10
    while len(found) < count and time.monotonic() < deadline:
        found += [each[3] for each in station.poll(0.1) if each[0] == handle]
    return found


def test_sends_taps_and_listens_as_a_station(start):
    far = start(peers=(HERE,))
    tap = far.tap("lo", PROGRAM)
    far.open_ahead(socket.AF_INET, socket.SOCK_RAW, range(1, 256))
    listeners = {number: far.listen(socket.AF_INET, number, PROGRAM) for number in range(1, 256)}
    for handle in listeners.values():
        far.send_later(handle, PAYLOAD, HERE, 0, Packet())
    far.sync()
    observed = far.poll(0)
    assert sorted(each[3][9] for each in observed if each[0] == tap and each[2] == 4) == list(range(1, 256))
    delivered = {each[0]: each[3][9] for each in observed if each[0] != tap}
    assert delivered == {handle: number for number, handle in listeners.items()}
    assert far.drops() == {}


def test_refusals_come_later_and_for_the_right_packet(start, space):
    rules = "table inet t {\nchain c {\ntype filter hook output priority 0\nip protocol 254 drop\n}\n}\n"
    nft = shutil.which("nft", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    status, printed = space.run([nft, "-f", "-"], rules)
    assert status == 0, printed
    far = start(peers=(HERE,))
    handles = [far.sender(socket.AF_INET, number) for number in (253, 254)]
    packets = [Packet() for _ in range(10)]
    for at, packet in enumerate(packets):
        far.send_later(handles[at % 2], PAYLOAD, HERE, 0, packet)
    assert not any(packet.errno for packet in packets)
    far.sync()
    assert [packet.errno for packet in packets] == [None, "EPERM"] * 5
    assert far.send(handles[1], PAYLOAD, HERE) == "EPERM"


def test_errnos_of_opening_are_the_far_kernels(start):
    far = start()
    for ahead in (False, True):
        if ahead:
            far.open_ahead(socket.AF_INET, socket.SOCK_RAW, [0, 253, 300])
        for number in (0, 300):
            with pytest.raises(OSError, match=r"not supported|Invalid") as raised:
                far.listen(socket.AF_INET, number, PROGRAM)
            assert raised.value.errno in (22, 93)
    with pytest.raises(OSError, match="No such device"):
        far.tap("nowhere", PROGRAM)
    assert far.gone is None


def test_a_burst_is_spread_as_it_was_meant(start, beside):
    far = start(peers=(HERE,))
    handle = far.sender(socket.AF_INET, 253)
    for _ in range(50):
        far.send_later(handle, PAYLOAD, HERE, 0, Packet())
        far.pause(0.01)
    far.sync()
    times = [each[1] for each in beside.poll(1) if each[2] == 4]
    assert len(times) == 50
    assert times[-1] - times[0] >= 0.49 * 1e9 - 2e6


def test_nothing_goes_to_whom_the_session_has_not_met(start, beside):
    far = start()
    handle = far.sender(socket.AF_INET, 253)
    assert far.send(handle, PAYLOAD, HERE) == NOBODY_KNOWS
    assert "asked to send to 127.0.0.1, from where nothing of this session came" in str(far.gone)
    assert beside.poll(0.1) == []


def test_addresses_are_named_that_something_came_from_and_no_other(start, space, beside):
    far = start()
    tap = far.tap("lo", PROGRAM)
    for address in (HERE, OTHER):
        opened = space.open_socket(socket.AF_INET, socket.SOCK_RAW, 253)
        with opened:
            opened.bind((address, 0))
            opened.sendto(PAYLOAD, (HERE, 0))
    assert len(seen_by(far, tap, 4)) == 4
    beside.poll(1)
    handle = far.sender(socket.AF_INET, 254)
    for address in (OTHER, HERE):
        assert far.send(handle, PAYLOAD, address) is None
        assert far.gone is None
        assert len([each for each in beside.poll(1) if each[3][9] == 254]) == 2
    far.send(handle, PAYLOAD, "127.0.0.9")
    assert "asked to send to 127.0.0.9, from where nothing of this session came" in str(far.gone)
    assert beside.poll(0.1) == []


def test_64_packets_go_to_all_of_those_together(start, space, beside):
    far = start()
    for address in (OTHER, "127.0.0.5"):
        met(far, space, address)
    beside.poll(1)
    handle = far.sender(socket.AF_INET, 254)
    for number in range(100):
        far.send_later(handle, PAYLOAD, (OTHER, "127.0.0.5")[number % 2], 0, Packet())
    far.sync()
    assert far.gone == f"64 packets went to {OTHER}, 127.0.0.5, and nothing is known to have come back"
    assert len([each for each in beside.poll(1) if each[2] == 4 and each[3][9] == 254]) == 64


def met(far: RemoteStation, space, address: str) -> None:
    """Let the agent see a packet of the session from this address."""
    tap = far.tap("lo", PROGRAM)
    with space.open_socket(socket.AF_INET, socket.SOCK_RAW, 253) as opened:
        opened.bind((address, 0))
        opened.sendto(PAYLOAD, (HERE, 0))
    assert len(seen_by(far, tap, 2)) == 2


def test_64_packets_go_to_whom_nobody_has_confirmed(start, space, beside):
    far = start()
    met(far, space, OTHER)
    beside.poll(1)
    handle = far.sender(socket.AF_INET, 254)
    for _ in range(100):
        far.send_later(handle, PAYLOAD, OTHER, 0, Packet())
    far.sync()
    assert far.gone == f"64 packets went to {OTHER}, and nothing is known to have come back"
    assert len([each for each in beside.poll(1) if each[2] == 4 and each[3][9] == 254]) == 64


def test_once_something_came_back_more_may_go(start, space, beside):
    far = start(peers=(HERE,))
    far.came_back(OTHER)  # of what? nothing was sent yet
    met(far, space, OTHER)
    beside.poll(1)
    handle = far.sender(socket.AF_INET, 254)
    sent = 0
    for count in (64, 100):
        for _ in range(count):
            far.send_later(handle, PAYLOAD, OTHER, 0, Packet())
        far.sync()
        assert far.gone is None
        far.came_back(OTHER)
        sent += len([each for each in beside.poll(1) if each[2] == 4 and each[3][9] == 254])
    assert sent == 164


WORDS = {"beat", "ahead", "route", "open", "discard", "ttl", "source", "back", "pause", "send"}


def test_there_is_no_word_beyond_these():
    """Each was looked at for a way to have it send to anybody; a socket's options are one (IP_OPTIONS, IP_HDRINCL)."""
    assert {name.removeprefix("_do_") for name in dir(Agent) if name.startswith("_do_")} == WORDS


@pytest.mark.parametrize(
    ("word", "arguments"),
    [
        ("ahead", (PACKET, 3, [3])),
        ("ahead", (INET, 2, [0])),
        ("open", (99, "listen", [PACKET, 3, PROGRAM])),
        ("open", (99, "sender", [PACKET, 3])),
        ("open", (99, "listen", [INET, 253, PROGRAM, None, "localhost"])),
        ("open", (99, "datagram", ["localhost", 0, PROGRAM])),
        ("route", ("localhost",)),
        ("route", ("192.0.2.1", 256)),
    ],
    ids=[
        "raw packets ahead",
        "datagrams ahead",
        "packets in",
        "packets out",
        "a name",
        "a name for UDP",
        "a name's route",
        "a number of 9 bits",
    ],
)
def test_what_is_no_socket_of_ip_or_no_address_is_refused(start, word, arguments):
    """A name would be looked up: a packet to whoever answers for it."""
    far = start()
    with pytest.raises(OSError, match=r"Invalid argument|illegal IP address"):
        far.call(word, print, *arguments)
    assert far.gone is None


def test_a_tap_sends_nothing(start, space, beside):
    """To its socket an address is an interface's name."""
    far = start(peers=("lo",))
    tap = far.tap("lo", PROGRAM)
    far.send(tap, b"\x45" + bytes(19) + PAYLOAD, "lo", 0x0800)
    assert far.gone == "it was asked to send by a socket that only watches"
    assert beside.poll(0.1) == []


def test_number_0_goes_in_a_header_that_its_controller_has_no_say_in(start, space):
    """Neither what is handed over nor any word before it chooses source, destination, number or options."""
    forged = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 7, 0, 9, 253, 0, socket.inet_aton(OTHER), socket.inet_aton(OTHER))
    with Station(space.open_socket) as beside:
        beside.tap("lo", bpf.matching(MARK, (12, 32)))
        far = start(peers=(HERE,))
        handle = far.sender_of_zero(INET)
        far.send_from("192.0.2.66")
        assert far.send(handle, forged + PAYLOAD, HERE) is None
        assert far.send(handle, PAYLOAD, HERE) is None
        seen = [each[3] for each in beside.poll(1) if each[2] == 4]
        assert [(data[0], data[9], data[12:20], data[20:]) for data in seen] == [
            (0x45, 0, 2 * socket.inet_aton(HERE), forged + PAYLOAD),
            (0x45, 0, 2 * socket.inet_aton(HERE), PAYLOAD),
        ]
        far.send(handle, PAYLOAD, OTHER)
        assert far.gone == f"it was asked to send to {OTHER}, from where nothing of this session came"
        assert beside.poll(0.1) == []


def test_a_sender_of_0_takes_no_argument(start):
    far = start(peers=(HERE,))
    with pytest.raises(AgentGone, match="argument"):
        far.call("open", print, 99, "sender_of_zero", [INET, 253])


def test_a_quoted_packet_makes_no_peer_of_a_router(start, space):
    """An ICMP error about one of our packets comes from anywhere."""
    far = start()
    tap = far.tap("lo", bpf.assemble(bpf.matching(MARK, (12,), icmp_errors_to=HERE)))
    quoted = b"\x45" + bytes(8) + b"\xfd" + bytes(6) + socket.inet_aton(HERE) + PAYLOAD
    opened = space.open_socket(socket.AF_INET, socket.SOCK_RAW, 1)
    with opened:
        opened.bind((OTHER, 0))
        opened.sendto(b"\x03\x02" + bytes(6) + quoted, (HERE, 0))
    assert len(seen_by(far, tap, 2)) == 2
    far.send(far.sender(socket.AF_INET, 254), PAYLOAD, OTHER)
    assert "asked to send to 127.0.0.2" in str(far.gone)
