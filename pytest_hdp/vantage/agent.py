"""An agent: a station at a far host, which does what its controller sends, and hands back unasked what it sees.

Standard library only, Python 3.8 or later; shipped as source, with station.py, through execnet, and nothing is
installed. It opens no port but the control's UDP socket, answers nothing, and knows nothing of what it sends. It sends
only to the peers that its terms name, or to one more address, the first that its controller names, if something of the
session's has come from there. It ends with the connection, after its lifetime, when its packets are spent, and
when its controller has been silent for too long.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import errno
import os
import select
import signal
import socket
import struct
import time
from typing import Any, Sequence  # noqa: UP035 (Python 3.8)

from pytest_hdp.vantage.station import Observation, Station, _with_room, open_socket

# what its controller may have opened, and which of the arguments are a buffer's size
_OPENING = {"tap": 2, "listen": 3, "sender": None, "datagram": 3}
_ICMP_ERRORS = (3, 4, 5, 11, 12)
_TOGETHER = 0.004  # seconds for which observations are gathered into one message
_CATCH_UP = 0.002  # seconds of delay in sending that are made up for by sending faster
_MOST_TOGETHER = 500
_TAP_BUFFER = 16 << 20
_AF_PACKET = 17
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _PR_SET_NO_NEW_PRIVS = 26, 33, 38
_NOBODY = 65534


class Refused(Exception):  # noqa: N818
    """What this host does not allow; one line."""


def serve(channel: Any, terms: dict[str, Any]) -> None:
    """Serve until the channel closes. The first thing sent is ("ready", user) or ("refused", one line).

    terms: "peers" (addresses), "budget" (packets), "lifetime" and "silence" (seconds), "drop" (whether to give up all
    privilege before anything else is done; every socket that may be wanted is opened before).
    """
    sockets = Ahead()
    try:
        _check_privilege()
        user = os.geteuid()
        if terms["drop"]:
            _with_room(sockets.fill)
            drop_privilege()
    except Refused as error:
        channel.send(("refused", str(error)))
        return
    agent = Agent(channel, sockets, terms)
    channel.send(("ready", user))
    agent.run()


def _check_privilege() -> None:
    for family, kind, protocol in ((_AF_PACKET, socket.SOCK_DGRAM, 0), (socket.AF_INET, socket.SOCK_RAW, 253)):
        try:
            open_socket(family, kind, protocol).close()
        except OSError as error:
            raise Refused(f"raw sockets may not be opened there: {error.strerror}") from None


class Ahead:
    """Opens sockets, many of them before they are asked for: a Station's `socket_factory`."""

    def __init__(self) -> None:
        self._ready: dict[tuple[int, int, int], list[socket.socket]] = {}
        self._refused: dict[tuple[int, int, int], OSError] = {}
        self.filled = False

    def __call__(self, family: int, kind: int, protocol: int) -> socket.socket:
        """Give one that was opened ahead, or open it. Raises OSError: EBADF if privilege is gone by now."""
        key = (family, kind, protocol)
        if self._ready.get(key):
            return self._ready[key].pop()
        if key in self._refused:
            raise self._refused[key]
        try:
            return open_socket(family, kind, protocol)
        except PermissionError:
            if self.filled:
                raise OSError(errno.EBADF, "the agent has given up its privilege, and opens no more sockets") from None
            raise

    def open(self, family: int, kind: int, protocols: Sequence[int]) -> list[int]:
        """Open one of each, to be given later. Returns each one's errno, or 0."""
        return [self._open(family, kind, protocol) for protocol in protocols]

    def _open(self, family: int, kind: int, protocol: int) -> int:
        key = (family, kind, protocol)
        if self._ready.get(key):
            return 0
        try:
            opened = self(family, kind, protocol)
        except OSError as error:
            if error.errno == errno.EMFILE:
                raise
            return error.errno or errno.EIO
        self._ready.setdefault(key, []).append(opened)
        return 0

    def fill(self) -> None:
        """Open all that may ever be asked for: two raw sockets of each number, and taps. They receive nothing yet."""
        keys = [(int(socket.AF_INET), int(socket.SOCK_RAW), number) for number in range(-1, 264)]
        keys.append((_AF_PACKET, int(socket.SOCK_DGRAM), 0))
        for key in keys:
            while key not in self._refused and len(self._ready.get(key, ())) < 2:
                try:
                    opened = open_socket(*key)
                except OSError as error:
                    if error.errno == errno.EMFILE:
                        raise
                    self._refused[key] = error
                    continue
                held = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0), 8)
                program = struct.pack("@HP", 1, ctypes.addressof(held))
                opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)  # unlocked: the real one follows
                if key[0] == _AF_PACKET:
                    _enlarge(opened)
                self._ready.setdefault(key, []).append(opened)
        self.filled = True


def _enlarge(opened: socket.socket) -> None:
    """Give it a large receive buffer, while that is allowed."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _TAP_BUFFER)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _TAP_BUFFER)


def drop_privilege() -> None:
    """Become nobody for good: no groups, no capabilities, no way to get any back. Raises Refused."""
    if os.geteuid() != 0:
        raise Refused("only root can give up its privilege: leave out drop")
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError as error:
        raise Refused(f"privilege can't be given up there: {error.strerror}") from None
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0:
        raise Refused(f"privilege can't be given up there: {os.strerror(ctypes.get_errno())}")
    try:
        open_socket(socket.AF_INET, socket.SOCK_RAW, 253).close()
    except PermissionError:
        return
    raise Refused("privilege can't be given up there: raw sockets can still be opened")


class Agent:
    """Runs the controller's instructions in order, each a tuple of a word and its arguments; see `_do_...`.

    Sends lists of tuples: ("seen", observations), ("refused", number of the packet, errno's name),
    ("answer", token, errno or 0, value or text), ("gone", reason).
    """

    def __init__(self, channel: Any, sockets: Ahead, terms: dict[str, Any]) -> None:
        self._channel = channel
        self._sockets = sockets
        self._station = Station(sockets)
        self._peers = set(terms["peers"])
        self._named = False
        self._sources: set[str] = set()
        self._budget, self._left = terms["budget"], terms["budget"]
        self._lifetime, self._silence = terms["lifetime"], terms["silence"]
        self._ends = time.monotonic() + self._lifetime
        self._todo: collections.deque[tuple[float, tuple[Any, ...]]] = collections.deque()
        self._due = 0.0
        self._ours: dict[int, int] = {}  # handles: the controller's, and the station's
        self._theirs: dict[int, int] = {}
        self._seen: list[Observation] = []
        self._seen_first = 0.0
        self._replies: list[tuple[Any, ...]] = []
        self._wakeup, self._waking = os.pipe()
        for each in (self._wakeup, self._waking):
            os.set_blocking(each, False)
        # The kernel's own alarm ends the process, whatever it may be stuck in.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        self._still_alive()
        channel.setcallback(self._receive, endmarker=None)

    def run(self) -> None:
        """Do what is due, see what comes, until the end. Never returns."""
        waiting = select.epoll()
        waiting.register(self._station.fileno(), select.EPOLLIN)
        waiting.register(self._wakeup, select.EPOLLIN)
        while True:
            pause = self._work()
            for descriptor, _ in waiting.poll(pause):
                if descriptor == self._wakeup:
                    os.read(self._wakeup, 4096)
                else:
                    self._see()
            if time.monotonic() >= self._ends:
                self._end(f"its lifetime of {self._lifetime:g} s is over")

    # In execnet's receiving thread

    def _receive(self, batch: Any) -> None:
        if batch is None:
            os._exit(0)  # the connection is gone, and with the process go its sockets
        self._still_alive()
        now = time.monotonic()
        self._todo.extend((now, tuple(each)) for each in batch)
        with contextlib.suppress(BlockingIOError):
            os.write(self._waking, b".")

    def _still_alive(self) -> None:
        signal.alarm(max(1, min(self._silence, int(self._ends - time.monotonic()) + 2)))

    # In the main thread

    def _work(self) -> float:
        """Do all that is due. Returns the seconds until there is more to do."""
        while self._todo:
            now = time.monotonic()
            if self._due > now:
                break
            arrived, (word, *arguments) = self._todo.popleft()
            if word == "sync":
                self._sync(arguments[0], now - arrived)
            else:
                getattr(self, "_do_" + word)(*arguments)
        now = time.monotonic()
        flush_at = self._seen_first + _TOGETHER if self._seen else self._ends
        if self._replies or flush_at <= now or len(self._seen) >= _MOST_TOGETHER:
            self._flush()
            flush_at = self._ends
        next_due = self._due if self._todo else self._ends
        wake_at: float = min(flush_at, next_due, self._ends)
        return max(0.0, wake_at - now)

    def _flush(self) -> None:
        batch, self._replies = self._replies, []
        if self._seen:
            batch.insert(0, ("seen", self._seen))
            self._seen = []
        if batch:
            self._channel.send(batch)

    def _see(self) -> None:
        if not self._seen:
            self._seen_first = time.monotonic()
        for handle, when, kind, data, address, interface in self._station.poll(0):
            if handle in self._theirs:
                self._seen.append((self._theirs[handle], when, kind, data, address, interface))
            if kind == 0 and len(data) >= 20 and not _is_icmp_error(data):
                self._sources.add(socket.inet_ntoa(data[12:16]))

    def _end(self, reason: str) -> None:
        self._replies.append(("gone", reason))
        self._flush()
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
        self._answer(token, _with_room, self._sockets.open, family, kind, protocols)

    def _do_route(self, token: int, target: str) -> None:
        self._answer(token, self._station.route, target)

    def _do_option(self, token: int, handle: int, level: int, option: int, value: Any) -> None:
        self._answer(token, self._station.set_option, self._ours[handle], level, option, value)

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
        opened = getattr(self._station, how)(*arguments)
        ours, port = opened if how == "datagram" else (opened, 0)
        self._ours[handle], self._theirs[ours] = ours, handle
        return int(port)

    def _do_discard(self, handle: int) -> None:
        ours = self._ours.pop(handle)
        del self._theirs[ours]
        self._station.discard(ours)

    def _do_ttl(self, handle: int, ttl: int) -> None:
        self._station.set_ttl(self._ours[handle], ttl)

    def _do_pause(self, seconds: float) -> None:
        self._due = max(self._due, time.monotonic() - _CATCH_UP) + seconds

    def _do_send(self, number: int, handle: int, data: bytes, address: str, port: int) -> None:
        if address not in self._peers:
            self._see()
            if self._named or address not in self._sources:
                self._end(f"it was asked to send to {address}, from where nothing of this session came")
            self._peers.add(address)
            self._named = True
        if not self._left:
            self._end(f"its budget of {self._budget} packets is spent")
        self._left -= 1
        refused = self._station.send(self._ours[handle], data, address, port)
        if refused is not None:
            self._replies.append(("refused", number, refused))

    def _sync(self, token: int, held: float) -> None:
        """Say that all before is done, with all that was seen by now, and the drops so far.

        held: seconds for which the question waited for its turn.
        """
        self._see()
        drops = [(self._theirs[ours], count) for ours, count in self._station.drops().items() if count]
        self._replies.append(("answer", token, 0, (held, drops)))


def _is_icmp_error(data: bytes) -> bool:
    header = (data[0] & 15) * 4
    return data[9] == 1 and data[header : header + 1] in [bytes([kind]) for kind in _ICMP_ERRORS]
