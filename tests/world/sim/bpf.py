"""Runs the classic BPF programs that the engine attaches, so that simulated sockets see what real ones would.

A program only jumps ahead, so each is translated into Python functions, one for each place that is jumped to from
several others, and these run at a tenth of an interpreter's price.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

_PROTOCOL = 0xFFFFF000  # SKF_AD_OFF + SKF_AD_PROTOCOL: the EtherType
_IPV4, _IPV6 = 0x0800, 0x86DD
_INLINE = 12  # levels of indentation: deeper ones become functions of their own

Filter = Callable[[bytes], bool]
Code = tuple[tuple[int, int, int, int], ...]

_LOADS = {
    0x20: ("{k} + 4 > n", "a = d[{k}] << 24 | d[{k} + 1] << 16 | d[{k} + 2] << 8 | d[{k} + 3]"),  # LD W ABS
    0x28: ("{k} + 2 > n", "a = d[{k}] << 8 | d[{k} + 1]"),  # LD H ABS
    0x30: ("{k} >= n", "a = d[{k}]"),  # LD B ABS
    0x40: ("x + {k} + 4 > n", "a = int.from_bytes(d[x + {k}:x + {k} + 4], 'big')"),  # LD W IND
    0x48: ("x + {k} + 2 > n", "a = d[x + {k}] << 8 | d[x + {k} + 1]"),  # LD H IND
    0x50: ("x + {k} >= n", "a = d[x + {k}]"),  # LD B IND
    0xB1: ("{k} >= n", "x = (d[{k}] & 15) * 4"),  # LDX MSH
}
_OTHERS = {
    0x80: "a = n",  # LD LEN
    0x1C: "a = (a - x) & 0xFFFFFFFF",  # SUB X
    0x04: "a = (a + {k}) & 0xFFFFFFFF",  # ADD K
    0x0C: "a = (a + x) & 0xFFFFFFFF",  # ADD X
    0x74: "a >>= {k}",  # RSH K
    0x7C: "a = a >> x if x < 32 else 0",  # RSH X
    0x64: "a = (a << {k}) & 0xFFFFFFFF",  # LSH K
    0x54: "a &= {k}",  # AND K
    0x07: "x = a",  # TAX
    0x00: "a = {k}",  # LD IMM
    0x01: "x = {k}",  # LDX IMM
}
_JUMPS = {0x15: "a == {k}", 0x35: "a >= {k}", 0x45: "a & {k}"}  # JEQ, JGE, JSET
_JA, _RET, _LD_W_ABS = 0x05, 0x06, 0x20


@lru_cache(maxsize=4096)
def compiled(program: bytes) -> Filter:
    """What says whether an assembled program keeps a packet: linux/filter.h. A load beyond the end drops it."""
    code = tuple(struct.iter_unpack("=HBBI", program))
    shape, constants = _parametrised(code)
    source = _source(shape)
    names: dict[str, object] = {f"c{at}": constant for at, constant in enumerate(constants)}
    exec(_bytecode(source), names)  # our own text, made of the engine's own filters
    return names["b0"]  # type: ignore[return-value]


def _parametrised(code: Code) -> tuple[Code, tuple[int, ...]]:
    """The program with what it compares to put apart: programs differ in little else, and compiling takes long."""
    shape, constants = [], []
    for operation, true, false, k in code:
        if operation in (0x15, 0x00):
            shape.append((operation, true, false, len(constants)))
            constants.append(k)
        else:
            shape.append((operation, true, false, k))
    return tuple(shape), tuple(constants)


@lru_cache(maxsize=512)
def _bytecode(source: str) -> object:
    return compile(source, "<filter>", "exec")


@lru_cache(maxsize=512)
def _source(code: Code) -> str:
    heads = Counter[int]()
    for at, (operation, true, false, k) in enumerate(code):
        if operation in _JUMPS:
            heads.update((at + 1 + true, at + 1 + false))
        elif operation == _JA:
            heads.update((at + 1 + k,))
        elif operation != _RET:
            heads.update((at + 1,))
    return _Writer(code, {at for at, count in heads.items() if count > 1}).text()


class _Writer:
    def __init__(self, code: Code, heads: set[int]) -> None:
        self.code = code
        self.heads = heads
        self.todo = [0]

    def text(self) -> str:
        lines, done = [], set[int]()
        while self.todo:
            at = self.todo.pop()
            if at in done:
                continue
            done.add(at)
            arguments = "d" if at == 0 else "d, n, a, x"
            lines += [f"def b{at}({arguments}):", *([" n = len(d); a = x = 0"] if at == 0 else [])]
            lines += self._block(at, 1)
        return "\n".join(lines)

    def _block(self, at: int, depth: int) -> list[str]:
        lines, pad = [], " " * depth
        while True:
            operation, true, false, k = self.code[at]
            at += 1
            if operation == _RET:
                return [*lines, f"{pad}return {k != 0}"]
            if operation == _JA:
                return [*lines, *self._to(at + k, depth)]
            if operation in _JUMPS:
                value = f"c{k}" if operation == 0x15 else str(k)
                lines += [f"{pad}if {_JUMPS[operation].format(k=value)}:", *self._to(at + true, depth + 1)]
                return [*lines, *self._to(at + false, depth)]
            lines += self._step(operation, k, pad)
            if at in self.heads:
                return [*lines, *self._to(at, depth)]

    def _step(self, operation: int, k: int, pad: str) -> list[str]:
        if operation == _LD_W_ABS and k == _PROTOCOL:
            return [f"{pad}a = {_IPV6} if d[0] >> 4 == 6 else {_IPV4}"]
        if operation in _LOADS:
            beyond, load = _LOADS[operation]
            return [f"{pad}if {beyond.format(k=k)}: return False", pad + load.format(k=k)]
        if operation not in _OTHERS:
            raise AssertionError(f"the simulator does not know the instruction {operation:#x}")
        return [pad + _OTHERS[operation].format(k=f"c{k}" if operation == 0x00 else k)]

    def _to(self, at: int, depth: int) -> list[str]:
        if (at in self.heads and self.code[at][0] != _RET) or depth > _INLINE:
            self.todo.append(at)
            return [f"{' ' * depth}return b{at}(d, n, a, x)"]
        return self._block(at, depth)
