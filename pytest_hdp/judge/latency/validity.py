"""Can a latency measurement be trusted? Judged by what fails on a path or a host that is disturbed.

Each kind is compared with itself too, but in random order both halves fare alike on any path: that it differs from
itself tells of our own order and sockets, and of no disturbance. What can tell of one: loss, latencies or differences
that change while they are measured, a queue that the experiment makes itself, and a sender that was not on time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pytest_hdp.judge.latency.differences import ENOUGH, Difference, Series
from pytest_hdp.judge.latency.gate import Compared
from pytest_hdp.judge.latency.ranks import same_place
from pytest_hdp.judge.latency.words import interval, us
from pytest_hdp.judge.statistics import surely_above

MOST_LOSS = 0.25
"""Of UDP. What comes through a path that loses more is a selection."""
SURE = 0.999
BLOCKS = 8
BY_CHANCE = 1e-6
"""How often steady latencies are taken for drifting."""
LEAST_DRIFT = 5000.0
LEAST_CHANGE = 1.0
LEAST_QUEUE = 5000.0
LEAST_LONE = 5
"""Packets: that all of them are faster than half of the others happens by chance once in 32 times."""
LEAST_LATE = 5000.0
SHARE_OF_DRIFT, SHARE_OF_QUEUE, WIDTHS = 0.5, 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Conduct:
    """How the sender kept to its schedule, microseconds: packets' `late` median after they were due, their `gap`.

    `beside`: how many other hosts were measured at the same time.
    """

    late: float
    gap: float
    beside: int = 0


def trouble(
    conduct: Conduct, hdp: Compared, udp: Compared, found: Difference, controls: Sequence[tuple[Difference, str]]
) -> str:
    """Say why the measurement is not valid, in one line; "" if it is.

    `udp`, `found`: UDP as HDP is compared with it in the network, and that comparison; `controls`: each kind against
    itself, and where. What is compared has arrived often enough.
    """
    why = (
        _loss(udp.once)
        or _drift(hdp.once)
        or _drift(udp.once)
        or _queue(hdp)
        or _queue(udp)
        or _change(hdp.once, udp.once, found)
        or _lateness(conduct)
        or _unlike_itself(controls)
    )
    return why and f"not valid: {why}"


def checked(conduct: Conduct, hdp: Compared, compared: Compared) -> str:
    """What a valid measurement has shown of its path, and what it has not; "" where it was not looked at."""
    udp = compared.once
    if not udp.lone:
        return ""
    lost = f"{udp.came.count(False):,} of {len(udp.came):,} {udp.label} lost"
    unknown = [kind.once.label for kind in (hdp, compared) if not _shows_no_queue(*_alone_and_waited(kind))]
    queue = f"a queue of its own not ruled out for {' and '.join(unknown)}" if unknown else "no queue of its own"
    seen = f"no drift, {queue}, {lost}, sent {conduct.late:,.0f} us late"
    if conduct.beside:
        seen += f", beside {conduct.beside:,} other{'s' * (conduct.beside > 1)}"
    return f"checked: {seen}; of other rates, hours and addresses it says nothing"


def _loss(udp: Series) -> str:
    lost, sent = udp.came.count(False), len(udp.came)
    if not surely_above(MOST_LOSS, lost, sent, SURE):
        return ""
    return f"{lost:,} of {sent:,} {udp.label} packets were lost, and what arrives of so few is a selection"


def _queue(kind: Compared) -> str:
    """Whether packets that follow on each other take longer than those that are alone, each of these in its flow."""
    alone, waited = _alone_and_waited(kind)
    if len(alone) < LEAST_LONE or min(waited) < 0 or _shows_no_queue(alone, waited):
        return ""
    least, longer = median(alone), median(waited)
    queued = f"{kind.once.label} takes {least + longer:,.0f} us in the network, and {least:,.0f} us if sent alone"
    return f"{queued}: the experiment waits in a queue of its own; send slower, with --hdp-rate"


def _shows_no_queue(alone: Sequence[float], waited: Sequence[float]) -> bool:
    """Whether enough were alone, and most of the others waited no longer: where few were, or jitter is wide, no."""
    return len(alone) >= LEAST_LONE and median(waited) <= max(LEAST_QUEUE, SHARE_OF_QUEUE * median(alone))


def _alone_and_waited(kind: Compared) -> tuple[list[float], list[float]]:
    """What each that was alone took, and how much longer the others of its flow did, mostly; microseconds."""
    alone, waited = list[float](), list[float]()
    for series in kind.both:
        usual: dict[int, list[int]] = {}
        for flow, time in zip(series.flows or [0] * len(series.kernel), series.kernel, strict=True):
            if time is not None:
                usual.setdefault(flow, []).append(time)
        for flow, time in series.lone:
            same = usual.get(flow if series.flows else 0)
            if time is not None and same:
                alone.append(time / 1000)
                waited.append((median(same) - time) / 1000)
    return alone, waited


def _blocks(values: Sequence[float | None]) -> list[list[float]]:
    size = -(-len(values) // BLOCKS)
    blocks = [[each for each in values[at : at + size] if each is not None] for at in range(0, len(values), size)]
    return [block for block in blocks if block]


def _drift(series: Series) -> str:
    blocks = _blocks(series.kernel)
    middle = [median(block) / 1000 for block in blocks]
    least, most = min(middle), max(middle)
    if most - least <= max(LEAST_DRIFT, SHARE_OF_DRIFT * least) or same_place(blocks) >= BY_CHANCE:
        return ""
    took = f"{series.label} took {least:,.0f} us in one part of the run and {most:,.0f} us in another"
    return f"{took}: the path changed, or a queue of its own grew"


def _change(hdp: Series, udp: Series, found: Difference) -> str:
    """Whether the difference itself is not the same throughout."""
    both = zip(hdp.kernel, udp.kernel, strict=True)
    blocks = _blocks([x - y if x is not None and y is not None else None for x, y in both])
    middle = [median(block) / 1000 for block in blocks]
    least, most = min(middle), max(middle)
    tolerated = max(LEAST_CHANGE, WIDTHS * (found.high - found.low), SHARE_OF_DRIFT * abs(found.median))
    if most - least <= tolerated or same_place(blocks) >= BY_CHANCE:
        return ""
    told = f"{us(least, found)} us in one part of the run and {us(most, found)} us in another"
    return f"the difference between {found.a} and {found.b} was {told}: it is not one number"


def _lateness(conduct: Conduct) -> str:
    if conduct.late <= max(LEAST_LATE, conduct.gap):
        return ""
    return (
        f"half of the packets left more than {conduct.late:,.0f} us late, {conduct.gap:,.0f} us being between two: "
        "this host is too busy; send slower, with --hdp-rate"
    )


def _unlike_itself(controls: Sequence[tuple[Difference, str]]) -> str:
    for each, where in controls:
        if each.pairs >= ENOUGH and not each.covers_zero:
            return (
                f"{each.a}, measured twice, differs from itself by {us(each.median, each)} us {interval(each)} {where}"
                ", which honest measurements do less than once in 10,000 runs"
            )
    return ""
