"""Links: delay, jitter, order, and ways to lose packets."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.elements.base import MILLISECOND, Effect, View
from sim.packet import Packet

if TYPE_CHECKING:
    from sim.network import Network


@dataclass(slots=True, eq=False)
class Link:
    """Delay in ns, up to `jitter` more; loses what `loss` says, doubles and holds back a share.

    With `fifo` no packet overtakes another one, unless that is held back.
    """

    name: str
    chance: random.Random
    delay: int = 100_000
    jitter: int = 0
    fifo: bool = True
    loss: Callable[[int, int], bool] | None = None
    doubled: float = 0.0
    held: float = 0.0
    held_for: int = 20 * MILLISECOND
    held_ways: frozenset[int] = frozenset({1, -1})
    _free_at: dict[int, int] = field(default_factory=lambda: {1: 0, -1: 0})

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        now = network.clock.now
        if self.loss is not None and self.loss(now, way):
            network.die(packet, f"lost on {self.name}")
            return None
        delay = self.delay + (int(self.chance.random() * self.jitter) if self.jitter else 0)
        if self.held and way in self.held_ways and self.chance.random() < self.held:
            return delay + self.held_for
        if self.fifo:
            delay = max(delay, self._free_at[way] - now)
            self._free_at[way] = now + delay
        if self.doubled and self.chance.random() < self.doubled:
            at = network.position(self)
            network.clock.after(delay + 50_000, network.carry, packet.copy(), at + way, way)
        return delay

    def effect(self, view: View) -> Effect | None:
        """Nothing that hangs on the number."""
        return None


def independent(chance: random.Random, share: float) -> Callable[[int, int], bool]:
    """Loses each packet with this probability."""
    return lambda _now, _way: chance.random() < share


def bursty(chance: random.Random, share: float, mean: int) -> Callable[[int, int], bool]:
    """Loses all for a while, `mean` ns on average, so that it loses this share of the time: Gilbert 1960."""
    state = {1: [False, 0], -1: [False, 0]}

    def lost(now: int, way: int) -> bool:
        mine = state[way]
        while now >= mine[1]:
            mine[0] = not mine[0] if mine[1] else chance.random() < share
            length = mean if mine[0] else mean * (1 - share) / share
            mine[1] = max(mine[1], now - 50 * mean) + max(1, int(chance.expovariate(1 / length)))
        return bool(mine[0])

    return lost


def periodic(every: int, phase: int) -> Callable[[int, int], bool]:
    """Loses one packet in `every`, whoever's it is."""
    counts = {1: phase, -1: phase}

    def lost(_now: int, way: int) -> bool:
        counts[way] += 1
        return counts[way] % every == 0

    return lost


def outages(spans: Iterable[tuple[int, int]]) -> Callable[[int, int], bool]:
    """Loses all from one time to another, ns."""
    spans = tuple(spans)
    return lambda now, _way: any(start <= now < end for start, end in spans)
