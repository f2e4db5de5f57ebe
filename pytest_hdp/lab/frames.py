"""Frames as a relay hands them on: what handles one, and what it carries."""

from __future__ import annotations

from collections.abc import Callable

Emit = Callable[[int, bytes, int], None]
ETHERNET = 14  # bytes of the header
_HEADER6 = 40


def protocol_of(frame: bytes) -> int | None:
    """Return the number of a whole IPv4 or IPv6 packet in an Ethernet frame, None for all else.

    Over IPv6 it is the fixed header's. What a link tells its own neighbours by multicast is no packet of a path.
    """
    if len(frame) < ETHERNET + 20 or frame[0] & 1:
        return None
    if frame[12:14] == b"\x86\xdd":
        length = (frame[ETHERNET + 4] << 8 | frame[ETHERNET + 5]) + _HEADER6
        whole = frame[ETHERNET] >> 4 == 6 and length <= len(frame) - ETHERNET
        return frame[ETHERNET + 6] if whole else None
    if frame[12:14] != b"\x08\x00" or frame[ETHERNET] >> 4 != 4:
        return None
    length = frame[ETHERNET + 2] << 8 | frame[ETHERNET + 3]
    if not 20 <= (frame[ETHERNET] & 0xF) * 4 <= length <= len(frame) - ETHERNET:
        return None
    return frame[ETHERNET + 9]
