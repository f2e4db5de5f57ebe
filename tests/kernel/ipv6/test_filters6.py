"""The IPv6 filters on taps of a real kernel, held against the same rules written in Python."""

import socket
import struct
from ipaddress import IPv6Address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_hdp.packet.family import IPV6
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.netns.socket_pool import Opener
from pytest_hdp.vantage.netns.supervisor import Supervisor
from pytest_hdp.vantage.points import bring_up
from pytest_hdp.vantage.station import Station

NEEDLE = b"run id 8"
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
ADDRESS, OTHER = "2001:db8::77", "2001:db8::1"
OFFSETS = st.lists(st.integers(0, 60), min_size=1, max_size=3)
quick = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def ip(number: int, payload: bytes, destination: str = OTHER, source: str = OTHER) -> bytes:
    addresses = IPv6Address(source).packed + IPv6Address(destination).packed
    return struct.pack("!IHBB", 6 << 28, len(payload), number, 64) + addresses + payload


def needle_at(packet: bytes, offsets: list[int]) -> bool:
    return any(packet[40 + offset : 48 + offset] == NEEDLE for offset in offsets)


def accepts(packet: bytes, offsets: list[int], protocols: set[int] | None, errors_to: str | None) -> bool:
    """The rule that `bpf.matching` states. What is cut off before its quote's header is none of ours."""
    if len(packet) < 8 or packet[0] >> 4 != 6:
        return False
    error = errors_to is not None and packet[6] == 58 and packet[40:41] in (b"\1", b"\2", b"\3", b"\4")
    if error and packet[40 + offsets[0] :][:4] != NEEDLE[:4]:
        quote = packet[48:]
        if len(quote) < 40 or quote[0] >> 4 != 6:
            return False
        if quote[24:40] == IPv6Address(errors_to).packed:
            return True
        return needle_at(quote, offsets)  # whatever the protocols are
    return (protocols is None or packet[6] in protocols) and needle_at(packet, offsets)


def payloads(offsets: list[int]) -> st.SearchStrategy[bytes]:
    at = st.one_of(st.sampled_from(offsets), st.integers(0, 70))
    needles = st.sampled_from([NEEDLE, NEEDLE, NEEDLE[:-1] + b"9"])
    placed = st.builds(lambda where, needle, more: bytes(where) + needle + more, at, needles, st.binary(max_size=40))
    return st.one_of(placed, placed, st.binary(max_size=40))


@st.composite
def packets(draw: st.DrawFn, offsets: list[int]) -> bytes:
    number = draw(st.sampled_from([58, 58, 17, 253, 0, 43, 255]))
    packet = ip(number, draw(payloads(offsets)), draw(st.sampled_from([ADDRESS, OTHER])))
    if draw(st.booleans()):
        kind = draw(st.sampled_from([1, 2, 3, 4, 128, 129, 0]))
        packet = ip(58, bytes([kind, 1]) + bytes(6) + packet[: draw(st.sampled_from([None, None, 39, 60]))])
    cut = draw(st.one_of(st.none(), st.none(), st.integers(1, 100)))
    return packet[:cut] if draw(st.integers(0, 9)) else bytes([4 << 4]) + packet[1:]


@pytest.fixture
def space():
    with Supervisor() as supervisor:
        namespace = supervisor.namespace()
        with namespace.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
            bring_up(opened, "lo")
        yield namespace


@pytest.fixture
def tapped(space):
    """What a tap with this program sees of some bytes."""
    with (
        Opener(space) as opener,
        Station(opener) as station,
        space.open_socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as wire,
    ):

        def seen(program, packet: bytes, kind: int = ETH_P_IPV6) -> bool:
            tap = station.tap("lo", program)
            try:
                wire.sendto(packet, ("lo", kind))
                return any(each[2] == 4 for each in station.poll(0))
            finally:
                station.discard(tap)

        yield seen


@pytest.mark.night
@quick
@given(st.data(), OFFSETS, st.sampled_from([None, {58}, {17, 253}]), st.sampled_from([None, ADDRESS, ADDRESS]))
def test_taps_pass_exactly_what_the_rule_says(tapped, data, offsets, protocols, errors_to):
    program = bpf.matching(NEEDLE, offsets, family=IPV6, protocols=protocols, icmp_errors_to=errors_to)
    for packet in data.draw(st.lists(packets(offsets), min_size=1, max_size=6)):
        assert tapped(program, packet) is accepts(packet, offsets, protocols, errors_to), packet.hex()


def test_bare_hdp_under_58_reads_as_an_error_and_is_seen(tapped):
    program = bpf.matching(NEEDLE, [12, 20], family=IPV6, icmp_errors_to=ADDRESS)
    bare = b"\x01\xa4\x01\xa4" + bytes(8) + NEEDLE + bytes(20)
    assert tapped(program, ip(58, bare))
    assert not tapped(program, ip(58, bare.replace(NEEDLE, bytes(8))))


def test_the_other_ip_is_not_seen(tapped):
    program = bpf.matching(NEEDLE, [0], family=IPV6)
    packet = ip(253, NEEDLE)
    assert (tapped(program, packet), tapped(program, packet, ETH_P_IP)) == (True, False)


def test_answers_are_those_of_one_address_to_one_port(tapped):
    program = bpf.answers(ADDRESS, {6, 132}, 420)
    right = ip(6, b"\x01\xa4\x01\xa4" + bytes(16), source=ADDRESS)
    assert tapped(program, right)
    for wrong in (
        ip(6, b"\x01\xa4\x01\xa5" + bytes(16), source=ADDRESS),
        ip(6, b"\x01\xa4\x01\xa4" + bytes(16), source=OTHER),
        ip(17, b"\x01\xa4\x01\xa4" + bytes(16), source=ADDRESS),
    ):
        assert not tapped(program, wrong)
