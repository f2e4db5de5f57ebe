"""What a view reads field by field is what parsing would have found."""

import struct
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet.ip import build_ipv4, parse_ipv4, parse_ipv6
from pytest_hdp.packet.view import view

LEFT = build_ipv4(b"payload", protocol=253, source="192.0.2.1", destination="198.51.100.2", identification=7)
WITH_OPTIONS = bytes([LEFT[0] + 1]) + LEFT[1:20] + b"\x01\x01\x01\x00" + LEFT[20:]
FRAGMENT = LEFT[:6] + b"\x30\x03" + LEFT[8:]
SIX = bytes.fromhex("20010db8") + bytes(11) + b"\x01", bytes.fromhex("20010db8") + bytes(11) + b"\x02"
FIELDS = ("dscp", "ecn", "identification", "flags", "options", "protocol", "source", "destination")


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda more: b"\x46" + more)))
def test_the_payload_is_that_of_the_parser(data):
    packet, seen = parse_ipv4(data), view(data)
    assert (seen.payload if seen is not None else None) == (packet.payload if packet is not None else None)


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize(("left", "seen"), [(LEFT, LEFT), (FRAGMENT, LEFT), (WITH_OPTIONS, LEFT), (LEFT, WITH_OPTIONS)])
def test_the_changed_fields_are_those_that_differ_when_parsed(left, seen, quoted):
    before = parse_ipv4(left)
    for one, other in combinations_with_replacement(range(8 * 24), 2):
        flipped = bytearray(seen)
        flipped[one // 8] ^= 1 << one % 8
        flipped[other // 8] ^= 1 << other % 8
        packet = parse_ipv4(bytes(flipped))
        if packet is None:
            continue
        expected = {name for name in FIELDS if getattr(packet, name) != getattr(before, name)}
        if packet.fragment_offset or left is FRAGMENT:  # of what is put together again they tell nothing
            expected.discard("flags")
        if packet.ttl > before.ttl and not quoted:
            expected.add("ttl")
        assert set(view(bytes(flipped)).changes_from(view(left), quoted=quoted)) == expected


@pytest.mark.parametrize(("ttl", "changed"), [(63, ()), (64, ()), (65, ("ttl",))])
def test_a_hop_away_is_unchanged(ttl, changed):
    seen = bytearray(LEFT)
    seen[8] = ttl
    seen[10:12] = b"\x12\x34"
    assert view(bytes(seen)).changes_from(view(LEFT)) == changed


def ipv6(payload=b"payload", *, number=253, hop_limit=64, word=6 << 28, source=SIX[0], destination=SIX[1]):
    return struct.pack("!IHBB16s16s", word, len(payload), number, hop_limit, source, destination) + payload


@given(st.binary(max_size=80).map(lambda more: b"\x6c" + more))
def test_an_ipv6_packet_is_what_the_parser_says(data):
    packet, seen = parse_ipv6(data), view(data)
    assert (packet is None) is (seen is None)
    if packet is not None:
        assert (seen.payload, seen.protocol, seen.hop_limit) == (packet.body, packet.next_header, packet.hop_limit)
        assert (seen.source, seen.destination, seen.flow_label) == (
            packet.source, packet.destination, packet.flow_label,
        )  # fmt: skip
        assert seen.traffic_class == packet.traffic_class


@given(st.binary(max_size=200))
def test_any_bytes_are_a_packet_or_none(data):
    seen = view(data)
    if seen is not None:
        assert seen.changes_from(view(LEFT)) is not None
        assert isinstance(seen.is_icmp_error, bool)
        assert isinstance(seen.is_echo_reply, bool)
        assert data.endswith(seen.payload) or seen.payload in data


@pytest.mark.parametrize(
    ("seen", "changed"),
    [
        (ipv6(), ()),
        (ipv6(hop_limit=63), ()),
        (ipv6(hop_limit=65), ("ttl",)),
        (ipv6(word=6 << 28 | 0xB8 << 20), ("dscp",)),
        (ipv6(word=6 << 28 | 0x03 << 20), ("ecn",)),
        (ipv6(word=6 << 28 | 0xABCDE), ("flow_label",)),
        (ipv6(number=44), ("protocol",)),
        (ipv6(source=SIX[1]), ("source",)),
        (ipv6(destination=SIX[0]), ("destination",)),
        (LEFT, ("source", "destination")),
    ],
)
def test_what_changed_of_an_ipv6_packet(seen, changed):
    assert view(seen).changes_from(view(ipv6())) == changed


def test_ipv6_has_no_number_by_which_a_quote_could_be_known():
    assert view(ipv6()).identification is None
    assert view(LEFT).identification == 7
    assert (view(LEFT).flow_label, view(ipv6(word=6 << 28 | 7)).flow_label) == (None, 7)


@pytest.mark.parametrize(
    ("number", "payload", "is_error", "is_reply"),
    [
        (58, b"\x01\x04", True, False),
        (58, b"\x81\x00", False, True),
        (58, b"", False, False),
        (1, b"\x03\x02", False, False),
        (1, b"\x00\x00", False, False),
    ],
)
def test_ipv6_has_an_icmp_of_its_own(number, payload, is_error, is_reply):
    seen = view(ipv6(payload, number=number))
    assert (seen.is_icmp_error, seen.is_echo_reply) == (is_error, is_reply)
