"""The first packets: is there a path, and is the near end where the far end saw it, before thousands are sent there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.agent_location import is_nowhere
from pytest_hdp.measure.control.control import MEETING, Control
from pytest_hdp.measure.control.counting import CARRIER_HEADER
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.path.waiting import Waiting, drive, look_until
from pytest_hdp.packet.view import view
from pytest_hdp.vantage.remote.agent import MOST_UNCONFIRMED

if TYPE_CHECKING:
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.schedule.knowledge import Knowledge
    from pytest_hdp.vantage.receiving import Observation

TRIES = 5  # of the controls, each waited for longer than the one before
ECHOES = 3  # to a target that nobody watches
FOR_OTHERS = MOST_UNCONFIRMED // 2  # of what may go to an address that nobody has confirmed: no controls
COPIES = 3  # of a control from a far host, at once: to find out that one was lost takes long
PATIENCE = 0.1  # seconds that a latency's first packets are waited for, and so much longer each time


class Unconfirmed(PathUnavailable):
    """Nothing may be sent to the address at which the far end saw us. Its text says why, in one line."""


def greet(know: Knowledge, direction: Direction = Direction.FORWARD) -> Waiting[None]:
    """Send controls until one came through: is there a path, how long does it take, what does a NAT make of us?"""
    control, clock = know.control, know.clock
    for attempt in range(TRIES):
        control.send(direction, MEETING)
        control.send(direction, MEETING, echo=True)
        deadline = clock.monotonic() + know.timeout * (attempt + 1)
        yield from look_until(clock, deadline, lambda: not control.outstanding())
        if _any_came(control, direction):
            return


def greet_from_afar(know: Knowledge, direction: Direction = Direction.FORWARD) -> Waiting[None]:
    """Do so where a far host sends or receives, and it takes long to hear of it: several at once."""
    control, clock = know.control, know.clock
    for attempt in range(TRIES):
        for _ in range(COPIES):
            control.send(direction, MEETING)
            control.send(direction, MEETING, echo=True)
        deadline = clock.monotonic() + know.timeout * (attempt + 1)
        yield from look_until(clock, deadline, lambda: _met(control, direction))
        if _any_came(control, direction):
            return


def greet_unwatched(know: Knowledge) -> Waiting[None]:
    """Send echoes only: a datagram to a closed port would cost the target an ICMP error."""
    control, clock = know.control, know.clock
    for _ in range(ECHOES):
        control.send(Direction.FORWARD, MEETING, echo=True)
        yield from look_until(clock, clock.monotonic() + know.timeout, lambda: control.round_trip is not None)


def ask_back(control: Control, *, echo: bool = False) -> None:
    """Send controls from the far end to where it saw us, as long as that is not confirmed and they may be sent.

    Half of what may go there is left to other packets: a path may let neither datagrams nor echoes through.
    """
    confirmed, address = control.path.confirmed, control.address(Direction.REVERSE)
    far = control.path.sender_end(Direction.REVERSE)
    if confirmed.free(address) or is_nowhere(control):
        return
    for _ in range(min(COPIES if far.remote is not None else 1, confirmed.left - FOR_OTHERS)):
        control.send(Direction.REVERSE, MEETING)
    if echo and confirmed.left > FOR_OTHERS:
        control.send(Direction.REVERSE, MEETING, echo=True)


def ask_patiently(control: Control, timeout: float) -> Waiting[bool]:
    """Whether the far end may send to where it saw us, found out by controls. After the first time they go but once."""
    control.learn_from_probes()
    confirmed, address = control.path.confirmed, control.address(Direction.REVERSE)
    if confirmed.free(address) or is_nowhere(control) or not confirmed.left:
        return confirmed.free(address) and not is_nowhere(control)
    first, control.asked_back = not control.asked_back, True
    for attempt in range(TRIES if first else 1):
        if attempt or not first or not confirmed.spent[address]:
            ask_back(control, echo=attempt > 0 or not first)
        yield from until_free(control, address, timeout * (attempt + 1))
        if confirmed.free(address):
            break
    return confirmed.free(address)


def until_free(control: Control, address: str, seconds: float) -> Waiting[bool]:
    """Wait until something came back from there, or the time is over."""
    clock = control.path.clock
    return look_until(clock, clock.monotonic() + seconds, lambda: control.path.confirmed.free(address))


def meet(path: OpenPath) -> None:
    """Find out for a latency's packets where the far end sees us, and that we are there. Raises Unconfirmed."""
    control = Control(path, bytes(CARRIER_HEADER))

    def file_observation(observer: Observer, observation: Observation) -> None:
        control.observe(observer, observation, view(observation[3]))

    def work() -> Waiting[None]:
        patience, clock = PATIENCE + path.lag, path.clock
        for attempt in range(TRIES):
            control.send(Direction.FORWARD, MEETING)
            deadline = clock.monotonic() + patience * (attempt + 1)
            if (yield from look_until(clock, deadline, lambda: bool(control.source_seen))):
                break
        yield from ask_patiently(control, patience)

    path.subscribers.append(file_observation)
    try:
        drive(path, work())
    finally:
        path.subscribers.remove(file_observation)
    if (why := path.confirmed.refusal(control.address(Direction.REVERSE))) is not None:
        raise Unconfirmed(why)


def _any_came(control: Control, direction: Direction) -> bool:
    """Whether something has arrived, or was answered."""
    return any(each.came for each in control.entries.values() if each.direction is direction)


def _met(control: Control, direction: Direction) -> bool:
    """Whether a datagram has arrived, and an echo has been answered."""
    entries = [each for each in control.entries.values() if each.direction is direction]
    return any(each.delivered_at for each in entries) and any(each.replied_at for each in entries)
