"""Is there a path, asked by hand: control packets one by one, of the first kind that comes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import icmp_text
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control import CARRIER_HEADER, Control
from pytest_hdp.measure.counting import errors_of, refused_with
from pytest_hdp.measure.waiting import Waiting, drive, look_until

if TYPE_CHECKING:
    from pytest_hdp.measure.ends import Eye
    from pytest_hdp.measure.path import OpenPath
    from pytest_hdp.vantage.station import Observation

FORWARD = Direction.FORWARD


@dataclass(frozen=True, slots=True)
class Tried:
    """Control packets sent forward, and how many came through or were answered.

    `echo`: they were echoes. `refused`: how many more sendto() refused. `errno`: with which it refused all datagrams.
    `errors`: source, type and code of the ICMP errors about them, and how often each came.
    """

    sent: int
    came: int
    echo: bool
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
        said = "".join(f"; {who} answered {n} with {icmp_text(kind, code)}" for who, kind, code, n in self.errors[:3])
        return f"no path to {target}: none of {self.sent} control packets came through{said}{refusal}"

    def note(self) -> str | None:
        """What is unusual about a control that came through; None if nothing is."""
        if not (self.came and self.echo):
            return None
        why = self._refusal if self.errno else "no UDP came through"
        return f"control: {why}; ICMP echoes did, {self.came} of {self.sent}"

    @property
    def _refusal(self) -> str:
        whose = " (the sender's local firewall drops it on output)" if self.errno == "EPERM" else ""
        return f"sendto() refused UDP with {self.errno}{whose}"


def try_path(path: OpenPath, count: int, timeout: float) -> Tried:
    """Send `count` control packets forward, one by one: datagrams, and if none of them comes through, echoes.

    `timeout`: seconds that each is waited for.
    """
    control = Control(path, bytes(CARRIER_HEADER))

    def file(eye: Eye, observation: Observation) -> None:
        control.observe(eye, observation)

    unwatched = path.receiver_end(FORWARD) is None
    path.subscribers.append(file)
    try:
        for echo in (True,) if unwatched else (False, True):
            drive(path, _send(control, count, timeout, echo=echo))
            path.settle()
            if came := sum(entry.came for entry in control.entries.values()):
                break
    finally:
        path.subscribers.remove(file)
    entries = [each for each in control.entries.values() if each.echo is echo or not came]
    refused = sum(each.errno is not None for each in entries)
    errno = None if unwatched else refused_with(control.entries.values())
    return Tried(len(entries) - refused, came, echo, refused, errno, errors_of(entries))


def _send(control: Control, count: int, timeout: float, *, echo: bool) -> Waiting[None]:
    path = control.path
    for number in range(count):
        control.send(FORWARD, number, echo=echo)
        deadline = path.clock.monotonic() + timeout + path.lag
        yield from look_until(path.clock, deadline, lambda: not control.outstanding())
