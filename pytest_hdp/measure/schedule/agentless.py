"""Nothing at the far end: what the target's own stack says, at the pace at which it speaks.

First in bursts, as long as the target answers all of it; then at the pace that it is found to keep (`icmp_budget.py`).
Silence costs the target nothing and means something only beside an answer. So numbers that were silent are asked again
and again, each time right before something that is known to be answered, and count as silent only where the budget was
certainly there for them (`budget.certainly_there`): an answer right behind may have been earned in between. What is
known to be answered is found before anything else: a number that hardly any host handles. A router that rejects has a
budget too, and is held to it in the same way. Two echoes beside each probe are a control.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.control.control import MEETING
from pytest_hdp.measure.order import by_interest
from pytest_hdp.measure.path.endpoints import Observer
from pytest_hdp.measure.path.sending import USUAL_PORTS
from pytest_hdp.measure.path.waiting import Waiting, pause
from pytest_hdp.measure.schedule.answers import replying
from pytest_hdp.measure.schedule.asking import LEAST_WAIT, Asking
from pytest_hdp.measure.schedule.icmp_budget import ANSWERS_BEHIND, NEAR, Budget, Sent
from pytest_hdp.measure.schedule.meeting import greet_unwatched
from pytest_hdp.measure.schedule.one_by_one import ask_behind_others, ask_one_by_one
from pytest_hdp.measure.schedule.reference_search import ask_references, find_calibrator
from pytest_hdp.measure.schedule.silence import over
from pytest_hdp.measure.schedule.unwatched_places import UnwatchedPlaces
from pytest_hdp.vantage import bpf

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.schedule.knowledge import Knowledge
    from pytest_hdp.vantage.receiving import Observation

BURST = 20
LONGEST_GAP = 10.0  # seconds: a target that takes longer to answer has stopped
PATIENCE = 3  # steps in a row without an answer, before what is known to be answered is asked
FRUITLESS = 36  # steps in a row that bring nothing, before it ends
LEISURE = 1.0  # seconds between such steps, at most
MOST_SUSPECTS = 64  # silent numbers asked in one step
LONGEST_REST = 6.0  # seconds: a Linux router that rejects by its routes takes two errors' worth, and saves up five
LONGEST_DOUBT = 600.0  # seconds for which silent numbers are asked again, once there is nothing else to ask
LONGER = 1.5  # so much longer is rested if that was not enough


class Agentless:
    """The strategy towards a target that nobody watches: what is asked when."""

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self.asking = Asking(know)
        self._queue: deque[Train] = deque()
        self._places = UnwatchedPlaces(self.asking)
        self._share = MOST_SUSPECTS  # of the silent numbers are asked in one step
        self._rest = 0.0  # seconds before such a step
        self._doubts_until = math.inf
        self._crowded = 0  # times in a row that others left the target no error
        self._chance = random.Random(know.plan.seed)

    def script(self) -> Waiting[None]:
        """Measure all of it."""
        know = self.know
        know.open_sockets()
        if kinds := replying({train.transport for train in know.plan.trains if train.form is Form.WELLFORMED}):
            near, answers = know.path.near, bpf.answers(know.path.name.target, kinds, USUAL_PORTS.source_port)
            know.path.watch(near, near.station.tap(None, answers, know.path.buffer), Observer(near, "answers"))
        yield from greet_unwatched(know)
        yield from find_calibrator(self.asking, self._chance)
        self._queue.extend(by_interest(know.open_trains()))
        empty_at = yield from self._ask_fast()
        if empty_at is not None:
            yield from self._ask_at_pace(Budget(empty_at))
        yield from self._ask_the_rest()
        yield from ask_one_by_one(
            self.asking, self._chance, min(self._doubts_until, know.clock.monotonic() + LONGEST_DOUBT)
        )
        yield from ask_references(self.asking)
        for train in know.open_trains():
            know.settle(self.asking.judge(train))
        yield from self._places.find()

    def _ask_fast(self) -> Waiting[float | None]:
        """Ask in bursts while the target answers what is known to be answered.

        Returns when its budget was found empty, or None if it never was.
        """
        fruitless = 0
        while self._more_to_ask() and fruitless < FRUITLESS:
            new = [self._queue.popleft() for _ in range(min(BURST, len(self._queue)))]
            reference_probe = self.asking.reference_probe
            if reference_probe is None and not new:
                return None
            unanswered = self._choose_unanswered()
            if self.asking.crowding.is_due(unanswered, reference_probe):
                yield from self._leave_alone(len(unanswered))
                yield from ask_behind_others(self.asking, unanswered)
                unanswered = self._choose_unanswered()
            yield from self._leave_alone(len(unanswered))
            yield from pause(self.know.clock, 0.0 if new else self._rest)
            entries, fruitful = yield from self.asking.ask_together(unanswered, [*new, *self.asking.reference_probes()])
            if not new:
                missed = self._missed_router(entries)
                self._suit_others(entries, len(unanswered), missed=missed)
                if missed and not fruitful:
                    # a Linux router that rejects by its routes pays for what it is asked in vain, too (ip_error in
                    # net/ipv4/route.c, then icmp_send): who asks again within its two seconds never hears of it
                    self._rest = min(LONGEST_REST, max(LEISURE, self._rest * LONGER))
            if reference_probe is not None and not self.asking.by_target(entries[-1]):
                self._put_back(new, entries)
                return self.asking.sent[entries[-1].index].first
            if reference_probe is not None:
                # the last decides whether they count, so it can't be one
                self.asking.certain.append((entries[:-1], True))
            self.asking.add_unanswered(new)
            fruitless = 0 if fruitful else fruitless + 1
            yield from pause(self.know.clock, 0 if fruitful else min(LEISURE, self.asking.wait * fruitless))
        return None

    def _ask_at_pace(self, budget: Budget) -> Waiting[None]:
        """Ask as often as the target has an error to send, silent numbers right before each that it answers."""
        self.asking.budget, fruitless, barren, doubted = budget, 0, 0, None
        while self._more_to_ask() and budget.guess <= LONGEST_GAP and max(fruitless, barren) < FRUITLESS:
            careful = fruitless > 0 or doubted is not None
            yield from pause(self.know.clock, budget.ready(careful=careful) - self.know.clock.monotonic())
            calibrating = not self._queue or budget.most is None or fruitless >= PATIENCE
            count = 0 if calibrating else 1 if careful else budget.credit(self.know.clock.monotonic())
            new = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
            known = [self.asking.reference_probe] if calibrating and self.asking.reference_probe is not None else []
            few = len(self.asking.unanswered) <= PATIENCE
            unanswered = self._choose_unanswered() if careful or budget.sure or few or not self._queue else []
            hops = self.asking.hop_reference_probes() if unanswered else []
            if unanswered and budget.trusted_from < math.inf:
                yield from self._until_trusted(budget)
            trusted = bool(unanswered) and budget.trusted_from <= self.know.clock.monotonic()
            if trusted and (yield from self._ask_behind_others(unanswered, budget)):
                self._queue.extendleft(reversed(new))
                continue
            entries, learnt = yield from self.asking.ask_together(unanswered, [*hops, *new, *known])
            self._suit_others(entries, len(unanswered))
            barren = 0 if learnt else barren + 1  # what is known to be answered may be, and teach nothing for ever
            if trusted:
                self.asking.certain.append((entries, False))
            answered = [entry for entry in entries if self.asking.by_target(entry)]
            if doubted is not None and doubted[0] in {entry.train for entry in answered}:
                budget.miss(doubted[1])
            for entry in answered:
                budget.answer(self.asking.sent[entry.index].last, self.asking.came(entry, self.know.path.name.target))
            if (last := entries[-1]).errno is not None:
                self._put_back(new, entries)
                fruitless, doubted = fruitless + 1, None
                yield from pause(self.know.clock, LEISURE)  # nothing left this host, so no answer is due
            elif answered or over(last):
                self._put_back(new, entries)
                fruitless, doubted = 0, None
            elif known:
                budget.miss(self.asking.sent[last.index].first)
                fruitless += 1
            elif not careful and not budget.sure:
                doubted = last.train, self.asking.sent[last.index].first
                self._put_back(new, entries)
            else:
                self.asking.add_unanswered(new)
                fruitless, doubted = fruitless + 1, None
            yield from self._places.find()
            if self.asking.climbed is not None:
                budget.last = max(budget.last, self.asking.climbed.last)

    def _ask_behind_others(self, unanswered: Sequence[Train], budget: Budget) -> Waiting[bool]:
        """Test whether these spend a limit for others, if that is due; whether it was."""
        if not self.asking.crowding.is_due(unanswered, self.asking.reference_probe):
            return False
        for entry in (yield from ask_behind_others(self.asking, unanswered)):
            budget.answer(self.asking.sent[entry.index].last, self.asking.came(entry, self.know.path.name.target))
        return True

    def _until_trusted(self, budget: Budget) -> Waiting[None]:
        """Wait until the target has earned an error. What others get is not there: then a while more, not in step.

        They may leave it alone at no time; then that is waited for no more.
        """
        clock = self.know.clock
        yield from pause(clock, budget.trusted_from - clock.monotonic())
        for _ in range(PATIENCE if self._crowded < PATIENCE else 0):
            heard = [asked.last for asked in self.asking.overheard.of(self.know.path.name.target)]
            earned = max(heard, default=-math.inf) + budget.earned_in
            if clock.monotonic() >= earned:
                self._crowded = 0
                return
            yield from pause(clock, earned + self._chance.random() * budget.earned_in - clock.monotonic())
        self._crowded += 1

    def _leave_alone(self, unanswered: int) -> Waiting[None]:
        """Ask nothing for so long that the witnesses will tell of all these silences (see `certainly_there`)."""
        if unanswered:
            yield from pause(self.know.clock, 2 * ((unanswered + ANSWERS_BEHIND) * self.asking.gap + self.asking.wait))

    def _more_to_ask(self) -> bool:
        """Whether there is anything left to ask, and time for it: each silence may take long, and they are many."""
        now = self.know.clock.monotonic()
        self._doubts_until = min(self._doubts_until, math.inf if self._queue else now + LONGEST_DOUBT)
        doubts = self.asking.unanswered and not self.asking.crowding.suspected
        return bool(self._queue or (doubts and now < self._doubts_until))

    def _ask_the_rest(self) -> Waiting[None]:
        """Ask once for what the target left no time for: a router may still answer."""
        while self._queue:
            yield from self.asking.ask_together([self._queue.popleft() for _ in range(min(BURST, len(self._queue)))])

    def _put_back(self, new: Sequence[Train], entries: Sequence[SentProbe]) -> None:
        """Suspect what was asked in vain before the last that was answered; ask again for what was asked behind it."""
        answered = [position for position, entry in enumerate(entries) if over(entry)]
        before = {entry.train for entry in entries[: answered[-1] if answered else 0]}
        known = self.asking.references.unexplained.union(self.asking.unanswered)
        silent = [train for train in new if train not in known and not self.know.judged(train)]
        self.asking.unanswered += [train for train in silent if train in before]
        self._queue.extendleft(reversed([train for train in silent if train not in before]))

    def _choose_unanswered(self) -> list[Train]:
        """The silent ones to ask again, those that were asked least first, and no more than witnesses can tell of.

        Before some an echo is sent: else each step is of as many packets, and periodic loss always hits the same ones.
        They are shuffled: what a limit of numbers lets through stands at the front. Where there is one, none is asked.
        """
        if self.asking.crowding.suspected:
            return []
        if self.asking.unanswered and self._chance.random() < 0.5:
            self.know.control.send(Direction.FORWARD, MEETING, echo=True)
        in_time = max(1, int(NEAR / 2 / self.asking.gap))
        ordered = sorted(self.asking.unanswered, key=lambda train: len(self.know.ledger.trains.get(train, ())))
        chosen = ordered[: min(self._share, in_time)]
        self._chance.shuffle(chosen)
        return chosen

    def _suit_others(self, entries: Sequence[SentProbe], asked: int, *, missed: bool = False) -> None:
        """Ask for fewer silent ones than `asked` at once where errors went to others, or were `missed`; else for more.

        A stranger's packet beside one of them may take the target's error, and that is the one that was due to all.
        """
        since = self.asking.sent[entries[0].index].first
        crowded = asked > 0 and self.asking.overheard.since(self.know.path.name.target, since)
        fewer, more = max(1, min(self._share, asked) // 2), min(MOST_SUSPECTS, self._share * 2)
        self._share = fewer if missed or crowded else more

    def _missed_router(self, entries: Sequence[SentProbe]) -> bool:
        """Whether a router that rejects had no error left for what it is known for."""
        target = self.know.path.name.target
        trains = {train for address, train in self.asking.responders.items() if address != target}
        return any(each.train in trains and not over(each) for each in entries)

    def seconds_left(self) -> float | None:
        """What the rest will take: an ICMP error for each number, and a few that the silent ones are held against."""
        asked = len(self._queue) + (self.know.plan.pace.rounds if self.asking.unanswered else 0)
        if self.asking.budget is not None:
            return asked * (self.asking.budget.most or self.asking.budget.guess)
        return len(self._queue) * 2 * self.asking.gap if self.asking.responders else None

    # As any strategy

    def file_observation(self, observer: Observer, observation: Observation) -> None:
        """File what was seen."""
        if not self.asking.file_observation(observer, observation) and observer.kind == "tap":
            now = self.know.clock.monotonic()
            self.asking.overheard.file(observation[3], Sent(now - self.asking.wait - LEAST_WAIT, now))

    def judge_now(self, train: Train) -> Judgement:
        """Judge a train by what is known when it has to end early."""
        return self.asking.judge(train)

    def rounds_to_tell(self) -> int:
        """None: a round is one probe and its echoes here."""
        return 0
