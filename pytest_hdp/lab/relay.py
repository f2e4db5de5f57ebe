"""A bump in the wire: carries frames between two interfaces, and loses, delays or damages them on the way.

Run as a script in the namespace of both interfaces: `python -I -S relay.py CONFIGURATION`, which is JSON:
{"left": interface, "right": interface, "seed": text, "left_addresses" and "right_addresses": of the nodes beyond, over
IPv4 and IPv6, "behaviours": [{"kind": ...}, ...]}. See `relay_behaviours` for the kinds. It waits for a line on its
standard input, which says that the interfaces are there, and prints "ready" once it carries.
"""

from __future__ import annotations

import ctypes
import gc
import heapq
import itertools
import json
import mmap
import os
import random
import select
import socket
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).parents[2]))  # where this package is; -I and -S leave it out

from pytest_hdp.lab.relay_behaviours import make

if TYPE_CHECKING:
    from pytest_hdp.lab.frames import Emit

_SOL_PACKET = 263
_PACKET_RX_RING = 5
_PACKET_VERSION = 10
_TPACKET_V2 = 1
_ETH_P_ALL = 3
_BLOCK = 1 << 16
_BLOCKS = 128
_FRAME = 1 << 11
_FRAMES = _BLOCK * _BLOCKS // _FRAME
_USER = struct.pack("=I", 1)
_KERNEL = struct.pack("=I", 0)
_HEAD = struct.Struct("=8xIH2xII")  # tp_snaplen, tp_mac, tp_sec, tp_nsec of struct tpacket2_hdr, linux/if_packet.h
_PR_SET_TIMERSLACK = 29
_TURN = 64  # frames of one side before the other has its turn
_CLOSE = 8_000  # nanoseconds before a frame is due from which nothing else is looked at
_AWAKE = 2_000_000  # nanoseconds after a frame in which an exact relay does not sleep: to get up takes as long, if busy
_SPIN = 60_000  # nanoseconds before a frame is due from which waiting is done awake


class Side:
    """One interface: its receive ring, so that a burst is not limited by net.core.rmem_max, and its sender."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        ring = struct.pack("=IIII", _BLOCK, _BLOCKS, _FRAME, _FRAMES)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, ring)
        self._ring = mmap.mmap(self._socket.fileno(), _BLOCK * _BLOCKS)
        self._socket.bind((interface, _ETH_P_ALL))
        self._at = 0
        self.send = self._socket.send

    def fileno(self) -> int:
        """Return what gets readable when frames have come."""
        return self._socket.fileno()

    def read(self, most: int) -> list[tuple[int, bytes]]:
        """Return the frames that have come, at most so many, each with the kernel's time of arrival, ns since 1970."""
        ring, at, frames = self._ring, self._at, list[tuple[int, bytes]]()
        while len(frames) < most and ring[at] & 1:  # TP_STATUS_USER
            length, start, seconds, nanoseconds = _HEAD.unpack_from(ring, at)
            frames.append((seconds * 1_000_000_000 + nanoseconds, ring[at + start : at + start + length]))
            ring[at : at + 4] = _KERNEL
            at = (at + _FRAME) % (_BLOCK * _BLOCKS)
        self._at = at
        return frames


class Relay:
    """Two sides and what happens between them. Side 0 is the left one; a frame "of side 0" goes right."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self._sides = (Side(configuration["left"]), Side(configuration["right"]))
        self._waiting: list[tuple[int, int, int, bytes]] = []
        self._order = itertools.count()
        self._arrived = 0
        self._exact = any(behaviour.get("base_ns") for behaviour in configuration["behaviours"])
        self._awake_until = 0
        chance = random.Random(configuration["seed"])
        around = {**configuration, "arrived": lambda: self._arrived}
        self._handle: Emit = self._emit
        for behaviour in reversed(configuration["behaviours"]):
            self._handle = make(behaviour, around, chance, self._handle, self._emit)

    def _emit(self, side: int, frame: bytes, due: int) -> None:
        """Send a frame of this side to the other one, at this time by time.monotonic_ns(); 0: at once."""
        if due:
            heapq.heappush(self._waiting, (due, next(self._order), side, frame))
            return
        try:
            self._sides[1 - side].send(frame)
        except OSError:
            return  # what does not fit a queue or the interface is lost, as on a wire

    def run(self) -> None:
        """Carry frames until killed."""
        while True:
            if (patience := self._patience()) != 0:
                select.select(self._sides, (), (), patience)
            for side in (0, 1):
                frames = self._sides[side].read(_TURN)
                if not frames:
                    continue
                real = time.time_ns()  # first: who is put aside between the two clocks lets frames go late, not early
                between = time.monotonic_ns() - real
                if self._exact:
                    self._awake_until = time.monotonic_ns() + _AWAKE
                for stamp, frame in frames:
                    self._arrived = stamp + between
                    if frame[0] & 1:  # to a group: what the nodes tell each other of themselves, at times of their own
                        self._emit(side, frame, 0)
                    else:
                        self._handle(side, frame, 0)
            self._release()

    def _patience(self) -> float | None:
        if self._awake_until > time.monotonic_ns():
            return 0
        if not self._waiting:
            return None
        return max(0, self._waiting[0][0] - time.monotonic_ns() - _SPIN) / 1e9

    def _release(self) -> None:
        waiting, clock = self._waiting, time.monotonic_ns
        while waiting and waiting[0][0] <= clock() + _CLOSE:
            due, _, side, frame = heapq.heappop(waiting)
            while clock() < due:
                pass  # a turn of the loop takes microseconds, and would round every delay to its own beat
            self._emit(side, frame, 0)


def main() -> None:
    """Wait, open both sides, say so, and carry."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    if not sys.stdin.readline():
        return
    gc.disable()  # it makes no cycles, and what it delays must not wait for a collection
    try:
        relay = Relay(json.loads(sys.argv[1]))
    except OSError as error:
        sys.exit(f"{error.strerror}")
    os.write(1, b"ready\n")
    relay.run()


if __name__ == "__main__":
    main()
