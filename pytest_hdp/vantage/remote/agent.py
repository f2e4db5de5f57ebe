"""An agent: a station at a far host, which does what its controller sends, and hands back unasked what it sees.

Standard library only, Python 3.8 or later; shipped as source through execnet; nothing is installed there. It opens no
port but the control's UDP socket, answers nothing, and knows nothing of what it sends. It sends only to the peers that
its terms name, or to addresses from which something of the session's has come, of which a translator may have several;
and no more than 64 packets in all to those of which its controller has not said that something has come back, since
whoever saw a packet can send its copy in anybody's name. It ends with the connection, after its lifetime, when its
packets are spent, and when its controller has been silent for too long.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import select
import signal
import socket
import sys
import time
from typing import Any, Iterator, NoReturn, Sequence  # noqa: UP035 (Python 3.8)

from pytest_hdp.vantage.receiving import Observation
from pytest_hdp.vantage.remote.preopened import (
    Ahead,
    Refused,
    check,
    check_numeric,
    check_privilege,
    give_up_privilege,
    source_of,
)
from pytest_hdp.vantage.sockets import with_room
from pytest_hdp.vantage.station import Station

# what its controller may have opened, and which of the arguments are a buffer's size
_OPENING = {"tap": 2, "listen": 3, "datagram": 3, **dict.fromkeys(("sender", "sender_of_zero", "sender_with_header"))}
MOST_UNCONFIRMED = 64  # packets to addresses learnt from the network, from which nothing is known to have come back
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_MOST_SOURCES = 4096  # addresses that are remembered: a flood from all of them must not fill the memory
_TOGETHER = 0.004  # seconds for which observations are gathered into one message
_CATCH_UP = 0.002  # seconds of delay in sending that are made up for by sending faster
_MOST_TOGETHER, _MOST_BYTES = 500, 1 << 20  # in one message, or one packet more: a controller takes twice those bytes
_AT_ONCE = 32  # instructions between two looks at the sockets, whose buffers are small


def serve(channel: Any, terms: dict[str, Any]) -> None:
    """Serve until the channel closes. The first thing sent is ("ready", user) or ("refused", one line).

    terms: "peers" (addresses), "budget" (packets), "lifetime" and "silence" (seconds), "byteorder" (of filters), "drop"
    (whether to give up all privilege before anything else is done; every socket that may be wanted is opened before).
    """
    sockets = Ahead()
    try:
        if terms["byteorder"] != sys.byteorder:
            raise Refused("its machine has another byte order than this one, and filters are made here")
        check_privilege(terms["unprivileged"])
        user = os.geteuid()
        if terms["drop"]:
            give_up_privilege(sockets, terms["families"])
    except Refused as error:
        channel.send(("refused", str(error)))
        return
    agent = Agent(channel, Station(sockets), sockets, terms)
    channel.send(("ready", user))
    agent.run()


class Agent:
    """Runs the controller's instructions in order, each a tuple of a word and its arguments; see `_do_...`.

    Sends lists of tuples: ("seen", observations), ("refused", number of the packet, errno's name),
    ("answer", token, errno or 0, value or text), ("gone", reason).
    """

    def __init__(self, channel: Any, station: Station, sockets: Ahead, terms: dict[str, Any]) -> None:
        self._channel = channel
        self._sockets = sockets
        self.station = station
        self._peers = set(terms["peers"])
        self._unconfirmed: collections.Counter[str] = collections.Counter()  # packets, by address beside them
        self._confirmed: set[str] = set()
        self._silent: set[int] = set()  # handles of taps: an AF_PACKET socket knows no addresses, but interfaces
        self._sources: set[str] = set()
        self._budget, self._left = terms["budget"], terms["budget"]
        self._lifetime, self._silence = terms["lifetime"], terms["silence"]
        self._ends = self._now() + self._lifetime
        self._todo: collections.deque[tuple[float, tuple[Any, ...]]] = collections.deque()
        self._due = 0.0
        self._ours: dict[int, int] = {}  # handles: the controller's, and the station's
        self._theirs: dict[int, int] = {}
        self._seen: list[Observation] = []
        self._seen_first = 0.0
        self._replies: list[tuple[Any, ...]] = []
        self._waking = -1

    def run(self) -> None:
        """Do what is due, see what comes, until the end. Never returns."""
        wakeup, self._waking = os.pipe()
        for each in (wakeup, self._waking):
            os.set_blocking(each, False)
        # The kernel's own alarm ends the process, whatever it may be stuck in.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        self._still_alive()
        self._channel.setcallback(self._receive, endmarker=None)
        waiting = select.epoll()
        waiting.register(self.station.fileno(), select.EPOLLIN)
        waiting.register(wakeup, select.EPOLLIN)
        while True:
            for descriptor, _ in waiting.poll(self.work()):
                if descriptor == wakeup:
                    os.read(wakeup, 4096)
                else:
                    self.see()

    # In execnet's receiving thread

    def _receive(self, batch: Any) -> None:
        if batch is None:
            os._exit(0)  # the connection is gone, and with the process go its sockets
        self._still_alive()
        self.take_orders(batch)
        with contextlib.suppress(BlockingIOError):
            os.write(self._waking, b".")

    def _still_alive(self) -> None:
        signal.alarm(max(1, min(self._silence, int(self._ends - self._now()) + 2)))

    # What hangs on no process, and on no clock but this

    def _now(self) -> float:
        return time.monotonic()

    def take_orders(self, batch: Any) -> None:
        """Take a message of the controller's."""
        now = self._now()
        self._todo.extend((now, tuple(each)) for each in batch)

    def work(self) -> float:
        """Do all that is due. Returns the seconds until there is more to do."""
        if self._now() >= self._ends:
            self._end(f"its lifetime of {self._lifetime:g} s is over")
        for _ in range(min(_AT_ONCE, len(self._todo))):
            if self._due > (now := self._now()):
                break
            arrived, (word, *arguments) = self._todo.popleft()
            if word == "sync":
                self._sync(arguments[0], now - arrived)
            else:
                getattr(self, "_do_" + word)(*arguments)
        now = self._now()
        flush_at = self._seen_first + _TOGETHER if self._seen else self._ends
        if self._replies or flush_at <= now or len(self._seen) >= _MOST_TOGETHER:
            self._flush()
            flush_at = self._ends
        wake_at: float = min(flush_at, self._due if self._todo else self._ends, self._ends)
        return max(0.0, wake_at - now)

    def _flush(self) -> None:
        seen, self._seen = self._seen, []
        replies, self._replies = self._replies, []
        for together in parts(seen):
            self._channel.send([("seen", together)])
        if replies:
            self._channel.send(replies)

    def see(self) -> None:
        """Read what the station has for the controller."""
        if not self._seen:
            self._seen_first = self._now()
        for handle, when, kind, data, address, interface in self.station.poll(0):
            if handle in self._theirs:
                self._seen.append((self._theirs[handle], when, kind, data, address, interface))
            if kind == 0 and len(self._sources) < _MOST_SOURCES:
                self._sources.update(source_of(data))

    def _end(self, reason: str) -> NoReturn:
        self._replies.append(("gone", reason))
        self._flush()
        self._leave()

    def _leave(self) -> NoReturn:
        os._exit(0)

    def _answer(self, token: int, act: Any, *arguments: Any) -> None:
        try:
            self._replies.append(("answer", token, 0, act(*arguments)))
        except OSError as error:
            self._replies.append(("answer", token, error.errno or errno.EIO, error.strerror or str(error)))

    # Instructions

    def _do_beat(self) -> None:
        """Nothing: it says that the controller is there."""

    def _do_ahead(self, token: int, family: int, kind: int, protocols: Sequence[int]) -> None:
        self._answer(token, self._open_ahead, family, kind, protocols)

    def _open_ahead(self, family: int, kind: int, protocols: Sequence[int]) -> list[int]:
        check(family in _FAMILIES and kind == socket.SOCK_RAW)
        return list(with_room(self._sockets.open, family, kind, protocols))

    def _do_route(self, token: int, target: str, protocol: int | None = None) -> None:
        self._answer(token, self._route, target, protocol)

    def _route(self, target: str, protocol: int | None) -> tuple[str, str, int]:
        check_numeric(target)
        check(protocol is None or 0 <= protocol <= 255)
        return self.station.route(target, protocol)

    def _do_open(self, token: int, handle: int, how: str, arguments: Sequence[Any]) -> None:
        """Open a socket as the station's method `how` does, for the controller to know as `handle`."""
        arguments = list(arguments)
        buffer = _OPENING[how]
        if how == "sender":
            arguments = arguments[:2]  # without a header of the controller's: that could name another destination
        elif self._sockets.filled and buffer is not None and len(arguments) > buffer:
            arguments[buffer] = None  # it has the largest already, and could now only get a smaller one
        self._answer(token, self._open, handle, how, arguments)
        if not token and self._replies.pop()[2]:
            self._end("a socket that was opened ahead can't be used")

    def _open(self, handle: int, how: str, arguments: list[Any]) -> int:
        check(how in ("tap", "datagram") or arguments[0] in _FAMILIES)
        for address in arguments[:1] if how == "datagram" else arguments[4:5] if how == "listen" else ():
            check_numeric(address or "0.0.0.0")  # noqa: S104 (as a station reads it)
        opened = getattr(self.station, how)(*arguments)
        ours, port = opened if how == "datagram" else (opened, 0)
        self._ours[handle], self._theirs[ours] = ours, handle
        self._silent |= {handle} if how == "tap" else set()
        return int(port)

    def _do_discard(self, handle: int) -> None:
        ours = self._ours.pop(handle)
        del self._theirs[ours]
        self.station.discard(ours)

    def _do_ttl(self, handle: int, ttl: int) -> None:
        self.station.set_ttl(self._ours[handle], ttl)

    def _do_source(self, address: str) -> None:
        """As its controller saw a packet come in; that it has this address is for its own kernel to say."""
        with contextlib.suppress(OSError):
            check_numeric(address)
            self.station.send_from(address)

    def _do_pause(self, seconds: float) -> None:
        self._due = max(self._due, self._now() - _CATCH_UP) + seconds

    def _do_send(self, number: int, handle: int, data: bytes, address: str, port: int, label: int = 0) -> None:
        if address not in self._peers:
            self._send_to_learnt(address)
        if handle in self._silent:
            self._end("it was asked to send by a socket that only watches")
        if not self._left:
            self._end(f"its budget of {self._budget} packets is spent")
        self._left -= 1
        refused = self.station.send(self._ours[handle], data, address, port, label)
        if refused is not None:
            self._replies.append(("refused", number, refused))

    def _send_to_learnt(self, address: str) -> None:
        if address in self._confirmed:
            return
        if address not in self._sources:
            self.see()
            if address not in self._sources:
                self._end(f"it was asked to send to {address}, from where nothing of this session came")
        if sum(self._unconfirmed.values()) >= MOST_UNCONFIRMED:
            to = ", ".join(self._unconfirmed)
            self._end(f"{MOST_UNCONFIRMED} packets went to {to}, and nothing is known to have come back")
        self._unconfirmed[address] += 1

    def _do_back(self, address: str) -> None:
        """Something that was sent to a learnt address has come back, says its controller, which can tell."""
        if self._unconfirmed.pop(address, 0):
            self._confirmed.add(address)

    def _sync(self, token: int, held: float) -> None:
        """Say that all before is done, with all that was seen by now, and the drops so far.

        held: seconds for which the question waited for its turn.
        """
        self.see()
        drops = [(self._theirs[ours], count) for ours, count in self.station.drops().items() if count]
        self._replies.append(("answer", token, 0, (held, drops)))


def parts(seen: list[Observation]) -> Iterator[list[Observation]]:
    """Observations in order, in lists that a controller takes as one message each."""
    start = size = 0
    for end, observation in enumerate(seen):
        size += len(observation[3])
        if size > _MOST_BYTES or end - start == _MOST_TOGETHER:
            yield seen[start : end + 1]
            start, size = end + 1, 0
    if start < len(seen):
        yield seen[start:]
