"""The filter programs as programs, and run by the kernel on Unix sockets, which takes no privilege."""

import socket
import struct
from ctypes import addressof, create_string_buffer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.vantage import bpf

NEEDLE = b"run id 8"
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
JUMPS, JA = {0x15, 0x25, 0x35, 0x45}, 0x05
PROGRAMS = {
    "drop_all": bpf.drop_all(),
    "accept_all": bpf.accept_all(),
    "matching": bpf.matching(NEEDLE, [12]),
    "protocols": bpf.matching(NEEDLE, [12, 20, 40], protocols={1, 17, 255}),
    "icmp": bpf.matching(NEEDLE, range(0, 200, 4), protocols=range(256), icmp_errors_to="192.0.2.1"),
    "datagram": bpf.matching_datagram(NEEDLE, [8, 20]),
    "answers": bpf.answers("192.0.2.1", range(0, 256, 7), 420),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_every_way_through_a_program_ends_in_a_return(program):
    for index, (code, jump_true, jump_false, k) in enumerate(program):
        ahead = {jump_true, jump_false} if code in JUMPS else {k} if code == JA else {0}
        assert code == 0x06 or all(index + 1 + step < len(program) for step in ahead)
    assert program[-1][0] == 0x06
    assert len(program) < 4096  # BPF_MAXINSNS


def test_assembled_as_the_kernel_wants_it():
    assert bpf.assemble([(0x15, 1, 2, 0x01020304), (6, 0, 0, 0)]) == struct.pack("=HBBI", 0x15, 1, 2, 0x01020304) + (
        struct.pack("=HBBI", 6, 0, 0, 0)
    )


@pytest.mark.parametrize(
    ("needle", "offsets", "more", "says"),
    [
        (b"short", [0], {}, "8 bytes, not 5"),
        (NEEDLE, [], {}, "at least one offset"),
        (NEEDLE, [4, -1], {}, "none below 0"),
        (NEEDLE, [0], {"protocols": {256}}, "256 is not in 0..255"),
        (NEEDLE, [0], {"protocols": {-1}}, "-1 is not in 0..255"),
        (NEEDLE, [0], {"icmp_errors_to": "localhost"}, "localhost"),
    ],
)
def test_what_no_filter_can_be_made_of_is_refused(needle, offsets, more, says):
    with pytest.raises(ValueError, match=says):
        bpf.matching(needle, offsets, **more)


def passes(program: list[tuple[int, int, int, int]], data: bytes) -> bool:
    """What the kernel's own filter decides."""
    code = bpf.assemble(program)
    held = create_string_buffer(code, len(code))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(code) // 8, addressof(held)))
        ours.send(data)
        try:
            return theirs.recv(1 << 16, socket.MSG_DONTWAIT) == data
        except BlockingIOError:
            return False


OFFSETS = st.lists(st.integers(0, 60), min_size=1, max_size=4)


@given(st.data(), OFFSETS, st.binary(max_size=90))
def test_datagrams_pass_exactly_if_the_needle_is_at_an_offset(data, offsets, content):
    at = data.draw(st.one_of(st.sampled_from(offsets), st.integers(0, 80)))
    needle = data.draw(st.sampled_from([content, NEEDLE, NEEDLE, NEEDLE[:-1] + b"9", b"R" + NEEDLE[1:]]))
    content = content[:at].ljust(at, b"-") + needle + content[at + 8 :]
    content = content[: data.draw(st.integers(1, 100))] or b"-"
    expected = any(content[offset : offset + 8] == NEEDLE for offset in offsets)
    assert passes(bpf.matching_datagram(NEEDLE, offsets), content) is expected


def test_all_and_nothing():
    assert passes(bpf.accept_all(), b"x")
    assert not passes(bpf.drop_all(), b"x")


def test_answers_come_from_one_host_to_one_port():
    program = bpf.answers("198.51.100.2", {6, 132}, 420)

    def packet(source: bytes, protocol: int, port: int, options: bytes = b"", offset: int = 0) -> bytes:
        first = 0x40 | (20 + len(options)) // 4
        header = struct.pack("!BBHHHBBH4s4s", first, 0, 60, 7, offset, 64, protocol, 0, source, bytes(4)) + options
        return header + struct.pack("!HH", 9, port) + bytes(16)

    there = bytes([198, 51, 100, 2])
    # a Unix socket has no EtherType, so that the program's first test is left out here
    inner = program[3:]
    assert passes(inner, packet(there, 6, 420))
    assert passes(inner, packet(there, 132, 420, options=bytes(8)))
    assert not passes(inner, packet(there, 17, 420))
    assert not passes(inner, packet(there, 6, 421))
    assert not passes(inner, packet(bytes([198, 51, 100, 3]), 6, 420))
    assert not passes(inner, packet(there, 6, 420, offset=5))
    assert not passes(inner, packet(there, 6, 420)[:20])
    anybody = bpf.asks({6}, 420)[3:]
    assert passes(anybody, packet(there, 6, 420))
    assert passes(anybody, packet(bytes([198, 51, 100, 3]), 6, 420, options=bytes(8)))
    assert not passes(anybody, packet(there, 132, 420))
    assert not passes(anybody, packet(there, 6, 421))
    assert not passes(anybody, packet(there, 6, 420, offset=5))
