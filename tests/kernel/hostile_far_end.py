"""Stands in for ssh(1): a far end that means harm, from the start or once its agent has said something.

The environment names the attack, and how many messages of a true agent come before it (none: there is no agent).
Every attack ends by itself: after so many bytes, and after so many seconds.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

MOST_BYTES = 600_000_000
MOST_SECONDS = 20.0
HEADER = struct.Struct("!bii")
DATA = 4


def message(data: bytes) -> bytes:
    return HEADER.pack(DATA, 1, len(data)) + data


def text(value: str) -> bytes:
    return b"N" + struct.pack("!i", len(value)) + value.encode()


def pair(*values: bytes) -> bytes:
    return b"".join(values) + b"@" + struct.pack("!i", len(values))


def listed(*values: bytes) -> bytes:
    """A list, item by item."""
    items = (b"F" + struct.pack("!i", at) + value + b"P" for at, value in enumerate(values))
    return b"K" + struct.pack("!i", len(values)) + b"".join(items)


def nested(depth: int) -> bytes:
    """A tuple in a tuple in a tuple."""
    return b"L" + b"@\0\0\0\1" * depth


def answer(number: int) -> bytes:
    return pair(text("answer"), b"F" + struct.pack("!i", number), b"F\0\0\0\0", b"L")


LONG = text("\x1b[2J\n" + "x" * 1_000_000)
NOISE = random.Random(7).randbytes(1 << 12)
# By name: what is written to the standard output, and how often at most.
ATTACKS = {
    "a list of 2000 million": (message(b"K\x7f\xff\xff\xffQ"), 1),
    "lists of 100 million": (message(b"K\x05\xf5\xe1\x00Q"), 100),
    "a message of 2 GiB": (HEADER.pack(DATA, 1, 2**31 - 1) + bytes(1 << 16), 9000),
    "a message of less than nothing": (HEADER.pack(DATA, 1, -5), 1),
    "dictionaries": (message(b"J" * 2_000_000 + b"Q"), 100),
    "empty lists": (message((b"K" + bytes(4)) * 400_000 + b"Q"), 1),
    "one inside the other": (message(nested(100_000) + b"Q"), 1),
    "one inside the other, said": (message(listed(pair(text("gone"), nested(5000))) + b"Q"), 1),
    "an unknown word": (message(listed(pair(text("hello"))) + b"Q"), 1),
    "no list": (message(b"LQ"), 1),
    "another channel": (HEADER.pack(DATA, 7, 2) + b"LQ", 1),
    "a request to run code": (HEADER.pack(3, 9, 2) + b"LQ", 1),
    "noise": (NOISE, 1000),
    "a long text": (message(listed(pair(text("gone"), LONG)) + b"Q"), 1),
    "an error of an agent's": (HEADER.pack(6, 1, len(LONG) + 1) + LONG + b"Q", 1),
    "refusals without end": (message(listed(*[pair(text("refused"), b"F\0\0\0\1", text("x"))] * 5000) + b"Q"), 2000),
    "answers without end": (message(listed(*map(answer, range(2000))) + b"Q"), 2000),
    "hangs up": (b"", 0),
}


def flood_error(printed: Path) -> None:
    """Print to the standard error, and note how much of it was taken."""
    lines = (b"warning: " + b"x" * 90 + b"\n") * 650
    written, ends = 0, time.monotonic() + MOST_SECONDS
    with printed.open("wb", buffering=0) as note:
        while written < MOST_BYTES and time.monotonic() < ends:
            written += os.write(2, lines)
            os.pwrite(note.fileno(), b"%12d" % written, 0)


def strike(kind: str, seen: bytes) -> None:
    ends = time.monotonic() + MOST_SECONDS
    if kind == "the standard error":
        flood_error(Path(os.environ["HOSTILE_PRINTED"]))
        return
    part, times = ATTACKS[kind] if kind in ATTACKS else (message(seen), MOST_BYTES // len(seen))
    for _ in range(times):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(1, rest) :]
        if time.monotonic() > ends:
            return
    if kind != "hangs up":
        time.sleep(max(0.0, ends - time.monotonic()))  # for whoever waits for the end


def exactly(stream: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = os.read(stream, size - len(found))
        if not part:
            sys.exit(0)
        found += part
    return found


def main() -> None:
    kind, after = os.environ["HOSTILE"], int(os.environ.get("HOSTILE_AFTER", "0"))
    if not after:
        if kind != "the standard error":
            os.write(1, b"1")
        strike(kind, b"LQ")
        return
    agent = subprocess.Popen(["/bin/sh", "-c", sys.argv[-1]], stdout=subprocess.PIPE)
    assert agent.stdout is not None
    stream = agent.stdout.fileno()
    os.write(1, exactly(stream, 1))
    seen = b""
    told = 0
    while told < after or (kind == "packets without end" and not seen):
        header = exactly(stream, HEADER.size)
        data = exactly(stream, HEADER.unpack(header)[2])
        os.write(1, header + data)
        told += 1
        if b"seen" in data and len(data) > len(seen):
            seen = data
    strike(kind, seen)
    agent.kill()


main()
