"""Hypothesis strategies for HDP and the packets around it, for your tests and ours.

What a failing example shrinks to is the most ordinary packet that still fails: protocol 253, port 420, TTL
64, 127.0.0.1, empty content. So a shrunk example that is out of the ordinary somewhere failed because of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.hdp import DEFAULT_PORT, Header
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.packet.registry import Status, lookup
from pytest_hdp.packet.tag import MAC_SIZE, RUN_ID_SIZE, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import SearchStrategy

_BENIGN_FIRST = (
    Status.EXPERIMENTAL,
    Status.UNASSIGNED,
    Status.ASSIGNED,
    Status.RESERVED,
    Status.OUT_OF_RANGE,
)


def headers() -> SearchStrategy[Header]:
    """Generate HDP headers; the simplest has both ports 420 and timestamp 0."""
    ports = st.just(DEFAULT_PORT) | st.integers(0, 2**16 - 1)
    return st.builds(Header, ports, ports, st.integers(0, 2**64 - 1))


def contents(max_size: int = 1024) -> SearchStrategy[bytes]:
    """Generate what a probe carries, of 0 to `max_size` bytes; the simplest is empty.

    Random bytes are mostly short; repeated patterns reach every length up to `max_size` about equally often.
    """
    if max_size == 0:
        return st.just(b"")
    lengths = st.integers(0, max_size)
    patterns = st.binary(min_size=1, max_size=min(8, max_size))
    return st.binary(max_size=max_size) | st.builds(_repeat, patterns, lengths)


def encodings() -> SearchStrategy[Encoding]:
    """Generate payload encodings; the simplest is `plain`."""
    return st.sampled_from(Encoding)


def protocol_numbers(numbers: Iterable[int] = range(256)) -> SearchStrategy[int]:
    """Generate protocol numbers out of `numbers`; the simplest is 253, or the most harmless that there is.

    Numbers for experiments are simpler than unassigned ones, those simpler than assigned ones, which somebody
    on the path may speak.
    """
    return st.sampled_from(sorted(numbers, key=_rank))


def tags() -> SearchStrategy[Tag]:
    """Generate tags of nobody: the MAC is random, so that it verifies under no secret."""
    run_ids = st.binary(min_size=RUN_ID_SIZE, max_size=RUN_ID_SIZE)
    macs = st.binary(min_size=MAC_SIZE, max_size=MAC_SIZE)
    return st.builds(Tag, run_ids, st.integers(0, 2**32 - 1), macs)


def ipv4_packets(
    protocols: SearchStrategy[int] | None = None, *, max_payload: int = 256, hostile: bool = True
) -> SearchStrategy[bytes]:
    """Generate IPv4 packets as bytes, and with `hostile` broken ones too; the simplest is a valid empty one.

    `protocols`: default `protocol_numbers()`. `max_payload`: in bytes. Broken ones are valid ones cut short,
    prolonged or with bytes overwritten (lengths, version and checksum among them), and random bytes.
    """
    addresses = st.just("127.0.0.1") | st.ip_addresses(v=4).map(str)
    valid = st.builds(
        build_ipv4,
        contents(max_payload),
        source=addresses,
        destination=addresses,
        protocol=protocol_numbers() if protocols is None else protocols,
        ttl=st.just(64) | st.integers(0, 255),
        identification=st.integers(0, 2**16 - 1),
        dscp=st.integers(0, 63),
        ecn=st.integers(0, 3),
        flags=st.integers(0, 7),
        fragment_offset=st.just(0) | st.integers(0, 2**13 - 1),
        options=st.integers(0, 10).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)),
    )
    return damaged(valid) if hostile else valid


def damaged(valid: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Generate what `valid` generates, whole or damaged, and bytes that have nothing to do with it.

    Damage is: cut short anywhere, bytes overwritten (more often near the front, where headers are), or
    prolonged. The simplest is undamaged.
    """
    places = st.integers(0, 63) | st.integers(0, 2**16 - 1)
    overwrites = st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)

    # Damage is drawn after the whole, and nothing is drawn to leave it whole: Hypothesis prefers what took the
    # fewest draws, and would otherwise shrink to a short random string.
    def damage(whole: bytes) -> SearchStrategy[bytes]:
        return st.one_of(
            st.just(whole),
            st.builds(_cut, st.just(whole), places),
            st.builds(_overwrite, st.just(whole), overwrites),
            st.builds(bytes.__add__, st.just(whole), st.binary(min_size=1, max_size=64)),
            st.binary(max_size=128),
        )

    return valid.flatmap(damage)


def _repeat(pattern: bytes, length: int) -> bytes:
    return (pattern * (length // len(pattern) + 1))[:length]


def _cut(data: bytes, place: int) -> bytes:
    return data[: place % (len(data) + 1)]


def _overwrite(data: bytes, overwrites: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for place, value in overwrites:
        if changed:
            changed[place % len(changed)] = value
    return bytes(changed)


def _rank(number: int) -> tuple[int, int]:
    return _BENIGN_FIRST.index(lookup(number).status), number
