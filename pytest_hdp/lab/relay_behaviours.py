"""What a relay does to frames.

A behaviour is a function (side, frame, due) that hands on to the next what it lets through; `due` is when the frame
is to leave, by time.monotonic_ns(), 0 for at once.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_hdp.lab.frames import ETHERNET, Emit, protocol_of
from pytest_hdp.lab.relay_links import LINKS
from pytest_hdp.lab.relay_packets import MANGLERS, ends_of, header_size, icmp_error, size_of, version_of

if TYPE_CHECKING:
    import random

_SHORT_QUOTE = 8
_REMEMBERED = 256
_UNREACHABLE = {4: 3, 6: 1}
_ICMP = {4: 1, 6: 58}
_FORGED = {4: ((3, 2), (3, 13), (3, 1), (11, 0)), 6: ((4, 1), (1, 1), (1, 3), (3, 0))}


def make(behaviour: dict[str, Any], around: dict[str, Any], chance: random.Random, then: Emit, emit: Emit) -> Emit:
    """Return the behaviour of this description; `then` is the next one, `emit` sends past all others.

    `around`: the relay's configuration, and "arrived": tells when the frame in hand came. Raises KeyError for an
    unknown kind.
    """
    makers: dict[str, Callable[..., Emit]] = {
        **LINKS,
        "chain": _chain,
        "loss": _loss,
        "bursts": _bursts,
        "delay": _delay,
        "duplicate": _duplicate,
        "reorder": _reorder,
        "mangle": _mangle,
        "forge": _forge,
        "blackhole": _black_hole,
        "refuse": _refuse,
    }
    settings = {name: value for name, value in behaviour.items() if name != "kind"}
    return makers[behaviour["kind"]](settings, around, chance, then, emit)


def _chain(settings: dict[str, Any], around: dict[str, Any], chance: random.Random, then: Emit, emit: Emit) -> Emit:
    """Several behaviours of one wire, one after the other."""
    for behaviour in reversed(settings["of"]):
        then = make(behaviour, around, chance, then, emit)
    return then


def _loss(settings: dict[str, Any], _a: object, chance: random.Random, then: Emit, _e: Emit) -> Emit:
    """Each frame is lost with `probability`, whatever became of others."""
    draw, probability = chance.random, settings["probability"]

    def handle(side: int, frame: bytes, due: int) -> None:
        if draw() >= probability:
            then(side, frame, due)

    return handle


def _bursts(settings: dict[str, Any], _a: object, chance: random.Random, then: Emit, _e: Emit) -> Emit:
    """A Gilbert model per direction: in the bad state, which lasts `mean` frames, all is lost."""
    probability, mean = settings["probability"], settings["mean"]
    recover = 1 / mean
    fail = probability / (1 - probability) * recover
    bad = [False, False]

    def handle(side: int, frame: bytes, due: int) -> None:
        if chance.random() < (recover if bad[side] else fail):
            bad[side] = not bad[side]
        if not bad[side]:
            then(side, frame, due)

    return handle


def _delay(settings: dict[str, Any], around: dict[str, Any], chance: random.Random, then: Emit, _e: Emit) -> Emit:
    """Wait `ns`, and up to `jitter_ns` more, in order; only `protocols`, if any. All wait `base_ns` besides."""
    fixed, jitter, base = settings["ns"], settings.get("jitter_ns", 0), settings.get("base_ns", 0)
    only = frozenset(settings.get("protocols") or range(256))
    arrived = around.get("arrived", time.monotonic_ns)
    last = [0, 0]

    def handle(side: int, frame: bytes, due: int) -> None:
        if protocol_of(frame) not in only:
            then(side, frame, max(arrived(), due) + base if base else due)
            return
        wanted = max(arrived(), due) + base + fixed + int(chance.random() * jitter)
        last[side] = max(last[side], wanted)
        then(side, frame, last[side])

    return handle


def _duplicate(settings: dict[str, Any], _a: object, chance: random.Random, then: Emit, _e: Emit) -> Emit:
    """Each frame comes twice with `probability`."""

    def handle(side: int, frame: bytes, due: int) -> None:
        then(side, frame, due)
        if chance.random() < settings["probability"]:
            then(side, frame, due)

    return handle


def _reorder(settings: dict[str, Any], _a: object, chance: random.Random, then: Emit, _e: Emit) -> Emit:
    """Each frame is held with `probability` for `ns`, while others overtake it."""

    def handle(side: int, frame: bytes, due: int) -> None:
        held = chance.random() < settings["probability"]
        then(side, frame, max(time.monotonic_ns(), due) + settings["ns"] if held else due)

    return handle


def _mangle(settings: dict[str, Any], _a: object, _c: random.Random, then: Emit, _e: Emit) -> Emit:
    """Change the packets of all numbers that are not in `spares`: `what` is a key of MANGLERS."""
    change, spares = MANGLERS[settings["what"]], _by_version(settings, "spares")

    def handle(side: int, frame: bytes, due: int) -> None:
        protocol = protocol_of(frame)
        if protocol is not None and protocol not in spares[frame[ETHERNET] >> 4]:
            end = ETHERNET + size_of(frame[ETHERNET:])
            frame = frame[:ETHERNET] + change(frame[ETHERNET:end], settings.get("value", 0))
        then(side, frame, due)

    return handle


def _black_hole(settings: dict[str, Any], _a: object, _c: random.Random, then: Emit, _e: Emit) -> Emit:
    """Nothing above `above` bytes passes, IP header included, and nobody is told."""
    above = settings["above"]

    def handle(side: int, frame: bytes, due: int) -> None:
        if len(frame) - ETHERNET <= above:
            then(side, frame, due)

    return handle


def _refuse(settings: dict[str, Any], around: dict[str, Any], _c: random.Random, then: Emit, emit: Emit) -> Emit:
    """Numbers not in `passes` end here; each brings "unreachable", `code`, from the node beyond the wire."""
    passes, codes = _by_version(settings, "passes"), {4: settings["code"], 6: settings.get("code6", 1)}
    beyond = [
        dict(zip((4, 6), map(_address, around[name]), strict=True)) for name in ("right_addresses", "left_addresses")
    ]

    def handle(side: int, frame: bytes, due: int) -> None:
        protocol = protocol_of(frame)
        if protocol is None or protocol in passes[version := frame[ETHERNET] >> 4]:
            then(side, frame, due)
        else:
            emit(1 - side, icmp_error(frame, beyond[side][version], _UNREACHABLE[version], codes[version]), due)

    return handle


def _forge(settings: dict[str, Any], _a: object, chance: random.Random, then: Emit, emit: Emit) -> Emit:
    """Besides passing everything on, lie about it.

    With probability `errors` the sender gets an ICMP error in the name of the destination, its quote cut to 8
    bytes or with one byte changed; with probability `replays` an older packet is sent once more.
    """
    seen: tuple[deque[bytes], deque[bytes]] = (deque(maxlen=_REMEMBERED), deque(maxlen=_REMEMBERED))

    def handle(side: int, frame: bytes, due: int) -> None:
        then(side, frame, due)
        protocol = protocol_of(frame)
        if protocol is None:
            return
        seen[side].append(frame)
        if protocol != _ICMP[frame[ETHERNET] >> 4] and chance.random() < settings["errors"]:
            emit(1 - side, _forged(frame, chance), due)
        if chance.random() < settings["replays"]:
            then(side, chance.choice(seen[side]), due)

    return handle


def _forged(frame: bytes, chance: random.Random) -> bytes:
    packet = frame[ETHERNET:]
    kind, code = chance.choice(_FORGED[version_of(packet)])
    source, header = ends_of(packet)[1], header_size(packet)
    if chance.random() < 0.5 or len(frame) <= ETHERNET + header + _SHORT_QUOTE:
        return icmp_error(frame[: ETHERNET + header + _SHORT_QUOTE], source, kind, code)
    at = chance.randrange(ETHERNET + header + _SHORT_QUOTE, len(frame))
    damaged = frame[:at] + bytes([frame[at] ^ chance.randrange(1, 256)]) + frame[at + 1 :]
    return icmp_error(damaged, source, kind, code)


def _by_version(settings: dict[str, Any], name: str) -> dict[int, frozenset[int]]:
    """These numbers by version of IP: over IPv6 others may be meant."""
    return {4: frozenset(settings[name]), 6: frozenset(settings.get(name + "6", settings[name]))}


def _address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
