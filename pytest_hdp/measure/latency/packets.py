"""The packets of a latency experiment, made before the clock runs, and found again among what sockets and taps see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from pytest_hdp.judge.evidence import Train
from pytest_hdp.measure.path.sending import sealed, stamp
from pytest_hdp.packet import carrier
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from pytest_hdp.measure.path.open_path import OpenPath

UDP_NUMBER = 17
TAG = 12  # where the tag stands behind the IP header
_UDP_HEADER = 8
_INDEX = 8  # in the tag, behind the run id


class Bearing(Protocol):
    """What of a kind decides its packets' bytes."""

    @property
    def protocol(self) -> int:
        """The number that it bears."""

    @property
    def wellformed(self) -> bool:
        """Whether it is a UDP datagram."""


def datagram(payload: bytes, source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """UDP header and payload, with the checksum that a UDP socket's datagram has on the wire."""
    wrapped = carrier.wrap(
        UDP_NUMBER,
        payload,
        source=source[0],
        destination=destination[0],
        source_port=source[1],
        destination_port=destination[1],
    )
    assert wrapped is not None, "UDP has a carrier"
    return wrapped


class Packets:
    """The packets of all kinds and rounds, by position: round * kinds + kind. Prebuilt, since a tag takes 3 us.

    `flows`: by round, in which flow those are sent that have ports.

    A datagram's UDP header takes the place of the first 8 bytes of HDP's 12. So all packets are of one size, and their
    tags stand at one offset: the filters of our own taps, which run between the two timestamps, cost the same for each.
    """

    def __init__(self, path: OpenPath, wanted: Sequence[Bearing], flows: Sequence[int], content: bytes) -> None:
        self.flows = flows
        self.first = path.next_index()
        self.data: list[bytes] = []
        now = path.clock.time_ns()
        for number in range(len(flows) * len(wanted)):
            kind = wanted[number % len(wanted)]
            index = self.first if not number else path.next_index()
            whole = sealed(path, kind.protocol, index, content, *stamp(Train(kind.protocol), now))
            self.data.append(whole[_UDP_HEADER:] if kind.wellformed else whole)
        self._wellformed = [kind.wellformed for kind in wanted]
        self.size = path.family.header_size + len(self.data[0])

    def wellformed(self, position: int) -> bool:
        """Whether it is a UDP datagram."""
        return self._wellformed[position % len(self._wellformed)]

    def position(self, data: bytes, *, datagram: bool) -> int | None:
        """Which packet these bytes are, as a UDP socket (`datagram`), a raw socket or a tap hands them over.

        A raw IPv6 socket that is read by itself hands over no header: HDP's ports are none.

        None for a stranger's, and for one whose bytes were changed behind the IP or UDP header.
        """
        packet = None if datagram else view(data)
        header = 0 if packet is None else len(data) - len(packet.payload)
        skipped = _UDP_HEADER if datagram else 0
        at = header + TAG + _INDEX - skipped
        number = int.from_bytes(data[at : at + 4], "big") - self.first
        if not 0 <= number < len(self.data):
            return None
        sent = self.data[number]
        behind = header + _UDP_HEADER  # of a datagram that a raw socket or a tap saw
        whole = data[header:] == sent or (
            packet is not None and packet.protocol == UDP_NUMBER and data[behind:] == sent
        )
        return number if whole else None
