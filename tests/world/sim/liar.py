"""A far end that lies: it knows what it was sent and what it was asked to send, and says what it likes of both."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from sim.packet import ICMP, Packet

if TYPE_CHECKING:
    from sim.agent import SimAgent

OUTGOING, INCOMING = 4, 0
Seen = tuple[int, int, int, bytes, str, str]
KINDS = (
    "hides", "delivers", "doubles", "rewrites", "invents", "accuses", "pretends", "refuses", "overflows", "holds",
    "answers",
)  # fmt: skip
STRANGER, ROUTER = "6.6.6.6", "10.66.0.1"


@dataclass(slots=True)
class Liar:
    """Tells lies of some of KINDS, each in `often` of all cases."""

    agent: SimAgent
    chance: random.Random
    kinds: Sequence[str]
    often: float = 0.5
    _asked: list[tuple[bytes, str]] = field(default_factory=list)

    def sends(self, number: int, data: bytes, address: str) -> bool:
        """Whether it really sends what it is asked to."""
        self._asked.append((data, address))
        if self._will("refuses"):
            self.agent.pipe.say([("refused", number, self.chance.choice(("EPERM", "EAGAIN", "ENETUNREACH", "x")))])
        if self._will("pretends"):
            mine = self.agent.pipe.agent.station.host.address  # type: ignore[union-attr, attr-defined]
            self.agent.pipe.say([("seen", [self._tapped(OUTGOING, Packet(mine, address, 253, data))])])
            return False
        return True

    def says(self, item: list[Any]) -> list[Any]:
        """What it says in the place of a message."""
        said = []
        for word, *rest in item:
            if word == "seen":
                said.append((word, [each for one in rest[0] for each in self._of(one)]))
            elif word == "answer" and isinstance(rest[2], tuple) and len(rest[2]) == 2:
                said.append((word, rest[0], rest[1], self._of_answer(*rest[2])))
            else:
                said.append((word, *rest))
        return said

    def _will(self, kind: str) -> bool:
        return kind in self.kinds and self.chance.random() < self.often

    def _of(self, one: Seen) -> list[Seen]:
        """What becomes of one observation."""
        handle, _, kind, data, _, _ = one
        seen = [one]
        if self._will("hides"):
            return []
        if self.agent.opened[handle][0] != "datagram" and self._will("rewrites"):
            seen = [self._rewritten(one)]
        if self._will("doubles"):
            seen *= self.chance.choice((2, 3))
        if kind == INCOMING and len(data) >= 20:
            seen += self._besides(data)
        return seen

    def _besides(self, data: bytes) -> list[Seen]:
        """What it adds to something that came."""
        more: list[Seen] = []
        if self._will("delivers"):
            sockets = [each for each, opened in self.agent.opened.items() if opened == ("listen", data[9])]
            more += [(each, self._now(), -1, data, "", "") for each in sockets]
        if self._will("invents"):
            more += [self._tapped(INCOMING, data=self._other(data)), *self._others_sockets(data)]
        if self._will("accuses"):
            more.append(self._error(_parsed(data), self.chance.choice(((3, 13), (3, 2), (11, 0)))))
        if self._will("answers") and self._asked:
            more += self._of_asked()
        return more

    def _of_asked(self) -> list[Seen]:
        """An echo's answer, or an error, about something that it was asked to send."""
        data, address = self.chance.choice(self._asked)
        mine = "198.51.100.2"
        if data[:1] == b"\x08":
            return [self._tapped(INCOMING, Packet(address, mine, ICMP, b"\0" + data[1:]))]
        return [self._error(Packet(mine, address, self.chance.choice((1, 17, 50, 253)), data), (3, 13))]

    def _others_sockets(self, data: bytes) -> list[Seen]:
        sockets = [each for each, (how, _) in self.agent.opened.items() if how == "listen"]
        return [(each, self._now(), -1, self._other(data), "", "") for each in sockets]

    def _other(self, data: bytes) -> bytes:
        """A packet of another probe, made of one that came: it knows the run id, and which index comes next."""
        run_id = self.agent.pipe.agent.station.host.network.run_id  # type: ignore[union-attr, attr-defined]
        at = data.find(run_id)
        changed = bytearray(data)
        if at >= 0:
            index = int.from_bytes(data[at + 8 : at + 12], "big") + self.chance.randint(1, 12)
            changed[at + 8 : at + 12] = index.to_bytes(4, "big")
            if self.chance.random() < 0.5:
                changed[at + 12 : at + 28] = self.chance.randbytes(16)
        changed[9] = self.chance.choice([changed[9], *(number for _, number in self.agent.opened.values() if number)])
        return bytes(changed)

    def _rewritten(self, one: Seen) -> Seen:
        handle, when, kind, data, address, interface = one
        changed = bytearray(data)
        what = self.chance.choice(("source", "ttl", "tos", "time", "number", "interface"))
        if what == "source":
            changed[12:16] = IPv4Address(STRANGER).packed
        elif what in ("ttl", "tos", "number"):
            changed[{"ttl": 8, "tos": 1, "number": 9}[what]] = self.chance.randrange(256)
        elif what == "time":
            when = self.chance.choice((0, 1, (1 << 63) - 1, max(0, when - 3_600_000_000_000)))
        else:
            interface = self.chance.choice(("", "eth9", "\x1b[31m"))
        return handle, when, kind, bytes(changed), address, interface

    def _error(self, about: Packet, said: tuple[int, int]) -> Seen:
        error = Packet(ROUTER, about.source, ICMP, bytes((*said, 0, 0, 0, 0, 0, 0)))
        error.quote, error.quoted = about, 548
        return self._tapped(INCOMING, error)

    def _tapped(self, kind: int, packet: Packet | None = None, data: bytes = b"") -> Seen:
        tap = next(each for each, (how, _) in self.agent.opened.items() if how == "tap")
        return tap, self._now(), kind, data or packet.data, "", "eth0"  # type: ignore[union-attr]

    def _of_answer(self, held: float, drops: list[tuple[int, int]]) -> tuple[float, list[tuple[int, int]]]:
        if self._will("holds"):
            held = self.chance.choice((-5.0, 0.0, 1e6))
        if self._will("overflows"):
            drops = [(each, self.chance.randrange(1, 1 << 40)) for each in self.agent.opened]
        return held, drops

    def _now(self) -> int:
        return self.agent.pipe.clock.time_ns()


def _parsed(data: bytes) -> Packet:
    source, destination = (str(IPv4Address(data[at : at + 4])) for at in (12, 16))
    return Packet(source, destination, data[9], data[20:], ttl=data[8])
