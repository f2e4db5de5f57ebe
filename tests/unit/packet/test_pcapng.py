"""The pcapng blocks, walked by the draft's rules; that Wireshark reads them is tested with tshark elsewhere."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet import pcapng

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
FIXED = {SECTION: 16, INTERFACE: 8}


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, length - 4) == (length,)
        found.append((kind, data[8 : length - 4]))
        data = data[length:]
    return found


def options(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        code, length = struct.unpack_from("<HH", data)
        if code == 0:
            assert data[4:] == b""
            break
        found.append((code, data[4 : 4 + length]))
        padded = 4 + length + -length % 4
        assert not any(data[4 + length : padded])
        data = data[padded:]
    return found


def test_a_section_says_who_wrote_it_where_and_why():
    ((kind, body),) = blocks(pcapng.section(application="us 1", system="Linux", comment="pytest"))
    assert kind == SECTION
    assert struct.unpack_from("<IHHq", body) == (0x1A2B3C4D, 1, 0, -1)
    assert options(body[16:]) == [(1, b"pytest"), (3, b"Linux"), (4, b"us 1")]


def test_an_interface_has_a_name_raw_packets_and_nanoseconds():
    ((kind, body),) = blocks(pcapng.interface("near", "of a path"))
    assert (kind, struct.unpack_from("<HHI", body)) == (INTERFACE, (101, 0, 0))
    assert options(body[8:]) == [(2, b"near"), (3, b"of a path"), (9, b"\x09")]


@given(st.integers(0, 2**64 - 1), st.binary(max_size=200), st.sampled_from([None, True, False]), st.text(max_size=50))
def test_a_packet_keeps_its_time_bytes_and_direction(time, data, outgoing, comment):
    ((kind, body),) = blocks(pcapng.packet(3, time, data, outgoing=outgoing, comment=comment))
    interface, high, low, kept, original = struct.unpack_from("<IIIII", body)
    assert (kind, interface, high << 32 | low, kept, original) == (PACKET, 3, time, len(data), len(data))
    assert body[20 : 20 + kept] == data
    found = dict(options(body[20 + kept + -kept % 4 :]))
    assert found.get(2) == (None if outgoing is None else struct.pack("<I", 2 if outgoing else 1))
    assert b"\0" not in found.get(1, b"")
    assert (1 in found) == bool(comment)
    found.get(1, b"").decode("utf-8")


@pytest.mark.parametrize("comment", ["é" * 40_000, "x" * 70_000, "\U0001f62e" * 20_000])
def test_a_comment_too_long_is_cut_between_characters(comment):
    ((_, body),) = blocks(pcapng.packet(0, 0, b"", outgoing=None, comment=comment))
    ((_, cut),) = options(body[20:])
    assert comment.startswith(cut.decode("utf-8"))
    assert 65_500 < len(cut) <= 65_535
