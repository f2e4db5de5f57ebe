"""What a relay does to frames.

A behaviour is a function (side, frame, due) that hands on to the next what it lets through; `due` is when the frame
is to leave, by time.monotonic_ns(), 0 for at once.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_hdp.lab.frames import ETHERNET, Emit, protocol_of
from pytest_hdp.lab.relay_links import LINKS
from pytest_hdp.packet.checksums import checksum, pseudo_header

if TYPE_CHECKING:
    import random

_ICMP = 1
_ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
_QUOTED_AT_MOST = 548  # bytes of a quote: RFC 1812 section 4.3.2.3 has the error fit in 576
_SHORT_QUOTE = 8
_REMEMBERED = 256
# Offset of the 16-bit checksum in transport headers, by whether it covers a pseudo header too.
_WITH_PSEUDO_HEADER = {6: 16, 17: 6, 33: 6, 136: 6}
_WITHOUT = {1: 2}


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
    change, spares = MANGLERS[settings["what"]], frozenset(settings["spares"])

    def handle(side: int, frame: bytes, due: int) -> None:
        protocol = protocol_of(frame)
        if protocol is not None and protocol not in spares:
            end = ETHERNET + struct.unpack_from("!H", frame, ETHERNET + 2)[0]
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
    """Numbers not in `passes` end here; each brings ICMP 3 `code`, from the node beyond the wire."""
    passes, code = frozenset(settings["passes"]), settings["code"]
    beyond = [_address(around[name]) for name in ("right_address", "left_address")]

    def handle(side: int, frame: bytes, due: int) -> None:
        protocol = protocol_of(frame)
        if protocol is None or protocol in passes:
            then(side, frame, due)
        else:
            emit(1 - side, icmp_error(frame, beyond[side], 3, code), due)

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
        if protocol != _ICMP and chance.random() < settings["errors"]:
            emit(1 - side, _forged(frame, chance), due)
        if chance.random() < settings["replays"]:
            then(side, chance.choice(seen[side]), due)

    return handle


def _forged(frame: bytes, chance: random.Random) -> bytes:
    kind, code = chance.choice(((3, 2), (3, 13), (3, 1), (11, 0)))
    source = frame[ETHERNET + 16 : ETHERNET + 20]
    header = header_size(frame[ETHERNET:])
    if chance.random() < 0.5 or len(frame) <= ETHERNET + header + _SHORT_QUOTE:
        return icmp_error(frame[: ETHERNET + header + _SHORT_QUOTE], source, kind, code)
    at = chance.randrange(ETHERNET + header + _SHORT_QUOTE, len(frame))
    damaged = frame[:at] + bytes([frame[at] ^ chance.randrange(1, 256)]) + frame[at + 1 :]
    return icmp_error(damaged, source, kind, code)


def header_size(packet: bytes) -> int:
    """Return the size of an IPv4 header in bytes."""
    return (packet[0] & 0xF) * 4


def with_header_checksum(packet: bytes) -> bytes:
    """Return an IPv4 packet with the right header checksum."""
    size = header_size(packet)
    header = packet[:10] + b"\0\0" + packet[12:size]
    return header[:10] + checksum(header).to_bytes(2, "big") + packet[12:]


def icmp_error(frame: bytes, source: bytes, kind: int, code: int) -> bytes:
    """Return the frame of an ICMP error about this one, RFC 792, back to where it came from; `source`: 4 bytes."""
    quote = frame[ETHERNET : ETHERNET + _QUOTED_AT_MOST]
    message = struct.pack("!BBHI", kind, code, 0, 0) + quote
    message = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(message), 0, 0, 64, _ICMP, 0, source, quote[12:16])
    return frame[6:12] + frame[:6] + frame[12:14] + with_header_checksum(header + message)


def _address(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def _last_byte(packet: bytes, _: int) -> bytes:
    """Invert the last byte; a transport checksum that was right is made right again."""
    return _checksum_kept_right(packet, packet[:-1] + bytes([packet[-1] ^ 0xFF]))


def _truncated(packet: bytes, size: int) -> bytes:
    """Cut off the last bytes, the header's length with them."""
    shorter = packet[: max(header_size(packet), len(packet) - size)]
    return _checksum_kept_right(packet, _of_length(shorter))


def _without_dscp(packet: bytes, _: int) -> bytes:
    """Clear the six DSCP bits, RFC 2474, and leave the two of ECN."""
    return with_header_checksum(packet[:1] + bytes([packet[1] & 0x03]) + packet[2:])


def _raised_ttl(packet: bytes, ttl: int) -> bytes:
    """Raise the TTL to at least `ttl`."""
    return with_header_checksum(packet[:8] + bytes([max(packet[8], ttl)]) + packet[9:])


def _cut(packet: bytes, size: int) -> bytes:
    """Cut off the first bytes of the payload, the header's length with them."""
    start = header_size(packet)
    return _of_length(packet[:start] + packet[start + size :])


def _put_before(packet: bytes, size: int) -> bytes:
    """Put zero bytes before the payload."""
    return _of_length(packet[: header_size(packet)] + bytes(size) + packet[header_size(packet) :])


def _of_length(packet: bytes) -> bytes:
    return with_header_checksum(packet[:2] + len(packet).to_bytes(2, "big") + packet[4:])


def _renumbered(packet: bytes, number: int) -> bytes:
    return with_header_checksum(packet[:9] + bytes([number]) + packet[10:])


MANGLERS = {
    "byte": _last_byte,
    "truncate": _truncated,
    "cut-front": _cut,
    "insert-front": _put_before,
    "renumber": _renumbered,
    "dscp": _without_dscp,
    "ttl": _raised_ttl,
}


def _checksum_kept_right(before: bytes, after: bytes) -> bytes:
    place = _checksum_place(before)
    if place is None or _checksum_of(before, place) != int.from_bytes(before[place : place + 2], "big"):
        return after
    return after[:place] + _checksum_of(after, place).to_bytes(2, "big") + after[place + 2 :]


def _checksum_place(packet: bytes) -> int | None:
    """Where in the packet the transport checksum stands, if we know and it is there."""
    offset = _WITH_PSEUDO_HEADER.get(packet[9], _WITHOUT.get(packet[9]))
    if offset is None or len(packet) < header_size(packet) + offset + 2:
        return None
    return header_size(packet) + offset


def _checksum_of(packet: bytes, place: int) -> int:
    """Compute the transport checksum over the whole payload as if it were zero there."""
    start = header_size(packet)
    pseudo = b""
    if packet[9] in _WITH_PSEUDO_HEADER:
        pseudo = pseudo_header(packet[12:16], packet[16:20], packet[9], len(packet) - start)
    return checksum(pseudo + packet[start:place] + b"\0\0" + packet[place + 2 :])
