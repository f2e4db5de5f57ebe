"""What stands between two hosts: links that delay and lose, routers with rules, translators. Each states its truth."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.host import Bucket
from sim.network import FORWARD
from sim.packet import ICMP, UDP, Packet, error_about

if TYPE_CHECKING:
    from sim.network import Network

MILLISECOND = 1_000_000
INVALID_BARE = frozenset({1, 6, 17, 58, 132, 136})  # numbers under which HDP is no valid message to conntrack: FACTS 2
TRACKED = frozenset({1, 6, 17, 132, 136})
GENERIC_TIMEOUT = 600_000 * MILLISECOND


@dataclass(frozen=True, slots=True)
class View:
    """A train as the truth is asked about it: number, form, way, and the bytes of its packets."""

    number: int
    wellformed: bool
    way: int
    size: int

    @property
    def valid(self) -> bool:
        """Whether a box that knows the number's protocol takes it for a message of that."""
        return self.wellformed or self.number not in INVALID_BARE


@dataclass(frozen=True, slots=True)
class Effect:
    """What an element does to a train, always: `kind` is a word of `truth.py`; `detail` belongs to it."""

    kind: str
    detail: tuple[object, ...] = ()
    where: str = ""


# --- links


@dataclass(slots=True)
class Link:
    """Delay in ns, up to `jitter` more; loses what `loss` says, doubles and holds back a share.

    With `fifo` no packet overtakes another one. `only`: the packets that loss, doubling and holding are for.
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
    _free_at: dict[int, int] = field(default_factory=lambda: {1: 0, -1: 0})

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        now = network.clock.now
        if self.loss is not None and self.loss(now, way):
            network.die(packet, f"lost on {self.name}")
            return None
        delay = self.delay + (int(self.chance.random() * self.jitter) if self.jitter else 0)
        if self.held and self.chance.random() < self.held:
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


# --- routers


@dataclass(slots=True)
class Router:
    """Forwards: takes one of the TTL, asks its rules in order. `speaks`: whether it sends ICMP errors.

    `address`: whence its errors come. `short`: its errors quote only 8 bytes of payload.
    """

    name: str
    address: str
    rules: list[RouterRule] = field(default_factory=list)
    speaks: bool = True
    short: bool = False
    bucket: Bucket = field(default_factory=Bucket)
    parts: tuple[object, ...] = ()

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        if packet.ttl <= 1:
            network.die(packet, f"TTL at {self.name}")
            self.complain(packet, way, network, 11, 0)
            return None
        for rule in self.rules:
            said = rule.judge(packet, way, network.clock.now)
            if said is None:
                continue
            network.die(packet, f"{rule.name} of {self.name}")
            if said != "drop":
                kind, code = map(int, said.split()[1:])
                self.complain(packet, way, network, kind, code)
            return None
        packet.ttl -= 1
        return 0

    def complain(self, packet: Packet, way: int, network: Network, kind: int, code: int) -> None:
        """Send an ICMP error, if there is one to send; never about an error: RFC 1122 section 3.2.2."""
        if self.speaks and not packet.is_error and self.bucket.take(network.clock.now):
            network.send_back(error_about(packet, self.address, kind, code, short=self.short), self, way)

    def effects(self, view: View) -> list[Effect]:
        """What its rules do, in their order."""
        found = [rule.effect(view) for rule in self.rules]
        return [Effect(each.kind, each.detail, self.name) for each in found if each is not None]


class RouterRule:
    """A rule of a router's. Ways: {1}, {-1} or both."""

    name = "rule"

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """None to let it pass, "drop", or "reject TYPE CODE"."""
        raise NotImplementedError

    def effect(self, view: View) -> Effect | None:
        """What it always does to a train."""
        raise NotImplementedError


@dataclass(slots=True)
class NumberFilter(RouterRule):
    """Drops or rejects numbers, or all but these (`only`), whatever is inside. ICMP errors of routers pass."""

    numbers: frozenset[int]
    ways: frozenset[int]
    word: str = "drop"
    only: bool = False
    name: str = "filter"

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if way not in self.ways or packet.quote is not None:
            return None
        return self.word if (packet.protocol in self.numbers) is not self.only else None

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        if view.way not in self.ways or (view.number in self.numbers) is self.only:
            return None
        return Effect("drop") if self.word == "drop" else Effect("reject", tuple(map(int, self.word.split()[1:])))


@dataclass(slots=True)
class LengthFilter(RouterRule):
    """Drops what is longer than so many bytes, of these numbers."""

    numbers: frozenset[int]
    longest: int
    name: str = "length filter"

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        return "drop" if packet.protocol in self.numbers and 20 + len(packet.payload) > self.longest else None

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        return Effect("drop") if view.number in self.numbers and view.size > self.longest else None


@dataclass(slots=True)
class InvalidFilter(RouterRule):
    """Drops what is no valid message of a protocol that it knows, as `ct state invalid drop` does."""

    ways: frozenset[int]
    name: str = "invalid drop"

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        return "drop" if way in self.ways and packet.quote is None and not looks_valid(packet) else None

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        return Effect("drop") if view.way in self.ways and not view.valid else None


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


# --- translators, and what changes packets


def looks_valid(packet: Packet) -> bool:
    """Whether connection tracking takes a packet for a message of its protocol: bare HDP is none of these."""
    return packet.valid or packet.protocol not in INVALID_BARE


@dataclass(slots=True)
class Nat:
    """Source translation from the near side. `style`: "address" translates any number by address alone; "linux" lets
    what it can't read pass untranslated; "ports" knows TCP, UDP and ICMP, and drops the rest.
    """

    name: str
    outside: str
    style: str = "linux"
    keeps_port: bool = True
    timeout: int = GENERIC_TIMEOUT
    _inside: dict[tuple[object, ...], tuple[str, int]] = field(default_factory=dict)

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        now = network.clock.now
        if packet.quote is not None:
            return self._error(packet, way, network)
        valid = looks_valid(packet)
        if self.style == "ports" and (packet.protocol not in (1, 6, 17) or not valid):
            network.die(packet, f"{self.name} knows no {packet.protocol}")
            return None
        if not valid and self.style == "linux":
            if way == FORWARD:
                return 0  # it leaks
            network.die(packet, f"{self.name} has no state")
            return None
        key = self._key(packet, way)
        if way == FORWARD:
            self._inside[key] = packet.source, now
            packet.source = self.outside
            return 0
        inside = self._inside.get(key) if packet.destination == self.outside else None
        if inside is None or now - inside[1] > self.timeout:
            network.die(packet, f"{self.name} has no state")
            return None
        self._inside[key] = inside[0], now
        packet.destination = inside[0]
        return 0

    def _error(self, packet: Packet, way: int, network: Network) -> int | None:
        """An error about what was translated gets the inner addresses back, inside and out."""
        quote = packet.quote
        assert quote is not None, "it is an error"
        if way == FORWARD:
            return 0
        inside = self._inside.get(self._key(quote, FORWARD)) if packet.destination == self.outside else None
        if inside is None:
            network.die(packet, f"{self.name} has no state for the error")
            return None
        packet.destination = quote.source = inside[0]
        return 0

    def _key(self, packet: Packet, way: int) -> tuple[object, ...]:
        ports = packet.ports if packet.protocol == UDP else None
        peer, mine = (packet.destination, ports) if way == FORWARD else (packet.source, ports and ports[::-1])
        if packet.protocol == ICMP and packet.valid:
            return packet.protocol, peer, packet.payload[4:8]
        return packet.protocol, peer, mine

    def effect(self, view: View) -> Effect | None:
        """As Router.effect; what is solicited comes back."""
        if self.style == "ports":
            if view.number not in (1, 6, 17) or not view.valid:
                return Effect("drop", where=self.name)
            return Effect("translate", (self.outside,), self.name)
        if view.valid or self.style == "address":
            return Effect("translate", (self.outside,), self.name)
        return Effect("leak" if view.way == FORWARD else "drop", where=self.name)


@dataclass(slots=True)
class Mangle:
    """Changes the packets of these numbers: `change` is given the packet, `fields` are what a record should name."""

    name: str
    numbers: frozenset[int]
    ways: frozenset[int]
    change: Callable[[Packet], None]
    kind: str
    fields: tuple[str, ...] = ()

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        if way in self.ways and packet.protocol in self.numbers and packet.quote is None:
            self.change(packet)
        return 0

    def effect(self, view: View) -> Effect | None:
        """As Router.effect."""
        return (
            Effect(self.kind, self.fields, self.name) if view.way in self.ways and view.number in self.numbers else None
        )


@dataclass(slots=True)
class Branches:
    """Equal-cost ways: a packet goes one of them by its addresses, number and ports. Each is a list of elements."""

    name: str
    ways: tuple[tuple[object, ...], ...]
    pick: Callable[[Packet], int]

    @property
    def parts(self) -> tuple[object, ...]:
        """All elements of all branches."""
        return tuple(each for way in self.ways for each in way)

    def take(self, packet: Packet, way: int, network: Network) -> int | None:
        """As Element.take."""
        chosen = self.ways[self.pick(packet.quote or packet) % len(self.ways)]
        held = 0
        for element in chosen if way == FORWARD else reversed(chosen):
            taken = element.take(packet, way, network)  # type: ignore[attr-defined]
            if taken is None:
                return None
            held += taken
        return held

    def effect(self, view: View) -> Effect | None:
        """None: whoever builds branches that differ states what they do."""
        return None


def numbers(of: Collection[int]) -> frozenset[int]:
    """A frozen set."""
    return frozenset(of)
