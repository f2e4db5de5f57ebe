"""The filters on the sockets they are made for, held against the same rules written in Python."""

import itertools
import socket
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pytest_hdp.packet.family import IPV4
from pytest_hdp.vantage import bpf

NEEDLE = b"run id 8"
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
ADDRESS, HERE = "192.0.2.77", "127.0.0.1"
OFFSETS = st.lists(st.integers(0, 60), min_size=1, max_size=3)
quick = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def accepts(packet: bytes, offsets: list[int], protocols: set[int] | None, errors_to: str | None) -> bool:
    """The rule that `bpf.matching` states."""
    if len(packet) < 10 or packet[0] >> 4 != 4 or int.from_bytes(packet[6:8], "big") & 0x1FFF:
        return False
    start = 4 * (packet[0] & 15)
    if errors_to is None or packet[9] != 1 or packet[start : start + 1] not in (b"\3", b"\4", b"\5", b"\x0b", b"\x0c"):
        return (protocols is None or packet[9] in protocols) and needle_at(packet, start, offsets)
    quote = packet[start + 8 :]
    if len(quote) < 20 or quote[0] >> 4 != 4:
        return False
    return quote[16:20] == IPv4Address(errors_to).packed or needle_at(quote, 4 * (quote[0] & 15), offsets)


def needle_at(packet: bytes, start: int, offsets: list[int]) -> bool:
    return any(packet[start + offset : start + offset + 8] == NEEDLE for offset in offsets)


def ip(protocol: int, words: int, destination: str, filling: bytes, payload: bytes) -> bytes:
    """An IPv4 packet with options, if it has more than 5 words of header."""
    start = bytes([0x40 | words]) + filling[:5] + b"\0\0" + filling[:1] + bytes([protocol]) + filling[:6]
    return start + IPv4Address(destination).packed + (filling * 5)[: 4 * words - 20] + payload


def payloads(offsets: list[int]) -> st.SearchStrategy[bytes]:
    def placed(at: int, filling: bytes, needle: bytes) -> bytes:
        return filling[:at].ljust(at, b"\0") + needle + filling

    at = st.one_of(st.sampled_from(offsets), st.sampled_from(offsets), st.integers(0, 70))
    needles = st.sampled_from([NEEDLE, NEEDLE, NEEDLE, NEEDLE[:-1] + b"9", b"R" + NEEDLE[1:]])
    placed_ones = st.builds(placed, at, FILLING, needles)
    return st.one_of(placed_ones, placed_ones, st.binary(max_size=40))


FILLING = st.binary(min_size=8, max_size=40)
DAMAGE: dict[str, Callable[[bytes, int], bytes]] = {
    "none": lambda packet, _: packet,
    "cut": lambda packet, at: packet[: 1 + at % len(packet)],
    "version": lambda packet, at: bytes([(at % 16) << 4 | packet[0] & 15]) + packet[1:],
    "header length": lambda packet, at: bytes([packet[0] & 0xF0 | at % 16]) + packet[1:],
    "fragment": lambda packet, at: packet[:6] + [b"\x20\0", b"\0\1", b"\x1f\xff", b"\x40\0"][at % 4] + packet[8:],
}


@st.composite
def packets(draw: st.DrawFn, offsets: list[int]) -> bytes:
    """Packets with the needle in a place or not, whole or damaged."""
    protocols = st.sampled_from([1, 17, 253, 0, 31, 32, 255])
    packet = draw(st.builds(ip, protocols, WORDS, st.sampled_from(ADDRESSES), FILLING, payloads(offsets)))
    return damaged(packet, draw(HARM))


@st.composite
def errors(draw: st.DrawFn, offsets: list[int]) -> bytes:
    """ICMP messages, errors mostly, that quote such packets."""
    kind = draw(st.sampled_from([*IPV4.icmp_errors, *IPV4.icmp_errors, 0, 8]))
    quote = draw(st.builds(ip, st.just(253), WORDS, st.sampled_from(ADDRESSES), FILLING, payloads(offsets)))
    message = bytes([kind, 1]) + bytes(6) + damaged(quote, draw(HARM))
    return damaged(ip(1, draw(WORDS), "192.0.2.1", draw(FILLING), message), draw(HARM))


def damaged(packet: bytes, harm: tuple[str, int]) -> bytes:
    return DAMAGE[harm[0]](packet, harm[1])


WORDS = st.sampled_from([5, 6, 15])
ADDRESSES = [ADDRESS, "192.0.2.1", "192.0.2.1"]
HARM = st.tuples(st.sampled_from([*["none"] * 8, *DAMAGE]), st.integers(0, 500))


@pytest.fixture
def put(space):
    """Puts any bytes on the loopback wire, as a packet of any EtherType; taps see them before this returns."""
    with space.open_socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as wire:
        yield lambda data, kind=ETH_P_IP: wire.sendto(data, ("lo", kind))


def outgoing(station) -> list[bytes]:
    return [each[3] for each in station.poll(0) if each[2] == 4]


@pytest.fixture
def holds(station, put):
    """Asks the kernel about packets, and compares with the rule."""

    def check(found: list[bytes], offsets: list[int], protocols: set[int] | None, errors_to: str | None) -> None:
        tap = station.tap("lo", bpf.matching(NEEDLE, offsets, protocols=protocols, icmp_errors_to=errors_to))
        try:
            for packet in found:
                put(packet)
                assert (outgoing(station) == [packet]) is accepts(packet, offsets, protocols, errors_to), packet
        finally:
            station.discard(tap)

    return check


@quick
@given(st.data(), OFFSETS, st.sampled_from([None, {1}, {17, 253}, {0, 31, 32, 255}]), st.sampled_from([None, ADDRESS]))
def test_taps_pass_exactly_what_the_rule_says(holds, data, offsets, protocols, errors_to):
    holds(data.draw(st.lists(packets(offsets), min_size=1, max_size=8)), offsets, protocols, errors_to)


@pytest.mark.night
@quick
@given(st.data(), OFFSETS, st.sampled_from([None, {17}]))
def test_taps_pass_exactly_the_icmp_errors_that_the_rule_says(holds, data, offsets, protocols):
    holds(data.draw(st.lists(errors(offsets), min_size=1, max_size=8)), offsets, protocols, ADDRESS)


def test_what_begins_like_an_icmp_error_is_judged_by_its_quote_alone(holds):
    quote = ip(253, 6, "192.0.2.1", bytes(8), bytes(5) + NEEDLE)
    errors_like, echo = (ip(1, 5, "192.0.2.1", bytes(8), bytes([kind, 1]) + bytes(6) + quote) for kind in (3, 8))
    assert accepts(echo, [0, 37], None, ADDRESS)
    holds([errors_like, echo], [0, 37], None, ADDRESS)


def test_fragments_but_the_first_are_dropped(holds):
    packet = ip(253, 5, ADDRESS, bytes(8), NEEDLE)
    fields = [0, *(1 << bit for bit in range(16)), 0x6000, 0xFFFF]
    holds([packet[:6] + field.to_bytes(2, "big") + packet[8:] for field in fields], [0], None, None)


def test_exactly_five_icmp_types_are_errors(holds):
    quote = ip(253, 5, ADDRESS, bytes(8), bytes(8))
    holds([ip(1, 5, HERE, bytes(8), bytes([kind]) + bytes(7) + quote) for kind in range(256)], [0], None, ADDRESS)


def test_quotes_are_read_behind_options(holds):
    for outer, inner in itertools.product([5, 6, 15], repeat=2):
        quote = ip(253, inner, HERE, bytes(8), bytes(4) + NEEDLE)
        packet = ip(1, outer, HERE, bytes(8), b"\3" + bytes(7) + quote)
        assert accepts(packet, [4], None, ADDRESS)
        holds([packet], [4], None, ADDRESS)
        holds([packet], [0, 8], None, ADDRESS)


def test_a_short_packet_hides_no_match_elsewhere(holds):
    """An offset that the packet's end cuts must not end the program before the quote's address was looked at."""
    quote = ip(253, 5, ADDRESS, bytes(8), bytes(40))
    packet = ip(1, 5, HERE, bytes(8), b"\3" + bytes(7) + quote)
    holds([packet[:size] for size in range(1, len(packet))], [22, 26, 50], None, ADDRESS)


@pytest.mark.night
def test_the_rule_is_tried_both_ways():
    """Else the properties would hold of a filter that drops everything."""
    direct, quoted = set(), set()

    @settings(max_examples=300, database=None, derandomize=True)
    @given(packets([12, 20]), errors([12, 20]))
    def sample(packet: bytes, error: bytes) -> None:
        direct.add((accepts(packet, [12, 20], None, None), accepts(packet, [12, 20], {0, 17, 31, 253}, None)))
        quoted.add((accepts(error, [12, 20], None, ADDRESS), IPv4Address(ADDRESS).packed in error, NEEDLE in error))

    sample()
    assert direct == {(True, True), (True, False), (False, False)}
    assert quoted >= {(True, True, False), (True, False, True), (False, False, True), (False, True, False)}


@pytest.mark.parametrize("kind", [ETH_P_IPV6, 0x0806, 0x88B5])
def test_only_ipv4_passes(station, put, kind):
    station.tap("lo", bpf.matching(NEEDLE, [0]))
    packet = b"\x45" + bytes(19) + NEEDLE
    put(packet, kind)
    assert outgoing(station) == []
    put(packet)
    assert outgoing(station) == [packet]


@quick
@given(st.data(), st.integers(1, 255), OFFSETS)
def test_raw_sockets_pass_exactly_what_the_rule_says(station, gather, data, protocol, offsets):
    payload = data.draw(payloads(offsets))
    assume(protocol not in (1, 2))  # the kernel reads these too, and answers
    listener = station.listen(socket.AF_INET, protocol, bpf.matching(NEEDLE, [*offsets, 200]))
    sender = station.sender(socket.AF_INET, protocol)
    marker = bytes(200) + NEEDLE
    try:
        assert station.send(sender, payload, "127.0.0.1") is None
        assert station.send(sender, marker, "127.0.0.1") is None
        seen = gather(station, lambda seen: any(each[3].endswith(marker) for each in seen))
        expected = [payload] if needle_at(payload, 0, offsets) else []
        assert [each[3][20:] for each in seen] == [*expected, marker]
        assert {each[0] for each in seen} == {listener}
    finally:
        station.discard(sender)
        station.discard(listener)


@pytest.mark.night
@quick
@given(st.data(), OFFSETS)
def test_udp_sockets_pass_exactly_what_the_rule_says(station, gather, data, offsets):
    beyond_header = [8 + offset for offset in offsets]
    payload = data.draw(payloads(offsets))
    handle, port = station.datagram("127.0.0.1", 0, bpf.matching_datagram(NEEDLE, [*beyond_header, 208]))
    marker = bytes(200) + NEEDLE
    try:
        assert station.send(handle, payload, "127.0.0.1", port) is None
        assert station.send(handle, marker, "127.0.0.1", port) is None
        seen = gather(station, lambda seen: any(each[3] == marker for each in seen))
        expected = [payload] if needle_at(payload, 0, offsets) else []
        assert [each[3] for each in seen] == [*expected, marker]
    finally:
        station.discard(handle)
