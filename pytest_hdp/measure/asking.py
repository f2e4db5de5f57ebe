"""Asking a target that nobody watches: a step of questions, what came back, and which silences mean something."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter, deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Circumstances, IcmpReport, RoundControl, Train
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.measure.answers import file_answer
from pytest_hdp.measure.budget import NEAR, WITNESSES, Budget, Sent, certainly_there
from pytest_hdp.measure.control import MEETING, PACKET_OUTGOING
from pytest_hdp.measure.engine import Measurement
from pytest_hdp.measure.located import Kinds, worth_locating
from pytest_hdp.measure.sending import send_probe
from pytest_hdp.measure.silence import (
    BUDGET_SPENT,
    Step,
    by_stack_of,
    lost_of,
    not_proven,
    over,
    proven,
    rejecting,
    unanswered_of,
    vouched,
)

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ends import Eye
    from pytest_hdp.measure.ledger import Entry
    from pytest_hdp.measure.path import OpenPath
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.measure.progress import OnProgress
    from pytest_hdp.vantage.station import Observation

ECHOES = 2  # beside each probe
FAST_GAP = 0.003  # seconds between the packets of a burst: well under a thousand a second
LEAST_WAIT = 0.05  # seconds for an answer, however near the target is
FIRST_WAIT = 1.0  # seconds, while nothing is known of the round-trip time
MOST_HOPS = 3  # rejecting routers whose budget is watched
RECENT = 512  # probes among which the answers before and after a silent one are looked for


class Asking(Measurement):
    """The part of a measurement without an agent that asks and concludes; what to ask when is for who builds on it."""

    def __init__(self, path: OpenPath, plan: Plan, on_progress: OnProgress | None = None) -> None:
        super().__init__(path, plan, on_progress)
        self._budget: Budget | None = None
        self._queue: deque[Train] = deque()
        self._suspects: list[Train] = []
        self._silences: Counter[Train] = Counter()
        self._speakers: dict[str, Train] = {}
        self._sent: dict[int, Sent] = {}
        self._climbed: Sent | None = None  # when trains climbed last
        self._recent: deque[Entry] = deque(maxlen=RECENT)
        self._vouched: set[int] = set()
        self._certain: list[Step] = []  # steps that tell how much is lost, where echoes do not
        self._loss: tuple[int, int] | None = None
        self._asked_for = frozenset(plan.trains)
        self._gap = max(FAST_GAP, (1 + ECHOES) / plan.pace.rate)
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

    def _meet(self) -> Generator[None]:
        """Echoes only: a datagram to a closed port would cost the target an ICMP error."""
        for _ in range(3):
            self.control.send(Direction.FORWARD, MEETING, echo=True)
            deadline = self.path.clock.monotonic() + self.timeout
            while (left := deadline - self.path.clock.monotonic()) > 0 and self.control.round_trip is None:
                yield from self._look(left)

    def _ask_together(
        self, trains: Sequence[Train], behind: Sequence[Train] = ()
    ) -> Generator[None, None, tuple[list[Entry], bool]]:
        """Ask for all of these, one right behind the other, wait for the answers, and conclude.

        `behind`: what is asked when the others' answers should have come, so that none of these overtakes any of those.
        Returns the probes in the order they were sent, and whether anything was learnt.
        """
        entries: list[Entry] = []
        for group in filter(None, (trains, behind)):
            for train in group:
                if entries:
                    yield from self._pause(self._gap)
                entries.append(self._ask(train))
            deadline = self.path.clock.monotonic() + self.wait
            while (left := deadline - self.path.clock.monotonic()) > 0 and not all(map(over, entries)):
                yield from self._look(left)
        return entries, self._conclude(entries)

    def _ask(self, train: Train) -> Entry:
        """Send one probe behind two echoes; the three are a round of their own. So soon little else tells of loss."""
        number = self.rounds
        self.rounds += 1
        for _ in range(ECHOES):
            self.control.send(train.direction, number, echo=True)
        first = self.path.clock.monotonic()
        entry = send_probe(self.path, self.ledger, train, number, self.content, self.control.address(train.direction))
        self._sent[entry.index] = Sent(first, self.path.clock.monotonic())
        self._recent.append(entry)
        return entry

    def _conclude(self, entries: Sequence[Entry]) -> bool:
        """Take the answers, also late ones to what was asked before; count the silences that mean something."""
        fruitful, overflowed = False, bool(self.path.new_drops())
        self._forget_circumstances()
        for entry in entries:
            for report in filter(rejecting, entry.icmp):
                self._learn_speaker(report, entry)
        spoke = self._spoke()
        for entry in entries:
            if over(entry):
                fruitful |= self._settle_one(entry.train)
            elif not overflowed and self._all_could_answer(entry, spoke):
                fruitful |= self._take_silence(entry)
            else:
                self._spoiled.setdefault(entry.round, {}).setdefault(None, set()).add(BUDGET_SPENT)
        if back := [position for position, entry in enumerate(entries) if any(map(rejecting, entry.icmp))]:
            # something came back: that is a control too, where echoes are dropped
            self._vouched |= {entry.round for entry in entries[: back[-1] + 1]}
        for train in [each for each in self._suspects if any(map(over, self.ledger.trains.get(each, ())))]:
            fruitful |= self._settle_one(train)
        return fruitful

    def _spoke(self) -> dict[str, list[Sent]]:
        """When what each that is known to answer did answer was sent, of late and in this order."""
        spoke: dict[str, list[Sent]] = {address: [] for address in self._speakers}
        for entry in self._recent:
            for source in {report.source for report in filter(rejecting, entry.icmp)} & spoke.keys():
                spoke[source].append(Sent(self._sent[entry.index].first, self._came(entry, source)))
        if self._climbed is not None:  # nobody counts whom of them that made speak
            for answered in spoke.values():
                insort(answered, self._climbed)
        return spoke

    def _came(self, entry: Entry, source: str) -> float:
        """By when this one had answered: its first answer was here, in seconds of the clock."""
        took = min(report.time for report in filter(rejecting, entry.icmp) if report.source == source) - entry.sent_at
        return self._sent[entry.index].last + max(0.0, took / 1e9)

    def _all_could_answer(self, entry: Entry, spoke: Mapping[str, Sequence[Sent]]) -> bool:
        """Whether each that is known to answer certainly had an error to send when this probe came by."""
        asked, target = self._sent[entry.index].first, self.path.name.target
        earned_in = math.inf if self._budget is None else self._budget.earned_in
        apart = min(LEAST_WAIT, self.wait)
        return self.calibrator is not None and all(
            certainly_there(asked, answered, earned_in, apart=apart)
            if address == target
            else certainly_there(asked, answered, apart=apart, near=NEAR)
            for address, answered in spoke.items()
        )

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
        if self._loss is None:
            self._loss = self._lost()
        return proven(self._silences[train], self._loss, self.plan)

    def _lost(self) -> tuple[int, int]:
        """(lost, sent) of what tells how much the path loses."""
        control = self.control.rounds(Direction.FORWARD, {})
        if self._echoed(control):
            return lost_of(control)
        trains = self.ledger.trains.items()
        return unanswered_of(self._certain, {train for train, asked in trains if any(map(self._by_target, asked))})

    def _echoed(self, control: Sequence[RoundControl]) -> bool:
        """Whether any echo came back."""
        return self.control.round_trip is not None and any(each.delivered for each in control)

    def _witnesses(self) -> list[Train]:
        """What is known to be answered, by each that answers, twice; the target's come last."""
        return [*self._hop_witnesses(), *([self.calibrator] * WITNESSES if self.calibrator is not None else [])]

    def _hop_witnesses(self) -> list[Train]:
        target = self.path.name.target
        return [train for address, train in self._speakers.items() if address != target for _ in range(WITNESSES)]

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
        (self._to_locate if worth_locating(judgement, self.plan.locate) else self._settled)[train] = judgement
        self._report()
        return True

    def _judge(self, train: Train, *, more_rounds: bool) -> Judgement:
        judgement = super()._judge(train, more_rounds=more_rounds)
        if judgement.verdict is Verdict.SILENT and not self._proven(train):
            return not_proven(judgement, self._silences[train])
        return judgement

    def _circumstances(self, train: Train, *, more_rounds: bool) -> Circumstances:
        """An answer of the target is a control of its round, and of those of the same step before it."""
        if self._seen is None:
            usual = super()._circumstances(train, more_rounds=more_rounds)
            control = vouched(usual.control, self._vouched, echoes=self._echoed(usual.control))
            self._seen = replace(usual, control=control)
        return self._seen

    def _forget_circumstances(self) -> None:
        """What was seen so far is not all any more."""
        self._shared.clear()
        self._seen = self._loss = None

    def _file(self, eye: Eye, observation: Observation) -> None:
        _, when, kind, data, _, _ = observation
        incoming = eye.kind == "answers" or (eye.kind == "tap" and kind != PACKET_OUTGOING)
        filed = incoming and file_answer(self.ledger, when, data, self.path.name.target)
        if not filed and eye.kind != "answers":
            super()._file(eye, observation)
