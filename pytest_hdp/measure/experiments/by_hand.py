"""A listener and a sender for experiments written by hand, over the stations of an open path."""

from __future__ import annotations

import errno
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.path.capture import BY_HAND
from pytest_hdp.measure.path.endpoints import open_sender
from pytest_hdp.measure.path.waiting import drive, look_until
from pytest_hdp.packet import hdp, tag
from pytest_hdp.packet.carrier import run_id_places
from pytest_hdp.packet.encoding import Encoding, decode, encode
from pytest_hdp.packet.view import view
from pytest_hdp.vantage import bpf

if TYPE_CHECKING:
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.vantage.receiving import Observation


@dataclass(frozen=True, slots=True)
class Received:
    """One HDP packet at a listener. `time`: kernel's receive time, ns since the epoch; `genuine`: its MAC verified.

    `content` is None if it does not decode.
    """

    content: bytes | None
    header: hdp.Header
    index: int
    genuine: bool
    protocol: int
    source: str
    ttl: int
    time: int


class Listener:
    """Receives HDP packets of one protocol number at the target's end, and only those of this test run.

    Raises OSError if the kernel refuses the number.
    """

    def __init__(self, path: OpenPath, protocol: int, encoding: Encoding = Encoding.PLAIN) -> None:
        end = path.receiver_end(Direction.FORWARD)
        if end is None:
            raise ValueError("a listener needs an agent at the target: give --hdp-agent")
        self.protocol = protocol
        self.encoding = encoding
        self._path = path
        self._inbox: deque[Observation] = deque()
        program = bpf.matching(path.run_id, run_id_places(path.family), family=path.family, tap=False)
        handle = end.station.listen(path.family.socket_family, protocol, program, buffer=path.buffer)
        self._end, self._handle = end, handle
        path.deliver_to(end, handle, self._inbox)

    def close(self) -> None:
        """Close the socket."""
        self._path.forget(self._end, self._handle)

    def receive(self, timeout: float = 1.0) -> Received | None:
        """The next packet, waiting at most `timeout` seconds for it; None if there was none."""
        found: list[Received] = []

        def one_came() -> bool:
            while self._inbox and not found:
                if (received := self._parse(self._inbox.popleft())) is not None:
                    found.append(received)
            return bool(found)

        drive(self._path, look_until(self._path.clock, self._path.clock.monotonic() + timeout, one_came))
        return found[0] if found else None

    def _parse(self, observation: Observation) -> Received | None:
        packet = view(observation[3])
        parsed = hdp.parse(packet.payload) if packet is not None else None
        tagged = tag.parse(parsed[1]) if parsed is not None else None
        if packet is None or parsed is None or tagged is None or tagged[0].run_id != self._path.run_id:
            return None
        mark, content = tagged
        header = packet.payload[: hdp.HEADER.size]
        return Received(
            content=decode(content, self.encoding),
            header=parsed[0],
            index=mark.index,
            genuine=self._path.tagger.verify(self.protocol, header, mark, content),
            protocol=packet.protocol,
            source=packet.source,
            ttl=packet.hop_limit,
            time=observation[1],
        )


class Sender:
    """Sends HDP packets under one protocol number to the path's target. Raises OSError if the kernel refuses it."""

    def __init__(self, path: OpenPath, protocol: int, encoding: Encoding = Encoding.PLAIN) -> None:
        self.protocol = protocol
        self.encoding = encoding
        self._path = path
        self._handle = open_sender(path.near, protocol, path.family, routed=path.routed)

    def send(self, content: bytes = b"", header: hdp.Header | None = None) -> int:
        """Send one packet; returns its index. Raises OSError with the errno of sendto()."""
        index = self._path.next_index()
        packed = (header or hdp.Header(timestamp=self._path.clock.time_ns())).pack()
        encoded = encode(content, self.encoding)
        data = packed + self._path.tagger.make_tag(self.protocol, index, packed, encoded) + encoded
        if self._path.witness is not None:
            train = Train(self.protocol, Direction.FORWARD)
            self._path.witness.sent_other(BY_HAND, index, 0, train, data)
        self._path.traffic.note(Direction.FORWARD, self.protocol)
        refused = self._path.near.station.send(self._handle, data, self._path.name.target)
        if refused is not None:
            number = getattr(errno, refused, None)
            if not isinstance(number, int):  # of a kernel, or a far end, that has names of its own
                raise OSError(errno.EIO, refused)
            raise OSError(number, os.strerror(number))
        return index

    def close(self) -> None:
        """Close the socket."""
        self._path.forget(self._path.near, self._handle)
