from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_hdp.packet import hdp, ip
from pytest_hdp.packet.carrier import CARRIERS, EXTENSION_HEADERS, carriers, hdp_offset, run_id_places, unwrap, wrap
from pytest_hdp.packet.checksums import checksum, crc32c, pseudo_header
from pytest_hdp.packet.family import FAMILIES, IPV4, IPV6, packed
from pytest_hdp.strategies import contents, damaged, headers

SOURCE, DESTINATION = "192.0.2.7", "198.51.100.9"
V6 = ("2001:db8::7", "2001:db8::9")
PROBES = st.builds(lambda header, content: header.pack() + content, headers(), contents(120))
PROBE = hdp.Header(timestamp=1739640243546134123).pack() + b"moo moo moo"
WITH_CARRIER = [1, 2, 4, 6, 17, 33, 41, 47, 50, 51, 55, 89, 97, 103, 112, 115, 132, 136, 137, 143]

BY_IPV6 = sorted({*WITH_CARRIER, 0, 43, 44, 58, 59, 60} - {1, 2, 55})
SAME_BY_BOTH = sorted(set(WITH_CARRIER) & set(BY_IPV6) - {89, 112})

every_carrier = pytest.mark.parametrize("protocol", WITH_CARRIER)


def wrapped(protocol: int, probe: bytes = PROBE, ends: tuple[str, str] = (SOURCE, DESTINATION)) -> bytes:
    payload = wrap(protocol, probe, source=ends[0], destination=ends[1], source_port=4200, destination_port=421)
    assert payload is not None
    return payload


def test_which_numbers_have_a_carrier() -> None:
    assert list(CARRIERS) == list(carriers(IPV4)) == WITH_CARRIER
    assert list(carriers(IPV6)) == BY_IPV6
    for family in FAMILIES:
        known = carriers(family)
        assert all(each.protocol == number and "RFC" in each.message for number, each in known.items())


@pytest.mark.parametrize("protocol", BY_IPV6)
@given(probe=PROBES)
def test_by_ipv6_it_is_found_where_it_was_put(protocol: int, probe: bytes) -> None:
    payload, carrier = wrapped(protocol, probe, V6), carriers(IPV6)[protocol]
    offset = hdp_offset(protocol, IPV6)
    assert payload[offset : offset + len(probe)] == probe
    found = carrier.extract(payload)
    assert found is not None
    assert found.startswith(probe)
    assert offset + 12 in run_id_places(IPV6)


@pytest.mark.parametrize("protocol", sorted(EXTENSION_HEADERS))
def test_who_walks_the_chain_finds_253_behind_eight_bytes(protocol: int) -> None:
    packet = struct.pack("!IHBB", 6 << 28, 8 + len(PROBE), protocol, 64) + b"".join(map(packed, V6))
    parsed = ip.parse_ipv6(packet + wrapped(protocol, PROBE, V6))
    assert parsed is not None
    assert (parsed.extension_headers, parsed.protocol, parsed.payload) == ((protocol,), 253, PROBE)


@pytest.mark.parametrize(("protocol", "covered"), [(58, None), (103, None), (112, None), (89, 36)])
@given(probe=PROBES)
def test_by_ipv6_checksums_cover_the_pseudo_header(protocol: int, covered: int | None, probe: bytes) -> None:
    payload = wrapped(protocol, probe, V6)
    pseudo = pseudo_header(packed(V6[0]), packed(V6[1]), protocol, len(payload[:covered]))
    assert checksum(pseudo + payload[:covered]) in {0, 0xFFFF}


@given(st.integers(-1024, 65535).filter(lambda number: number not in CARRIERS), st.binary(max_size=40))
def test_a_number_without_one_has_none(protocol: int, data: bytes) -> None:
    assert wrap(protocol, data, source=SOURCE, destination=DESTINATION) is None
    assert unwrap(protocol, data) is None
    assert hdp_offset(protocol) == 0


@every_carrier
@given(data=st.data(), probe=PROBES)
def test_what_is_wrapped_unwraps(protocol: int, data: st.DataObject, probe: bytes) -> None:
    both = protocol in SAME_BY_BOTH
    payload = wrapped(protocol, probe, data.draw(st.sampled_from([(SOURCE, DESTINATION), V6][: 1 + both])))
    offset = hdp_offset(protocol)
    assert payload[offset : offset + len(probe)] == probe
    assert unwrap(protocol, payload) == probe


@settings(max_examples=5 * settings.default.max_examples)  # of all carriers together
@given(protocol=st.sampled_from(WITH_CARRIER), data=st.data())
def test_unwrapping_takes_any_bytes(protocol: int, data: st.DataObject) -> None:
    hostile = data.draw(damaged(PROBES.map(lambda probe: wrapped(protocol, probe))))
    got = unwrap(protocol, hostile)
    assert got is None or got in hostile


@every_carrier
def test_of_a_quote_cut_short_the_start_is_found(protocol: int) -> None:
    payload = wrapped(protocol)
    for end in range(hdp_offset(protocol) + len(PROBE) + 1):
        got = unwrap(protocol, payload[:end])
        assert got is None or PROBE.startswith(got)
        if end >= hdp_offset(protocol) and protocol != 50:
            assert got == payload[hdp_offset(protocol) : end]


@every_carrier
def test_what_does_not_fit_is_a_value_error(protocol: int) -> None:
    with pytest.raises(ValueError, match="different IP versions"):
        wrap(protocol, PROBE, source=V6[0], destination=DESTINATION)
    if protocol in {6, 17, 33, 132, 136}:
        with pytest.raises(ValueError, match="ports 65536 and 421"):
            wrap(protocol, PROBE, source=SOURCE, destination=DESTINATION, source_port=65536, destination_port=421)
    if protocol in {4, 17, 41, 89, 103, 132}:
        with pytest.raises(ValueError):  # noqa: PT011 (an inner packet has its own words)
            wrap(protocol, bytes(65536), source=SOURCE, destination=DESTINATION)


# ---- Each is what its RFC says. Offsets and values here are from the RFCs, not from the code. ----


@pytest.mark.parametrize("ends", [(SOURCE, DESTINATION), V6])
@pytest.mark.parametrize("protocol", [6, 17, 33, 136])
@given(probe=PROBES)
def test_transport_checksums_cover_the_pseudo_header(protocol: int, ends: tuple[str, str], probe: bytes) -> None:
    payload = wrapped(protocol, probe, ends)
    pseudo = pseudo_header(ip.packed(ends[0]), ip.packed(ends[1]), protocol, len(payload))
    assert checksum(pseudo + payload) == 0
    assert struct.unpack_from("!HH", payload) == (4200, 421)


@pytest.mark.parametrize(("protocol", "at"), [(17, 6), (136, 6)])
def test_a_udp_checksum_is_never_zero(protocol: int, at: int) -> None:
    base = bytearray(wrapped(protocol, bytes(14)))
    wanted = int.from_bytes(base[at : at + 2], "big")
    probe = bytes(12) + wanted.to_bytes(2, "big")
    assert wrapped(protocol, probe)[at : at + 2] == b"\xff\xff"


@pytest.mark.parametrize("protocol", [1, 103])
@given(probe=PROBES)
def test_plain_checksums(protocol: int, probe: bytes) -> None:
    assert checksum(wrapped(protocol, probe)) == 0


@pytest.mark.parametrize(("protocol", "size"), [(2, 8), (112, 20)])
@given(probe=PROBES)
def test_a_message_of_fixed_size_is_right_with_and_without_what_follows(protocol: int, size: int, probe: bytes) -> None:
    payload = wrapped(protocol, probe)
    assert checksum(payload[:size]) == 0
    assert checksum(payload) == 0


def test_tcp_is_a_syn() -> None:
    payload = wrapped(6)
    assert payload[12] >> 4 == 5
    assert payload[13] == 0b10
    assert payload[4:8] == PROBE[8:12]
    assert payload[8:12] == bytes(4)


def test_udp_length() -> None:
    assert int.from_bytes(wrapped(17)[4:6], "big") == 8 + len(PROBE)


def test_udplite_covers_everything() -> None:
    assert wrapped(136)[4:6] == b"\0\0"


def test_dccp_is_a_request() -> None:
    payload = wrapped(33)
    assert payload[4] == 5
    assert payload[8] & 0b1 == 1
    assert payload[8] >> 1 & 0b1111 == 0
    assert payload[10:16] == PROBE[6:12]


@pytest.mark.parametrize(("protocol", "at", "size", "mac"), [(6, 4, 4, 24), (33, 10, 6, 24), (132, 16, 4, 28)])
def test_what_a_reply_must_know_is_of_the_tag_and_hangs_on_each_of_its_bits(
    protocol: int, at: int, size: int, mac: int
) -> None:
    probe = hdp.Header(timestamp=1739640243546134123).pack() + bytes(range(100, 140))
    usual = wrapped(protocol, probe)[at : at + size]
    for bit in range(8 * size):
        other = bytearray(probe)
        other[mac + bit // 8] ^= 1 << bit % 8
        assert wrapped(protocol, bytes(other))[at : at + size] != usual


@pytest.mark.parametrize("size", range(12, 20))
def test_sctp_is_an_init(size: int) -> None:
    payload = wrapped(132, PROBE.ljust(size, b".")[:size])
    assert len(payload) % 4 == 0
    assert crc32c(payload[:8] + bytes(4) + payload[12:]) == int.from_bytes(payload[8:12], "little")
    assert payload[4:8] == bytes(4)
    assert payload[12:14] == b"\1\0"
    assert int.from_bytes(payload[14:16], "big") == 20 + 4 + size
    tag, window, outbound, inbound = struct.unpack_from("!IIHH", payload, 16)
    assert tag
    assert window >= 1500
    assert outbound
    assert inbound
    assert struct.unpack_from("!HH", payload, 32) == (0x8005, 4 + size)


def test_ipip_holds_a_valid_packet_between_the_same_hosts() -> None:
    payload = wrapped(4)
    inner = ip.parse_ipv4(payload)
    assert inner is not None
    assert (inner.source, inner.destination, inner.protocol) == (SOURCE, DESTINATION, 253)
    assert (inner.payload, inner.total_length, checksum(payload[:20])) == (PROBE, len(payload), 0)


def test_ipv6_in_ipv4_holds_a_valid_packet_between_the_same_hosts() -> None:
    inner = ip.parse_ipv6(wrapped(41))
    assert inner is not None
    assert (inner.source, inner.destination) == ("2002:c000:207::1", "2002:c633:6409::1")
    assert (inner.next_header, inner.payload, inner.payload_length) == (253, PROBE, len(PROBE))


@pytest.mark.parametrize("protocol", [4, 41])
def test_no_third_party_is_named_inside_ipv6(protocol: int) -> None:
    payload = wrapped(protocol, PROBE, V6)
    if protocol == 41:
        inner = ip.parse_ipv6(payload)
        assert inner is not None
        assert (inner.source, inner.destination) == V6
    else:
        assert payload[12:20] == bytes([192, 0, 2, 1, 192, 0, 2, 2])


@pytest.mark.parametrize("size", range(12, 20))
def test_esp_ends_on_a_word_with_the_padding_of_rfc_4303(size: int) -> None:
    payload = wrapped(50, PROBE.ljust(size, b".")[:size])
    trailer = payload[8 + size : -12]
    assert int.from_bytes(payload[:4], "big") > 255
    assert len(payload) % 4 == 0
    assert trailer[-1] == 253
    assert trailer[:-2] == bytes(range(1, trailer[-2] + 1))


def test_ah_counts_its_words() -> None:
    payload = wrapped(51)
    assert payload[:4] == bytes([253, 24 // 4 - 2, 0, 0])


def test_minimal_encapsulation_checks_its_header() -> None:
    payload = wrapped(55)
    assert payload[:2] == bytes([253, 0])
    assert payload[4:8] == ip.packed(DESTINATION)
    assert checksum(payload[:8]) == 0


@pytest.mark.parametrize("size", range(12, 20))
def test_ospf_is_a_hello_with_a_whole_link_local_block(size: int) -> None:
    payload = wrapped(89, PROBE.ljust(size, b".")[:size])
    assert payload[:4] == bytes([2, 1, 0, 44])
    assert checksum(payload[:16] + payload[24:44]) == 0
    assert payload[30] & 0x10
    block = payload[44:]
    assert checksum(block) == 0
    assert int.from_bytes(block[2:4], "big") * 4 == len(block)
    assert int.from_bytes(block[6:8], "big") == len(block) - 8


def test_pim_over_ipv6_covers_the_pseudo_header() -> None:
    payload = wrapped(103, PROBE, V6)
    assert checksum(pseudo_header(ip.packed(V6[0]), ip.packed(V6[1]), 103, len(payload)) + payload) == 0


@pytest.mark.parametrize(
    ("protocol", "start"),
    [
        (47, "0000 88b5"),
        (115, "48445000"),
        (137, "00010140"),
        (143, "020000000002 020000000001 88b5"),
        (97, "3000 020000000002 020000000001 88b5"),
    ],
)
def test_short_headers_to_the_byte(protocol: int, start: str) -> None:
    assert wrapped(protocol) == bytes.fromhex(start) + PROBE


# ---- What NAT and other boxes do to carriers does not hide the probe. ----


def test_options_that_a_box_puts_into_tcp_are_skipped() -> None:
    payload = wrapped(6)
    clamped = payload[:12] + bytes([6 << 4]) + payload[13:20] + b"\2\4\5\xb4" + payload[20:]
    assert unwrap(6, clamped) == PROBE


def test_an_echo_reply_brings_the_probe_back() -> None:
    assert unwrap(1, b"\0" + wrapped(1)[1:]) == PROBE
    assert unwrap(1, b"\3" + wrapped(1)[1:]) is None


@pytest.mark.parametrize("protocol", [6, 17, 33, 132, 136])
def test_other_ports_and_checksums_do_not_matter(protocol: int) -> None:
    payload = wrapped(protocol)
    at = {6: 16, 17: 6, 33: 6, 132: 8, 136: 6}[protocol]
    changed = b"\xff\xff\0\0" + payload[4:at] + b"\0\0" + payload[at + 2 :]
    assert unwrap(protocol, changed) == PROBE


def test_padding_behind_udp_is_not_hdp() -> None:
    assert unwrap(17, wrapped(17) + bytes(9)) == PROBE
