"""Rules that let some of a number's packets pass: the first ones, a share, so many a second, what answers others."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sim.elements.base import GENERIC_TIMEOUT, Effect, View, looks_valid
from sim.elements.routers import RouterRule
from sim.elements.translators import flow_key
from sim.host import Bucket
from sim.packet import Packet


@dataclass(slots=True)
class FirstOnly(RouterRule):
    """Lets the first `count` packets of each of these numbers pass each way, and drops the others."""

    numbers: frozenset[int]
    count: int
    name: str = "first only"
    _seen: dict[tuple[int, int], int] = field(default_factory=dict)

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if packet.protocol not in self.numbers or packet.quote is not None:
            return None
        seen = self._seen[packet.protocol, way] = self._seen.get((packet.protocol, way), 0) + 1
        return "drop" if seen > self.count else None

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        return Effect("first", (self.count,)) if view.number in self.numbers else None


@dataclass(slots=True)
class FirstLost(RouterRule):
    """Drops the first `count` packets of each number each way, as a cache does that must look something up."""

    count: int
    but: frozenset[int] = frozenset({17})
    name: str = "first lost"
    _seen: dict[tuple[int, int], int] = field(default_factory=dict)

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if packet.protocol in self.but or packet.quote is not None:
            return None
        seen = self._seen[packet.protocol, way] = self._seen.get((packet.protocol, way), 0) + 1
        return "drop" if seen <= self.count else None

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        return Effect("first-lost", (self.count,)) if view.number not in self.but else None


@dataclass(slots=True)
class EveryNth(RouterRule):
    """Drops one in `step` packets of each number each way, as one that shares them out and has a dead way."""

    step: int
    but: frozenset[int] = frozenset({17})
    name: str = "every nth"
    _seen: dict[tuple[int, int], int] = field(default_factory=dict)

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if packet.protocol in self.but or packet.quote is not None:
            return None
        seen = self._seen[packet.protocol, way] = self._seen.get((packet.protocol, way), 0) + 1
        return None if seen % self.step else "drop"

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        return Effect("first-lost", (self.step,)) if view.number not in self.but else None


@dataclass(slots=True)
class Unreachable(RouterRule):
    """From one time to another rejects everything, as a router whose neighbour is gone."""

    start: int
    end: int
    name: str = "no neighbour"

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        return "reject 3 1" if way == 1 and self.start <= now < self.end else None

    def effect(self, view: View) -> Effect | None:
        """As RouterRule: nothing that hangs on the number."""
        return None


@dataclass(slots=True)
class Lossy(RouterRule):
    """Drops a share of the packets of these numbers, by chance."""

    numbers: frozenset[int]
    share: float
    chance: random.Random
    name: str = "lossy"

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if packet.protocol not in self.numbers or packet.quote is not None:
            return None
        return "drop" if self.chance.random() < self.share else None

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        return Effect("lossy", (self.share,)) if view.number in self.numbers else None


@dataclass(slots=True)
class Limit(RouterRule):
    """Lets one packet in `each` ns pass, of each of these numbers and ways by itself, `burst` at once."""

    numbers: frozenset[int]
    each: int
    burst: int
    name: str = "rate limit"
    _buckets: dict[tuple[int, int], Bucket] = field(default_factory=dict)

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if packet.protocol not in self.numbers or packet.quote is not None:
            return None
        bucket = self._buckets.setdefault((packet.protocol, way), Bucket(self.each, self.burst))
        return None if bucket.take(now) else "drop"

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        return Effect("limited", (self.each, self.burst)) if view.number in self.numbers else None


@dataclass(slots=True)
class SharedLimit(RouterRule):
    """Has one bucket for all "other protocols": all but these numbers. Each of them alone would pass.

    `joint`: it is one for both ways, too.
    """

    each: int
    burst: int
    but: frozenset[int] = frozenset({1, 6, 17})
    joint: bool = False
    name: str = "shared limit"
    _buckets: dict[int, Bucket] = field(default_factory=dict)

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if packet.protocol in self.but or packet.quote is not None:
            return None
        bucket = self._buckets.setdefault(0 if self.joint else way, Bucket(self.each, self.burst))
        return None if bucket.take(now) else "drop"

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        return Effect("shared", (self.each, self.burst)) if view.number not in self.but else None


@dataclass(slots=True, eq=False)
class Established(RouterRule):
    """Lets everything go one way (`opens`), and the other way only what answers that; errors about it too.

    A state ends `timeout` ns after its last packet. What conntrack can't read leaves none. `exempt`: goes any way.
    """

    opens: int
    timeout: int = GENERIC_TIMEOUT
    exempt: frozenset[int] = frozenset()
    name: str = "established only"
    _flows: dict[tuple[object, ...], int] = field(default_factory=dict)

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if packet.quote is not None:
            about = packet.quote
            known = looks_valid(about) and flow_key(about, -way * self.opens) in self._flows
            return None if way == self.opens or about.protocol in self.exempt or known else "drop"
        if packet.protocol in self.exempt:
            return None
        if not looks_valid(packet):
            return None if way == self.opens else "drop"
        key = flow_key(packet, way * self.opens)
        if way != self.opens and now - self._flows.get(key, -self.timeout - 1) > self.timeout:
            return "drop"
        self._flows[key] = now
        return None

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        if view.number in self.exempt:
            return None
        if view.way == self.opens:
            return Effect("opens", owner=self) if view.valid else None
        return Effect("answers", owner=self) if view.valid else Effect("drop")

    def mutes(self, view: View) -> bool:
        """Errors about what left no state are nobody's."""
        return view.way == self.opens and not view.valid and view.number not in self.exempt
