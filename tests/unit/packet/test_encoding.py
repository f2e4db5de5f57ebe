from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet.encoding import Encoding, decode, encode
from pytest_hdp.strategies import contents, damaged, encodings

# Worked out by hand, on paper, seven bits at a time.
BASE128 = [
    ("", ""),
    ("00", "00 00"),
    ("ff", "7f 40"),
    ("80", "40 00"),
    ("01", "00 40"),
    ("6d6f6f", "36 5b 6d 70"),
    ("01020304050607", "00 40 40 30 20 14 0c 07"),
    ("ffffffffffffff", "7f 7f 7f 7f 7f 7f 7f 7f"),
    ("ffffffffffffff80", "7f 7f 7f 7f 7f 7f 7f 7f 40 00"),
]


def bit_by_bit(content: bytes) -> bytes:
    bits = "".join(f"{byte:08b}" for byte in content)
    return bytes(int(bits[start : start + 7].ljust(7, "0"), 2) for start in range(0, len(bits), 7))


@pytest.mark.parametrize(("content", "encoded"), BASE128)
def test_base128_by_hand(content: str, encoded: str) -> None:
    assert encode(bytes.fromhex(content), Encoding.BASE128) == bytes.fromhex(encoded)
    assert decode(bytes.fromhex(encoded), Encoding.BASE128) == bytes.fromhex(content)


@given(contents(300))
def test_base128_is_seven_bits_a_byte(content: bytes) -> None:
    assert encode(content, Encoding.BASE128) == bit_by_bit(content)


@given(contents(300))
def test_base64_is_the_standard_librarys(content: bytes) -> None:
    assert encode(content, Encoding.BASE64) == base64.b64encode(content)


@given(contents(2000), encodings())
def test_what_is_encoded_decodes_back(content: bytes, encoding: Encoding) -> None:
    assert decode(encode(content, encoding), encoding) == content


@given(st.data(), encodings())
def test_decoding_takes_any_bytes_and_only_what_encode_yields(data: st.DataObject, encoding: Encoding) -> None:
    hostile = data.draw(damaged(contents(64).map(lambda content: encode(content, encoding))))
    content = decode(hostile, encoding)
    if content is not None:
        assert encode(content, encoding) == hostile


@pytest.mark.parametrize("length", range(20))
def test_base128_has_exactly_the_lengths_that_some_content_has(length: int) -> None:
    possible = {len(bit_by_bit(bytes(n))) for n in range(20)}
    assert (decode(bytes(length), Encoding.BASE128) is not None) == (length in possible)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x7f\x41", "padding that is not zero"),
        (b"\xff\x40", "a high bit"),
        (b"\x7f", "a length of no content"),
        (b"\x7f" * 9, "a length of no content"),
    ],
)
def test_base128_is_strict(data: bytes, why: str) -> None:
    assert decode(data, Encoding.BASE128) is None, why


@pytest.mark.parametrize("data", [b"bW9", b"bW9v\n", b"bW9v====", b"bW9=", b"b W9v", b"bW9v\xff", b"bW8"])
def test_base64_is_strict(data: bytes) -> None:
    assert decode(data, Encoding.BASE64) is None


def test_the_names_are_those_of_the_option() -> None:
    assert [str(encoding) for encoding in Encoding] == ["plain", "base64", "base128"]
