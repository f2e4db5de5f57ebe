"""The first packets: is there a path, and is the near end where the far end saw it, before thousands are sent there?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.control import MEETING, Control
from pytest_hdp.measure.control.counting import CARRIER_HEADER
from pytest_hdp.measure.interest import by_interest
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.path.sending import send_probe
from pytest_hdp.measure.path.waiting import Waiting, drive, look_until

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.path.confirmed import Confirmed
    from pytest_hdp.measure.path.endpoints import Eye
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.schedule.knowledge import Knowledge
    from pytest_hdp.vantage.station import Observation

TRIES = 5  # of the controls, each waited for longer than the one before
ECHOES = 3  # to a target that nobody watches
COPIES = 3  # of a control from a far host, at once: to find out that one was lost takes long
PATIENCE = 0.1  # seconds that a latency's first packets are waited for, and so much longer each time


class Unconfirmed(PathUnavailable):
    """Nothing may be sent to the address at which the far end saw us. Its text says why, in one line."""


def greet(know: Knowledge) -> Waiting[None]:
    """Send controls until one came through: is there a path, how long does it take, what does a NAT make of us?"""
    control, clock = know.control, know.clock
    for attempt in range(TRIES):
        control.send(Direction.FORWARD, MEETING)
        control.send(Direction.FORWARD, MEETING, echo=True)
        deadline = clock.monotonic() + know.timeout * (attempt + 1)
        yield from look_until(clock, deadline, lambda: not control.outstanding())
        if _any_came(control):
            return


def greet_from_afar(know: Knowledge) -> Waiting[None]:
    """Do so where a far host sends or receives, and it takes long to hear of it: several at once."""
    control, clock = know.control, know.clock
    for attempt in range(TRIES):
        for _ in range(COPIES):
            control.send(Direction.FORWARD, MEETING)
            control.send(Direction.FORWARD, MEETING, echo=True)
        deadline = clock.monotonic() + know.timeout * (attempt + 1)
        yield from look_until(clock, deadline, lambda: _met(control))
        if _any_came(control):
            return


def greet_unwatched(know: Knowledge) -> Waiting[None]:
    """Send echoes only: a datagram to a closed port would cost the target an ICMP error."""
    control, clock = know.control, know.clock
    for _ in range(ECHOES):
        control.send(Direction.FORWARD, MEETING, echo=True)
        yield from look_until(clock, clock.monotonic() + know.timeout, lambda: control.round_trip is not None)


def ask_back(control: Control, *, echo: bool = False) -> None:
    """Send controls from the far end to where it saw us, as long as that is not confirmed and they may be sent."""
    confirmed, address = control.path.confirmed, control.address(Direction.REVERSE)
    far = control.path.sender_end(Direction.REVERSE)
    if confirmed.free(address) or control.nowhere:
        return
    for _ in range(min(COPIES if far.remote is not None else 1, confirmed.left)):
        control.send(Direction.REVERSE, MEETING)
    if echo and confirmed.left:
        control.send(Direction.REVERSE, MEETING, echo=True)


def confirm(know: Knowledge, trains: Iterable[Train]) -> Waiting[bool]:
    """Whether the far end may send to where it saw us, found out with the help of probes of these trains too.

    A probe is sent of each that came through forward, or was not sent there, if no control comes back.
    """
    return _confirm(know.control, know.ledger, trains, know.content, know.timeout)


def _confirm(
    control: Control, ledger: Ledger, trains: Iterable[Train], content: bytes, timeout: float
) -> Waiting[bool]:
    """Nothing is sent where there is no doubt. After the first time controls are sent once more, in case of loss."""
    control.learn_from_probes()
    confirmed, address = control.path.confirmed, control.address(Direction.REVERSE)
    if confirmed.free(address) or control.nowhere or not confirmed.left:
        return confirmed.free(address) and not control.nowhere
    first, control.asked_back = not control.asked_back, True
    tries = TRIES if first else 1
    for attempt in range(tries):
        if attempt or not first or not confirmed.spent[address]:
            ask_back(control, echo=attempt > 0 or not first)
        yield from _until_free(control, address, timeout * (attempt + 1))
        if confirmed.free(address):
            return True
    for train in by_interest(each for each in trains if first and _came_through(ledger, each)):
        if confirmed.left:
            send_probe(control.path, ledger, train, MEETING, content, address)
    yield from _until_free(control, address, timeout * tries)
    return confirmed.free(address)


def may_answer(know: Knowledge, trains: Sequence[Train]) -> Waiting[list[Train]]:
    """Those of these trains, in reverse, that may be sent: to where the control came from, or came from themselves.

    To each such address of their own one packet goes first, of as many addresses at a time as may be under way.
    """
    control, confirmed = know.control, know.control.path.confirmed
    usual = control.address(Direction.REVERSE)
    where = {train: control.address_of(train) for train in trains}
    may = yield from confirm(know, [train for train in trains if where[train] == usual])
    if control.nowhere:
        return []
    ahead = {where[train]: train for train in reversed([*by_interest(trains)]) if not _known(confirmed, where[train])}
    while ahead and confirmed.left > 0:
        some = dict(ahead.popitem() for _ in range(min(len(ahead), confirmed.left)))
        for address, train in some.items():
            send_probe(control.path, know.ledger, train, MEETING, know.content, address)
        yield from look_until(know.clock, know.clock.monotonic() + know.timeout, partial(_all_free, confirmed, some))
    return [
        each for each in trains if (may if where[each] == usual else confirmed.free(where[each]) or confirmed.left > 0)
    ]


def _all_free(confirmed: Confirmed, addresses: Iterable[str]) -> bool:
    return all(map(confirmed.free, addresses))


def _known(confirmed: Confirmed, address: str) -> bool:
    return confirmed.free(address) or confirmed.tried(address)


def _until_free(control: Control, address: str, seconds: float) -> Waiting[bool]:
    clock = control.path.clock
    return look_until(clock, clock.monotonic() + seconds, lambda: control.path.confirmed.free(address))


def meet(path: OpenPath) -> None:
    """Find out for a latency's packets where the far end sees us, and that we are there. Raises Unconfirmed."""
    control = Control(path, bytes(CARRIER_HEADER))

    def file(eye: Eye, observation: Observation) -> None:
        control.observe(eye, observation)

    def work() -> Waiting[None]:
        patience, clock = PATIENCE + path.lag, path.clock
        for attempt in range(TRIES):
            control.send(Direction.FORWARD, MEETING)
            deadline = clock.monotonic() + patience * (attempt + 1)
            if (yield from look_until(clock, deadline, lambda: bool(control.source_seen))):
                break
        yield from _confirm(control, Ledger(path.run_id), (), b"", patience)

    path.subscribers.append(file)
    try:
        drive(path, work())
    finally:
        path.subscribers.remove(file)
    if (why := path.confirmed.refusal(control.address(Direction.REVERSE))) is not None:
        raise Unconfirmed(why)


def _came_through(ledger: Ledger, train: Train) -> bool:
    sent = ledger.trains.get(replace(train, direction=Direction.FORWARD))
    return sent is None or any(copy.genuine for each in sent for copy in (*each.arrived, *each.delivered))


def _any_came(control: Control) -> bool:
    """Whether something has arrived, or was answered."""
    return any(each.came for each in control.entries.values())


def _met(control: Control) -> bool:
    """Whether a datagram has arrived, and an echo has been answered."""
    entries = control.entries.values()
    return any(each.delivered_at for each in entries) and any(each.replied_at for each in entries)
