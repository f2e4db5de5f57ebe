"""What a box and its twin sent, or were sent, and what observers saw of it: what `containment` and `inward` judge."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Launched:
    """One packet that one side handed over. `errno`: the name if sendto() refused it. `late`: after allowed traffic.

    Of a packet in fragments the errno is that of all of them. `later_only`: it was a later fragment without a first.
    """

    index: int
    round: int
    errno: str | None = None
    late: bool = False
    later_only: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """A copy of a packet as an observer outside the box saw it: which packet, who saw it, and from which source."""

    index: int
    observer: str
    source: str


@dataclass(frozen=True, slots=True)
class Side:
    """What the box, or its twin, sent of one train, and what was seen of it outside; in reverse: was sent, and saw.

    `refused`: the name of the errno if socket() refused the number there, in reverse at the far end. `address`: its
    own. `what`: what these packets are, if not those of the train.
    """

    launched: tuple[Launched, ...] = ()
    seen: tuple[Sight, ...] = ()
    refused: str | None = None
    address: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all trains of one direction share.

    `trains`, `error_rate`: the chance, over all of them, of calling one contained that gets out as its twin's does.
    `came`: by round, how many of the twin's controls came through; `spoiled`: rounds in which an observer lost some.
    `apart`: box and twin send to two addresses of the far end. `gone`: why the far end is not there any more.
    `other_ways`: by number, how else the box could send it, where its raw socket was refused and nobody tried that.
    `bound`: the probability of passing that is to be excluded at 95 %, None for whatever that comes to.
    `spoken`: who saw connections to our port that we did not make, and from which address, if that was the box's own.
    `asked`: who saw somebody ask for such a connection while the box sent, and from which address, if from another.
    `accepted`: the box was answered that its connection to our port is accepted, in the target's name.
    `in_other_name`: from where the box's packets came, if none was seen that came from its own address.
    `allowed`: numbers that may leave, by this `version` of IP.
    `blind`: why what the box's own tap did not see is no proof; `withheld`: why the far end sends no more to the box.
    """

    trains: int
    error_rate: float = 1e-6
    came: Mapping[int, int] = field(default_factory=dict)
    spoiled: Set[int] = frozenset()
    apart: bool = False
    bound: float | None = None
    gone: str | None = None
    spoken: tuple[str, str] | None = None
    asked: tuple[str, str] | None = None
    accepted: bool = False
    in_other_name: str | None = None
    other_ways: Mapping[int, str] = field(default_factory=dict)
    allowed: Set[int] = frozenset()
    version: int = 4
    blind: str | None = None
    withheld: str | None = None
