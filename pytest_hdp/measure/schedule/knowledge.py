"""What a measurement knows: what was sent and seen, which rounds were spoiled, and what that means for each train.

It decides nothing about what is sent when, or how long is waited: that is a strategy's (`rounds`, `batched`,
`agentless`), which has one of these and asks it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.crowd import ACCUSED
from pytest_hdp.judge.evidence import Circumstances, Train
from pytest_hdp.judge.facts import NO_WAY_OUT
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.pattern import shared_losses
from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.control.circumstances import shared_by, spoilers_of
from pytest_hdp.measure.control.control import Control
from pytest_hdp.measure.control.stand_in import StandIns
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.location.located import worth_locating
from pytest_hdp.measure.path.senders import wraps
from pytest_hdp.measure.path.sending import hears, send_probe
from pytest_hdp.measure.path.traffic import on_the_wire
from pytest_hdp.measure.schedule.dispatch import file_observation, numbers_inside
from pytest_hdp.packet.encoding import encode

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Kind, TrainEvidence
    from pytest_hdp.judge.pattern import SharedLoss
    from pytest_hdp.judge.result import Judgement, SharedLimit
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.vantage.receiving import Observation

WRAPPED = (
    "none was seen leaving, but the sender's kernel has less room for packets of this number than for the control's: "
    "as by an IPsec policy it may put them into other packets, and nobody sees what becomes of those"
)
UNOPENED = "nothing went forward before it, for want of a way out of the sending host, so it answers nothing"


class Knowledge:
    """All that is known while one plan is measured over one open path.

    `rounds`: how many were begun. `settled`: the judgements that nothing will change; `to_locate`: those that lack
    only the place where the train died, or to be asked alone. `momentary`: kinds of ICMP errors about a train that did
    not come again when it was asked for later. `searches`: control and ledger of each search for such a place that goes
    on. `held`: no rounds are sent, since somebody asks alone; `limits`: what that has found. `latecomers`: numbers that
    may be lost only since others were asked before them.
    """

    def __init__(self, path: OpenPath, plan: Plan) -> None:
        self.path = path
        self.plan = plan
        self.clock = path.clock
        self.content = encode(plan.content, plan.encoding)
        self.ledger = Ledger(path.run_id)
        self.control = Control(path, self.content)
        self.stand_ins = StandIns(self)
        self.rounds = 0
        self.settled: dict[Train, Judgement] = {}
        self.to_locate: dict[Train, Judgement] = {}
        self.momentary: dict[Train, frozenset[Kind]] = {}
        self.searches: list[tuple[Control, Ledger]] = []
        self.held = False
        self.limits: dict[Direction, SharedLimit] = {}
        self.latecomers: set[int] = set()
        self._spoiled: dict[int, dict[int | None, set[str]]] = {}
        self._shared: dict[object, Circumstances] = {}
        self._wrapped: dict[Train, bool] = {}
        self._losses: dict[Direction, tuple[SharedLoss, ...]] = {}

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Those that the plan's trains run in."""
        return tuple(sorted({train.direction for train in self.plan.trains}))

    @property
    def timeout(self) -> float:
        """Seconds that a probe is waited for."""
        if self.plan.timeout is not None:
            return self.plan.timeout
        return max(self.plan.pace.least_timeout, self.control.patience) + self.path.lag

    @property
    def done(self) -> bool:
        """Whether every train is settled."""
        return len(self.settled) == len(self.plan.trains)

    def judged(self, train: Train) -> bool:
        """Whether no further probe of this train is needed."""
        return train in self.settled or train in self.to_locate

    def open_trains(self) -> list[Train]:
        """The trains of which more has to be known, in the plan's order."""
        return [each for each in self.plan.trains if not self.judged(each)]

    # Sending

    def open_sockets(self) -> None:
        """Open every socket before anything is sent; what socket() refuses is settled by that."""
        self.path.open_ahead(self.plan.trains)
        for train in self.plan.trains:
            for number in {train.protocol, *numbers_inside(train)[-1:]}:
                self.path.listener(train.direction, number)
        for train in self.plan.trains:
            if isinstance(self.path.sender(train.direction, train.protocol, train.form), str):
                self.settled[train] = self.judge(train, more_rounds=False)
        self.path.sync()
        self.path.new_drops()  # what overflowed before anything was sent says nothing about what will be

    def send(self, train: Train, number: int, *, later_only: bool = False) -> SentProbe:
        """Send a probe of a train in round `number`. `later_only`: of its fragments the later one."""
        address = self.control.address_of(train)
        return send_probe(self.path, self.ledger, train, number, self.content, address, later_only=later_only)

    # Seeing

    def file_observation(self, observer: Observer, observation: Observation) -> bool:
        """File what was seen: the path's subscriber. False if it is of nothing that was sent here."""
        return file_observation(self.path, [(self.control, self.ledger), *self.searches], observer, observation)

    def spoil(self, number: int, why: str, protocol: int | None = None) -> None:
        """Take a round for no evidence against anything: of one protocol number, or of all."""
        self._spoiled.setdefault(number, {}).setdefault(protocol, set()).add(why)

    def note_drops(self, *, far_since: int | None = None) -> None:
        """Spoil the rounds that an observer may have dropped packets of.

        A drop may have hit a straggler of the round before the last one, so it spoils both; at a far host all since
        round `far_since`, when it was last asked.
        """
        for observer in self.path.new_drops():
            first = far_since if far_since is not None and observer.end.remote is not None else self.rounds - 1
            for number in range(first - 1, self.rounds):
                self.spoil(number, f"the {observer.kind} at {observer.end.address} overflowed", observer.protocol)

    # Judging

    def judge_each(self, trains: Collection[Train], more: Callable[[Train], bool], rounds: int | None = None) -> None:
        """Settle those of these trains whose evidence is complete, and those for which there are no more rounds.

        `rounds`: only what was sent in so many counts, since of the others not all is known yet.
        """
        self.forget_circumstances()
        trains = list(trains)
        self._find_shared_losses(trains, rounds)
        for train in trains:
            more_rounds = more(train)
            judgement = self.judge(train, more_rounds=more_rounds, rounds=rounds)
            if judgement.final or not more_rounds:
                self.settle(judgement, worth=self.path.routed)
        undecided = [each for each in trains if not self.judged(each)]
        self.stand_ins.choose(undecided, rounds if rounds is not None else self.rounds)

    def _find_shared_losses(self, trains: Iterable[Train], rounds: int | None) -> None:
        """Look at all trains together, as far as all is known of them: at these, and at those that are judged."""
        for direction in {train.direction for train in trains}:
            known = [each for each in self.plan.trains if self.judged(each) or each in trains]
            mine = [each for each in known if each.direction is direction]
            control = self.circumstances(mine[0], more_rounds=True).control
            clean = {each.round: each for each in control if each.delivered and not each.spoiled}
            beside = {number: (each.sent - min(each.delivered, each.sent), each.sent) for number, each in clean.items()}
            sent = [self.ledger.outcomes(each, clean, rounds) for each in mine]
            self._losses[direction] = shared_losses(sent, beside, self.plan.error_rate / 4)

    def settle(self, judgement: Judgement, *, worth: bool = True) -> None:
        """Keep a train's last judgement. `worth`: whether there may be a place to find for it.

        What was lost waits in any case: it may have been rejected by who had no ICMP error left (`leisure`), or the
        sweep itself may have lost it (`alone`). So does what a router rejected: a shared limit may have done that.
        """
        observed = self.path.receiver_end(judgement.train.direction) is not None
        elsewhere = judgement.verdict is Verdict.REJECTED and judgement.place is not Place.TARGET
        unsure = observed and (elsewhere or judgement.verdict is Verdict.INCONCLUSIVE)
        doubtful = judgement.verdict in ACCUSED or unsure
        searched = worth and (doubtful or worth_locating(judgement, self.plan.locate, self.path.family))
        (self.to_locate if searched else self.settled)[judgement.train] = judgement

    def settle_all(self, judgements: Iterable[Judgement]) -> None:
        """Keep judgements that lack nothing any more."""
        for judgement in judgements:
            self.to_locate.pop(judgement.train, None)
            self.settled[judgement.train] = judgement

    def judge(
        self,
        train: Train,
        *,
        more_rounds: bool,
        rounds: int | None = None,
        circumstances: Circumstances | None = None,
    ) -> Judgement:
        """What is known of a train now means. `circumstances`: instead of those that all trains share."""
        errno = self.path.sender(train.direction, train.protocol, train.form)
        evidence = self.ledger.evidence(train, errno if isinstance(errno, str) else None)
        circumstances = circumstances or self.circumstances(train, more_rounds=more_rounds)
        if self._is_unopened(train):
            circumstances = replace(circumstances, names={**circumstances.names, "unopened": UNOPENED})
        momentary = circumstances.momentary | self.momentary.get(train, frozenset())
        circumstances = replace(circumstances, shared=self._losses.get(train.direction, ()), momentary=momentary)
        if rounds is not None:
            evidence, circumstances = _until(rounds, evidence, circumstances)
        judgement = judge(evidence, circumstances)
        if judgement.verdict is Verdict.HELD_BY_SENDER and self._is_wrapped(train):
            return judge(evidence, replace(circumstances, names={**circumstances.names, "wrapped": WRAPPED}))
        return judgement

    def _is_wrapped(self, train: Train) -> bool:
        """Whether what no observer saw leaving may have left in other packets."""
        if train not in self._wrapped:
            end = self.path.sender_end(train.direction)
            self._wrapped[train] = wraps(end, train.protocol, train.form, self.control.address_of(train))
        return self._wrapped[train]

    def _is_unopened(self, train: Train) -> bool:
        """Whether it was to be an answer, and nothing that it would answer had a way out of the sending host."""
        if train.direction is not Direction.REVERSE:
            return False
        number, trains = on_the_wire(train.protocol), self.ledger.trains
        forward = [each for each in trains if each.direction is Direction.FORWARD]
        before = [entry for each in forward if on_the_wire(each.protocol) == number for entry in trains[each]]
        return bool(before) and all(entry.errno in NO_WAY_OUT for entry in before)

    def circumstances(self, train: Train, *, more_rounds: bool) -> Circumstances:
        """What it shares with all trains beside the same control, made once for one look.

        Their observers dropped packets in the same rounds.
        """
        spoiled = {number: spoilers_of(by_protocol, train.protocol) for number, by_protocol in self._spoiled.items()}
        chosen = self.stand_ins.chosen_for(train)
        heard = hears(self.path, train)
        key = (train.direction, more_rounds, tuple(spoiled.items()), chosen, self.control.address_of(train), heard)
        if key not in self._shared:
            circumstances = shared_by(
                self.path,
                self.control,
                self.ledger,
                self.plan,
                train,
                spoiled,
                more_rounds=more_rounds,
                chosen=chosen,
            )
            observers = replace(circumstances.observers, delivered=circumstances.observers.delivered and heard)
            self._shared[key] = replace(circumstances, observers=observers)
        return self._shared[key]

    def forget_circumstances(self) -> None:
        """More was seen since they were made."""
        self._shared.clear()


def _until(rounds: int, evidence: TrainEvidence, circumstances: Circumstances) -> tuple[TrainEvidence, Circumstances]:
    probes = tuple(probe for probe in evidence.probes if probe.round < rounds)
    control = tuple(each for each in circumstances.control if each.round < rounds)
    return replace(evidence, probes=probes), replace(circumstances, control=control)
