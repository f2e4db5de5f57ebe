"""How far a measurement got, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Trains settled and in all, and rounds so far. `lost`: settled trains that did not get through.

    `seconds_left`: what the rest will take at the pace found so far, None where nobody can say.
    """

    settled: int
    trains: int
    seconds_left: float | None = None
    rounds: int = 0
    lost: int = 0


OnProgress = Callable[[Progress], None]
