"""The one grouping: things that have one key in common, together. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")


def alike(things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return the things of each key, keys in the order of their first things, and those in theirs."""
    groups: dict[K, list[T]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups
