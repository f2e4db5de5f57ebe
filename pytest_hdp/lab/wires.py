"""Middleboxes on the wire: a relay process carries the frames, and does to them what no kernel box can.

Loss, delay and the like are for all traffic, the control too. What changes packets is in `mangling`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.lab.boxes import COMMON, USUAL, Box, Traffic, Where, listed
from pytest_hdp.lab.truth import DELIVERED, Truth
from pytest_hdp.lab.versions import V6

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_hdp.judge.verdict import Direction, Form

_UNSURE = frozenset({Verdict.INCONCLUSIVE})


@dataclass(frozen=True, slots=True)
class Wire(Box):
    """A wire that carries everything; the base of those that do not."""

    name: ClassVar[str] = "wire"
    where: ClassVar[Where] = Where.WIRE
    features: ClassVar[str] = "a kernel with packet sockets with a receive ring"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "carries everything"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """What the relay does, for `relay_behaviours.make`; {} for nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class Loss(Wire):
    """Loses each packet with this probability, independently."""

    probability: float = 0.05
    name: ClassVar[str] = "loss"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"loses {self.probability:.0%} of all packets, independently"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "loss", "probability": self.probability}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """No more lost than of the control."""
        return Truth(also=_UNSURE)


@dataclass(frozen=True, slots=True)
class BurstLoss(Wire):
    """Loses this share of all packets, in bursts of `mean` packets on average (Gilbert's model)."""

    probability: float = 0.05
    mean: float = 50.0
    name: ClassVar[str] = "burst-loss"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"loses {self.probability:.0%} of all packets, in bursts of {self.mean:g} on average"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "bursts", "probability": self.probability, "mean": self.mean}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """No more lost than of the control; a burst may hide the truth."""
        return Truth(also=_UNSURE)


def stated_loss(boxes: Iterable[Box]) -> float:
    """Return the share of all packets that boxes lose by what they state, one way."""
    return 1.0 - math.prod(1.0 - box.probability for box in boxes if isinstance(box, Loss | BurstLoss))


@dataclass(frozen=True, slots=True)
class Delay(Wire):
    """Delays packets by `us` microseconds and up to `jitter_us` more, in order; only `protocols`, if given.

    `base_us`: added for all packets. Who must know the difference exactly gives more than the relay takes for its work,
    0.02 ms or so: then all packets wait in it, are sent on in the same manner, and differ by `us` alone.
    """

    us: float = 20_000.0
    jitter_us: float = 0.0
    protocols: frozenset[int] | None = None
    base_us: float = 0.0
    name: ClassVar[str] = "delay"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        which = "all packets" if self.protocols is None else f"packets of {listed(self.protocols)} alone"
        jitter = f" and up to {_time(self.jitter_us)} more" if self.jitter_us else ""
        base = f", and everything by {_time(self.base_us)}" if self.base_us else ""
        return f"delays {which} by {_time(self.us)}{jitter}{base}, in each direction"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        only = None if self.protocols is None else sorted(self.protocols)
        times = {"ns": self.us, "jitter_ns": self.jitter_us, "base_ns": self.base_us}
        return {"kind": "delay", "protocols": only, **{name: int(us * 1000) for name, us in times.items()}}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Delivered, later."""
        if self.protocols is not None and protocol not in self.protocols:
            return replace(DELIVERED, delay_us=self.base_us)
        return Truth(delay_us=self.base_us + self.us + self.jitter_us / 2)


@dataclass(frozen=True, slots=True)
class Duplicate(Wire):
    """Sends each packet twice with this probability."""

    probability: float = 0.5
    name: ClassVar[str] = "duplicate"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"sends {self.probability:.0%} of all packets twice"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "duplicate", "probability": self.probability}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Delivered, some of it twice."""
        return Truth(duplicates=True)


@dataclass(frozen=True, slots=True)
class Reorder(Wire):
    """Holds each packet for `hold_us` microseconds with this probability; those behind it overtake."""

    probability: float = 0.3
    hold_us: float = 3000.0
    name: ClassVar[str] = "reorder"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"holds {self.probability:.0%} of all packets for {_time(self.hold_us)}; those behind overtake"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "reorder", "probability": self.probability, "ns": int(self.hold_us * 1000)}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Delivered, not in order."""
        return Truth(reorders=True)


@dataclass(frozen=True, slots=True)
class Forger(Wire):
    """Lets everything pass, forges ICMP errors that quote real packets damaged or cut short, replays old packets."""

    errors: float = 0.3
    replays: float = 0.2
    name: ClassVar[str] = "forger"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"passes all; forges an ICMP error about {self.errors:.0%}, replays as many as {self.replays:.0%}"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "forge", "errors": self.errors, "replays": self.replays}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Delivered, with surplus copies."""
        return Truth(duplicates=True)


@dataclass(frozen=True, slots=True)
class BlackHole(Wire):
    """Drops silently what is larger than this, IP header included: the control of that size too."""

    above: int = 600
    name: ClassVar[str] = "black-hole"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"drops every packet above {self.above} bytes silently"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "blackhole", "above": self.above}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost above the size; with a control of the same size nothing can be concluded."""
        return Truth(Verdict.LOST, also=_UNSURE, box=self.name) if traffic.size > self.above else DELIVERED


@dataclass(frozen=True, slots=True)
class Refuse(Wire):
    """Answers what it does not pass with ICMP "administratively prohibited", in the name of the router beyond it.

    For every packet and every number, which netfilter's own reject does not do: see `filters.NetfilterReject`.
    """

    passes: frozenset[int] = COMMON
    code: int = 13
    code6: int = 1
    name: ClassVar[str] = "refuse"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"passes {listed(self.passes)}, answers all other numbers with ICMP 3/{self.code}"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "refuse", "code": self.code, "code6": self.code6, **by_version("passes", self.passes)}

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Rejected unless passed."""
        if protocol in traffic.version.of(self.passes):
            return DELIVERED
        icmp = (1, self.code6) if traffic.ip_version == 6 else (3, self.code)
        return Truth(Verdict.REJECTED, icmp=icmp, box=self.name)


def by_version(name: str, numbers: frozenset[int]) -> dict[str, list[int]]:
    """Return numbers for a relay, by version of IP."""
    return {name: sorted(numbers), f"{name}6": sorted(V6.of(numbers))}


def _time(microseconds: float) -> str:
    return f"{microseconds / 1000:g} ms" if microseconds >= 1000 else f"{microseconds:g} us"
