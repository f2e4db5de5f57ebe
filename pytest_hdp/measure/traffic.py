"""What one run has sent over a path: whether a train was fresh, or an answer. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train

LINGERS = 600  # seconds for which connection tracking keeps the state of a protocol that it doesn't know


def lingering(seconds: float) -> str:
    """What to say of a run over the same path that ended so many seconds ago."""
    return f"a run over this path ended {seconds:.0f} s before, and what it opened or used up may be so still"


def on_the_wire(number: int) -> int:
    """The number that 8 bits hold of one that was asked for."""
    return number & 255


@dataclass(slots=True)
class Traffic:
    """The numbers under which packets went each way: probes, those of experiments, those sent by hand. No controls."""

    _sent: set[tuple[Direction, int]] = field(default_factory=set)

    def note(self, direction: Direction, number: int) -> None:
        """Take note of a packet."""
        self._sent.add((direction, on_the_wire(number)))

    def solicits(self, train: Train) -> bool:
        """Whether a packet of the train's number has gone the other way before."""
        other = Direction.REVERSE if train.direction is Direction.FORWARD else Direction.FORWARD
        return (other, on_the_wire(train.protocol)) in self._sent
