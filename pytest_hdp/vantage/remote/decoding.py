"""Reads what a far end sends, in execnet's format for plain values: bounded in size, number and depth.

execnet's own reader trusts its peer: six bytes that announce a list of two thousand million items make it allocate
them. This one builds nothing that its input has not paid for. It knows only the types that an agent of ours sends.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

MOST_BYTES = 1 << 21  # of one message: an agent sends 1 MiB of packets at once, or one packet more
MOST_VALUES = 50_000  # in one message: an agent tells of 500 packets at once, with nine values each
DEEPEST = 8  # lists and tuples inside each other: an agent's are four deep
VALUE_COST = 100  # bytes that a value takes in memory, besides its own, at most
_LONGEST_INTEGER = 20  # digits

_INT, _FLOAT = struct.Struct("!i"), struct.Struct("!d")


class Nonsense(Exception):  # noqa: N818
    """Raised for bytes that no agent of ours sends."""


def decode(data: bytes) -> tuple[object, int]:
    """Return the value in a message, and how many bytes of memory it may take. Raises Nonsense, and nothing else."""
    reader = _Reader(data)
    value = reader.value()
    return value, len(data) + VALUE_COST * reader.count


class _Reader:
    """A stack machine: opcodes put values on the stack, or gather those on top of it into a tuple or a list."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MOST_BYTES:
            raise Nonsense(f"a message of {len(data)} bytes")
        self.count = 0
        self._data = data
        self._at = 0
        self._stack: list[tuple[object, int]] = []  # each with the levels that are below it

    def value(self) -> object:
        """Read the one value up to the end of the message."""
        try:
            while (opcode := self._bytes(1)) != _STOP:
                _OPCODES[opcode](self)
        except (KeyError, UnicodeDecodeError):
            raise Nonsense("an unknown type, or a text that is none") from None
        if len(self._stack) != 1 or self._at != len(self._data):
            raise Nonsense("more than one value, or none")
        return self._stack[0][0]

    def push(self, value: object, depth: int = 0) -> None:
        """Put a value on the stack."""
        self.count += 1
        if self.count > MOST_VALUES or depth > DEEPEST:
            raise Nonsense("too many values, or too deep inside each other")
        self._stack.append((value, depth))

    def integer(self) -> None:
        """Read a number of 32 bits."""
        self.push(self._int4())

    def long_integer(self) -> None:
        """Read a number in decimal digits."""
        digits = self.counted()
        if len(digits) > _LONGEST_INTEGER or not digits.removeprefix(b"-").isdigit():
            raise Nonsense("a number that is none")
        self.push(int(digits))

    def real(self) -> None:
        """Read a finite number of 64 bits."""
        (value,) = _FLOAT.unpack(self._bytes(8))
        if not math.isfinite(value):
            raise Nonsense("a number that is none")
        self.push(value)

    def empty_list(self) -> None:
        """Read the length of a list, whose items follow, each with its position."""
        length = self._int4()
        if not 0 <= length <= MOST_VALUES - self.count:
            raise Nonsense(f"a list of {length}")
        self.count += length
        self.push([None] * length)

    def set_item(self) -> None:
        """Put the value on top of the stack into the list below it, at the position between them."""
        if len(self._stack) < 3:
            raise Nonsense("an item of no list")
        value, depth = self._stack.pop()
        position, _ = self._stack.pop()
        target, levels = self._stack.pop()
        if type(target) is not list or type(position) is not int or not 0 <= position < len(target):
            raise Nonsense("an item of no list")
        target[position] = value
        self.count -= 1  # its position, which is not kept
        self.push(target, max(levels, depth + 1))
        self.count -= 1  # the list itself, which was counted before

    def build_tuple(self) -> None:
        """Gather the values on top of the stack."""
        length = self._int4()
        if not 0 <= length <= len(self._stack):
            raise Nonsense(f"a tuple of {length}")
        first = len(self._stack) - length
        items = self._stack[first:]
        del self._stack[first:]
        self.push(tuple([value for value, _ in items]), 1 + max((depth for _, depth in items), default=0))

    def counted(self) -> bytes:
        """Read a length, and so many bytes."""
        return self._bytes(self._int4())

    def _int4(self) -> int:
        value: int = _INT.unpack(self._bytes(4))[0]
        return value

    def _bytes(self, length: int) -> bytes:
        end = self._at + length
        if length < 0 or end > len(self._data):
            raise Nonsense("a message that is cut off")
        found = self._data[self._at : end]
        self._at = end
        return found


_STOP = b"Q"
# As in execnet.gateway_base.opcode. What an agent never sends is missing: sets, dictionaries, channels, Python 2's.
_OPCODES: dict[bytes, Callable[[_Reader], None]] = {
    b"@": _Reader.build_tuple,
    b"A": lambda reader: reader.push(reader.counted()),
    b"C": lambda reader: reader.push(False),
    b"D": _Reader.real,
    b"F": _Reader.integer,
    b"H": _Reader.long_integer,
    b"K": _Reader.empty_list,
    b"L": lambda reader: reader.push(None),
    b"N": lambda reader: reader.push(reader.counted().decode("utf-8")),
    b"P": _Reader.set_item,
    b"R": lambda reader: reader.push(True),
}
