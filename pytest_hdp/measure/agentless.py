"""Nothing at the far end: what the target's own stack says, at the pace at which it speaks.

A stock Linux host sends one ICMP error a second to each peer, after a burst of six (icmp_ratelimit, icmp(7)); others
send a thousand. So the pace is found by asking: in bursts, as long as most is answered; else one at a time. Silence
means something only beside an answer: then the budget was there, and the target kept it. An echo beside each probe is
the control; echoes are not under the budget.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.engine import MEETING, Measurement
from pytest_hdp.measure.locate import LOCATED
from pytest_hdp.measure.sending import send_probe
from pytest_hdp.packet.registry import Status, lookup

if TYPE_CHECKING:
    from pytest_hdp.measure.ledger import Entry
    from pytest_hdp.measure.path import OpenPath
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.measure.progress import OnProgress

BURST = 20
FAST_GAP = 0.003  # seconds between packets of a burst: well under a thousand a second
SLOW_GAP = 1.02  # seconds in which a stock Linux host earns one more ICMP error
SLOWER = 1.5  # so much longer is the gap, each time that the calibrator is not answered
LONGEST_GAP = 10.0
PATIENCE = 3  # probes in a row without an answer, before the calibrator is asked
# numbers that hardly any host handles; and, for paths that let only the usual through, UDP to a port that nobody has
CALIBRATORS = (Train(253), Train(200), Train(254), Train(17, form=Form.WELLFORMED))
COMMON = (253, 254, 47, 50, 51, 132, 4, 41, 112, 89)
BUDGET_SPENT = "no answer beside it proves that the target had an ICMP error left to send"


def by_interest(trains: Iterable[Train]) -> list[Train]:
    """The most telling first: experimental numbers and those of VPNs and tunnels, then all assigned, then the rest."""

    def rank(train: Train) -> tuple[int, int]:
        if train.protocol in COMMON:
            return 0, COMMON.index(train.protocol)
        assigned = lookup(train.protocol).status is Status.ASSIGNED
        return (1 if assigned else 2), train.protocol

    return sorted(trains, key=rank)


class AgentlessMeasurement(Measurement):
    """Measures trains towards a target that nobody watches. `on_progress` is called whenever one is settled."""

    def __init__(self, path: OpenPath, plan: Plan, on_progress: OnProgress | None = None) -> None:
        super().__init__(path, plan, on_progress)
        self._queue: deque[Train] = deque()
        self._calibrator: Train | None = None
        self._silences: Counter[Train] = Counter()
        self._gap = 0.0
        self._asked_for = frozenset(plan.trains)

    def _script(self) -> Generator[None]:
        self._open_sockets()
        yield from self._meet()
        yield from self._find_calibrator()
        self._queue.extend(by_interest(self._open_trains()))
        while self._queue and self._gap == 0:
            yield from self._ask_beside_calibrator([self._queue.popleft() for _ in range(min(BURST, len(self._queue)))])
        yield from self._ask_one_by_one()
        yield from self._look_into_silence()
        self._judge_open(more_rounds=False)
        yield from self._locate()
        self.path.subscribers.remove(self._file)

    def _find_calibrator(self) -> Generator[None]:
        """Find something that the target answers for, to hold every silence against."""
        entries = yield from self._ask_all(list(CALIBRATORS))
        self._calibrator = next((entry.train for entry in entries if self._from_target(entry)), None)
        self._conclude_burst(entries)

    def _meet(self) -> Generator[None]:
        """Echoes only: a datagram to a closed port would cost the target an ICMP error."""
        for _ in range(3):
            self.control.send(Direction.FORWARD, MEETING, echo=True)
            deadline = time.monotonic() + self.timeout
            while (left := deadline - time.monotonic()) > 0 and self.control.round_trip is None:
                yield from self._look(left)

    def _ask(self, train: Train) -> Entry:
        """Send one probe with an echo beside it; the two are a round of their own."""
        number = self.rounds
        self.rounds += 1
        self.control.send(train.direction, number, echo=True)
        address = self.control.address(train.direction)
        return send_probe(self.path, self.ledger, train, number, self.content, address)

    def _ask_all(self, trains: list[Train]) -> Generator[None, None, list[Entry]]:
        """Ask for all of them in a burst, and wait for the answers."""
        entries = []
        for train in trains:
            entries.append(self._ask(train))
            yield from self._pause(FAST_GAP)
        yield from self._wait_for(entries)
        return entries

    def _wait_for(self, entries: list[Entry]) -> Generator[None]:
        deadline = time.monotonic() + self.timeout
        while (left := deadline - time.monotonic()) > 0 and not all(map(_over, entries)):
            yield from self._look(left)

    def _conclude_burst(self, entries: list[Entry]) -> None:
        """Take the answers; of silence in a burst nobody knows whether it is the budget's."""
        for entry in entries:
            if _over(entry):
                self._settle_one(entry.train)
            else:
                self._take_silence(entry, believed=False)

    def _ask_beside_calibrator(self, trains: list[Train]) -> Generator[None]:
        """Ask in a burst, the calibrator last: if that is answered, the budget was there for all before it.

        If it is not, the target is of the slow kind from now on.
        """
        *entries, witness = yield from self._ask_all([*trains, self._calibrator or trains[0]])
        proven = self._calibrator is not None and _answered(witness)
        for entry in entries:
            if _over(entry):
                self._settle_one(entry.train)
            else:
                self._take_silence(entry, believed=proven)
        if not proven and self._calibrator is not None:
            self._gap = max(self._gap, SLOW_GAP)
            self._queue.extendleft(train for train in reversed(trains) if not self._known(train))

    def _ask_one_by_one(self) -> Generator[None]:
        """Slow targets: each number once, at the target's pace; silence costs it nothing, and is looked into later."""
        ready = time.monotonic() + self._gap
        silent_in_a_row = 0
        while self._queue and self._gap <= LONGEST_GAP:
            yield from self._pause(ready - time.monotonic())
            checking = silent_in_a_row == PATIENCE and self._calibrator is not None
            train = self._calibrator if checking and self._calibrator is not None else self._queue.popleft()
            entry = self._ask(train)
            yield from self._wait_for([entry])
            silent_in_a_row = 0 if checking or _over(entry) else silent_in_a_row + 1
            if _answered(entry):
                ready = time.monotonic() + self._gap
            elif checking:
                self._gap *= SLOWER
                ready = time.monotonic() + 2 * self._gap
            self._conclude_burst([entry])

    def _look_into_silence(self) -> Generator[None]:
        """Ask all silent numbers at once, again and again, until each was silent beside an answer often enough."""
        for _ in range(4 * self.plan.pace.rounds + len(self._open_trains())):
            if not self._open_trains() or self._calibrator is None:
                return
            yield from self._pause(self._gap)
            yield from self._ask_beside_calibrator(self._open_trains())
        self._queue.clear()

    def _take_silence(self, entry: Entry, *, believed: bool) -> None:
        if not believed:
            self._spoiled.setdefault(entry.round, {}).setdefault(None, set()).add(BUDGET_SPENT)
            return
        self._silences[entry.train] += 1
        if self._silences[entry.train] >= self.plan.pace.rounds:
            self._settle_one(entry.train)

    def _known(self, train: Train) -> bool:
        return train in self._settled or train in self._to_locate

    def _from_target(self, entry: Entry) -> bool:
        return any(each.authenticated and each.source == self.path.name.target for each in entry.icmp)

    def _settle_one(self, train: Train) -> None:
        if self._known(train) or train not in self._asked_for:
            return
        self._shared.clear()
        judgement = self._judge(train, more_rounds=False)
        worth = judgement.verdict in LOCATED and self.plan.locate != "none"
        (self._to_locate if worth else self._settled)[train] = judgement
        self._report()

    def _seconds_left(self) -> float:
        done, trains = len(self._settled) + len(self._to_locate), len(self.plan.trains)
        return self._progress.seconds() / max(done, 1) * (trains - done)


def _answered(entry: Entry) -> bool:
    """The target, or somebody for it, sent an error that holds our tag."""
    return any(report.authenticated for report in entry.icmp)


def _over(entry: Entry) -> bool:
    return entry.errno is not None or _answered(entry)
