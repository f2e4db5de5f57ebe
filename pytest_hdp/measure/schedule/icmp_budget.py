"""The pace at which a silent target is asked: how often it sends ICMP errors, by its answers. No I/O, no clock.

A stock Linux host earns one error a second for each peer and saves up six (icmp_ratelimit, icmp(7)); others earn ten or
a thousand. To ask in vain costs nothing of it. So: after k answers since the bucket was empty, the time that one takes
to earn is at most the time passed, divided by k; and a question that would have been answered, and was not, says that
it is more than the time passed, divided by k + 1. The two close in on it while useful questions are asked.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import NamedTuple

FIRST = 0.03  # seconds after the bucket was empty, to the first try
WIDER, COARSE = 1.1, 1.3  # so much longer is waited for the next; the latter from `LONG` on
LONG = 2.0  # seconds: what hardly any host takes to earn an error
EARLY = 0.02  # of the time to earn an error: so much later is tried again what was certain to be answered
CLOSE = 1.02  # two bounds so near to each other are one
RECENT = 8  # answers that tell what is usual
ANCHORS = 16  # misses from which the time that an error takes to earn is bounded
USUAL = 0.9  # of the time between answers of late, at least: a bound from a lost answer may be too short
MARGIN, SLACK = 1.03, 0.02  # times the time to earn an error, and seconds, after the last one
HOARD = 4  # errors that a target is taken to save up, at most
ANSWERS_BEHIND = 2  # answers behind a silence, at least, where nothing is known of the pace
NEAR = 1.0  # seconds behind a silence in which a router is asked for these answers, at most
STEADY = 0.8  # of a time without questions; the rest is for a path whose delay varies


class Sent(NamedTuple):
    """When a probe was sent: not before `first`. By `last` it was there, for its answer had come; seconds."""

    first: float
    last: float


def certainly_there(
    asked: float,
    answered: Sequence[Sent],
    earned_in: float = math.inf,
    *,
    apart: float = 0.0,
    near: float = math.inf,
    others: Sequence[Sent] = (),
) -> bool:
    """Whether somebody who earns errors at a steady pace, and saves some up, had one to send when asked in vain.

    `answered`: the probes that they did answer, in the order they were sent. One must have come before and one behind.
    Then it is certain if they had sent none for as long as one takes to earn (`earned_in`, seconds, if known); and at
    any pace whatever, if they had been left alone for long enough before: either they earn one error in that time, so
    they had it; or they earn less than one in so long, so that of `count` answers within `count - 1` such times behind,
    one was there before. What was sent less than `apart` seconds behind may have been there first, and have had it: the
    way may hang on the protocol number, and one way takes longer. `near`: of a router, only what was sent so soon
    behind tells. One on Linux that rejects by its routes pays two seconds' worth for an error, the first of them also
    in vain, so that time alone says little of what it has; but what it lacked at first, it can't have for two answers
    in the next second. `others`: probes of others that were answered; those that may have been there before this one
    had their errors of the same budget.
    """
    here = bisect_right(answered, asked, key=lambda sent: sent.first)
    before, behind = answered[:here], answered[here:]
    if not before or not behind or behind[0].first - asked < apart:
        return False
    alone = asked - max(sent.last for sent in (*before, *others) if sent.first <= asked)
    if alone >= earned_in:
        return True
    soon = takewhile(lambda sent: sent.first - asked <= near, behind)
    came = accumulate((sent.last for sent in soon), max)
    return any(last - asked <= STEADY * alone * earned for earned, last in enumerate(came) if earned)


@dataclass(slots=True)
class Budget:
    """A bucket of ICMP errors that was empty at `since`, in seconds of any one clock.

    `answered`: errors sent since; all had come by `last`. `least`, `most`: seconds that it takes to earn one, as
    far as is known: what to go by, where a wasted question is all that is at stake. `bound`: it certainly takes no
    longer than that.
    """

    since: float
    answered: int = 0
    least: float = 0.0
    most: float | None = None
    last: float = 0.0
    bound: float = math.inf
    _slip: float = 0.0
    _from_answer: bool = False
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    _anchors: deque[list[float]] = field(default_factory=lambda: deque(maxlen=ANCHORS))

    def __post_init__(self) -> None:
        self._anchor(self.since)

    @property
    def earned_in(self) -> float:
        """Seconds after an error in which another was earned for certain, so that silence means something: well after.

        What is sent right at the edge finds the bucket empty, and what comes a moment later does not.
        """
        usual = (self._times[-1] - self._times[0]) / (len(self._times) - 1) if len(self._times) > 1 else 0.0
        return max(MARGIN * self.bound + SLACK, USUAL * usual)

    @property
    def trusted_from(self) -> float:
        """From when on silence means something, if nothing is answered before."""
        return max(self.last, self.since) + self.earned_in

    @property
    def guess(self) -> float:
        """Seconds to earn an error: between the bounds, to find out more; or what is known well enough."""
        if self.most is None:
            return max(FIRST, self.least * (WIDER if self.least < LONG else COARSE))
        return self.most if self.sure else (self.least + self.most) / 2

    @property
    def sure(self) -> bool:
        """Whether the bounds are close."""
        return self.most is not None and self.most <= self.least * CLOSE

    def ready(self, *, careful: bool) -> float:
        """When the next question is worth asking; `careful`: when an answer to it is certain."""
        each = self.most if careful and self.most is not None else self.guess
        return self.since + (self.answered + 1) * each

    def credit(self, now: float) -> int:
        """How many questions may be asked at once: what was earned by now, one at least."""
        surplus = (now - self.since) / self.guess - self.answered - HOARD
        if surplus > 0:  # a bucket overflows: what was not asked for in time is not there
            self.since += surplus * self.guess
        return max(1, int((now - self.since) / self.guess) - self.answered)

    def answer(self, at: float, came: float | None = None) -> None:
        """Take note that a question sent at this time was answered. `came`: when the answer did, if that was later."""
        self.answered += 1
        self._slip = 0.0
        came = at if came is None else came
        self.last = max(self.last, came)
        self._times.append(at)
        each = max(at - self.since, 0.001) / self.answered
        # asked late it tells nothing new; asked right after the count began anew it tells too little
        self.most = each if self.most is None else min(self.most, max(each, self.least))
        self.least = min(self.least, self.most)
        for anchor in self._anchors:
            anchor[1] += 1
            if anchor[1] > 1:  # less than one was there at the miss, all but one of these were earned since
                self.bound = min(self.bound, (came - anchor[0]) / (anchor[1] - 1))

    def _anchor(self, at: float) -> None:
        self._anchors.append([at, 0])

    def miss(self, at: float) -> None:
        """Take note that a question sent at this time, of a kind that is answered, was not.

        If that was certain to be answered, it came a little early; or an answer was lost, or somebody else had it. So
        the next is tried a little later, and then later still. If all that is in vain the target has become slower:
        it is counted anew from here.
        """
        each = (at - self.since) / (self.answered + 1)
        if self.most is None or each < self.most * 0.999:
            self.least = max(self.least, each)
            self._anchor(at)
        elif self.answered == 1 and not self._from_answer and at > self._times[-1]:
            # at the miss with which the count began it had up to one, which made this answer: nothing is left behind it
            self.since, self.answered, self.most, self._from_answer = self._times[-1], 0, None, True
            self.least = max(self.least, at - self.since)
            self._anchor(at)
        elif self.answered and self._slip < 1:
            self._slip = max(EARLY, 2 * self._slip)
            self.since += self._slip * self.most
        else:
            self._anchors.clear()
            self._anchor(at)
            self.bound, self._from_answer = math.inf, False
            if self.answered:
                self.since, self.answered, self.least = at, 0, self.most * 0.97
            else:
                self.least = max(self.least, each)
                self.most = self.least * COARSE
