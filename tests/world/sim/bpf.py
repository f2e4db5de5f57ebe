"""Runs the classic BPF programs that the engine attaches, so that simulated sockets see what real ones would."""

from __future__ import annotations

import struct
from functools import lru_cache

_PROTOCOL = 0xFFFFF000  # SKF_AD_OFF + SKF_AD_PROTOCOL: the EtherType; all packets here are IPv4
_IPV4 = 0x0800


@lru_cache(maxsize=4096)
def compiled(program: bytes) -> tuple[tuple[int, int, int, int], ...]:
    """The instructions of an assembled program."""
    return tuple(struct.iter_unpack("=HBBI", program))


def accepts(program: tuple[tuple[int, int, int, int], ...], data: bytes) -> bool:  # noqa: C901, PLR0912
    """Whether the program keeps the packet: linux/filter.h. A load beyond the end drops it."""
    a = x = at = 0
    size = len(data)
    while True:
        code, true, false, k = program[at]
        at += 1
        if code == 0x15:  # JEQ
            at += true if a == k else false
        elif code == 0x40:  # LD W IND
            if x + k + 4 > size:
                return False
            a = int.from_bytes(data[x + k : x + k + 4], "big")
        elif code == 0x80:  # LD LEN
            a = size
        elif code == 0x1C:  # SUB X
            a = (a - x) & 0xFFFFFFFF
        elif code == 0x35:  # JGE
            at += true if a >= k else false
        elif code == 0x06:  # RET
            return k != 0
        elif code == 0x30:  # LD B ABS
            if k >= size:
                return False
            a = data[k]
        elif code == 0xB1:  # LDX MSH
            if k >= size:
                return False
            x = (data[k] & 15) * 4
        elif code == 0x20:  # LD W ABS
            if k == _PROTOCOL:
                a = _IPV4
            elif k + 4 > size:
                return False
            else:
                a = int.from_bytes(data[k : k + 4], "big")
        elif code == 0x28:  # LD H ABS
            if k + 2 > size:
                return False
            a = int.from_bytes(data[k : k + 2], "big")
        elif code == 0x50:  # LD B IND
            if x + k >= size:
                return False
            a = data[x + k]
        elif code == 0x48:  # LD H IND
            if x + k + 2 > size:
                return False
            a = int.from_bytes(data[x + k : x + k + 2], "big")
        else:
            a, x, at = _other(code, k, true, false, a, x, at)


def _other(code: int, k: int, true: int, false: int, a: int, x: int, at: int) -> tuple[int, int, int]:  # noqa: PLR0911
    if code == 0x74:  # RSH K
        return a >> k, x, at
    if code == 0x7C:  # RSH X
        return (a >> x if x < 32 else 0), x, at
    if code == 0x64:  # LSH K
        return (a << k) & 0xFFFFFFFF, x, at
    if code == 0x54:  # AND K
        return a & k, x, at
    if code == 0x0C:  # ADD X
        return (a + x) & 0xFFFFFFFF, x, at
    if code == 0x07:  # TAX
        return a, a, at
    if code == 0x00:  # LD IMM
        return k, x, at
    if code == 0x01:  # LDX IMM
        return a, k, at
    if code == 0x05:  # JA
        return a, x, at + k
    if code == 0x45:  # JSET
        return a, x, at + (true if a & k else false)
    raise AssertionError(f"the simulator does not know the instruction {code:#x}")
