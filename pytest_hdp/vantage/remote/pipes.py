"""The controller's side of execnet's protocol over a command's pipes. The far end is hostile until proven otherwise.

execnet's own side reads and builds whatever it is sent. Here a message is decoded only if it is one of an agent's;
what comes faster than it is taken stays in the pipe; of the standard error only its beginning and end are kept; and no
write waits for ever for a far end that does not read.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import select
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from pytest_hdp.vantage.clock import EventBell
from pytest_hdp.vantage.remote.decoding import MOST_BYTES, Nonsense, decode
from pytest_hdp.vantage.remote.messages import parse_text

WRITE_PATIENCE = 15.0  # seconds that a far end may take to read what is sent to it
MOST_PRINTED = 1 << 24  # bytes on the standard error, after which a far end is ended
_KEPT = 1 << 15  # bytes of the beginning of it, and of the end
_NOISE_KEPT = 1000  # bytes of what is no agent's
_CHUNK = 1 << 16
_HEADER = struct.Struct("!bii")  # kind, channel, length
_OURS = 1  # the channel: execnet numbers those of this side 1, 3, ...
_EXEC, _DATA, _CLOSE, _CLOSE_ERROR, _LAST = 3, 4, 5, 6, 7
_ANSWER = b"1"  # what execnet's bootstrap says when it is there
NOISE = "something there prints before the agent starts: keep the shell's start-up files quiet"
NO_AGENT = "what it sends makes no sense: it is no agent of ours"


class Printed:
    """What comes through a pipe, read without waiting: its beginning, its end, and how long it was."""

    def __init__(self, descriptor: int) -> None:
        self.length = 0
        self._descriptor = descriptor
        self._head = b""
        self._tail = b""
        self._lock = threading.Lock()
        os.set_blocking(descriptor, False)

    def more(self) -> bool:
        """Read what is there, at most about as much as a pipe holds; False at the end."""
        with self._lock:
            for _ in range(2):
                try:
                    found = os.read(self._descriptor, _CHUNK)
                except BlockingIOError:
                    return True
                except OSError:  # it was closed
                    return False
                if not found:
                    return False
                self.length += len(found)
                missing = _KEPT - len(self._head)
                self._head += found[:missing]
                self._tail = (self._tail + found[missing:])[-_KEPT:]
            return True

    def text(self) -> str:
        """Return it, in the middle of what is too long a mark."""
        self.more()
        with self._lock:
            left_out = self.length > len(self._head) + len(self._tail)
            return (self._head + b"\n[...]\n" * left_out + self._tail).decode(errors="replace")


class PipeChannel:
    """A channel to code that runs at the other end of a process's pipes.

    `failed`: why it ended, in one line, if that is known; `raised`: that is what the code there raised.
    `noise`: the beginning of what came in the place of an agent's first word.
    `ended`: set once nothing comes any more.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.failed = ""
        self.raised = False
        self.noise = ""
        self.ended = threading.Event()
        self._pipes = process.stdin, process.stdout, process.stderr
        self._printed = Printed(process.stderr.fileno())
        self._buffer = bytearray()
        self._answered = False
        self._first: list[object] | None = None
        self._callback: Callable[[object, int], Any] | None = None
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._stop, self._over = EventBell(), EventBell()
        self._closed = False
        os.set_blocking(process.stdin.fileno(), False)
        self._reader = threading.Thread(target=self._read, name="hdp agent's messages", daemon=True)
        self._reader.start()

    def start(self, source: str, deadline: float) -> None:
        """Have the Python at the other end, which reads a line and evaluates it, run `source` with a `channel`.

        Raises OSError; TimeoutError after `deadline`, of time.monotonic().
        """
        from execnet import gateway_base

        lines = [
            inspect.getsource(gateway_base),
            "execmodel = get_execmodel('thread')",
            "io = init_popen_io(execmodel)",
            f"io.write({_ANSWER!r})",
            "serve(io, id='hdp-worker')",
        ]
        self._write(f"{chr(10).join(lines)!r}\n".encode(), deadline)
        with self._changed:
            self._wait(lambda: self._answered, deadline)
        self._message(_EXEC, (source, None, None, {}), deadline)

    def send(self, item: object) -> None:
        """Send a plain value. Raises OSError: the connection is gone, or the far end reads nothing any more."""
        try:
            self._message(_DATA, item, time.monotonic() + WRITE_PATIENCE)
        except TimeoutError:
            self.fail(f"it has read nothing for {WRITE_PATIENCE:g} s")
            raise

    def receive(self, deadline: float) -> object:
        """Return the first value that comes. Raises EOFError; TimeoutError after `deadline`."""
        with self._changed:
            self._wait(lambda: self._first is not None, deadline)
        assert self._first is not None
        return self._first[0]

    def setcallback(self, callback: Callable[[object, int], Any], endmarker: object = None) -> None:
        """Call back, in a thread, with each value and what it costs in memory; at the end, with the marker.

        As long as the callback does not return, nothing more is read.
        """
        assert endmarker is None
        with self._changed:
            self._callback = callback
            self._changed.notify_all()

    def fail(self, why: str) -> None:
        """Remember why, unless something was wrong before."""
        self.failed = self.failed or why

    def printed(self) -> str:
        """What came on the standard error so far, without its middle if it is long."""
        return "" if self._closed else self._printed.text()

    def close(self, patience: float) -> None:
        """Read nothing any more. The process has been ended. May be called again."""
        if self._closed:
            return
        self._closed = True
        self._stop.ring()
        with self._changed:
            self._changed.notify_all()
        if self._reader is not threading.current_thread():
            self._reader.join(patience)
        if self._reader.is_alive():
            return  # in the callback: what it has open is open until it ends
        self._stop.close()
        self._over.close()
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()

    # Writing

    def _message(self, kind: int, item: object, deadline: float) -> None:
        from execnet.gateway_base import dumps_internal

        data = dumps_internal(item)
        self._write(_HEADER.pack(kind, _OURS, len(data)) + data, deadline)

    def _write(self, data: bytes, deadline: float) -> None:
        with self._writing:
            if self._closed or self.failed:
                raise BrokenPipeError(self.failed or "it was closed")
            descriptor = self._pipes[0].fileno()
            waiting = select.poll()
            waiting.register(descriptor, select.POLLOUT)
            waiting.register(self._over.descriptor, select.POLLIN)
            rest = memoryview(data)
            while rest:
                if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    raise TimeoutError("nothing is read there")
                if self.ended.is_set():
                    raise BrokenPipeError("nobody is there any more")
                with contextlib.suppress(BlockingIOError):
                    rest = rest[os.write(descriptor, rest) :]

    # Reading

    def _wait(self, until: Callable[[], bool], deadline: float) -> None:
        done = self._changed.wait_for(
            lambda: until() or self.ended.is_set(), timeout=max(0.0, deadline - time.monotonic())
        )
        if not done:
            raise TimeoutError("nothing answered")
        if not until():
            raise EOFError(self.failed)

    def _read(self) -> None:
        """In a thread of its own, to the end."""
        try:
            self._read_all()
        except Nonsense as nonsense:
            self.fail(str(nonsense))
        self._buffer.clear()
        with self._changed:
            self.ended.set()
            self._changed.notify_all()
        self._over.ring()
        self._hand_over(None, 0)

    def _read_all(self) -> None:
        """Read until the end of the standard output. Raises Nonsense."""
        output, error = (pipe.fileno() for pipe in self._pipes[1:])
        waiting = select.poll()
        for descriptor in (output, error, self._stop.descriptor):
            waiting.register(descriptor, select.POLLIN)
        while not self._closed:
            ready = [descriptor for descriptor, _ in waiting.poll()]
            if error in ready and not self._printed.more():
                waiting.unregister(error)
            if self._printed.length > MOST_PRINTED:
                raise Nonsense("it prints without end on its standard error")
            if output in ready:
                found = os.read(output, _CHUNK)
                if not found:
                    return
                self._buffer += found
                if not self._sort():
                    return

    def _sort(self) -> bool:
        """Hand over the messages that are whole by now; False after the last one. Raises Nonsense."""
        if not self._answered:
            if self._buffer[:1] != _ANSWER:
                self.noise = self._buffer[:_NOISE_KEPT].decode(errors="replace")
                raise Nonsense(NOISE)
            del self._buffer[:1]
            with self._changed:
                self._answered = True
                self._changed.notify_all()
        while len(self._buffer) >= _HEADER.size:
            kind, channel, length = _HEADER.unpack_from(self._buffer)
            if channel != _OURS or kind not in {_DATA, _CLOSE, _CLOSE_ERROR, _LAST} or not 0 <= length <= MOST_BYTES:
                raise Nonsense(NO_AGENT)
            end = _HEADER.size + length
            if len(self._buffer) < end:
                break
            data = bytes(memoryview(self._buffer)[_HEADER.size : end])
            del self._buffer[:end]
            if not self._take(kind, data):
                return False
        return True

    def _take(self, kind: int, data: bytes) -> bool:
        """Take one message; False if it says that it is the last. Raises Nonsense."""
        if kind in {_CLOSE, _LAST}:
            return False
        try:
            value, cost = decode(data)
        except Nonsense:
            raise Nonsense(NO_AGENT) from None
        if value is None:  # that is for the end, and no agent says it
            raise Nonsense(NO_AGENT)
        if kind == _CLOSE_ERROR:
            raised = str(value).strip().splitlines()
            self.fail(parse_text(raised[-1].strip()) if raised else "")
            self.raised = True
            return False
        self._hand_over(value, cost)
        return not self._closed

    def _hand_over(self, value: object, cost: int) -> None:
        """The first value to `receive`, what follows to the callback, which is waited for; None is the end."""
        with self._changed:
            if value is not None and self._first is None:
                self._first = [value]
                self._changed.notify_all()
                return
            self._changed.wait_for(lambda: self._callback is not None or self._closed)
        if self._callback is not None:
            self._callback(value, cost)
