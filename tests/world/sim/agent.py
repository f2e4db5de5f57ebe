"""The real agent's instructions, at a simulated host, behind a simulated pipe in execnet's format."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from execnet.gateway_base import dumps_internal

from pytest_hdp.vantage.remote.agent import Agent
from pytest_hdp.vantage.remote.decoding import Nonsense, decode
from pytest_hdp.vantage.remote.pipes import NO_AGENT
from sim.clock import SECOND, WAKE

if TYPE_CHECKING:
    from pytest_hdp.vantage.remote.launcher import Terms
    from sim.clock import SimClock
    from sim.liar import Liar
    from sim.station import SimStation


class Ended(Exception):  # noqa: N818
    """In the place of os._exit."""


@dataclass(slots=True)
class Pipe:
    """The channel between a controller and a simulated agent: what is said comes in order, `delay` ns later and up to
    `jitter` more. `failed`: why it ended, if that is known there.
    """

    clock: SimClock
    delay: int
    jitter: int
    chance: random.Random
    agent: SimAgent | None = None
    failed: str = ""
    asked: Counter[str] = field(default_factory=Counter)  # packets that it was handed over, by where to
    said: list[bytes] = field(default_factory=list)  # all messages of the far end's
    _callback: Callable[..., Any] | None = None
    _at: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    _cut: bool = False

    # As the controller sees it: a channel.Channel

    def send(self, item: Any) -> None:
        """As Channel.send."""
        if self._cut:
            raise BrokenPipeError("nobody is there any more")
        assert self.agent is not None
        dumps_internal(item)  # what is no plain value raises
        self.asked.update(each[4] for each in item if each[0] == "send")
        self.clock.at(self._when(there=True), self.agent.hear, list(item))

    def setcallback(self, callback: Callable[..., Any], endmarker: object = None) -> None:
        """As Channel.setcallback."""
        self._callback = callback

    def why(self) -> str:
        """Why it ended."""
        return self.failed or "the connection ended (status 255)"

    def close(self) -> None:
        """Ended by the controller."""
        self._cut = True
        if self.agent is not None:
            self.agent.over = True

    # As the far end sees it

    def say(self, item: object) -> None:
        """Send a value to the controller."""
        self.say_bytes(dumps_internal(item))

    def say_bytes(self, data: bytes) -> None:
        """Send a message to the controller, whatever it may be."""
        self.said.append(data)
        self.clock.at(self._when(there=False), self._arrive, data)

    def end(self) -> None:
        """The connection ends: what is under way comes before."""
        self.clock.at(self._when(there=False), self._break)

    def _when(self, *, there: bool) -> int:
        delay = self.delay + (self.chance.randrange(self.jitter) if self.jitter else 0)
        self._at[there] = max(self._at[there] + 1, self.clock.now + delay)  # whatever is shuffled, a pipe keeps order
        return self._at[there]

    def _arrive(self, data: bytes) -> None:
        if self._cut:
            return
        try:
            value, cost = decode(data)
        except Nonsense:
            value, cost = None, 0
        if value is None:
            self.failed = self.failed or NO_AGENT
            self._break()
        elif self._callback is not None:
            self._callback(value, cost)

    def _break(self) -> None:
        if not self._cut:
            self._cut = True
            assert self._callback is not None
            self._callback(None, 0)


@dataclass(frozen=True, slots=True)
class _FarSide:
    """The pipe as the agent sees it."""

    pipe: Pipe

    def send(self, item: list[Any]) -> None:
        """Send to the controller; a liar says what it likes instead."""
        agent = self.pipe.agent
        if said := item if agent is None or agent.liar is None else agent.liar.says(item):
            self.pipe.say(said)


@dataclass(slots=True)
class _Sockets:
    """In the place of ahead.Ahead."""

    station: SimStation
    filled: bool = False

    def open(self, family: int, kind: int, protocols: Sequence[int]) -> list[int]:
        """Which of them are refused, and how."""
        return [self.station.refused(protocol) for protocol in protocols]


class SimAgent(Agent):
    """The agent itself, whose process, clock and sockets are simulated. `stalls`: from when on it gets no time, and
    until when, in ns; `over`: it is dead. `opened`: what for and under which number each handle was opened, and `liar`:
    what it tells instead of the truth.
    """

    def __init__(self, pipe: Pipe, station: SimStation, terms: Terms) -> None:
        self._clock = pipe.clock
        self.opened: dict[int, tuple[str, int]] = {}
        self.liar: Liar | None = None
        super().__init__(_FarSide(pipe), station, _Sockets(station), asdict(terms))  # type: ignore[arg-type]
        self.pipe = pipe
        self.stalls: list[tuple[int, int]] = []
        self.over = False
        self._next: int | None = None
        station.waiting = self.wake
        pipe.agent = self

    def hear(self, batch: list[Any]) -> None:
        """A message of the controller's has come."""
        if not self.over:
            self.take_orders(batch)
            self.wake()

    def wake(self) -> None:
        """There is something to do."""
        self._plan(self._clock.now + WAKE)

    def die(self, *, silently: bool = False) -> None:
        """Its process is gone, or its host: then nobody says so."""
        self.over = True
        self.station.close()
        if not silently:
            self.pipe.end()

    def _now(self) -> float:
        return self._clock.monotonic()

    def _open(self, handle: int, how: str, arguments: list[Any]) -> int:
        self.opened[handle] = how, arguments[1] if how == "listen" else 0
        return super()._open(handle, how, arguments)

    def _do_send(self, number: int, handle: int, data: bytes, address: str, port: int, label: int = 0) -> None:
        if self.liar is None or self.liar.sends(number, data, address):
            super()._do_send(number, handle, data, address, port, label)

    def _leave(self) -> NoReturn:
        raise Ended

    def _plan(self, at: int) -> None:
        at = next((until for since, until in self.stalls if since <= at < until), at)
        if not self.over and (self._next is None or at < self._next):
            self._next = at
            self._clock.at(at, self._go, at)

    def _go(self, at: int) -> None:
        if self.over or at != self._next:
            return
        self._next = None
        try:
            if self.station.readable():  # type: ignore[attr-defined]
                self.see()
            pause = self.work()
        except Ended:
            self.die()
        else:
            self._plan(self._clock.now + math.ceil(pause * SECOND) + 1)
