from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_hdp.packet.checksums import checksum, crc32c, pseudo_header


def word_by_word(data: bytes) -> int:
    """The algorithm of RFC 1071 section 4.1, as written there."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_the_example_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001 f203 f4f5 f6f7")) == ~0xDDF2 & 0xFFFF


def test_a_known_ipv4_header() -> None:
    assert checksum(bytes.fromhex("45000073000040004011 0000 c0a80001c0a800c7")) == 0xB861
    assert checksum(bytes.fromhex("45000073000040004011 b861 c0a80001c0a800c7")) == 0


@given(st.binary(max_size=300))
@example(b"")
@example(b"\0" * 8)
@example(b"\xff" * 8)
@example(b"\xff")
@example(b"\xff\xff\x00\x00\x00\x01")
def test_it_is_rfc_1071s(data: bytes) -> None:
    assert checksum(data) == word_by_word(data)


@pytest.mark.parametrize(
    ("data", "value"), [(b"123456789", 0xE3069283), (b"", 0), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)]
)
def test_crc32c_check_values(data: bytes, value: int) -> None:
    """The catalogue's check value, and those of RFC 3720 appendix B.4 (which prints them byte-swapped)."""
    assert crc32c(data) == value


def test_pseudo_headers() -> None:
    assert pseudo_header(b"\1\2\3\4", b"\5\6\7\x08", 17, 300) == bytes.fromhex("01020304 05060708 00 11 012c")
    assert pseudo_header(bytes(16), b"\xff" * 16, 58, 300) == bytes(16) + b"\xff" * 16 + b"\0\0\1\x2c\0\0\0\x3a"
