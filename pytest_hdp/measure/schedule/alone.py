"""Before many numbers are called lost, first_only or lossy: does the sweep itself lose them?

A limit that numbers share (a policer for "other protocols", say) lets little of a sweep through, and all of it to who
asks slowly. Where what came through stood at the front of its rounds (`judge.crowd`), or, where the rounds tell too
little of that, in rounds after a rest, the limit's burst and rate are measured, and the numbers asked again at a pace
below it (`paced`). Nothing else is sent meanwhile, the other way either.

A rest takes a second, and is only taken where some of what was lost came through at times: a path on which nothing at
all passes, and one on which each number fares like itself, take none. But of a few numbers all that a slow limit let
through of a short sweep may be some that another box drops. So a few others are asked one by one, in half a second.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_hdp.judge.crowd import both, maybe_limited, rate_after_rest, steady_rate
from pytest_hdp.measure.path.waiting import Waiting, pause
from pytest_hdp.measure.schedule.by_pace import loses_by_pace
from pytest_hdp.measure.schedule.crowd import Crowd, LimitSoFar
from pytest_hdp.measure.schedule.first_come import leave_latecomers
from pytest_hdp.measure.schedule.paced import Paced, leave_limited

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.schedule.doubts import Send
    from pytest_hdp.measure.schedule.knowledge import Knowledge

LEAST, MANY = 2, 8  # accused of which the order is looked at, and for which a rest is taken
UNIFORM = 64  # accused that all fared alike in each round: no burst ends with a round of so many by chance
A_FEW = 5  # others that are asked one by one where nothing of less than `UNIFORM` came
REST = 1.0  # seconds
LEAST_REST = 0.1  # seconds, where a longer one lets more than half of them through, which tells little
RESTS, MOST_RESTS = 5, 12  # before it is told that no limit is shared, and where something speaks for one
FAILURES, OF_LIVING = 3, 1  # rests that nothing passes after, and where nothing can have taken what a limit had
DOUBT = 0.05  # likelier than that nothing speaks for a limit, if the order could tell
OPEN = 1e-3  # less likely than that nobody says in the end that there is none
CHANCE = 1e-4  # as unlikely as that is all else, once a rest has shown that what was lost comes through after it
REORDERS = 0.001  # seconds by which delays vary, and from which on a round's order is not kept
JITTERS, APART = 0.00005, 4  # seconds from which on delays reorder packets sent at once; times that these wait then
SPAN = 0.02  # seconds of the plan's rate that are sent after a rest, and twice the burst that was seen
MOST_AT_ONCE = 1024  # packets, then
SLOW = 100.0  # packets a second: of a slower limit, sweep and rest show little more than its burst
EVENLY = 1.0  # seconds in which packets are sent evenly then
TIMES = 4  # as many as the limit seems to let through


def ask_alone(know: Knowledge, direction: Direction, send: Send, hear: Callable[[], Waiting[None]]) -> Waiting[None]:
    """Find out whether numbers of a direction share a limit, and settle what does. Else nothing is changed.

    `send`: one probe of some trains in one direction, in a round of that number, with controls; `hear`: until all of
    it is known.
    """
    alone = Alone(know, direction)
    know.held = True
    try:
        yield from alone.ask_a_few(send, hear)
        if not alone.may_share_limit():
            return
        since = know.rounds
        if (yield from alone.share_a_limit(send, hear)):
            yield from alone.measure_evenly(send, hear)
            paced = Paced(know, alone.crowd, alone.limit)
            yield from paced.ask(send, hear)
            know.settle_all(paced.judged())
        else:
            know.ledger.set_aside(since)
            know.settle_all(alone.left_open())
    finally:
        know.held = False


def leave_open(know: Knowledge) -> None:
    """Settle what a limit has lost for all that is known by now, since nothing can be sent any more."""
    for direction in know.directions if know.to_locate else ():
        alone = Alone(know, direction)
        if not alone.may_share_limit():
            continue
        if know.limits or alone.crowd.order()[0] <= know.plan.error_rate:
            alone.learn()
            know.settle_all(Paced(know, alone.crowd, alone.limit).judged())
        elif not alone.is_ruled_out():
            alone.undecided = True
            know.settle_all(alone.left_open())
    for direction in know.directions:
        leave_limited(know, direction)
        leave_latecomers(know, direction)


class Alone:
    """Whether a crowd shares a limit, and which.

    `undecided`: much speaks for a limit, or nothing against it, and not enough to tell, as where rests brought what had
    never come, and more of them did not.
    """

    def __init__(self, know: Knowledge, direction: Direction) -> None:
        self.know = know
        self.crowd = Crowd(know, direction)
        self.limit = LimitSoFar()
        self.undecided = False
        self._rest, self._fewer = REST, True  # before what is sent next, and whether some are left out of it
        self._shuffle = random.Random(know.plan.seed)
        self._through: int | None = None  # packets that came through after the last rest
        self._all_passed = False  # then, but for those of which nothing ever came
        self._took: set[Train] = set()  # what may have had what a limit let through, and died elsewhere

    def may_share_limit(self) -> bool:
        """Whether so many are accused that it may be the sweep's own doing, and something came through at times."""
        known = any(way is not self.crowd.direction for way in self.know.limits)
        several = len(self.crowd.members) >= LEAST and bool(self.crowd.accused)
        return several and (known or bool(self.crowd.living))

    def ask_a_few(self, send: Send, hear: Callable[[], Waiting[None]]) -> Waiting[None]:
        """Ask for some one by one, where nothing of not so many came: the first of rounds may have had it all."""
        know, crowd, since = self.know, self.crowd, self.know.rounds
        if know.limits or not MANY <= len(crowd.accused) < UNIFORM or any(entry.arrived for entry in crowd.all_sent()):
            return
        others = [train for train in crowd.accused if train not in crowd.first_of_rounds()]
        for train in self._shuffle.sample(others, min(A_FEW, len(others))):
            yield from pause(know.clock, LEAST_REST)
            if know.path.gone is None:
                yield from self._volley([train], send)
        yield from hear()
        if not crowd.living:
            know.ledger.set_aside(since)

    def share_a_limit(self, send: Send, hear: Callable[[], Waiting[None]]) -> Waiting[bool]:
        """Whether they do; rests and asks again where the sweep's rounds can't tell."""
        know, crowd = self.know, self.crowd
        if know.limits:  # the other way, and maybe it is one for both
            slow = min(limit.rate for limit in know.limits.values()) * REST < LEAST
            for _ in range(FAILURES):
                if (yield from self._recover(send, hear)):
                    return True
            return slow
        if crowd.order()[0] <= know.plan.error_rate:
            yield from self._recover(send, hear)
            return True
        if self.is_ruled_out():
            return False
        return (yield from self._rested(send, hear))

    def is_ruled_out(self) -> bool:
        """Whether the rounds show that there is no limit, or too few have lost anything to look for one."""
        crowd = self.crowd
        chance, least = crowd.order()
        alike = least >= 1 and len(crowd.living) >= UNIFORM
        return len(crowd.losing) < MANY or (self._order_is_kept and least <= CHANCE and chance > DOUBT) or alike

    @property
    def _order_is_kept(self) -> bool:
        return self.know.control.times.spread < REORDERS  # else what was sent first did not come first

    def _rested(self, send: Send, hear: Callable[[], Waiting[None]]) -> Waiting[bool]:
        """Whether they do, by what comes through after rests."""
        crowd, kept = self.crowd, self._order_is_kept
        living = len(crowd.living)
        failures, faster = 0, 1.0
        chance, least, could = 1.0, 1.0, False
        for tries in range(MOST_RESTS):
            failures += not (yield from self._recover(send, hear))
            # of what never comes, some may have taken what a limit had let others have, the more so if it came before
            fruitful = tries + 1 - failures
            if failures >= (FAILURES + fruitful if len(crowd.living) < len(crowd.members) else OF_LIVING):
                could = fruitful > 0 and least > OPEN
                break
            chance, least = crowd.order()
            if chance > CHANCE and tries == 0 and crowd.are_different_numbers():
                faster = yield from loses_by_pace(self.know, crowd, self._shuffle, CHANCE, self._one(send), hear)
                chance, least = crowd.order()
            if chance > CHANCE:  # of two tests, one that can tell nothing takes nothing from the other
                chance = both(chance, faster) if kept else min(1.0, 2 * faster, both(chance, faster))
            if chance <= CHANCE or (kept and chance > DOUBT and least <= CHANCE):
                break
            if self._all_passed or (chance > DOUBT and tries >= RESTS - 1):
                break
        # where delays mix up the order, it tells that what the sweep lost each time comes after rests
        could = could or (not kept and len(crowd.living) - living >= LEAST)
        self.undecided = CHANCE < chance <= OPEN or could or self.know.path.gone is not None
        return chance <= CHANCE

    def left_open(self) -> list[Judgement]:
        """What is said where nobody knows whether they share a limit."""
        if not self.undecided:
            return []
        know = self.know
        know.forget_circumstances()
        judged = [know.judge(each, more_rounds=False) for each in self.crowd.members]
        return [maybe_limited(each, len(judged)) for each in judged]

    def measure_evenly(self, send: Send, hear: Callable[[], Waiting[None]]) -> Waiting[None]:
        """Measure a slow limit's rate by what it earns while it is kept spent: a rest earns no more than its burst.

        If nothing of that is lost, the limit lets more through than was thought: it is sent faster.
        """
        pace, lost, living = TIMES * max(self.limit.rate, self.limit.guess, 1.0), False, self.crowd.living
        while not lost and living and pace <= TIMES * SLOW and self.know.path.gone is None:
            sent: list[SentProbe] = []
            for at in range(int(pace * EVENLY)):
                sent += yield from self._volley([living[at % len(living)]], send)
                yield from pause(self.know.clock, 1 / pace)
            yield from hear()
            timed = self.crowd.timed(sent)
            lost = not all(came for _, came in timed)
            self.limit.learn(timed, steady_rate(timed), whole=self._all_live(sent))
            pace *= TIMES

    def learn(self) -> list[tuple[float, bool]]:
        """Learn of rate and burst by all that was sent, and return it."""
        sent = self.crowd.timed(self.crowd.all_sent())
        self.limit.learn_burst(sent)
        self.limit.learn(sent)
        return sent

    def _all_live(self, sent: Sequence[SentProbe]) -> bool:
        living = set(self.crowd.living)
        return all(entry.train in living for entry in sent)

    def _recover(self, send: Send, hear: Callable[[], Waiting[None]]) -> Waiting[bool]:
        """Rest, send as many at once as the limit may let through and some more, and measure. Whether any came."""
        crowd, clock, rate = self.crowd, self.know.clock, self.know.plan.pace.rate
        before = self.learn()
        yield from pause(clock, self._rest)
        several = [train for train in crowd.members if train not in self._took]
        if self._fewer:
            several = several[: max(1, len(several) - max(1, len(several) // 8))]
        most = min(MOST_AT_ONCE, max(MANY, int(rate * SPAN)) + 2 * self.limit.burst)
        sent: list[SentProbe] = []
        spread = self.know.control.times.spread
        apart = APART * spread if spread >= JITTERS else 0.0  # what is sent so much later does not come first
        while len(sent) < most and self.know.path.gone is None:
            order = self._shuffle.sample(several, len(several))[: most - len(sent)]
            sent += yield from self._volley(order, send, apart=0.0 if sent else apart)
        yield from hear()
        crowd.note_volley(sent)
        self.know.forget_circumstances()
        after = crowd.timed(sent)
        came = self.limit.learn_burst(after)
        rested = after[0][0] - before[-1][0] if after and before else self._rest
        self.limit.guess = max(self.limit.guess, came / max(self._rest, rested))
        self.limit.learn(after, rate_after_rest(before, after, self._rest), whole=self._all_live(sent))
        self._through = sum(each for _, each in after)
        self._all_passed = self._through == len(after)
        if several and self._through % len(several) == 0:
            self._fewer = not self._fewer  # where each round had passed to its end, or had not, one of these does not
        if 2 * self._through > len(several):
            self._rest = max(LEAST_REST, self._rest * len(several) / (2 * self._through))
        if not self._through:
            self._took.update(entry.train for entry in sent[:1])
            return False
        return True

    def _one(self, send: Send) -> Callable[[Train], Waiting[list[SentProbe]]]:
        return lambda train: self._volley([train], send)

    def _volley(self, trains: Sequence[Train], send: Send, *, apart: float = 0.0) -> Waiting[list[SentProbe]]:
        """Send one packet of each at once, in a round of their own; `apart`: seconds between the first and the rest.

        The first are as many as came through after the last rest, half of all where that is not known: those are the
        ones that a limit lets through, whatever delays do to the order of the others.
        """
        know, half = self.know, len(trains) // 2 if apart else len(trains)
        if apart and self._through is not None:
            half = min(half, max(1, self._through))
        number = know.rounds
        know.rounds += 1
        for some in filter(None, (trains[:half], trains[half:])):
            yield from send(some, self.crowd.direction, number)
            yield from pause(know.clock, apart)
        return [know.ledger.trains[train][-1] for train in trains]
