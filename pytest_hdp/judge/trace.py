"""When each eye saw a probe, in the few numbers that a record keeps of it.

Times are nanoseconds, each as its observer's clock had it. The ends of a path may have clocks of their own: then an
`arrived` or `delivered` holds their difference too, and only differences between times of one end mean anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Probe

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Sighting


@dataclass(frozen=True, slots=True)
class TracedError:
    """One ICMP error about a probe, `after`: nanoseconds after it was sent."""

    after: int
    source: str
    type: int
    code: int


@dataclass(frozen=True, slots=True)
class Trace:
    """One probe. `sent`: nanoseconds after the train's first one; the others after this probe was sent, or None.

    `errno`: its name if sendto() refused, and then nothing was sent. Of several copies at an eye, the first counts.
    """

    index: int
    round: int
    sent: int
    errno: str | None = None
    left: int | None = None
    arrived: int | None = None
    delivered: int | None = None
    icmp: tuple[TracedError, ...] = ()


def traces(probes: Sequence[Probe | Trace]) -> tuple[Trace, ...]:
    """Return the traces of one train's probes in the order of sending; traces stay as they are."""
    known = [each for each in probes if isinstance(each, Trace)]
    fresh = sorted((each for each in probes if isinstance(each, Probe)), key=lambda probe: probe.index)
    start = fresh[0].sent_at if fresh else 0
    return (*known, *(_trace(probe, start) for probe in fresh))


def _trace(probe: Probe, start: int) -> Trace:
    def first(copies: tuple[Sighting, ...]) -> int | None:
        return min(copy.time for copy in copies) - probe.sent_at if copies else None

    errors = sorted(probe.icmp, key=lambda report: report.time)
    return Trace(
        index=probe.index,
        round=probe.round,
        sent=max(0, probe.sent_at - start),  # below 0: the clock was set back
        errno=probe.errno,
        left=first(probe.left),
        arrived=first(probe.arrived),
        delivered=first(probe.delivered),
        icmp=tuple(TracedError(each.time - probe.sent_at, each.source, each.type, each.code) for each in errors),
    )
