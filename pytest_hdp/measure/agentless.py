"""Nothing at the far end: what the target's own stack says, at the pace at which it speaks.

First in bursts, as long as the target answers all of it; then at the pace that it is found to keep (`budget.py`).
Silence costs the target nothing and means something only beside an answer. So numbers that were silent are asked again
and again, each time right before something that is known to be answered: if that is, and they were not, the budget was
there for them. What is known to be answered is found before anything else: a number that hardly any host handles. A
router that rejects has a budget too, and is held to it in the same way. An echo beside each probe is a control.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Circumstances, IcmpReport, Train
from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.measure.answers import file_answer, replying
from pytest_hdp.measure.budget import Budget
from pytest_hdp.measure.control import PACKET_OUTGOING
from pytest_hdp.measure.engine import MEETING, Measurement
from pytest_hdp.measure.interest import Progress, by_interest
from pytest_hdp.measure.locate import LOCATED, Kinds, Locator, ask_again
from pytest_hdp.measure.sending import USUAL_PORTS, send_probe
from pytest_hdp.measure.silence import (
    BUDGET_SPENT,
    by_stack_of,
    never_answered,
    not_proven,
    over,
    proven,
    rejecting,
    vouched,
)

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ledger import Entry
    from pytest_hdp.measure.path import Eye, OpenPath
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.vantage.station import Observation

BURST = 20
FAST_GAP = 0.003  # seconds between the packets of a burst: well under a thousand a second
LONGEST_GAP = 10.0  # seconds: a target that takes longer to answer has stopped
PATIENCE = 3  # steps in a row without an answer, before what is known to be answered is asked
LEAST_WAIT = 0.05  # seconds for an answer, however near the target is
FIRST_WAIT = 1.0  # seconds, while nothing is known of the round-trip time
FRUITLESS = 30  # steps in a row that bring nothing, before it ends
LEISURE = 1.0  # seconds between such steps, at most
MOST_SUSPECTS = 64  # silent numbers asked in one step
MOST_HOPS = 3  # rejecting routers whose budget is watched
# in turn, until one is answered; UDP to a port that nobody has is for paths that let only the usual through
CALIBRATORS = ((Train(253), Train(254)), (Train(200),), (Train(17, form=Form.WELLFORMED),))


class AgentlessMeasurement(Measurement):
    """Measures trains towards a target that nobody watches. `on_progress` is called whenever one is settled."""

    def __init__(self, path: OpenPath, plan: Plan, on_progress: Callable[[Progress], None] | None = None) -> None:
        super().__init__(path, plan)
        self._on_progress = on_progress
        self._queue: deque[Train] = deque()
        self._suspects: list[Train] = []
        self._silences: Counter[Train] = Counter()
        self._speakers: dict[str, Train] = {}
        self._sent: dict[int, float] = {}
        self._vouched: set[int] = set()
        self._asked_for = frozenset(plan.trains)
        self._started = time.monotonic()
        self._gap = max(FAST_GAP, 2 / plan.pace.rate)  # a probe, and an echo beside it
        self._seen: Circumstances | None = None
        self._kinds = Kinds()

    @property
    def calibrator(self) -> Train | None:
        """What the target is known to answer."""
        return self._speakers.get(self.path.name.target)

    @property
    def wait(self) -> float:
        """Seconds after which an answer is late. One that comes later still counts."""
        if self.plan.timeout is not None:
            return self.plan.timeout
        if self.control.round_trip is None:
            return FIRST_WAIT
        return max(LEAST_WAIT, 2 * self.control.patience)

    def _script(self) -> Generator[None]:
        self._open_sockets()
        if kinds := replying({train.protocol for train in self.plan.trains if train.form is Form.WELLFORMED}):
            self.path.watch_answers(kinds, USUAL_PORTS.source_port)
        yield from self._meet()
        yield from self._find_calibrator()
        self._queue.extend(by_interest(self._open_trains()))
        empty_at = yield from self._ask_fast()
        if empty_at is not None:
            yield from self._ask_at_pace(Budget(empty_at))
        yield from self._ask_the_rest()
        self._judge_open(more_rounds=False)
        yield from self._locate()
        self.path.subscribers.remove(self._file)

    def _meet(self) -> Generator[None]:
        """Echoes only: a datagram to a closed port would cost the target an ICMP error."""
        for _ in range(3):
            self.control.send(Direction.FORWARD, MEETING, echo=True)
            deadline = time.monotonic() + self.timeout
            while (left := deadline - time.monotonic()) > 0 and self.control.round_trip is None:
                yield from self._look(left)

    def _find_calibrator(self) -> Generator[None]:
        """Find something that the target answers for, to hold every silence against."""
        for trains in CALIBRATORS:
            if self.calibrator is None:
                yield from self._ask_together(trains)

    def _ask_fast(self) -> Generator[None, None, float | None]:
        """Ask in bursts while the target answers what is known to be answered.

        Returns when its budget was found empty, or None if it never was.
        """
        fruitless = 0
        while (self._queue or self._suspects) and fruitless < FRUITLESS:
            new = [self._queue.popleft() for _ in range(min(BURST, len(self._queue)))]
            calibrator = self.calibrator
            if calibrator is None and not new:
                return None
            entries, fruitful = yield from self._ask_together([*self._some_suspects(), *new, *self._witnesses()])
            if calibrator is not None and not self._by_target(entries[-1]):
                self._put_back(new, entries)
                return self._sent[entries[-1].index]
            self._suspects += [each for each in new if each not in self._suspects and not self._known(each)]
            fruitless = 0 if fruitful else fruitless + 1
            yield from self._pause(0 if fruitful else min(LEISURE, self.wait * fruitless))
        return None

    def _ask_at_pace(self, budget: Budget) -> Generator[None]:
        """Ask as often as the target has an error to send, silent numbers right before each that it answers."""
        fruitless, doubted = 0, None
        while (self._queue or self._suspects) and self._goes_on(budget, fruitless):
            careful = fruitless > 0 or doubted is not None
            yield from self._pause(budget.ready(careful=careful) - time.monotonic())
            calibrating = not self._queue or budget.most is None or fruitless >= PATIENCE
            count = 0 if calibrating else 1 if careful else budget.credit(time.monotonic())
            new = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
            known = [self.calibrator] if calibrating and self.calibrator is not None else []
            few = len(self._suspects) <= PATIENCE
            suspects = self._some_suspects() if careful or budget.sure or few or not self._queue else []
            hops = self._witnesses()[:-1] if suspects else []
            entries, _ = yield from self._ask_together([*suspects, *hops, *new, *known])
            answered = [entry for entry in entries if self._by_target(entry)]
            if answered and doubted is not None and doubted[0] in {entry.train for entry in answered}:
                budget.miss(doubted[1])
            for entry in answered:
                budget.answer(self._sent[entry.index])
            last = entries[-1]
            if answered or over(last):
                self._put_back(new, entries)
                fruitless, doubted = 0, None
            elif known:
                budget.miss(self._sent[last.index])
                fruitless += 1
            elif not careful and not budget.sure:
                doubted = last.train, self._sent[last.index]
                self._put_back(new, entries)
            else:
                self._suspects += [train for train in new if train not in self._suspects and not self._known(train)]
                fruitless, doubted = fruitless + 1, None
            yield from self._locate()

    def _goes_on(self, budget: Budget, fruitless: int) -> bool:
        return budget.guess <= LONGEST_GAP and fruitless < FRUITLESS

    def _ask_the_rest(self) -> Generator[None]:
        """Ask once for what the target left no time for: a router may still answer."""
        while self._queue:
            yield from self._ask_together([self._queue.popleft() for _ in range(min(BURST, len(self._queue)))])

    def _ask_together(self, trains: Sequence[Train]) -> Generator[None, None, tuple[list[Entry], bool]]:
        """Ask for all of these, one right behind the other, wait for the answers, and conclude.

        Returns the probes in the order they were sent, and whether anything was learnt.
        """
        entries: list[Entry] = []
        for train in trains:
            if entries:
                yield from self._pause(self._gap)
            entries.append(self._ask(train))
        deadline = time.monotonic() + self.wait
        while (left := deadline - time.monotonic()) > 0 and not all(map(over, entries)):
            yield from self._look(left)
        return entries, self._conclude(entries)

    def _ask(self, train: Train) -> Entry:
        """Send one probe with an echo beside it; the two are a round of their own."""
        number = self.rounds
        self.rounds += 1
        self.control.send(train.direction, number, echo=True)
        entry = send_probe(self.path, self.ledger, train, number, self.content, self.control.address(train.direction))
        self._sent[entry.index] = time.monotonic()
        return entry

    def _conclude(self, entries: Sequence[Entry]) -> bool:
        """Take the answers, also late ones to what was asked before; count the silences that mean something."""
        fruitful, overflowed = False, bool(self.path.new_drops())
        self._forget_circumstances()
        last: dict[str, int] = {}
        for position, entry in enumerate(entries):
            for report in filter(rejecting, entry.icmp):
                self._learn_speaker(report, entry)
                last[report.source] = position
        for position, entry in enumerate(entries):
            if over(entry):
                fruitful |= self._settle_one(entry.train)
            elif self.calibrator is not None and not overflowed and self._all_spoke_after(position, last):
                fruitful |= self._take_silence(entry)
            else:
                self._spoiled.setdefault(entry.round, {}).setdefault(None, set()).add(BUDGET_SPENT)
        if last:  # something came back: that is a control too, where echoes are dropped
            self._vouched |= {entry.round for entry in entries[: max(last.values()) + 1]}
        for train in [each for each in self._suspects if any(map(over, self.ledger.trains.get(each, ())))]:
            fruitful |= self._settle_one(train)
        return fruitful

    def _all_spoke_after(self, position: int, last: dict[str, int]) -> bool:
        """Whether each that is known to answer did so behind this one; `last`: what each answered last."""
        return all(last.get(speaker, -1) > position for speaker in self._speakers)

    def _learn_speaker(self, report: IcmpReport, entry: Entry) -> None:
        """Note who answers, and what: from now on silence counts only beside an answer of each of them."""
        took = (report.time - entry.sent_at) / 1e9
        if self.control.round_trip is None and took > 0:
            self.control.learn(took)
        target = report.source == self.path.name.target
        if target and not self._by_target(entry):
            return  # its firewall's word, which says nothing about what its stack would have said
        if target or len(self._speakers) <= MOST_HOPS:
            self._speakers.setdefault(report.source, entry.train)

    def _take_silence(self, entry: Entry) -> bool:
        train = entry.train
        if self._known(train) or train not in self._asked_for:
            return False
        self._silences[train] += 1
        if train not in self._suspects:
            self._suspects.append(train)
        if self._proven(train) or self._silences[train] >= self.plan.pace.most_rounds:
            self._settle_one(train)
        return True

    def _proven(self, train: Train) -> bool:
        control = self._circumstances(train, more_rounds=False).control
        return proven(self._silences[train], control, self.plan)

    def _put_back(self, new: Sequence[Train], entries: Sequence[Entry]) -> None:
        """Ask again, and before all others, for what was asked behind the last that was answered."""
        answered = {entry.train for entry in entries if over(entry)}
        silent = [
            train for train in new if train not in answered and train not in self._suspects and not self._known(train)
        ]
        self._queue.extendleft(reversed(silent))

    def _some_suspects(self) -> list[Train]:
        """The silent ones to ask again, those that were asked least first."""
        return sorted(self._suspects, key=lambda train: len(self.ledger.trains.get(train, ())))[:MOST_SUSPECTS]

    def _witnesses(self) -> list[Train]:
        """What is known to be answered, by each that answers; the target's comes last."""
        hops = [train for address, train in self._speakers.items() if address != self.path.name.target]
        return [*hops, *([self.calibrator] if self.calibrator is not None else [])]

    def _by_target(self, entry: Entry) -> bool:
        return by_stack_of(self.path.name.target, entry)

    def _known(self, train: Train) -> bool:
        return train in self._settled or train in self._to_locate

    def _settle_one(self, train: Train) -> bool:
        """Judge a train. Whether that was new."""
        if train in self._suspects:
            self._suspects.remove(train)
        if self._known(train) or train not in self._asked_for:
            return False
        judgement = self._judge(train, more_rounds=False)
        worth = judgement.verdict in LOCATED and self.plan.locate != "none" and not never_answered(train)
        (self._to_locate if worth else self._settled)[train] = judgement
        self._tell()
        return True

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        done, trains = len(self._settled) + len(self._to_locate), len(self.plan.trains)
        each = (time.monotonic() - self._started) / max(done, 1)
        self._on_progress(Progress(done, trains, each * (trains - done)))

    def _locate(self) -> Generator[None]:
        """Find where the silent and rejected ones died: a few of each kind climb, and stand for the rest of it.

        Called also while others are still asked: who reads along waits for no more than those.
        """
        if not self._to_locate:
            return
        groups = {train: self._kinds.group_of(judgement) for train, judgement in self._to_locate.items()}
        climbers = [train for train in groups if self._kinds.wants(groups[train], every=self.plan.locate == "all")]
        if climbers:
            locator = Locator(self.path, Direction.FORWARD, self.content, self._look)
            self._books.append((locator.control, locator.ledger))
            yield from locator.climb(climbers, self.control.address(Direction.FORWARD), 0, self.wait)
            yield from ask_again([locator], self._look)
            self._books.remove((locator.control, locator.ledger))
            for train in climbers:
                self._settled[train] = self._kinds.climbed(self._to_locate.pop(train), *locator.last_hop(train))
        for train in list(self._to_locate):
            self._settled[train] = self._kinds.stands_for(self._to_locate.pop(train))

    def _judge(self, train: Train, *, more_rounds: bool) -> Judgement:
        judgement = super()._judge(train, more_rounds=more_rounds)
        if judgement.verdict is Verdict.SILENT and not self._proven(train):
            return not_proven(judgement, self._silences[train])
        return judgement

    def _circumstances(self, train: Train, *, more_rounds: bool) -> Circumstances:
        """An answer of the target is a control of its round, and of those of the same step before it."""
        if self._seen is None:
            usual = super()._circumstances(train, more_rounds=more_rounds)
            echoes = self.control.round_trip is not None and any(each.delivered for each in usual.control)
            self._seen = replace(usual, control=vouched(usual.control, self._vouched, echoes=echoes))
        return self._seen

    def _forget_circumstances(self) -> None:
        """What was seen so far is not all any more."""
        self._shared.clear()
        self._seen = None

    def _file(self, eye: Eye, observation: Observation) -> None:
        _, when, kind, data, _, _ = observation
        incoming = eye.kind == "answers" or (eye.kind == "tap" and kind != PACKET_OUTGOING)
        filed = incoming and file_answer(self.ledger, when, data, self.path.name.target)
        if not filed and eye.kind != "answers":
            super()._file(eye, observation)
