"""What links do to frames besides losing and delaying them: several equal ways, batches, a bound on the rate."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from pytest_hdp.lab.frames import ETHERNET, Emit, protocol_of
from pytest_hdp.lab.relay_packets import ends_of, header_size

_WITH_PORTS = frozenset({6, 17, 33, 132, 136})


def _ways(settings: dict[str, Any], around: dict[str, Any], _c: random.Random, then: Emit, _e: Emit) -> Emit:
    """Two equal-cost ways of which one is `ns` longer; a hash of addresses, number and ports, if any, takes a way."""
    longer, salt, arrived = settings["ns"], settings["salt"], around.get("arrived", time.monotonic_ns)

    known: dict[bytes, bool] = {}

    def handle(side: int, frame: bytes, due: int) -> None:
        protocol = protocol_of(frame)
        if protocol is None:
            then(side, frame, due)
            return
        packet = frame[ETHERNET:]
        header = header_size(packet)
        ports = packet[header : header + 4] if protocol in _WITH_PORTS else b""
        flow = bytes([protocol]) + b"".join(ends_of(packet)) + ports
        if flow not in known:
            known[flow] = random.Random(f"{salt} {flow.hex()}").random() < 0.5
        then(side, frame, max(arrived(), due) + (longer if known[flow] else 0))

    return handle


def _batch(settings: dict[str, Any], around: dict[str, Any], _c: random.Random, then: Emit, _e: Emit) -> Emit:
    """What came is handed on all together, every `ns`, as links with power saving and interrupt moderation do."""
    beat, arrived = settings["ns"], around.get("arrived", time.monotonic_ns)

    def handle(side: int, frame: bytes, due: int) -> None:
        then(side, frame, -(-max(arrived(), due) // beat) * beat)

    return handle


def _shape(settings: dict[str, Any], around: dict[str, Any], _c: random.Random, then: Emit, _e: Emit) -> Emit:
    """So many bytes a second and no more; what would wait longer than `ns` is dropped."""
    rate, longest, arrived = settings["rate"], settings["ns"], around.get("arrived", time.monotonic_ns)
    free = [0, 0]

    def handle(side: int, frame: bytes, due: int) -> None:
        now = max(arrived(), due)
        start = max(now, free[side])
        if start - now <= longest:
            free[side] = start + len(frame) * 1_000_000_000 // rate
            then(side, frame, free[side])

    return handle


LINKS: dict[str, Callable[..., Emit]] = {"ways": _ways, "batch": _batch, "shape": _shape}
