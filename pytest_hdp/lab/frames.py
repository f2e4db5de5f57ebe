"""Frames as a relay hands them on: what handles one, and what it carries."""

from __future__ import annotations

from collections.abc import Callable

Emit = Callable[[int, bytes, int], None]
ETHERNET = 14  # bytes of the header


def protocol_of(frame: bytes) -> int | None:
    """Return the protocol number of a whole IPv4 packet in an Ethernet frame, None for all else."""
    if len(frame) < ETHERNET + 20 or frame[12:14] != b"\x08\x00" or frame[ETHERNET] >> 4 != 4:
        return None
    length = frame[ETHERNET + 2] << 8 | frame[ETHERNET + 3]
    if not 20 <= (frame[ETHERNET] & 0xF) * 4 <= length <= len(frame) - ETHERNET:
        return None
    return frame[ETHERNET + 9]
