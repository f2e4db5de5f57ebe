"""A station far away, used as one in process is: the controller's side of agent.py.

Nothing here waits for the far end that need not: packets are sent in batches and refusals told later, sockets opened
ahead are used at once, observations come unasked. What is asked for and answered costs one round trip.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from pytest_hdp.vantage.clock import SYSTEM, Clock
from pytest_hdp.vantage.remote import messages
from pytest_hdp.vantage.remote.channel import MOST_WAITING, AgentGone, Channel, HandedOver, Inbox, Packet, Unrecorded

if TYPE_CHECKING:
    from pytest_hdp.vantage.receiving import Observation
    from pytest_hdp.vantage.sockets import Program

PATIENCE = 15.0  # seconds that an answer may take


class RemoteStation:
    """A Station's methods, at the other end of a channel. Used by one thread; a context manager.

    `why`: tells why the connection ended. `gone`: None, or why the far end is not there any more, in one line. Then
    nothing is sent, nothing comes, what would open a socket raises AgentGone, and `ended` is set. `lag`: seconds of the
    shortest round trip through the channel so far.
    """

    def __init__(
        self, channel: Channel, name: str, close: Callable[[], None], why: Callable[[], str], clock: Clock = SYSTEM
    ) -> None:
        self.name, self.lag = name, 0.0
        self.gone: str | None = None
        self._channel, self._inbox = channel, Inbox(clock.bell())
        self._close, self._last_words, self._clock = close, why, clock
        self._outbox: list[tuple[Any, ...]] = []
        self._observed: list[Observation] = []
        self._answers: dict[int, tuple[int, Any] | None] = {}  # None: not come yet
        self._asked: dict[int, tuple[float, int]] = {}
        self._handed_over, self.ended = HandedOver(), threading.Event()
        self._ahead: dict[tuple[int, int, int], int] = {}
        self._drops: dict[int, int] = {}
        self._payload_only: set[int] = set()
        self._number, self._observed_cost, self._backlog = 0, 0, 0.0
        channel.setcallback(self._inbox.put, endmarker=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the agent and the connection. May be called again."""
        self._lose("it was closed")
        self._inbox.bell.close()

    def fileno(self) -> int:
        """Return a descriptor that is readable while `poll` has something to return."""
        return self._inbox.bell.descriptor

    # As a Station

    def open_ahead(self, family: int, kind: int, protocols: Sequence[int]) -> None:
        """Open these at once; `listen` and `sender` then need no answer. Raises AgentGone."""
        wanted = [each for each in protocols if (int(family), int(kind), each) not in self._ahead]
        if wanted:
            read = partial(messages.parse_errnos, count=len(wanted))
            told = self.call("ahead", read, int(family), int(kind), wanted)
            self._ahead.update(((int(family), int(kind), one), each) for one, each in zip(wanted, told, strict=True))

    def tap(self, interface: str | None, program: Program, buffer: int | None = None) -> int:
        """As `Station.tap`."""
        return self._open("tap", interface, messages.filter_bytes(program), buffer)[0]

    def listen(self, family: int, protocol: int, program: Program, buffer: int | None = None, address: str = "") -> int:
        """As `Station.listen`."""
        return self._open_raw("listen", int(family), protocol, messages.filter_bytes(program), buffer, address)

    def sender(self, family: int, protocol: int) -> int:
        """As `Station.sender`; the header is always the kernel's."""
        return self._open_raw("sender", int(family), protocol)

    def sender_of_zero(self, family: int) -> int:
        """As `Station.sender_of_zero`."""
        return self._open("sender_of_zero", int(family))[0]

    def sender_with_header(self, family: int) -> int:
        """As `Station.sender_with_header`."""
        return self._open("sender_with_header", int(family))[0]

    def datagram(
        self, address: str, port: int = 0, program: Program | None = None, buffer: int | None = None
    ) -> tuple[int, int]:
        """As `Station.datagram`."""
        attached = None if program is None else messages.filter_bytes(program)
        handle, port = self._open("datagram", address, port, attached, buffer)
        self._payload_only.add(handle)
        return handle, port

    def discard(self, handle: int) -> None:
        """As `Station.discard`, later."""
        self._outbox.append(("discard", handle))

    def set_ttl(self, handle: int, ttl: int) -> None:
        """Set the TTL of what is handed over from now on."""
        self._outbox.append(("ttl", handle, ttl))

    def send_from(self, address: str) -> None:
        """As `Station.send_from`, later; an address that is not the far host's changes nothing."""
        self._outbox.append(("source", address))

    def route(self, target: str, protocol: int | None = None) -> tuple[str, str, int]:
        """As `Station.route`."""
        return self.call("route", messages.parse_route, target, protocol)

    def send(self, handle: int, data: bytes, address: str, port: int = 0, label: int = 0) -> str | None:
        """As `Station.send`, waiting for the answer."""
        packet = Unrecorded()
        self.send_later(handle, data, address, port, packet, label)
        self.sync()
        return packet.errno

    def poll(self, timeout: float) -> list[Observation]:
        """As `Station.poll`; what was handed over to be sent goes out now."""
        self.flush()
        self._take()
        if not self._observed and timeout > 0:
            self._inbox.bell.wait(timeout)
            self._take()
        observed, self._observed, self._observed_cost = self._observed, [], 0
        return observed

    def drops(self) -> dict[int, int]:
        """As `Station.drops`, by what the last answer to `ask` said."""
        return dict(self._drops)

    # As only a far one does

    def send_later(self, handle: int, data: bytes, address: str, port: int, packet: Packet, label: int = 0) -> None:
        """Hand over a packet: pauses before put its `sent_at` off, and a far end that refuses or goes sets `errno`."""
        self._number += 1
        self._handed_over.add(self._number, packet)
        packet.sent_at += int(self._backlog * 1e9)
        self._outbox.append(("send", self._number, handle, data, address, port, label))

    def came_back(self, address: str) -> None:
        """Say that something sent to an address which the agent has learnt came back: more may go there now."""
        self._outbox.append(("back", address))

    def pause(self, seconds: float) -> None:
        """Have what is handed over after this sent so much later than what was before it."""
        self._outbox.append(("pause", seconds))
        self._backlog += seconds

    def flush(self) -> None:
        """Send off what was handed over."""
        self._backlog = 0.0
        if self._outbox and self.gone is None:
            batch, self._outbox = self._outbox, []
            try:
                self._channel.send(batch)
            except OSError:
                why = self._last_words()
                self._take()  # what it said before it ended
                self._lose(why)

    def ask(self) -> int:
        """Ask to be told when all that was handed over is done. Returns a token for `answered`."""
        token = self._request("sync")
        self._asked[token] = self._clock.monotonic(), self._number
        self.flush()
        return token

    def answered(self, token: int) -> bool:
        """Whether that is so, and all that was seen until then has come; an agent that is gone has nothing to add."""
        if self.gone is None and token in self._asked and self._clock.monotonic() >= self._asked[token][0] + PATIENCE:
            self._lose(f"it has not answered for {PATIENCE:g} s")
        return self.gone is not None or token not in self._asked

    def sync(self) -> None:
        """Wait until all that was handed over is done, and what was seen until then has come."""
        token = self.ask()
        while not self.answered(token):
            self._inbox.bell.wait(PATIENCE)
            self._take()
        self._stay_readable()

    # Inside

    def _open_raw(self, how: str, family: int, protocol: int, *rest: Any) -> int:
        number = self._ahead.pop((family, 3, protocol), None)  # 3: SOCK_RAW
        if number:
            raise OSError(number, os.strerror(number))
        if number is None:
            return self._open(how, family, protocol, *rest)[0]
        if self.gone is not None:
            raise self._missing()
        self._number += 1
        self._outbox.append(("open", 0, self._number, how, [family, protocol, *rest]))
        return self._number

    def _open(self, how: str, *arguments: Any) -> tuple[int, int]:
        handle = self._number = self._number + 1
        return handle, self.call("open", messages.parse_port, handle, how, list(arguments))

    def call(self, word: str, read: Callable[[Any], messages.Parsed], *arguments: Any) -> messages.Parsed:
        """Ask, wait for the answer, and `read` it. Raises OSError: the far kernel's; AgentGone, also for nonsense."""
        token = self._request(word, *arguments)
        self._answers[token] = None
        self.flush()
        deadline = self._clock.monotonic() + PATIENCE
        while (answer := self._answers[token]) is None:
            if self.gone is None and self._clock.monotonic() >= deadline:
                self._lose(f"it has not answered for {PATIENCE:g} s")
            if self.gone is not None:
                raise self._missing()
            self._inbox.bell.wait(deadline - self._clock.monotonic())
            self._take()
        self._stay_readable()
        del self._answers[token]
        number, value = answer
        try:
            if not number:
                return read(value)
        except messages.NO_SENSE:
            self._lose("what it says makes no sense")
            raise self._missing() from None
        raise OSError(number, value)

    def _request(self, word: str, *arguments: Any) -> int:
        self._number += 1
        self._outbox.append((word, self._number, *arguments))
        return self._number

    def _missing(self) -> AgentGone:
        return AgentGone(errno.EPIPE, f"{self.name} is gone: {self.gone}")

    def _stay_readable(self) -> None:
        """What came with an answer waits for `poll`."""
        if self._observed:
            self._inbox.bell.ring()

    def _take(self) -> None:
        """Sort what has come by now. What makes no sense ends the connection: it is no agent of ours."""
        for item, cost in self._inbox.take():
            if self.gone is not None:
                return
            if item is None:
                self._lose(self._last_words())
                return
            self._observed_cost += cost
            try:
                for word, *rest in item:  # type: ignore[attr-defined]
                    self._sort(word, rest)
            except messages.NO_SENSE:
                self._lose("what it says makes no sense")
        if not self._observed:
            self._observed_cost = 0
        elif self._observed_cost > MOST_WAITING:
            self._lose("it says more than can be taken in")

    def _sort(self, word: object, rest: list[Any]) -> None:
        if word == "seen":
            for observation in map(tuple, rest[0]):
                if messages.is_observation(observation, payload_only=observation[0] in self._payload_only):
                    self._observed.append(observation)
        elif word == "refused":
            self._handed_over.refuse(*rest)
        elif word == "answer":
            token, number, value = rest
            if token in self._asked:
                self._synced(token, *value)
            elif self._answers[token] is None:
                self._answers[token] = messages.parse_answer(number, value)
        elif word == "gone":
            self._lose(str(rest[0]))
        else:
            raise ValueError(word)

    def _synced(self, token: int, held: float, drops: Iterable[tuple[object, object]]) -> None:
        asked, last = self._asked.pop(token)
        took = max(0.0, self._clock.monotonic() - asked - max(0.0, float(held)))
        self.lag = min(self.lag or took, took)
        self._drops.update(messages.parse_drops(drops, range(1, self._number + 1)))
        self._handed_over.done(last)

    def _lose(self, why: str) -> None:
        if self.gone is None:
            self.gone = messages.parse_text(why)
            self._handed_over.lose()
            self.ended.set()
            self._inbox.close()
            self._close()
