"""A channel to an agent: what one thread brings and another takes, and the fate of packets that were handed over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from pytest_hdp.vantage.remote.messages import parse_text

if TYPE_CHECKING:
    from pytest_hdp.vantage.clock import Bell

MOST_WAITING = 24 << 20  # bytes of memory for what has come and nobody has taken: 20,000 packets
NOBODY_KNOWS = "EINTR"  # an errno that says nothing of the number: it may have been sent or not


class Channel(Protocol):
    """What is needed of a channel to an agent."""

    def send(self, item: object) -> None:
        """Send a plain value. Raises OSError when the connection is gone."""

    def setcallback(self, callback: Callable[..., Any], endmarker: object = ...) -> None:
        """Call back, in a thread, with each value that comes (and its cost in memory); with the marker at the end."""


class Packet(Protocol):
    """What keeps the fate of a packet that was handed over to be sent. Times in ns, of this host's clock."""

    errno: str | None
    sent_at: int


class AgentGone(OSError):  # noqa: N818
    """Raised where an agent is needed that is not there any more."""


class Inbox:
    """What one thread has brought and another has not taken yet. Whoever brings more than it holds waits."""

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self._items: list[tuple[object, int]] = []
        self.cost = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: object, cost: int = 0) -> None:
        """Add something that takes `cost` bytes of memory, once there is room; nothing if it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self.cost < MOST_WAITING or self._closed)
            if self._closed:
                return
            self._items.append((item, cost))
            self.cost += cost
        self.bell.ring()

    def take(self) -> list[tuple[object, int]]:
        """Return all that is there by now, each with its cost."""
        self.bell.hush()
        with self._changed:
            items, self._items, self.cost = self._items, [], 0
            self._changed.notify_all()
        return items

    def close(self) -> None:
        """Take nothing any more, and let go of whoever waits."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
        self.bell.ring()


class Unrecorded:
    """A packet whose fate nobody asks for later."""

    errno: str | None = None
    sent_at: int = 0


class HandedOver:
    """Packets that were handed over, by number, until it is known what became of them."""

    def __init__(self) -> None:
        self._unsure: dict[int, Packet] = {}
        self._lost = False

    def add(self, number: int, packet: Packet) -> None:
        """Take one more; numbers go up."""
        self._unsure[number] = packet
        if self._lost:
            self.lose()

    def refuse(self, number: int, name: object) -> None:
        """The far end's kernel refused one. Raises KeyError if there is no such packet."""
        self._unsure[number].errno = parse_text(name)

    def done(self, last: int) -> None:
        """All up to this number were sent, or refused."""
        self._unsure = {number: packet for number, packet in self._unsure.items() if number > last}

    def lose(self) -> None:
        """Nobody will ever tell what became of these, and nothing is sent any more."""
        self._lost = True
        for packet in self._unsure.values():
            packet.errno = packet.errno or NOBODY_KNOWS
        self._unsure.clear()


def keep_alive(channel: Channel, ended: threading.Event, every: float) -> None:
    """Say something every so many seconds, until it has ended or nobody is there any more."""
    while not ended.wait(every):
        try:
            channel.send([("beat",)])
        except OSError:
            return
