"""Loss in the same place of many trains: no chance, but something that counts packets.

A cache that has to look something up loses the first packet of each number; a limit of one number at a time loses what
comes after its burst. No train by itself shows that in few rounds; all of them together do. So for each place in the
order of a train's packets it is asked how many of the trains that get through lost that one, held against the control
of the same round, whose packets stood among theirs in random order. Chance, outages and bursts of loss hit both alike.

Not so an outage that the control does not meet, on another of several ways, say: that is a moment, and where all trains
run in step, a place and a moment are one. What stood at another place at that moment tells them apart, and what stood
at that place at another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_hdp.judge.statistics import fisher

MOST_OF = 0.75
"""So large a share of the trains must have lost the packet at a place: it is no matter of the number then."""
PLACES = 64
"""Of so many places at most is asked, and the error rate is split among them."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One probe as it counts here: in which round it was sent, whether it came, and whether that round counts."""

    round: int
    came: bool
    counts: bool = True


@dataclass(frozen=True, slots=True)
class SharedLoss:
    """The packets at one place (from 0) of `trains` trains, `lost` of them lost, beside a control that was not.

    `apart`: it was the place, not the moment at which they were sent.
    """

    place: int
    lost: int
    trains: int
    apart: bool = False


def shared_losses(
    trains: Iterable[Sequence[Sent]], control: dict[int, tuple[int, int]], error_rate: float
) -> tuple[SharedLoss, ...]:
    """Find the places at which nearly all trains lost their packet and the control did not.

    `trains`: probes in the order they were sent; those of which nothing came say nothing. `control`: by round, how many
    were lost, and sent. `error_rate`: the chance of finding any where all loss is by chance.
    """
    living = [probes for probes in trains if any(each.came for each in probes)]
    whole = _by_round(each for probes in living for each in probes)
    found = []
    for place in range(min(PLACES, max(map(len, living), default=0))):
        there = _by_round(probes[place] for probes in living if len(probes) > place)
        lost, sent = (sum(each[at] for each in there.values()) for at in (0, 1))
        limit = error_rate / PLACES / max(1, len(there))
        moments = [
            number
            for number, (gone, count) in there.items()
            if gone >= MOST_OF * count and number in control and fisher(gone, count, *control[number]) <= limit
        ]
        if not moments or lost < MOST_OF * sent:
            continue
        others = {number: _less(whole[number], there[number]) for number in moments}  # at the same moment elsewhere
        later = [fisher(*there[number], *_less((lost, sent), there[number])) for number in moments]
        if len(moments) == 1 and later[0] <= limit:
            continue  # the place took nothing at other moments
        apart = len(moments) > 1 or any(fisher(*there[number], *others[number]) <= limit for number in moments)
        found.append(SharedLoss(place, lost, sent, apart))
    return tuple(found)


def _by_round(probes: Iterable[Sent]) -> dict[int, tuple[int, int]]:
    """Return how many were lost, and sent, in each round that counts."""
    found: dict[int, tuple[int, int]] = {}
    for each in probes:
        if each.counts:
            lost, sent = found.get(each.round, (0, 0))
            found[each.round] = lost + (not each.came), sent + 1
    return found


def _less(whole: tuple[int, int], part: tuple[int, int]) -> tuple[int, int]:
    return whole[0] - part[0], whole[1] - part[1]


def first_lost(came: Sequence[bool]) -> int:
    """Return how many of a train's packets were lost before one came."""
    return next((place for place, arrived in enumerate(came) if arrived), len(came))


def order_text(came: Sequence[bool]) -> str:
    """Return which of a train's packets were lost, where that is no mere number: " (the first)", " (every 3rd)"."""
    gone = [place for place, arrived in enumerate(came) if not arrived]
    if not gone or len(gone) == len(came):
        return ""
    which = "" if len(gone) == 1 else f" {len(gone)}"
    if gone == list(range(len(gone))):
        return f" (the first{which})"
    if gone == list(range(len(came) - len(gone), len(came))):
        return f" (the last{which})"
    steps = {later - earlier for earlier, later in pairwise(gone)}
    if len(steps) == 1 and gone[0] < (step := min(steps)) and len(came) - gone[-1] <= step:
        return f" (every {_ordinal(step)})"
    return ""


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"
