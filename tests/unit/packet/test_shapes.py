"""Fragments and options: what is sent, and what an eye makes of it again."""

from __future__ import annotations

import pytest

from pytest_hdp.packet import shapes
from pytest_hdp.packet.carrier import hdp_offset, wrap
from pytest_hdp.packet.family import FAMILIES, IPV4, IPV6, Family, packed
from pytest_hdp.packet.view import PacketView, view

HDP = bytes([1, 0xA4, 1, 0xA4]) + bytes(8) + b"run id 8" + bytes(20) + b"which numbers?"
ENDS = {IPV4: ("192.0.2.1", "198.51.100.2"), IPV6: ("2001:db8::1", "2001:db8::2")}
OF_FRAGMENTS, OF_OPTIONS = 44, 60


def on_the_wire(family: Family, sent: bytes, number: int) -> PacketView:
    """As a kernel sends it: with addresses and length in the header, or with a header of its own."""
    source, destination = map(packed, ENDS[family])
    if family is IPV6:
        header = b"\x60\0\0\0" + len(sent).to_bytes(2, "big") + bytes([number, 64]) + source + destination
        packet = view(header + sent)
    else:
        packet = view(sent[:2] + len(sent).to_bytes(2, "big") + sent[4:12] + source + destination + sent[20:])
    assert packet is not None
    return packet


def held(family: Family, number: int, hdp: bytes) -> bytes:
    source, destination = ENDS[family]
    return wrap(number, hdp, source=source, destination=destination) or hdp


@pytest.mark.parametrize("family", FAMILIES, ids=["IPv4", "IPv6"])
def test_both_fragments_of_every_number_bear_hdp_and_make_the_datagram(family: Family) -> None:
    for number in range(256):
        payload = held(family, number, shapes.twice(HDP, hdp_offset(number, family)))
        start = payload.find(HDP)
        sent = shapes.in_fragments(family, number, payload, start, 70_000 + number)
        seen = [on_the_wire(family, each, OF_FRAGMENTS) for each in sent]
        first, second = (shapes.taken_out(each, number) for each in seen)
        assert (first.protocol, second.protocol) == (number, number)
        assert first.payload + second.payload == payload
        assert (first.payload, second.payload) == shapes.halves(payload, start)
        assert len(first.payload) % 8 == 0
        assert all(HDP in each.payload for each in (first, second)), number
        if family is IPV4:
            assert first.is_first_fragment
            assert (second.data[6] << 8 | second.data[7]) * 8 == len(first.payload)
            assert first.identification == second.identification != 0
        else:
            heads = [each.payload[:8] for each in seen]
            offsets = [int.from_bytes(each[2:4], "big") for each in heads]
            assert offsets == [1, len(first.payload)], "the lowest bit says that more follow"
            assert heads[0][4:] == heads[1][4:]


@pytest.mark.parametrize("family", FAMILIES, ids=["IPv4", "IPv6"])
def test_behind_options_is_the_same_payload(family: Family) -> None:
    for number in range(256):
        payload = held(family, number, HDP)
        seen = on_the_wire(family, shapes.behind_options(family, number, payload, 0xFFFF), OF_OPTIONS)
        found = shapes.taken_out(seen, number)
        assert (found.protocol, found.payload) == (number, payload)
    if family is IPV4:
        assert found.data[20:24] == bytes([1, 1, 1, 0])
        assert found.identification, "0 is one that the kernel would replace"


def test_what_is_no_header_of_ours_stays_as_it_is() -> None:
    ours = on_the_wire(IPV6, shapes.behind_options(IPV6, 253, HDP, 1), OF_OPTIONS)
    for other in (on_the_wire(IPV6, HDP, 253), on_the_wire(IPV6, HDP, OF_OPTIONS), on_the_wire(IPV6, b"\xfd", 60)):
        assert shapes.taken_out(other, 253) is other
    assert shapes.taken_out(ours, 252) is ours
