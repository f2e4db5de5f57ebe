"""What `hdp listen` says of a packet: anybody's, with anything in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.hdp import Header
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.packet.tag import Tagger
from pytest_hdp.report.heard import as_json, as_lines, as_row, hear, table_heads

SENT = 1_795_539_936_000_000_123
ARRIVED = SENT + 70_400


def packet(payload: bytes, protocol: int = 255) -> bytes:
    return build_ipv4(payload, source="192.0.2.1", destination="198.51.100.2", protocol=protocol, ttl=60)


def moo(content: bytes = b"moo\n  moo\n", stamp: int = SENT) -> bytes:
    return Header(420, 421, stamp).pack() + content


def test_a_strangers_packet_is_shown_header_by_header():
    assert as_lines(hear(ARRIVED, packet(moo()))) == [
        "192.0.2.1 > 198.51.100.2  protocol 255 (reserved)  ttl 60  id 0  dscp 0  ecn 0  length 42  checksum 919e",
        "  HDP 420 > 421  sent 2026-11-24 17:05:36.000000123 UTC, 70.4 us before it arrived",
        "  | moo",
        "  |   moo",
    ]


def test_what_is_unusual_in_the_ip_header_is_said():
    data = build_ipv4(
        moo(),
        source="192.0.2.1",
        destination="198.51.100.2",
        protocol=255,
        flags=0b011,
        fragment_offset=2,
        options=bytes(4),
    )
    assert as_lines(hear(ARRIVED, data))[0].endswith("  DF  fragment at 16  options 00000000")


def test_a_row_of_the_articles_table():
    heads, line = table_heads()
    assert heads.startswith("| Protocol Number | Source IP (Server) | Byte Sum (Server) |")
    row = as_row(hear(ARRIVED, packet(moo())))
    assert row.count("|") == heads.count("|") == line.count("|")
    assert row == "| 255 | 192.0.2.1 | 42 | \N{SALUTING FACE} | - | - | - | 70.4 |"


def test_json_has_all_of_it():
    told = json.loads(as_json(hear(ARRIVED, packet(moo()))))
    assert told["hdp"] == {"source_port": 420, "destination_port": 421, "timestamp": SENT}
    assert told["ip"]["protocol"] == 255
    assert (told["content"], told["tag"], told["udp"], told["delay_us"]) == ("moo\n  moo\n", None, None, 70.4)
    told = json.loads(as_json(hear(ARRIVED, packet(moo(b"\xff")))))
    assert (told["content"], told["hex"]) == (None, "ff")


def test_a_probes_tag_is_told_apart_from_its_content():
    header = Header(timestamp=SENT).pack()
    tag = Tagger(bytes(32), b"run id 8").make_tag(253, 7, header, b"moo")
    lines = as_lines(hear(ARRIVED, packet(header + tag + b"moo", 253)))
    assert lines[2:] == ["  tag of a probe: run 72756e2069642038, index 7", "  | moo"]


@pytest.mark.parametrize("length", [27, 28, 100])
def test_text_of_any_length_is_no_tag(length):
    assert as_lines(hear(ARRIVED, packet(moo(b"m" * length))))[2:] == [f"  | {'m' * length}"]


def test_a_datagram_holds_hdp_and_what_is_no_datagram_is_hdp():
    datagram = (5000).to_bytes(2, "big") + (420).to_bytes(2, "big") + (8 + 22).to_bytes(2, "big") + bytes(2) + moo()
    assert as_lines(hear(ARRIVED, packet(datagram, 17)))[1:4] == [
        "  UDP 5000 > 420",
        "  HDP 420 > 421  sent 2026-11-24 17:05:36.000000123 UTC, 70.4 us before it arrived",
        "  | moo",
    ]
    assert as_lines(hear(ARRIVED, packet(moo(), 17)))[1].startswith("  HDP 420 > 421")


@pytest.mark.parametrize("stamp", [0, 1, 2**64 - 1, ARRIVED + 1, ARRIVED - 3601 * 10**9])
def test_another_clock_gives_no_delay(stamp):
    heard = hear(ARRIVED, packet(moo(stamp=stamp)))
    assert f"at {stamp} ns by a clock that is not ours" in as_lines(heard)[1]
    assert as_row(heard).endswith("| - |")


def test_what_does_not_decode_is_shown_as_it_is():
    lines = as_lines(hear(ARRIVED, packet(moo(b"moo!")), Encoding.BASE64))
    assert lines[2:] == ["  4 bytes that are not base64", "  | moo!"]
    assert as_lines(hear(ARRIVED, packet(moo(b"bW9v")), Encoding.BASE64))[2:] == ["  | moo"]


def test_a_packet_shorter_than_a_header_is_no_hdp():
    assert as_lines(hear(ARRIVED, packet(b"\x1b[2J")))[1:] == ["  no HDP header: 4 bytes", "  | \\x1b[2J"]
    assert as_row(hear(ARRIVED, packet(b""))).endswith("| - |")


@given(st.binary(max_size=300), st.integers(0, 2**63), st.sampled_from(Encoding), st.booleans())
def test_nothing_raises_and_nothing_reaches_a_terminal(data, time, encoding, wrapped):
    heard = hear(time, packet(data, 17) if wrapped else data, encoding)
    for line in [*as_lines(heard), as_row(heard)]:
        assert line.isprintable()
    assert as_json(heard).isascii()
    json.loads(as_json(heard))
