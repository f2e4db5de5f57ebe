"""Where an observation belongs: with the control, with the errors about a probe, or with the copies of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import SHAPED_FORMS, Direction, Form
from pytest_hdp.measure.control.control import PACKET_OUTGOING
from pytest_hdp.packet.carrier import EXTENSION_HEADERS, INNER_PROTOCOL
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.control.control import Control
    from pytest_hdp.measure.ledger.ledger import Ledger
    from pytest_hdp.measure.ledger.probes import Arrival, SentProbe
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.packet.view import PacketView
    from pytest_hdp.vantage.receiving import Observation


LOOPBACK = "lo"


def file_observation(
    path: OpenPath, books: Sequence[tuple[Control, Ledger]], observer: Observer, observation: Observation
) -> bool:
    """File one observation in the books of a measurement; the first are its own, the others those of its searches.

    False if it is of nothing that this measurement sent.
    """
    _, when, kind, data, _, interface = observation
    packet = view(data) if observer.kind != "control" else None
    for control, _ in books:
        if control.observe(observer, observation, packet):
            return True
    outgoing = kind == PACKET_OUTGOING
    if observer.kind == "tap" and not outgoing and _is_error(path, books, observer, observation, packet):
        return True
    for control, ledger in books:
        found = ledger.probe(when, packet, interface)
        if found is not None:
            _keep(path, control, found, observer, outgoing=outgoing)
            return True
    return False


def _keep(
    path: OpenPath, control: Control, found: tuple[SentProbe, Arrival], observer: Observer, *, outgoing: bool
) -> None:
    """Keep a copy of a probe at the place where it was seen."""
    entry, copy = found
    direction = entry.train.direction
    receiving = observer.end is path.receiver_end(direction) and not outgoing
    if copy.alike.tunnel is not None:  # what is inside comes out of the tunnel, or never does
        if receiving:
            entry.keep(entry.carried, copy)
    elif is_reply(entry, copy.packet):
        return
    elif observer.kind == "socket":
        inside = numbers_inside(entry.train)
        if entry.train.form in SHAPED_FORMS and observer.protocol != entry.train.protocol & 255:
            return  # the socket of the extension header before it
        if receiving and observer.protocol in inside:
            whole = copy.packet.payload.endswith(entry.data[entry.start :])  # no header, as it is cut off
            entry.under = observer.protocol if whole and observer.protocol == inside[-1] else entry.under
        elif receiving:
            entry.keep(entry.delivered, copy)
    elif outgoing:
        _keep_outgoing(path, entry, copy, observer)
    elif receiving:
        first = copy.genuine and not any(each.genuine for each in entry.arrived)  # a replay may bear any address
        if first and direction is Direction.FORWARD and copy.protocol == entry.train.protocol:
            control.probe_came(entry.asked_at, copy.time - entry.sent_at, copy.packet)
            path.traffic.came_from(entry.train, copy.packet.source)
        entry.keep(entry.arrived, copy)
        if direction is Direction.REVERSE and copy.genuine:
            path.came_back(entry.index)


def _keep_outgoing(path: OpenPath, entry: SentProbe, copy: Arrival, observer: Observer) -> None:
    """Keep what left its sender, or the receiver's host again, which was not its end then."""
    if observer.end is path.sender_end(entry.train.direction):
        entry.keep(entry.left, copy)
    elif observer.end is path.receiver_end(entry.train.direction):
        entry.keep(entry.onward, copy)


def numbers_inside(train: Train) -> tuple[int, ...]:
    """The numbers behind a train's first extension header: their sockets get what is behind it, each by itself."""
    if train.form is not Form.WELLFORMED or train.protocol not in EXTENSION_HEADERS:
        return ()
    return (INNER_PROTOCOL,) if train.behind is None else (*train.behind.numbers[1:], train.transport)


def _is_error(
    path: OpenPath,
    books: Sequence[tuple[Control, Ledger]],
    observer: Observer,
    observation: Observation,
    packet: PacketView | None,
) -> bool:
    """Whether it is an ICMP error about a probe, filed if it came to who sent that.

    What a kernel says to itself, it says over its loopback interface, from whichever of its addresses.
    """
    when, own = observation[1], observation[5] == LOOPBACK and path.routed
    return any(
        ledger.icmp_error(when, packet, lambda way: observer.end is path.sender_end(way), own=own)
        for _, ledger in books
    )


def is_reply(entry: SentProbe, packet: PacketView) -> bool:
    """Whether it is an echo reply, which brings back what an echo request held, and is no copy of it."""
    return packet.is_echo_reply and entry.data[0] != packet.family.echo_reply
