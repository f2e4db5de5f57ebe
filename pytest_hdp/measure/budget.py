"""The pace at which a target sends ICMP errors, measured by what it answered and what it did not. No I/O, no clock.

A stock Linux host earns one error a second for each peer and saves up six (icmp_ratelimit, icmp(7)); others earn ten or
a thousand. To ask in vain costs nothing of it. So: after k answers since the bucket was empty, the time that one takes
to earn is at most the time passed, divided by k; and a question that would have been answered, and was not, says that
it is more than the time passed, divided by k + 1. The two close in on it while useful questions are asked.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

FIRST = 0.03  # seconds after the bucket was empty, to the first try
WIDER = 1.3  # so much longer is waited for the next
CLOSE = 1.02  # two bounds so near to each other are one
RECENT = 8  # answers that tell what is usual
LATER = 1.15  # than what was usual of late
MARGIN = 1.2  # of the time to earn an error, after the last one
HOARD = 4  # errors that a target is taken to save up, at most


@dataclass(slots=True)
class Budget:
    """A bucket of ICMP errors that was empty at `since`, in seconds of any one clock.

    `answered`: errors sent since, `last`: when. `least`, `most`: seconds that it takes to earn one, as far as is known.
    """

    since: float
    answered: int = 0
    least: float = 0.0
    most: float | None = None
    last: float = 0.0
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def trusted_from(self) -> float:
        """From when on an error was there for certain, so that silence means something: well after the last one.

        What is sent right at the edge finds the bucket empty, and what comes a moment later does not.
        """
        if self.most is None:
            return math.inf
        usual = (self._times[-1] - self._times[0]) / (len(self._times) - 1) if len(self._times) > 1 else 0.0
        return max(self.last, self.since) + max(MARGIN * self.most, LATER * usual)

    @property
    def guess(self) -> float:
        """Seconds to earn an error: between the bounds, to find out more; or what is known well enough."""
        if self.most is None:
            return max(FIRST, self.least * WIDER)
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

    def answer(self, at: float) -> None:
        """Take note that a question sent at this time was answered."""
        self.answered += 1
        self.last = max(self.last, at)
        self._times.append(at)
        each = max(at - self.since, 0.001) / self.answered
        # asked late it tells nothing new; asked right after the count began anew it tells too little
        self.most = each if self.most is None else min(self.most, max(each, self.least))
        self.least = min(self.least, self.most)

    def miss(self, at: float) -> None:
        """Take note that a question sent at this time, of a kind that is answered, was not.

        If that was certain to be answered, the count was wrong (an answer was lost, or somebody else had it), or the
        target has become slower: it is counted anew from here.
        """
        each = (at - self.since) / (self.answered + 1)
        if self.most is None or each < self.most * 0.999:
            self.least = max(self.least, each)
            return
        if self.answered:
            self.since, self.answered, self.least = at, 0, self.most * 0.97
        else:
            self.least = max(self.least, each)
            self.most = self.least * WIDER
