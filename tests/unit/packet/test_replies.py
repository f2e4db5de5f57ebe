"""A reply of the protocol's own counts only if it holds what only who saw the probe can know."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet.carrier import wrap
from pytest_hdp.packet.replies import reply_to

SOURCE, TARGET = "192.0.2.7", "198.51.100.9"
HDP = bytes(12) + bytes(range(100, 160))
SYN, DCCP, INIT = (wrap(number, HDP, source=SOURCE, destination=TARGET) or b"" for number in (6, 33, 132))
SEQUENCE = int.from_bytes(SYN[4:8], "big")
DATA = len(HDP)


def tcp(ack: int, flags: int, ports: tuple[int, int] = (420, 420)) -> bytes:
    return struct.pack("!HHIIBBHHH", *ports, 0, ack % (1 << 32), 5 << 4, flags, 0, 0, 0)


def sctp(tag: bytes, chunk: int, flags: int = 0) -> bytes:
    return struct.pack("!HH", 420, 420) + tag + bytes(4) + bytes([chunk, flags, 0, 4])


def dccp(acknowledged: bytes, kind: int, extended: int = 1) -> bytes:
    return struct.pack("!HHBBHBB", 420, 420, 7, 0, 0, kind << 1 | extended, 0) + bytes(6) + bytes(2) + acknowledged


@pytest.mark.parametrize(
    ("protocol", "sent", "got", "told"),
    [
        (6, SYN, tcp(SEQUENCE + 1 + DATA, 0x14), "TCP RST"),
        (6, SYN, tcp(SEQUENCE + 1, 0x14), "TCP RST"),
        (6, SYN, tcp(SEQUENCE + 1, 0x12), "TCP SYN-ACK"),
        (132, INIT, sctp(INIT[16:20], 6), "SCTP ABORT"),
        (132, INIT, sctp(INIT[16:20], 2), "SCTP INIT ACK"),
        (33, DCCP, dccp(DCCP[10:16], 7), "DCCP-Reset"),
        (33, DCCP, dccp(DCCP[10:16], 1), "DCCP-Response"),
    ],
)
def test_replies(protocol, sent, got, told):
    assert reply_to(protocol, sent, got) == told


@pytest.mark.parametrize(
    ("protocol", "sent", "got"),
    [
        (6, SYN, tcp(SEQUENCE, 0x14)),
        (6, SYN, tcp(SEQUENCE + 2, 0x14)),
        (6, SYN, tcp(SEQUENCE + 1, 0x04)),  # a reset without ACK acknowledges nothing
        (6, SYN, tcp(SEQUENCE + 1, 0x10)),
        (6, SYN, tcp(SEQUENCE + 1, 0x14, (420, 421))),
        (6, SYN, tcp(0, 0x14)),
        (132, INIT, sctp(bytes(4), 6, 1)),  # the tag reflected is INIT's own, 0: anybody knows that
        (132, INIT, sctp(INIT[16:20], 6, 1)),
        (132, INIT, sctp(b"\xff" * 4, 6)),
        (132, INIT, sctp(INIT[16:20], 0)),
        (33, DCCP, dccp(bytes(6), 7)),
        (33, DCCP, dccp(DCCP[10:16], 7, 0)),
        (33, DCCP, dccp(DCCP[10:16], 0)),
        (47, SYN, tcp(SEQUENCE + 1, 0x14)),
    ],
)
def test_what_proves_nothing_is_no_reply(protocol, sent, got):
    assert reply_to(protocol, sent, got) is None


@given(st.sampled_from([(6, SYN), (33, DCCP), (132, INIT)]), st.binary(max_size=80), st.booleans())
def test_takes_any_bytes_and_no_stranger_guesses(one, got, mirrored):
    protocol, sent = one
    data = (sent[2:4] + sent[:2] if mirrored else b"") + got
    assert reply_to(protocol, sent, data) is None
    assert reply_to(protocol, got, sent) is None
