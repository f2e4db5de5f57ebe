"""The payload encodings of the HDP specification: plain, base64 and base128.

The header does not name the encoding: sender and receiver must agree on it beforehand.
"""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum

_TOP_28 = 0xFFFFFFF_0000000
_LOW_28 = 0x0FFFFFFF
_TOP_14 = 0x0FFFC000_0FFFC000
_LOW_14 = 0x00003FFF_00003FFF
_TOP_7 = 0x3F803F80_3F803F80
_LOW_7 = 0x007F007F_007F007F


class Encoding(StrEnum):
    """How a payload's content is written into bytes."""

    PLAIN = "plain"
    BASE64 = "base64"
    BASE128 = "base128"


def encode(content: bytes, encoding: Encoding) -> bytes:
    """Return `content` in `encoding`.

    base64 is RFC 4648 section 4, with padding. base128 puts 7 bits in a byte, most significant bit first; the
    high bit of each byte is 0 and the last byte is padded with zero bits: n bytes become ceil(8 n / 7).
    """
    if encoding is Encoding.BASE64:
        return base64.b64encode(content)
    if encoding is Encoding.BASE128:
        return _encode_base128(content)
    return bytes(content)


def decode(data: bytes, encoding: Encoding) -> bytes | None:
    """Return the content, or None where `data` is not what `encode` can yield; never raises.

    So there is one encoded form for each content: padding bits that are not zero, a set high bit, a length
    that no content has, line breaks and missing `=` are all refused.
    """
    if encoding is Encoding.BASE64:
        return _decode_base64(data)
    if encoding is Encoding.BASE128:
        return _decode_base128(data)
    return bytes(data)


def _decode_base64(data: bytes) -> bytes | None:
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    # The standard library ignores padding bits and surplus "=": only the canonical form survives this.
    return content if base64.b64encode(content) == data else None


def _encode_base128(content: bytes) -> bytes:
    length = -(-len(content) * 8 // 7)
    padded = content + bytes(-len(content) % 7)
    blocks = [_spread(padded[start : start + 7]) for start in range(0, len(padded), 7)]
    return b"".join(blocks)[:length]


def _decode_base128(data: bytes) -> bytes | None:
    if not data.isascii():
        return None
    length = len(data) * 7 // 8
    if len(data) != -(-length * 8 // 7):
        return None
    padded = data + bytes(-len(data) % 8)
    blocks = b"".join([_squeeze(padded[start : start + 8]) for start in range(0, len(padded), 8)])
    return None if any(blocks[length:]) else blocks[:length]


def _spread(block: bytes) -> bytes:
    """Spread seven bytes over eight bytes of 7 bits: in halves of 28, quarters of 14, eighths of 7."""
    bits = int.from_bytes(block, "big")
    bits = (bits & _TOP_28) << 4 | (bits & _LOW_28)
    bits = (bits & _TOP_14) << 2 | (bits & _LOW_14)
    bits = (bits & _TOP_7) << 1 | (bits & _LOW_7)
    return bits.to_bytes(8, "big")


def _squeeze(block: bytes) -> bytes:
    """Undo `_spread`; the high bit of each byte of `block` is 0."""
    bits = int.from_bytes(block, "big")
    bits = (bits >> 1) & _TOP_7 | (bits & _LOW_7)
    bits = (bits >> 2) & _TOP_14 | (bits & _LOW_14)
    bits = (bits >> 4) & _TOP_28 | (bits & _LOW_28)
    return bits.to_bytes(7, "big")
