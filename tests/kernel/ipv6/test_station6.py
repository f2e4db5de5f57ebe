"""What raw IPv6 sockets hand over, rewrite and refuse: each fact that the station rests on, measured."""

import os
import re
import socket
import struct
from errno import EINVAL, EPROTONOSUPPORT

import pytest

from pytest_hdp.packet.family import IPV6
from pytest_hdp.packet.view import view
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.points import PrivateNamespace

NEEDLE = b"run id 8"
PORTS = b"\x01\xa4\x01\xa4"
HDP = PORTS + bytes(range(8)) + NEEDLE + bytes(range(28))
RAW = bpf.matching(NEEDLE, [12], family=IPV6, tap=False)
TAP = bpf.matching(NEEDLE, [12], family=IPV6)


@pytest.fixture
def station():
    with PrivateNamespace().station() as station:
        yield station


def seen(station, handle, count=1):
    kept = station.__dict__.setdefault("kept", [])
    for _ in range(100):
        if sum(each[0] == handle for each in kept) >= count:
            break
        kept += station.poll(0.05)
    return [each for each in kept if each[0] == handle]


@pytest.mark.parametrize("number", [1, 6, 17, 43, 44, 50, 51, 58, 59, 60, 103, 135, 136, 253, 255])
def test_every_number_arrives_byte_for_byte_with_a_header_that_is_true(station, number):
    listener, sender = station.listen(socket.AF_INET6, number, RAW), station.sender(socket.AF_INET6, number)
    station.set_ttl(sender, 77)
    assert station.send(sender, HDP, "::1") is None
    ((_, stamp, kind, data, source, interface),) = seen(station, listener)
    packet = view(data)
    assert (kind, source, interface) == (-1, "::1", "")
    assert stamp > 0
    assert (packet.version, packet.protocol, packet.payload) == (6, number, HDP)
    assert (packet.source, packet.destination, packet.hop_limit, packet.flow_label) == ("::1", "::1", 77, 0)


def test_the_tap_sees_what_the_socket_is_told(station):
    tap, listener = station.tap("lo", TAP), station.listen(socket.AF_INET6, 253, RAW)
    assert station.send(station.sender(socket.AF_INET6, 253), HDP, "::1") is None
    (out, _), (delivered,) = seen(station, tap, 2), seen(station, listener)
    assert out[3] == delivered[3]


def test_class_and_label_are_told_and_no_old_ones_stay(station):
    listener = station.listen(socket.AF_INET6, 253, RAW)
    sender = station.sender(socket.AF_INET6, 253)
    raw = station.opened(sender)
    raw.setsockopt(socket.IPPROTO_IPV6, 33, 1)  # IPV6_FLOWINFO_SEND
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0xB8)
    raw.sendto(HDP, ("::1", 0, 0xABCDE))
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0)
    raw.sendto(HDP, ("::1", 0))
    first, second = (view(each[3]) for each in seen(station, listener, 2))
    assert (first.flow_label, first.traffic_class) == (0xABCDE, 0xB8)
    assert (second.flow_label, second.traffic_class) == (0, 0)


@pytest.mark.parametrize("number", [58, 135])
def test_without_the_option_the_kernel_writes_into_58_and_135(station, number):
    """What the station prevents: a fact of this kernel, else IPV6_CHECKSUM would be needless."""
    listener = station.listen(socket.AF_INET6, number, RAW)
    with station.factory(socket.AF_INET6, socket.SOCK_RAW, number) as plain:
        plain.sendto(HDP, ("::1", 0))
    ((*_, data, _, _),) = seen(station, listener)
    assert view(data).payload != HDP


@pytest.mark.parametrize("number", range(256, 263))
def test_numbers_beyond_eight_bits_open_and_do_not_send(station, number):
    assert station.send(station.sender(socket.AF_INET6, number), HDP, "::1") == "EINVAL"


@pytest.mark.parametrize(("number", "errno"), [(-1, EINVAL), (0, EPROTONOSUPPORT), (263, EINVAL)])
def test_numbers_that_do_not_open(station, number, errno):
    with pytest.raises(OSError, match=re.escape(os.strerror(errno))):
        station.sender(socket.AF_INET6, number)


def test_nothing_is_sent_in_fragments(station):
    """Above the MTU a plain socket would send fragments, under Next Header 44."""
    sender = station.sender(socket.AF_INET6, 253)
    assert station.send(sender, bytes(65_536 - 40), "::1") is None
    assert station.send(sender, bytes(65_536 - 39), "::1") == "EMSGSIZE"


def test_a_datagram_has_a_checksum_and_label_0(station):
    tap = station.tap("lo", bpf.matching(NEEDLE, [20], family=IPV6))
    handle, port = station.datagram("::1", 0, bpf.matching_datagram(NEEDLE, [20]))
    assert station.send(handle, HDP, "::1", port) is None
    ((*_, data, source, _),) = seen(station, handle)
    packet = view(seen(station, tap)[0][3])
    assert (data, source, packet.flow_label) == (HDP, "::1", 0)
    assert packet.payload[6:8] != bytes(2)


def test_the_way_to_loopback(station):
    assert station.route("::1") == ("::1", "lo", 65536)
    with pytest.raises(OSError, match="unreachable"):
        station.route("2001:db8::1")


def test_bytes_of_a_header_in_front_are_no_header_where_the_kernel_builds_it(station):
    """255 opens with IPV6_HDRINCL set."""
    listener = station.listen(socket.AF_INET6, 255, bpf.accept_all())
    header = struct.pack("!IHBB16s16s", 6 << 28, 4, 144, 1, bytes(16), bytes(16)) + PORTS
    assert station.send(station.sender(socket.AF_INET6, 255), header, "::1") is None
    ((*_, data, _, _),) = seen(station, listener)
    assert (view(data).protocol, view(data).payload) == (255, header)
