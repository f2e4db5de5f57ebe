"""How far away who sent a packet is, by the TTL that it came with. No I/O."""

from __future__ import annotations

from collections.abc import Collection

USUAL_TTLS = (64, 128, 255)
"""With which systems send."""
RARE_TTLS = (60,)
"""With which some send some of their packets, as AIX and HP-UX do: their echoes need not begin with what errors do."""
FARTHEST = 40
"""Routers that a packet passes at most."""


def distance(ttl: int) -> int:
    """How many routers a packet has passed, if it began with one of the usual TTLs."""
    return next(usual for usual in USUAL_TTLS if ttl <= usual) - ttl


def distances(ttl: int) -> frozenset[int]:
    """How many routers a packet may have passed, whatever TTL it began with."""
    return frozenset(
        {distance(ttl), *(began - ttl for began in (*USUAL_TTLS, *RARE_TTLS) if 0 <= began - ttl <= FARTHEST)}
    )


def is_as_far(ttl: int | None, others: Collection[int]) -> bool:
    """Whether a packet may have come from as far as one of the others, if they did not begin with the same TTL."""
    return ttl is not None and any(not distances(ttl).isdisjoint(distances(other)) for other in others)


def is_nearer(ttl: int | None, others: Collection[int]) -> bool:
    """Whether a packet seems to come from nearer than all of the others, where all of these TTLs are known.

    Some may have begun with a rare TTL: then it may come from as far after all (`is_as_far`).
    """
    return ttl is not None and bool(others) and distance(ttl) < min(map(distance, others))


def is_elsewhere(ttls: Collection[int], others: Collection[int]) -> bool:
    """Whether none of these packets came from as far as one of the others, if they began with one of the usual TTLs."""
    return bool(ttls and others) and set(map(distance, others)).isdisjoint(map(distance, ttls))
