"""Asking a target that nobody watches: a step of questions, what came back, and which silences mean something."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Circumstances, IcmpReport, RoundControl, Train
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.measure.control.control import MEETING, NANOSECONDS, PACKET_OUTGOING
from pytest_hdp.measure.control.counting import rounds
from pytest_hdp.measure.path.waiting import Waiting, answered, pause
from pytest_hdp.measure.schedule.answers import file_answer
from pytest_hdp.measure.schedule.crowding import Crowding, is_usual
from pytest_hdp.measure.schedule.icmp_budget import ANSWERS_BEHIND, NEAR, Budget, Sent, certainly_there
from pytest_hdp.measure.schedule.overheard import Overheard
from pytest_hdp.measure.schedule.references import References
from pytest_hdp.measure.schedule.silence import (
    BUDGET_SPENT,
    Step,
    came_back,
    confirmed_rounds,
    lost_of,
    not_proven,
    over,
    proven,
    rejecting,
    unanswered_of,
)
from pytest_hdp.measure.schedule.speakers import Speakers

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.control.counting import ControlEntry
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.schedule.knowledge import Knowledge
    from pytest_hdp.vantage.receiving import Observation

ECHOES = 2  # beside each probe
FAST_GAP = 0.003  # seconds between the packets of a burst: well under a thousand a second
LEAST_WAIT = 0.05  # seconds for an answer, however near the target is
LONGEST_WAIT = 5.0  # seconds, whatever one late answer made of the round-trip time: RFC 6298 doubts for long
FIRST_WAIT = 1.0  # seconds, while nothing is known of the round-trip time
MOST_HOPS = 3  # rejecting routers whose budget is watched
RECENT = 512  # probes among which the answers before and after a silent one are looked for


class Asking:
    """The part of a measurement without an agent that asks and concludes; what to ask when is a strategy's.

    `budget`: the target's, once it is known to have one. `unanswered`: numbers that were silent, and are asked again.
    `silences`: how often beside an answer. `responders`: by address, what each that sends errors is known to answer.
    `sent`: when each probe was. `climbed`: when trains climbed last. `certain`: steps that tell how much is lost, where
    echoes do not. `gap`: seconds between packets of a burst. `speakers`, `references`: whose word it is. `overheard`:
    to others. `crowding`: whether silent ones spend a limit for others.
    """

    def __init__(self, know: Knowledge) -> None:
        self.know = know
        self.budget: Budget | None = None
        self.unanswered: list[Train] = []
        self.silences: Counter[Train] = Counter()
        self.responders: dict[str, Train] = {}
        self.sent: dict[int, Sent] = {}
        self.climbed: Sent | None = None
        self.certain: list[Step] = []
        self.speakers = Speakers(know.path.name.target)
        self.references = References(self.speakers, know.ledger.trains)
        self.overheard = Overheard()
        self.crowding = Crowding(know.plan.pace.rounds)
        self.gap = max(FAST_GAP, (1 + ECHOES) / know.plan.pace.rate)
        self._echoes: dict[int, list[ControlEntry]] = {}
        self._came: dict[tuple[int, str], float] = {}
        self._recent: deque[SentProbe] = deque(maxlen=RECENT)
        self._confirmed_rounds: set[int] = set()
        self._loss: tuple[int, int] | None = None
        self._asked_for = frozenset(know.plan.trains)
        self._seen: Circumstances | None = None
        self._stack_speaks = False

    @property
    def reference_probe(self) -> Train | None:
        """What the target is known to answer."""
        return self.responders.get(self.know.path.name.target)

    @property
    def wait(self) -> float:
        """Seconds after which an answer is late. One that comes later still counts."""
        if self.know.plan.timeout is not None:
            return self.know.plan.timeout
        if self.know.control.round_trip is None:
            return FIRST_WAIT
        return min(LONGEST_WAIT, max(LEAST_WAIT, 2 * self.know.control.patience))

    def ask_together(self, trains: Sequence[Train], behind: Sequence[Train] = ()) -> Waiting[Step]:
        """Ask for all of these, one right behind the other, wait for the answers, and conclude.

        `behind`: what is asked when the others' answers should have come, so that none of these overtakes any of those.
        Returns the probes in the order they were sent, and whether anything was learnt.
        """
        entries: list[SentProbe] = []
        with_echo = any(each.came for each in self.know.control.of_round(MEETING))
        for group in filter(None, (trains, behind)):
            for train in group:
                if entries:
                    yield from pause(self.know.clock, self.gap)
                entries.append(self.ask(train))
            yield from answered(
                self.know.path, self.wait, lambda: all(self._is_known(entry, with_echo) for entry in entries)
            )
        return entries, self.conclude(entries)

    def ask(self, train: Train) -> SentProbe:
        """Send one probe behind two echoes; the three are a round of their own. So soon little else tells of loss."""
        number = self.know.rounds
        self.know.rounds += 1
        echoes = [self.know.control.send(train.direction, number, echo=True) for _ in range(ECHOES)]
        first = self.know.clock.monotonic()
        entry = self.know.send(train, number)
        self.sent[entry.index] = Sent(first, self.know.clock.monotonic())
        self._echoes[entry.index] = echoes
        self._recent.append(entry)
        return entry

    def _is_known(self, entry: SentProbe, with_echo: bool) -> bool:
        """Whether it is over, and its control too: a router's error comes sooner than the echo of a farther target.

        `with_echo`: the first echoes, which are sent before anything else, were answered.
        """
        if not over(entry):
            return False
        if self.by_target(entry) or entry.replies or not with_echo:
            return True
        return any(echo.came for echo in self._echoes[entry.index])

    def conclude(self, entries: Sequence[SentProbe]) -> bool:
        """Take the answers, also late ones to what was asked before; count the silences that mean something."""
        fruitful, overflowed = False, bool(self.know.path.new_drops())
        self.know.forget_circumstances()
        self._seen = self._loss = None  # what was seen so far is not all any more
        self.speakers.echo_ttls = self.know.circumstances(entries[0].train, more_rounds=False).echo_ttls
        for entry in entries:
            for report in filter(rejecting, entry.icmp):
                self._learn_responder(report, entry)
        spoke = self.spoke()
        for entry in entries:
            if over(entry):
                fruitful |= self.settle_one(entry.train)
            elif not overflowed and self.could_answer(entry, spoke):
                fruitful |= self._take_silence(entry, first=entry is entries[0])
            else:
                self.know.spoil(entry.round, BUDGET_SPENT)
        if back := [place for place, entry in enumerate(entries) if came_back(entry, self.know.path.near.address)]:
            # something came back: that is a control too, where echoes are dropped
            self._confirmed_rounds |= {entry.round for entry in entries[: back[-1] + 1]}
        for train in [each for each in self.unanswered if any(map(over, self.know.ledger.trains.get(each, ())))]:
            fruitful |= self.settle_one(train)
        if self.crowding.has_losses and self.crowding.suspect(*self.lost()):
            self.silences.clear()  # of those beside others
        return fruitful

    def spoke(self) -> dict[str, list[Sent]]:
        """When what each that is known to answer did answer was sent, of late and in this order."""
        spoke: dict[str, list[Sent]] = {address: [] for address in self.responders}
        for entry in self._recent:
            for source in set(map(self.speakers.who, filter(rejecting, entry.icmp))) & spoke.keys():
                spoke[source].append(Sent(self.sent[entry.index].first, self.came(entry, source)))
        if self.climbed is not None:  # nobody counts whom of them that made speak
            for answered in spoke.values():
                insort(answered, self.climbed)
        return spoke

    def came(self, entry: SentProbe, source: str) -> float:
        """By when this one had answered: its first answer was here, in seconds of the clock."""
        if (entry.index, source) not in self._came:
            first = min(report.time for report in filter(rejecting, entry.icmp) if self.speakers.who(report) == source)
            took, now = (first - entry.sent_at) / NANOSECONDS, self.know.clock.monotonic()
            sensible = 0 <= took <= now - self.sent[entry.index].first  # else the clock was set
            self._came[entry.index, source] = min(now, self.sent[entry.index].last + took) if sensible else now
        return self._came[entry.index, source]

    def could_answer(self, entry: SentProbe, spoke: Mapping[str, Sequence[Sent]]) -> bool:
        """Whether each that is known to answer certainly had an error to send when this probe came by."""
        asked, target = self.sent[entry.index].first, self.know.path.name.target
        alone = self.crowding.suspected  # then whatever was sent may have spent what lets it get there
        earned_in = math.inf if self.budget is None or alone else self.budget.earned_in
        apart, others = min(LEAST_WAIT, self.wait), self.overheard.of
        before = [self.sent[each.index] for each in self._recent if alone and each.index < entry.index]
        known = self.reference_probe
        return not (known is None or (alone and is_usual(known))) and all(
            certainly_there(asked, answered, earned_in, apart=apart, others=[*others(address), *before])
            if address == target
            else certainly_there(asked, answered, apart=apart, near=NEAR, others=[*others(address), *before])
            for address, answered in spoke.items()
        )

    def _learn_responder(self, report: IcmpReport, entry: SentProbe) -> None:
        """Note who answers, and what: from now on silence counts only beside an answer of each of them."""
        took = (report.time - entry.sent_at) / NANOSECONDS
        if self.know.control.round_trip is None and 0 < took <= self.know.clock.monotonic() - entry.asked_at:
            self.know.control.times.learn(took)
        source = self.speakers.who(report)
        target = source == self.know.path.name.target
        if target and not self._stack_speaks and self._by_stack(entry):
            self._stack_speaks = True  # what its firewall said tells nothing about what its stack would have said
            self.responders[source] = entry.train
        if target or len(self.responders) <= MOST_HOPS:
            self.responders.setdefault(source, entry.train)

    def _take_silence(self, entry: SentProbe, *, first: bool) -> bool:
        train = entry.train
        if self.know.judged(train) or train not in self._asked_for:
            return False
        self.silences[train] += 1
        self.crowding.firsts[train] += first
        if train not in self.unanswered:
            self.unanswered.append(train)
        if self._proven(train) or self.silences[train] >= self.know.plan.pace.most_rounds:
            self.settle_one(train)
        return True

    def _proven(self, train: Train) -> bool:
        self._loss = self._loss or self.lost()
        known = self.reference_probe
        return self.crowding.believes(train, known) and proven(self.silences[train], self._loss, self.know.plan)

    def lost(self) -> tuple[int, int]:
        """(lost, sent) of what tells how much the path loses."""
        control = rounds(self.know.control, Direction.FORWARD, {})
        if self._echoed(control):
            return lost_of(control)
        trains = self.know.ledger.trains.items()
        return unanswered_of(self.certain, {train for train, asked in trains if any(map(self.by_target, asked))})

    def _echoed(self, control: Sequence[RoundControl]) -> bool:
        return self.know.control.round_trip is not None and any(each.delivered for each in control)

    def reference_probes(self) -> list[Train]:
        """What is known to be answered, by each that answers, twice; the target's come last."""
        return [*self.hop_reference_probes(), *filter(None, [self.reference_probe] * ANSWERS_BEHIND)]

    def add_unanswered(self, trains: Sequence[Train]) -> None:
        """Count these as silent so far, unless more is known."""
        known = self.references.unexplained.union(self.unanswered)
        self.unanswered += [each for each in trains if each not in known and not self.know.judged(each)]

    def hop_reference_probes(self) -> list[Train]:
        """What is known to be answered by each router that rejects, twice."""
        target = self.know.path.name.target
        return [train for address, train in self.responders.items() if address != target for _ in range(ANSWERS_BEHIND)]

    def by_target(self, entry: SentProbe) -> bool:
        """Whether the target answered this probe: by its stack, or, where that keeps silent, by its firewall."""
        return self._by_stack(entry) if self._stack_speaks else self.speakers.by_word(entry)

    def _by_stack(self, entry: SentProbe) -> bool:
        return self.speakers.by_stack(entry, says_port=bool(self.references.firewall_says_port))

    def settle_one(self, train: Train) -> bool:
        """Judge a train. Whether that was new."""
        if train in self.unanswered:
            self.unanswered.remove(train)
        if self.know.judged(train) or train not in self._asked_for:
            return False
        judgement = self.judge(train)
        if judgement.icmp:
            self.crowding.take(lost=self.silences[train], came=1)
        if self.references.are_lacking(judgement):
            return False
        self.know.settle(judgement)
        return True

    def judge(self, train: Train) -> Judgement:
        """What is known of a train, silence only where it is proven."""
        judgement = self.know.judge(train, more_rounds=False, circumstances=self._circumstances(train))
        if judgement.verdict is Verdict.SILENT and not self._proven(train):
            return not_proven(judgement, self.silences[train], crowded=self.crowding.suspected)
        return judgement

    def _circumstances(self, train: Train) -> Circumstances:
        """An answer of the target is a control of its round, and of those of the same step before it."""
        if self._seen is None:
            usual = self.know.circumstances(train, more_rounds=False)
            control = confirmed_rounds(usual.control, self._confirmed_rounds, echoes=self._echoed(usual.control))
            self._seen = replace(usual, control=control, firewall_says_port=bool(self.references.firewall_says_port))
        return self._seen

    def file_observation(self, observer: Observer, observation: Observation) -> bool:
        """File what was seen, answers by a protocol's own means too. False if it is of nothing that was sent here."""
        _, when, kind, data, _, _ = observation
        incoming = observer.kind == "answers" or (observer.kind == "tap" and kind != PACKET_OUTGOING)
        filed = incoming and file_answer(self.know.ledger, when, data, self.know.path.name.target)
        return filed or observer.kind == "answers" or self.know.file_observation(observer, observation)
