"""What passes between a controller and an agent: packets handed over, filters, observations that may be none."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pytest_hdp.packet.family import IPV4, IPV6
from pytest_hdp.packet.view import view
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.vantage.clock import Bell
    from pytest_hdp.vantage.station import Program

_LARGEST = 1 << 16
_LATEST = 1 << 63  # ns: what a time is below
_LONGEST_TEXT = 400  # characters
_LONGEST_NAME = 64  # characters of an address or of an interface's name
MOST_WAITING = 24 << 20  # bytes of memory for what has come and nobody has taken: 20,000 packets
NO_SENSE = (TypeError, ValueError, KeyError, IndexError, OverflowError)  # raised where what was told is no such thing

NOBODY_KNOWS = "EINTR"  # an errno that says nothing of the number: it may have been sent or not

Told = TypeVar("Told")


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


class Alone:
    """A packet that nobody keeps books of."""

    errno: str | None = None
    sent_at: int = 0


class Handed:
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
        self._unsure[number].errno = told_text(name)

    def done(self, last: int) -> None:
        """All up to this number were sent, or refused."""
        self._unsure = {number: packet for number, packet in self._unsure.items() if number > last}

    def lose(self) -> None:
        """Nobody will ever tell what became of these, and nothing is sent any more."""
        self._lost = True
        for packet in self._unsure.values():
            packet.errno = packet.errno or NOBODY_KNOWS
        self._unsure.clear()


def beat(channel: Channel, ended: threading.Event, every: float) -> None:
    """Say something every so many seconds, until it has ended or nobody is there any more."""
    while not ended.wait(every):
        try:
            channel.send([("beat",)])
        except OSError:
            return


def assembled(program: Program) -> bytes:
    """A filter as bytes, in this machine's byte order."""
    return program if isinstance(program, bytes) else b"".join(struct.pack("=HBBI", *each) for each in program)


def sound(observation: tuple[Any, ...], *, payload_only: bool) -> bool:
    """Whether an observation is one: what is not holds no packet of ours. `payload_only`: without an IP header."""
    handle, when, kind, data, address, interface = observation
    if not (isinstance(data, bytes) and isinstance(address, str) and isinstance(interface, str)):
        return False
    if len(address) > _LONGEST_NAME or len(interface) > _LONGEST_NAME:
        return False
    if not (type(handle) is type(when) is type(kind) is int and len(data) <= _LARGEST and 0 <= when < _LATEST):
        return False
    return payload_only or _is_packet(data)


def _is_packet(data: bytes) -> bool:
    """Whether something follows a whole IP header."""
    if data[:1] >= b"\x60":
        return len(data) > IPV6.header_size and view(data) is not None
    return len(data) >= IPV4.header_size and IPV4.header_size <= (data[0] & 15) * 4 < len(data)


def told_text(value: object) -> str:
    """A text of the far end's, for a terminal."""
    return plain(str(value)[:_LONGEST_TEXT])


def told_answer(number: object, value: object) -> tuple[int, Any]:
    """An errno, or 0, and a text for it, or any value. Raises ValueError."""
    refused = told_errno(number)
    return refused, told_text(value) if refused else value


def told_errno(value: object) -> int:
    """An errno, or 0. Raises ValueError."""
    return _whole(value, 4095)  # the kernel's MAX_ERRNO


def told_errnos(value: Sequence[object], count: int) -> list[int]:
    """So many of them. Raises TypeError, ValueError."""
    if len(value) != count:
        raise ValueError(count)
    return list(map(told_errno, value))


def told_drops(value: Iterable[tuple[object, object]], handles: Container[int]) -> dict[int, int]:
    """How many packets these sockets have dropped. Raises TypeError, ValueError; KeyError for one that is not ours."""
    drops = {_whole(handle, _LATEST): _whole(count, _LATEST) for handle, count in value}
    if strange := [handle for handle in drops if handle not in handles]:
        raise KeyError(strange[0])
    return drops


def told_port(value: object) -> int:
    """A port, or 0 where there is none. Raises ValueError."""
    return _whole(value, 65535)


def told_route(value: Iterable[object]) -> tuple[str, str, int]:
    """What `Station.route` returns. Raises TypeError, ValueError."""
    address, interface, mtu = value
    return str(ip_address(str(address))), told_text(interface), _whole(mtu, 1 << 31)


def _whole(value: object, most: int) -> int:
    """A whole number up to `most`. Raises ValueError."""
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(value)
    return value
