"""Routers that forward and complain, and the rules by which they drop and reject."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.elements.base import Effect, View, looks_valid
from sim.host import Bucket
from sim.packet import ICMP, Packet, error_about

if TYPE_CHECKING:
    from sim.network import Network


@dataclass(slots=True, eq=False)
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
            word, *numbers = said.split()
            if word != "drop":
                kind, code = map(int, numbers)
                self.complain(packet, way, network, kind, code, routed=word == "prohibit")
            return None
        packet.ttl -= 1
        return 0

    def complain(
        self, packet: Packet, way: int, network: Network, kind: int, code: int, *, routed: bool = False
    ) -> None:
        """Send an ICMP error, if there is one to send; never about an error: RFC 1122 section 3.2.2.

        `routed`: it is a route that says no, which takes two errors' worth.
        """
        if not self.speaks or packet.is_error:
            return
        now = network.clock.now
        if self.bucket.take_routed(now) if routed else self.bucket.take(now):
            network.send_back(error_about(packet, self.address, kind, code, short=self.short), self, way)

    def effects(self, view: View) -> list[Effect]:
        """What its rules do, in their order."""
        found = [rule.effect(view) for rule in self.rules]
        return [Effect(each.kind, each.detail, self.name, each.owner) for each in found if each is not None]

    def mutes(self, view: View) -> bool:
        """Whether errors about a train cannot come back through it."""
        return any(rule.mutes(view) for rule in self.rules)


class RouterRule:
    """A rule of a router's. Ways: {1}, {-1} or both."""

    name = "rule"

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """None to let it pass, "drop", "reject TYPE CODE", or "prohibit TYPE CODE" of a route."""
        raise NotImplementedError

    def effect(self, view: View) -> Effect | None:
        """What it always does to a train."""
        raise NotImplementedError

    def mutes(self, view: View) -> bool:
        """Whether it drops errors about a train."""
        return False


def said(word: str) -> Effect:
    """The effect of a rule's word."""
    return Effect("drop") if word == "drop" else Effect("reject", tuple(map(int, word.split()[1:])))


@dataclass(slots=True)
class NumberFilter(RouterRule):
    """Drops or rejects numbers, or all but these (`only`), whatever is inside. ICMP errors of others pass."""

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
        return said(self.word)


@dataclass(slots=True)
class IcmpFilter(RouterRule):
    """Drops all of ICMP, errors too."""

    ways: frozenset[int]
    name: str = "icmp filter"

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        return "drop" if way in self.ways and packet.protocol == ICMP else None

    def effect(self, view: View) -> Effect | None:
        """As RouterRule."""
        return Effect("drop") if view.way in self.ways and view.number == ICMP else None

    def mutes(self, view: View) -> bool:
        """Errors go the other way."""
        return -view.way in self.ways


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
