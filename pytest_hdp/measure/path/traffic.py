"""What one run has sent over a path, and from where it came: whether a train was fresh, or is an answer. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.origin import from_inside, in_doubt
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.packet.family import of_one_host

MOST_OUTSIDE = 64  # addresses of a translator: as many as there are kinds and flows of controls, and more
LINGERS = 600  # seconds for which connection tracking keeps the state of a protocol that it doesn't know


def lingering(seconds: float) -> str:
    """What to say of a run over the same path that ended so many seconds ago."""
    return f"a run over this path ended {seconds:.0f} s before, and what it opened or used up may be so still"


def on_the_wire(number: int) -> int:
    """The number that 8 bits hold of one that was asked for."""
    return number & 255


@dataclass(slots=True)
class Traffic:
    """The numbers under which packets went each way: probes, those of experiments, those sent by hand. No controls.

    A translator may give each flow another source. So what answers a train goes to where that train came from last.
    """

    _sent: set[tuple[Direction, int]] = field(default_factory=set)
    _origins: dict[Train, str] = field(default_factory=dict)
    _outside: set[str] = field(default_factory=set)

    def note(self, direction: Direction, number: int) -> None:
        """Take note of a packet."""
        self._sent.add((direction, on_the_wire(number)))

    def has_sent(self, train: Train) -> bool:
        """Whether a packet of the train's number has gone its way before."""
        return (train.direction, on_the_wire(train.protocol)) in self._sent

    def solicits(self, train: Train) -> bool:
        """Whether a packet of the train's number has gone the other way before."""
        other = Direction.REVERSE if train.direction is Direction.FORWARD else Direction.FORWARD
        return (other, on_the_wire(train.protocol)) in self._sent

    def came_from(self, train: Train, source: str) -> None:
        """Take note from where the far end saw a train come, byte for byte."""
        if of_one_host(source):
            self._origins[train] = source

    def control_came_from(self, direction: Direction, source: str) -> None:
        """Take note from where the far end saw a control come; of others nothing."""
        if direction is Direction.FORWARD and of_one_host(source) and len(self._outside) < MOST_OUTSIDE:
            self._outside.add(source)

    @property
    def outside(self) -> frozenset[str]:
        """All addresses from which the far end saw controls come: by them a translator shows its pool."""
        return frozenset(self._outside)

    def origin(self, train: Train) -> str | None:
        """From where a train's number came forward, in its own form, or else in any."""
        forward = replace(train, direction=Direction.FORWARD)
        if forward in self._origins:
            return self._origins[forward]
        wire = on_the_wire(train.protocol)
        return next((found for each, found in self._origins.items() if on_the_wire(each.protocol) == wire), None)

    def answers_to(self, train: Train, usual: str, own: str) -> str:
        """Where packets of a train in reverse go: to where it came from; else, as the control, to the `usual` address.

        `own`: the near end's. To an address from inside nobody can answer who is outside: it may be a stranger's there.
        Where that is in doubt it may be one of the translator's, and nothing of a number comes back to another.
        """
        origin = self.origin(train)
        if origin is None:
            return usual
        doubtful = origin != own and in_doubt(origin, usual)
        return usual if from_inside(origin, usual, (own,), own, self._outside) and not doubtful else origin
