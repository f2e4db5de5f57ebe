"""Asking numbers that share a limit again, slower than it lets through, and what each of them is called then."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.crowd import SLOWER, left_open, lost_alone, passed_alone, rounded_down
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.result import SharedLimit
from pytest_hdp.judge.statistics import all_lost_refutes, alpha_per_train
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.measure.path.waiting import Waiting, look_until, pause
from pytest_hdp.measure.schedule.doubts import kinds_reported
from pytest_hdp.packet.numbers import format_protocols, parse_protocols

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Kind, Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.schedule.crowd import Crowd, LimitSoFar
    from pytest_hdp.measure.schedule.doubts import Send
    from pytest_hdp.measure.schedule.knowledge import Knowledge

SOME_CAME, PASSED = frozenset({Verdict.LOSSY, Verdict.FIRST_ONLY}), frozenset({Verdict.DELIVERED, Verdict.REACHED})
LONGEST = 10.0  # seconds in which they are asked again, unless time is no matter
LEAST_ASKED, MOST_ASKED = 5, 7  # packets of each, then
TOGETHER = 8  # packets that make up a round, beside whose control each of them counts
GLIMPSE = 0.5  # seconds after which the pace is looked at
TOO_FAST = 0.001  # as likely as that is what it loses, if it loses as the control does
FASTER, SLOWINGS = 1.5, 8  # by so much the pace was too fast then, and so often it is lowered: to a 25th of it
LONGEST_REST = 1.0  # seconds, then


def leave_limited(know: Knowledge, direction: Direction) -> None:
    """Settle what a limit may have rejected, for it may reject what it does not let through.

    That is what came through after all when it was asked again, and of which a router said what it also said of numbers
    of it that came through at times. Who is rejected was none of the crowd that loses.
    """
    limit = know.limits.get(direction)
    if limit is None:
        return
    limited = [train for train, each in know.settled.items() if each.shared_limit == limit and each.arrived]
    by_limit: set[Kind] = set().union(*(kinds_reported(know, train) for train in limited))
    count = len(parse_protocols(limit.numbers))
    for train, judgement in list(know.to_locate.items()):
        rejected = judgement.verdict is Verdict.REJECTED and not by_limit.isdisjoint(kinds_reported(know, train))
        if train.direction is direction and (rejected or judgement.verdict in SOME_CAME):
            know.settle_all([left_open(judgement, limit, count)])


class Paced:
    """A crowd that shares a limit, as measured so far."""

    def __init__(self, know: Knowledge, crowd: Crowd, limit: LimitSoFar) -> None:
        self.know = know
        self.crowd = crowd
        self._limit, self._rate, self._burst = limit, limit.pace, limit.burst
        self._shuffle = random.Random(know.plan.seed)
        self._asked: list[Train] = []
        self._interval: float | None = None
        self._next = 0.0
        self._since = 0  # the first round at that interval

    def ask(self, send: Send, hear: Callable[[], Waiting[None]]) -> Waiting[None]:
        """Ask again, slower than it lets through: all if there is time, or those that tell most.

        If too much is lost the pace is lowered. Once that did not help so often, all are left open: the path may have
        changed, and nobody waits without end, however much time there is.
        """
        know, clock, members = self.know, self.know.clock, self.crowd.members
        until = math.inf if know.plan.unhurried or know.plan.locate == "all" else clock.monotonic() + LONGEST
        count = max(LEAST_ASKED, min(MOST_ASKED, know.plan.pace.rounds))
        rate = self._rate
        for _ in range(SLOWINGS + 1):
            if rate <= 0 or know.path.gone is not None:
                return
            interval = 1 / (SLOWER * rate)
            fit = len(members) if until == math.inf else int((until - clock.monotonic()) / interval) // count
            if fit < 1:
                return
            self._asked, self._interval, self._since = members[:fit], interval, know.rounds
            self._next = clock.monotonic() + interval
            if (yield from self._ask(count, until, send, hear)):
                return
            # from the beginning, since what was lost so was our own doing again
            self._asked, self._interval = [], None
            self._rate = rate = rate / FASTER
            yield from pause(clock, min(LONGEST_REST, 1 / rate))

    def _ask(self, count: int, until: float, send: Send, hear: Callable[[], Waiting[None]]) -> Waiting[bool]:
        """Ask each so many times. False once too much is lost of those that are known to come through."""
        know, clock, sent = self.know, self.know.clock, 0
        looked = began = clock.monotonic()
        for left in range(count, 0, -1):
            if sent and until < math.inf:  # a busy host takes longer than was planned
                each = (clock.monotonic() - began) / sent
                self._asked = self._asked[: max(1, int((until - clock.monotonic()) / each) // left)]
            order = self._shuffle.sample(self._asked, len(self._asked))
            for start in range(0, len(order), TOGETHER):
                number, know.rounds = know.rounds, know.rounds + 1
                for train in order[start : start + TOGETHER]:
                    yield from self._turn()
                    yield from send([train], self.crowd.direction, number)
                    sent += 1
                if know.path.gone is not None:
                    return True
                if clock.monotonic() - looked >= GLIMPSE:
                    yield from hear()
                    if self._is_too_fast():
                        return False
                    looked = clock.monotonic()
        yield from hear()
        return not self._is_too_fast()

    def _is_too_fast(self) -> bool:
        self.know.forget_circumstances()
        return self.crowd.loses(self._asked, self._since) < TOO_FAST

    def _turn(self) -> Waiting[None]:
        """Wait for the next packet's time. What was late is made up for, as far as the limit saves that up."""
        clock, interval = self.know.clock, self._interval or 0.0
        self._next = max(self._next, clock.monotonic() - interval * (self._burst // 2))
        yield from look_until(clock, self._next)
        self._next += interval

    def judged(self) -> list[Judgement]:
        """What all of them are called now."""
        know = self.know
        know.forget_circumstances()
        whole = {train: know.judge(train, more_rounds=False) for train in self.crowd.members}
        asked = [train for train in self._asked if len(self._alone(train)) >= LEAST_ASKED]
        alone = {train: self._judged_alone(train) for train in asked}
        passed = {train for train, each in alone.items() if each.verdict in PASSED}
        others = [self.crowd.came(entry) for train in passed for entry in self._alone(train)]
        lost = {train for train in asked if train not in passed and self._is_lost(whole[train], others)}
        numbers = {train.protocol for train in self.crowd.members if train not in lost}
        interval = float(f"{self._interval:.3g}") if self._interval is not None else None
        most = float(f"{self._limit.most:.3g}") if self._limit.most < math.inf else None
        least = rounded_down(min(self._limit.rate, self._rate, self._limit.most), 3)
        limit = SharedLimit(least, self._burst, interval, format_protocols(numbers), most)
        know.limits[self.crowd.direction] = limit
        found = []
        for train, judgement in whole.items():
            if train in passed:
                found.append(passed_alone(judgement, alone[train], limit, len(numbers), len(self._alone(train))))
            elif train in lost:
                found.append(lost_alone(judgement, limit, len(self._alone(train))))
            else:
                found.append(left_open(judgement, limit, len(numbers)))
        return found

    def _judged_alone(self, train: Train) -> Judgement:
        """By what was sent at the limit's pace, and the control of then."""
        know = self.know
        probes = tuple(entry.evidence() for entry in self._alone(train))
        seen = know.circumstances(train, more_rounds=False)
        control = tuple(each for each in seen.control if each.round >= self._since)
        evidence = replace(know.ledger.evidence(train, None), probes=probes)
        return judge(evidence, replace(seen, control=control, minimum_count=len(probes)))

    def _is_lost(self, whole: Judgement, others: Sequence[bool]) -> bool:
        """Whether nothing of it ever came, at the pace at which others came either, beyond chance."""
        if whole.verdict not in {Verdict.LOST, Verdict.HELD_BY_RECEIVER} or self.crowd.lives(whole.train):
            return False
        plan = self.know.plan
        alpha = alpha_per_train(plan.error_rate, len(plan.trains))
        return all_lost_refutes(len(self._alone(whole.train)), others.count(False), len(others), alpha, 1)

    def _alone(self, train: Train) -> list[SentProbe]:
        return [entry for entry in self.crowd.entries(train) if entry.round >= self._since]
