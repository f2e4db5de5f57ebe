"""Is there a path, asked by hand: control packets one by one, of the first kind that comes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train, meaning_of
from pytest_hdp.judge.explain import icmp_text, packets_of
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.control.control import Control
from pytest_hdp.measure.control.counting import CARRIER_HEADER, errors_of, refused_with
from pytest_hdp.measure.control.stand_in import scouts_for
from pytest_hdp.measure.path.waiting import Waiting, drive, look_until
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from pytest_hdp.measure.control.counting import ControlEntry
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.vantage.receiving import Observation

FORWARD = Direction.FORWARD
# what most targets answer without an agent: numbers that hardly any host handles, and UDP to a port that nobody has
ANSWERED = (Train(253), Train(200), Train(17, form=Form.WELLFORMED))


@dataclass(frozen=True, slots=True)
class Tried:
    """Control packets sent forward, and how many came through or were answered.

    `what`: what they were, in words; `in_vain`: what was tried before. `echo`: they were echoes; `stand_in`: they were
    like packets of that train. `refused`: how many more sendto() refused; `errno`: with which it refused all datagrams.
    `errors`: source, type and code of the ICMP errors about those of any kind that did not, and how often each came.
    """

    sent: int
    came: int
    what: str = ""
    in_vain: tuple[str, ...] = ()
    echo: bool = False
    stand_in: Train | None = None
    refused: int = 0
    errno: str | None = None
    errors: tuple[tuple[str, int, int, int], ...] = ()

    def problem(self, target: str) -> str | None:
        """Why nothing can be said of a path, in a line; None if something came through."""
        if self.came:
            return None
        if not self.sent and self.refused:
            return f"nothing was sent to {target}: {self._refusal}, and every other control packet too"
        refusal = f"; {self._refusal}" if self.errno else ""
        return f"no path to {target}: none of {self.sent} control packets came through{self._answers}{refusal}"

    def note(self) -> str | None:
        """What is unusual about a control that came through; None if nothing is."""
        if not self.came or not self.in_vain:
            return None
        refusal = f" ({self._refusal})" if self.errno else ""
        in_vain = f"no {' and no '.join(self.in_vain)} came through{refusal}"
        return f"control: {in_vain}; {self.what} did, {self.came} of {self.sent}{self._answers}"

    @property
    def _answers(self) -> str:
        """Who said what about those that did not come through."""
        said = (f"; {who} answered {n} with {icmp_text(who, kind, code)}" for who, kind, code, n in self.errors[:3])
        return "".join(said)

    @property
    def _refusal(self) -> str:
        whose = " (the sender's local firewall or IPsec policy drops it on output)" if self.errno == "EPERM" else ""
        return f"sendto() refused UDP with {self.errno}{whose}"


def try_path(path: OpenPath, count: int, timeout: float) -> Tried:
    """Send `count` control packets forward, one by one: of the first kind that comes through.

    Datagrams, or echoes where nobody watches the target's end; then echoes; then some numbers that are let through, or
    answered, where others are not. `timeout`: seconds that each is waited for.
    """
    control = Control(path, bytes(CARRIER_HEADER))

    def file_observation(observer: Observer, observation: Observation) -> None:
        control.observe(observer, observation, view(observation[3]))

    path.subscribers.append(file_observation)
    try:
        return _try(control, count, timeout)
    finally:
        path.subscribers.remove(file_observation)


def _try(control: Control, count: int, timeout: float) -> Tried:
    """Try one kind after the other, and of the rest one packet each before `count` of the first that came."""
    path, unwatched = control.path, control.path.receiver_end(FORWARD) is None
    came = _answered_by(path.name.target) if unwatched else _came
    in_vain: tuple[str, ...] = ()
    for echo in (True,) if unwatched else (False, True):
        sent = _send(control, count, timeout, came, echo=echo)
        if any(map(came, sent)):
            return _tried(control, sent, came, in_vain, echo=echo)
        in_vain = (*in_vain, "ICMP echo" if echo else "UDP")
    for stand_in in ANSWERED if unwatched else scouts_for(FORWARD, path.family)[1:]:  # the first is an echo
        if any(map(came, _send(control, 1, timeout, came, stand_in=stand_in))):
            sent = _send(control, count, timeout, came, stand_in=stand_in)
            return _tried(control, sent, came, in_vain, stand_in=stand_in)
    return _tried(control, list(control.entries.values()), came)


def _send(
    control: Control,
    count: int,
    timeout: float,
    came: Callable[[ControlEntry], bool],
    *,
    echo: bool = False,
    stand_in: Train | None = None,
) -> list[ControlEntry]:
    path, sent = control.path, []

    def work() -> Waiting[None]:
        for number in range(count):
            entry = control.send(FORWARD, number, echo=echo, stand_in=stand_in)
            sent.append(entry)
            deadline = path.clock.monotonic() + timeout + path.lag
            yield from look_until(path.clock, deadline, lambda: bool(entry.errno) or came(entry))  # noqa: B023

    drive(path, work())
    path.sync()
    return sent


def _tried(
    control: Control,
    sent: list[ControlEntry],
    came: Callable[[ControlEntry], bool],
    in_vain: tuple[str, ...] = (),
    *,
    echo: bool = False,
    stand_in: Train | None = None,
) -> Tried:
    everything = list(control.entries.values())
    what = "ICMP echoes" if echo else f"packets of {packets_of(stand_in)}" if stand_in is not None else "UDP"
    refused = sum(each.errno is not None for each in sent)
    return Tried(
        len(sent) - refused,
        sum(map(came, sent)),
        what,
        in_vain,
        echo,
        stand_in,
        refused,
        refused_with(everything),
        errors_of(each for each in everything if not came(each)),
    )


def _came(entry: ControlEntry) -> bool:
    return entry.came


def _answered_by(target: str) -> Callable[[ControlEntry], bool]:
    """What says whether the target itself answered a packet."""

    def answered(entry: ControlEntry) -> bool:
        error = entry.error
        return entry.came or (error is not None and error[0] == target and meaning_of(error).by_stack)

    return answered
