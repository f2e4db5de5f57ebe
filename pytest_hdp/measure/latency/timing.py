"""One way, and there and back: what is sent when, and which timestamps make a latency.

Times are nanoseconds. A kernel's: of the outgoing copy at the sender's tap, and SO_TIMESTAMPNS of the receiving socket,
which is when the packet came in from the network. A program's: before the call that sends, and after the one that
receives.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.control import PACKET_OUTGOING
from pytest_hdp.measure.latency.packets import Packets
from pytest_hdp.measure.latency.sockets import LatencyEnds, LatencySockets
from pytest_hdp.measure.path.waiting import drive, look_until

if TYPE_CHECKING:
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.vantage.receiving import Observation

SPIN = 300_000  # ns before a packet is due from which waiting is done awake: sleep() overshoots by 0.1 ms
TAPS = 150_000  # ns: what reading the taps takes, after a round, at the end of a longer wait


class Book:
    """Times of all packets by position, ns, 0 until it happened. `order`: positions as they arrived."""

    def __init__(self, packets: Packets) -> None:
        self.packets = packets
        empty = bytes(8 * len(packets.data))
        self.due, self.called, self.left, self.received, self.seen = (array("q", empty) for _ in range(5))
        self.order: list[int] = []
        self.departed = 0

    def arrival(self, when: int, data: bytes, datagram: bool, now: int) -> int | None:
        """File what a receiving socket handed over at `now`; its position if it is one of ours and the first copy."""
        number = self.packets.position(data, datagram=datagram)
        if number is None or datagram != self.packets.wellformed(number):
            return None  # a raw socket of UDP's number sees datagrams too
        self.order.append(number)
        if self.received[number]:
            return None
        self.received[number] = when
        self.seen[number] = now
        return number

    def departure(self, when: int, data: bytes) -> None:
        """File what the sender's tap saw leaving."""
        number = self.packets.position(data, datagram=False)
        if number is not None and not self.left[number]:
            self.left[number] = when
            self.departed += 1


class OneWay:
    """From one end to the other, with one clock."""

    def __init__(self, ends: LatencyEnds, book: Book, direction: Direction) -> None:
        self._ends = ends
        self._book = book
        forward = direction is Direction.FORWARD
        self.sender, self._receiver = (ends.near, ends.far) if forward else (ends.far, ends.near)

    def wait(self, due: int) -> None:
        """Receive until then, by the clock's monotonic_ns(); read the taps if that is long enough."""
        clock, receive, file = self._ends.path.clock.monotonic_ns, self._receiver.receive, self._book.arrival
        if due - clock() > TAPS:
            while (left := due - clock()) > TAPS:
                receive(max(0, left - SPIN) / 1e9, file)
            self._ends.path.look(0)
        receive(0, file)
        while clock() < due:
            receive(0, file)

    def finish(self, patience: float) -> None:
        """Receive what is on its way yet."""
        book = self._book
        now = self._ends.path.clock.monotonic
        deadline = now() + patience
        while not all(book.received) and (left := deadline - now()) > 0:
            self._receiver.receive(min(left, 0.01), book.arrival)
        known = -1
        while known != self._book.departed:
            known = self._book.departed
            self._ends.path.look(0)

    def file_observation(self, observer: Observer, observation: Observation) -> None:
        """What a tap saw."""
        _, when, kind, data, _, _ = observation
        if observer.kind != "tap":
            return
        if kind == PACKET_OUTGOING:
            if observer.end is self.sender.end:
                self._book.departure(when, data)
        elif observer.end is self._ends.far.end:
            self._ends.learn(self._book.packets, data)

    @property
    def order(self) -> list[int]:
        """Positions as they arrived, copies too."""
        return self._book.order

    def times(self, mine: Sequence[int]) -> tuple[list[int | None], list[int | None]]:
        """Kernel to kernel, and program to program."""
        book = self._book
        return (
            [book.received[i] - book.left[i] if book.received[i] and book.left[i] else None for i in mine],
            [book.seen[i] - book.called[i] if book.received[i] else None for i in mine],
        )


class RoundTrip:
    """There and back, without comparing clocks: the far end's own time, by its own clock, is taken off.

    The far end answers nothing by itself. Once it is known here that a packet came, its answer, of the same kind and
    size, is ordered from there; far received and far left are its kernel's.
    """

    def __init__(self, ends: LatencyEnds, book: Book, content: bytes) -> None:
        self.sender = ends.near
        self._ends = ends
        self._asked = book
        self._answers = Book(Packets(ends.path, ends.kinds, book.packets.flows, content))
        self._chance = random.Random(0)
        self._to_send: dict[int, bytes] = {}

    def wait(self, due: int) -> None:
        """Receive and answer until then, by the clock's monotonic_ns()."""
        clock, look = self._ends.path.clock.monotonic_ns, self._ends.path.look
        while (left := due - clock()) > 0:
            look(max(0, left - SPIN) / 1e9)
            self.receive()

    def receive(self) -> None:
        """Take in what the path's sockets were seen to bring, and order the answers to it."""
        now = self._ends.path.clock.time_ns()
        near, far = self._ends.near, self._ends.far
        while near.inbox:
            handle, when, _, data, _, _ = near.inbox.popleft()
            self._answers.arrival(when, data, near.is_datagram(handle), now)
        came = []
        while far.inbox:
            handle, when, _, data, _, _ = far.inbox.popleft()
            number = self._asked.arrival(when, data, far.is_datagram(handle), now)
            if number is not None:
                came.append(number)
        self._chance.shuffle(came)  # what came at once came socket by socket
        for number in came:
            self._answer(number, far)

    def _answer(self, number: int, far: LatencySockets) -> None:
        width = len(self._ends.kinds)
        kind, flow = self._ends.kinds[number % width], self._asked.packets.flows[number // width]
        if not self._ends.met(kind, flow):
            return
        if number not in self._to_send:  # all at once: made right before it goes, a packet meets colder caches
            self._to_send.update(self._ends.to_send(self._answers.packets, kind, flow, far))
        handle, address, port, label = self._ends.sending(kind, flow, far)
        far.order(handle, self._to_send[number], address, port, label)

    def finish(self, patience: float) -> None:
        """Receive and answer what is on its way yet."""
        path = self._ends.path

        def all_came() -> bool:
            self.receive()
            return self.complete

        drive(path, look_until(path.clock, path.clock.monotonic() + 2 * patience, all_came))

    @property
    def complete(self) -> bool:
        """Whether all that was sent has been answered."""
        return all(self._answers.received)

    def file_observation(self, observer: Observer, observation: Observation) -> None:
        """What a tap saw."""
        _, when, kind, data, _, _ = observation
        if observer.kind != "tap":
            return
        at_far = observer.end is self._ends.far.end
        if kind == PACKET_OUTGOING:
            (self._answers if at_far else self._asked).departure(when, data)
        elif at_far:
            self._ends.learn(self._asked.packets, data)

    @property
    def order(self) -> list[int]:
        """Positions of the answers as they arrived, copies too."""
        return self._answers.order

    def times(self, mine: Sequence[int]) -> tuple[list[int | None], list[int | None]]:
        """Kernel to kernel, and program to program at the near end."""
        asked, answers = self._asked, self._answers
        kernel: list[int | None] = []
        user: list[int | None] = []
        for i in mine:
            there = asked.left[i] and asked.received[i] and answers.left[i] and answers.received[i]
            held = answers.left[i] - asked.received[i]
            kernel.append(answers.received[i] - asked.left[i] - held if there else None)
            user.append(answers.seen[i] - asked.called[i] - held if there else None)
        return kernel, user
