"""Is the near end where the far end saw it? A few packets are sent there, before thousands are."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control import CARRIER_HEADER, MEETING, Control
from pytest_hdp.measure.ends import PathUnavailable
from pytest_hdp.measure.interest import by_interest
from pytest_hdp.measure.ledger import Ledger
from pytest_hdp.measure.sending import send_probe

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.ends import Eye
    from pytest_hdp.measure.path import OpenPath
    from pytest_hdp.vantage.station import Observation

TRIES = 5  # of the controls, each waited for longer than the one before
COPIES = 3  # of a control from a far host, at once: to find out that one was lost takes long
PATIENCE = 0.1  # seconds that a latency's first packets are waited for, and so much longer each time

Look = Callable[[float], Generator[None]]


class Unconfirmed(PathUnavailable):
    """Nothing may be sent to the address at which the far end saw us. Its text says why, in one line."""


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


def confirm(
    control: Control, ledger: Ledger, trains: Iterable[Train], content: bytes, look: Look, timeout: float
) -> Generator[None, None, bool]:
    """Whether the far end may send to where it saw us: whether anything that it sends there comes back.

    First controls are sent, then a probe of each of these trains that came through forward, or was not sent there.
    Nothing is, where there is no doubt. After the first time controls are sent once more, for a path that loses much.
    """
    confirmed, address = control.path.confirmed, control.address(Direction.REVERSE)
    if confirmed.free(address) or control.nowhere or not confirmed.left:
        return confirmed.free(address) and not control.nowhere
    first, control.asked_back = not control.asked_back, True
    tries = TRIES if first else 1
    for attempt in range(tries):
        if attempt or not first or not confirmed.spent[address]:
            ask_back(control, echo=attempt > 0 or not first)
        yield from _wait(control, look, timeout * (attempt + 1))
        if confirmed.free(address):
            return True
    for train in by_interest(each for each in trains if first and _came_through(ledger, each)):
        if confirmed.left:
            send_probe(control.path, ledger, train, MEETING, content, address)
    yield from _wait(control, look, timeout * tries)
    return confirmed.free(address)


def meet(path: OpenPath) -> None:
    """Find out for a latency's packets where the far end sees us, and that we are there. Raises Unconfirmed."""
    control = Control(path, bytes(CARRIER_HEADER))

    def file(eye: Eye, observation: Observation) -> None:
        control.observe(eye, observation)

    def look(seconds: float) -> Generator[None]:
        path.look(seconds)
        yield

    patience = PATIENCE + path.lag
    path.subscribers.append(file)
    try:
        for attempt in range(TRIES):
            control.send(Direction.FORWARD, MEETING)
            deadline = path.clock.monotonic() + patience * (attempt + 1)
            while not control.source_seen and (left := deadline - path.clock.monotonic()) > 0:
                path.look(left)
            if control.source_seen:
                break
        for _ in confirm(control, Ledger(path.run_id), (), b"", look, patience):
            pass
    finally:
        path.subscribers.remove(file)
    if (why := path.confirmed.refusal(control.address(Direction.REVERSE))) is not None:
        raise Unconfirmed(why)


def _wait(control: Control, look: Look, seconds: float) -> Generator[None]:
    now = control.path.clock.monotonic
    address, deadline = control.address(Direction.REVERSE), now() + seconds
    while not control.path.confirmed.free(address) and (left := deadline - now()) > 0:
        yield from look(left)


def _came_through(ledger: Ledger, train: Train) -> bool:
    sent = ledger.trains.get(replace(train, direction=Direction.FORWARD))
    return sent is None or any(copy.genuine for each in sent for copy in (*each.arrived, *each.delivered))
