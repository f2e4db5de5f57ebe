"""How far away who sent a packet is, by the TTL that it came with. No I/O."""

from __future__ import annotations

from collections.abc import Collection

USUAL_TTLS = (64, 128, 255)
"""With which systems send."""


def distance(ttl: int) -> int:
    """How many routers a packet has passed, if it began with one of the usual TTLs."""
    return next(usual for usual in USUAL_TTLS if ttl <= usual) - ttl


def is_nearer(ttl: int | None, others: Collection[int]) -> bool:
    """Whether a packet came from nearer than all of the others, where all of these TTLs are known."""
    return ttl is not None and bool(others) and distance(ttl) < min(map(distance, others))


def is_elsewhere(ttls: Collection[int], others: Collection[int]) -> bool:
    """Whether none of these packets came from as far as one of the others."""
    return bool(ttls and others) and set(map(distance, others)).isdisjoint(map(distance, ttls))
