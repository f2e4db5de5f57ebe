from __future__ import annotations

import struct
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet.ip import build_ipv4, checksum, packed, parse_ipv4, parse_ipv6
from pytest_hdp.strategies import contents, damaged, ipv4_packets

KNOWN = bytes.fromhex("4 6 b8 001e beef 4005 40 fd 0000 c0000207 c6336409 94040000".replace(" ", "")) + b"moo!!!"


def ipv6(next_header: int, body: bytes, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    ends = IPv6Address("2001:db8::1").packed + IPv6Address("2001:db8::2").packed
    return struct.pack("!IHBB", 6 << 28 | 0xB9 << 20 | 0x12345, length, next_header, 61) + ends + body


def test_every_field_of_a_known_packet() -> None:
    packet = parse_ipv4(KNOWN)
    assert packet is not None
    assert (packet.header_length, packet.dscp, packet.ecn) == (24, 46, 0)
    assert (packet.total_length, packet.identification) == (30, 0xBEEF)
    assert (packet.flags, packet.fragment_offset) == (0b010, 5)
    assert (packet.ttl, packet.protocol, packet.checksum) == (64, 253, 0)
    assert (packet.source, packet.destination) == ("192.0.2.7", "198.51.100.9")
    assert (packet.options, packet.payload, packet.truncated) == (b"\x94\x04\0\0", b"moo!!!", False)


def test_link_layer_padding_is_no_payload() -> None:
    packet = parse_ipv4(KNOWN + bytes(20))
    assert packet is not None
    assert (packet.payload, packet.truncated) == (b"moo!!!", False)


def test_a_packet_cut_short_says_so() -> None:
    packet = parse_ipv4(KNOWN[:-2])
    assert packet is not None
    assert (packet.payload, packet.truncated) == (b"moo!", True)


@pytest.mark.parametrize("total_length", [0, 23])
def test_a_length_shorter_than_the_header_is_not_believed(total_length: int) -> None:
    packet = parse_ipv4(KNOWN[:2] + total_length.to_bytes(2, "big") + KNOWN[4:])
    assert packet is not None
    assert (packet.total_length, packet.payload, packet.truncated) == (total_length, b"moo!!!", False)


@pytest.mark.parametrize(
    "data", [b"", KNOWN[:19], KNOWN[:23], b"\x66" + KNOWN[1:], b"\x44" + KNOWN[1:], b"\x4f" + KNOWN[1:]]
)
def test_what_holds_no_header_is_none(data: bytes) -> None:
    assert parse_ipv4(data) is None


@given(ipv4_packets())
def test_parsing_ipv4_takes_any_bytes(data: bytes) -> None:
    packet = parse_ipv4(data)
    if packet is not None:
        assert packet.payload in data
        assert len(packet.payload) <= len(data) - packet.header_length
        assert len(packet.options) == packet.header_length - 20


@given(
    payload=contents(200),
    protocol=st.integers(0, 255),
    ttl=st.integers(0, 255),
    identification=st.integers(0, 65535),
    dscp=st.integers(0, 63),
    ecn=st.integers(0, 3),
    flags=st.integers(0, 7),
    fragment_offset=st.integers(0, 8191),
    options=st.sampled_from([b"", b"\1\1\1\1", bytes(40)]),
    source=st.ip_addresses(v=4).map(str),
    destination=st.ip_addresses(v=4).map(str),
)
def test_what_is_built_parses_back(payload: bytes, **fields: object) -> None:
    data = build_ipv4(payload, **fields)  # type: ignore[arg-type]
    packet = parse_ipv4(data)
    assert packet is not None
    assert {name: getattr(packet, name) for name in fields} == fields
    assert (packet.payload, packet.total_length, packet.truncated) == (payload, len(data), False)
    assert checksum(data[: packet.header_length]) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": 256},
        {"protocol": -1},
        {"ttl": 256},
        {"identification": 65536},
        {"dscp": 64},
        {"ecn": 4},
        {"flags": 8},
        {"fragment_offset": 8192},
        {"options": b"\1"},
        {"options": bytes(44)},
        {"payload": bytes(65516)},
        {"source": "192.0.2"},
    ],
)
def test_a_field_that_does_not_fit_is_a_value_error(fields: dict[str, object]) -> None:
    good: dict[str, object] = {"payload": b"", "source": "192.0.2.1", "destination": "192.0.2.2", "protocol": 253}
    build_ipv4(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError):  # noqa: PT011 (each says something else)
        build_ipv4(**good | fields)  # type: ignore[arg-type]


def test_addresses_of_both_versions() -> None:
    assert packed("192.0.2.7") == b"\xc0\0\2\7"
    assert packed("::1") == bytes(15) + b"\1"
    with pytest.raises(ValueError, match="banana"):
        packed("banana")


def test_every_field_of_a_known_ipv6_packet() -> None:
    packet = parse_ipv6(ipv6(253, b"moo"))
    assert packet is not None
    assert (packet.traffic_class, packet.flow_label) == (0xB9, 0x12345)
    assert (packet.payload_length, packet.next_header, packet.hop_limit) == (3, 253, 61)
    assert (packet.source, packet.destination) == ("2001:db8::1", "2001:db8::2")
    assert (packet.protocol, packet.payload, packet.extension_headers) == (253, b"moo", ())
    assert (packet.body, packet.fragment_offset, packet.truncated) == (b"moo", 0, False)


HOP_BY_HOP = bytes([43, 1]) + bytes(14)
ROUTING = bytes([60, 0]) + bytes(6)
OPTIONS = bytes([44, 0]) + bytes(6)
FRAGMENT = bytes([51, 0, 0, 1]) + bytes(4)
AUTHENTICATION = bytes([253, 4]) + bytes(22)


def test_the_walk_passes_every_extension_header() -> None:
    chain = HOP_BY_HOP + ROUTING + OPTIONS + FRAGMENT + AUTHENTICATION
    packet = parse_ipv6(ipv6(0, chain + b"moo"))
    assert packet is not None
    assert packet.extension_headers == (0, 43, 60, 44, 51)
    assert (packet.next_header, packet.protocol, packet.payload) == (0, 253, b"moo")
    assert packet.body == chain + b"moo"


def test_the_walk_ends_at_a_later_fragment() -> None:
    packet = parse_ipv6(ipv6(44, bytes([60, 0, 0, 9]) + bytes(4) + b"rest of the data"))
    assert packet is not None
    assert (packet.fragment_offset, packet.protocol, packet.payload) == (1, 60, b"rest of the data")


@pytest.mark.parametrize("body", [b"", b"\xfd", b"\xfd\x00short", b"\xfd\x02" + bytes(20)])
def test_the_walk_ends_at_a_header_that_does_not_fit(body: bytes) -> None:
    packet = parse_ipv6(ipv6(60, body))
    assert packet is not None
    assert (packet.protocol, packet.payload, packet.extension_headers) == (60, body, ())


def test_ipv6_padding_and_truncation() -> None:
    padded, short = parse_ipv6(ipv6(253, b"moo", 2)), parse_ipv6(ipv6(253, b"moo", 4))
    assert padded is not None
    assert short is not None
    assert (padded.payload, padded.truncated) == (b"mo", False)
    assert (short.payload, short.truncated) == (b"moo", True)


@given(damaged(st.builds(ipv6, st.sampled_from([0, 43, 44, 51, 60, 253]), st.binary(max_size=80))))
def test_parsing_ipv6_takes_any_bytes(data: bytes) -> None:
    packet = parse_ipv6(data)
    if packet is None:
        assert len(data) < 40 or data[0] >> 4 != 6
    else:
        assert packet.body in data
        assert packet.body.endswith(packet.payload)
