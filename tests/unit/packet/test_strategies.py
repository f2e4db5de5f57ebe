from __future__ import annotations

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from pytest_hdp import strategies
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.hdp import Header
from pytest_hdp.packet.ip import build_ipv4, checksum, parse_ipv4
from pytest_hdp.packet.tag import Tag

MANY = settings(max_examples=600, derandomize=True, database=None)
UNSHRUNK = settings(MANY, phases=[Phase.generate])
LOOPBACK = {"source": "127.0.0.1", "destination": "127.0.0.1"}


def anything(_: object) -> bool:
    return True


@pytest.mark.night
def test_the_simplest_is_the_most_benign() -> None:
    assert find(strategies.headers(), anything) == Header()
    assert find(strategies.contents(), anything) == b""
    assert find(strategies.encodings(), anything) is Encoding.PLAIN
    assert find(strategies.protocol_numbers(), anything) == 253
    assert find(strategies.protocol_numbers([6, 255, 200, 256]), anything) == 200
    assert find(strategies.ipv4_packets(), anything) == build_ipv4(b"", protocol=253, **LOOPBACK)
    assert find(strategies.tags(), anything) == Tag(bytes(8), 0, bytes(16))


@pytest.mark.night
def test_a_failure_about_one_field_shrinks_the_others_to_benign() -> None:
    def low_ttl(data: bytes) -> bool:
        packet = parse_ipv4(data)
        return packet is not None and packet.ttl < 64

    found = parse_ipv4(find(strategies.ipv4_packets(hostile=False), low_ttl, settings=MANY))
    assert found is not None
    assert (found.protocol, found.source, found.payload, found.options) == (253, "127.0.0.1", b"", b"")


@pytest.mark.night
def test_every_number_and_the_longest_content_are_generated() -> None:
    assert find(strategies.protocol_numbers(), lambda number: number == 0, settings=MANY) == 0
    assert len(find(strategies.contents(1480), lambda content: len(content) > 1400, settings=MANY)) > 1400


def test_hostile_packets_are_hostile_in_each_way() -> None:
    packets = strategies.ipv4_packets(max_payload=32)
    find(packets, lambda data: parse_ipv4(data) is None, settings=UNSHRUNK)
    find(packets, lambda data: (packet := parse_ipv4(data)) is not None and packet.truncated, settings=UNSHRUNK)
    find(packets, lambda data: parse_ipv4(data) is not None and checksum(data[:20]) != 0, settings=UNSHRUNK)


def test_good_packets_are_good() -> None:
    with pytest.raises(NoSuchExample):
        find(strategies.ipv4_packets(hostile=False), lambda data: parse_ipv4(data) is None, settings=MANY)


@given(st.integers(0, 40), st.data())
def test_contents_keep_to_their_size(size: int, data: st.DataObject) -> None:
    assert len(data.draw(strategies.contents(size))) <= size


@given(strategies.ipv4_packets(strategies.protocol_numbers([47, 50]), max_payload=8, hostile=False))
def test_packets_keep_to_what_was_asked(data: bytes) -> None:
    packet = parse_ipv4(data)
    assert packet is not None
    assert packet.protocol in {47, 50}
    assert len(packet.payload) <= 8
    assert checksum(data[: packet.header_length]) == 0
