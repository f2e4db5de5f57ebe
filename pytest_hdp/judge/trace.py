"""When each observer saw a probe, in the few numbers that a record keeps of it.

Times are nanoseconds, each as its observer's clock had it. The ends of a path may have clocks of their own: then an
`arrived` or `delivered` holds their difference too, and only differences between times of one end mean anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pytest_hdp.judge.evidence import Probe
from pytest_hdp.untrusted.marks import MOST, About, At, Count, LeftOut, Octet, Whole

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Sighting


_After: TypeAlias = Annotated[int, Whole(-MOST), About("nanoseconds after this probe was sent")]
_SeenAfter: TypeAlias = Annotated[
    _After | None, LeftOut(), About("nanoseconds after this probe was sent; missing if nothing was seen")
]


@dataclass(frozen=True, slots=True)
class TracedError:
    """One ICMP error about a probe."""

    after: _After
    source: Annotated[str, At("from")]
    type: Octet
    code: Octet


@dataclass(frozen=True, slots=True)
class Trace:
    """One probe. Of several copies at an observer, the first counts; round -1 is before the first."""

    index: Count
    round: Annotated[int, Whole(-1)]
    sent: Annotated[Count, About("nanoseconds after the train's first probe")]
    errno: Annotated[str | None, LeftOut(), About("with which sendto() refused it; then nothing was sent")] = None
    left: _SeenAfter = None
    arrived: _SeenAfter = None
    delivered: _SeenAfter = None
    icmp: Annotated[tuple[TracedError, ...], LeftOut()] = ()


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
