"""What the ledger reads without parsing is what parsing would have found."""

from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.measure.ledger.likeness import changed_fields
from pytest_hdp.measure.ledger.probes import payload_of
from pytest_hdp.packet.ip import build_ipv4, parse_ipv4

LEFT = build_ipv4(b"payload", protocol=253, source="192.0.2.1", destination="198.51.100.2", identification=7)
WITH_OPTIONS = bytes([LEFT[0] + 1]) + LEFT[1:20] + b"\x01\x01\x01\x00" + LEFT[20:]
FRAGMENT = LEFT[:6] + b"\x30\x03" + LEFT[8:]
FIELDS = ("dscp", "ecn", "identification", "flags", "options", "protocol", "source", "destination")


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda more: b"\x46" + more)))
def test_the_payload_is_that_of_the_parser(data):
    packet = parse_ipv4(data)
    assert payload_of(data) == (packet.payload if packet is not None else None)


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
        if packet.fragment_offset:
            expected.discard("flags")
        if packet.ttl > before.ttl and not quoted:
            expected.add("ttl")
        assert set(changed_fields(bytes(flipped), left, quoted=quoted)) == expected


@pytest.mark.parametrize(("ttl", "changed"), [(63, ()), (64, ()), (65, ("ttl",))])
def test_a_hop_away_is_unchanged(ttl, changed):
    seen = bytearray(LEFT)
    seen[8] = ttl
    seen[10:12] = b"\x12\x34"
    assert changed_fields(bytes(seen), LEFT) == changed
