"""The first-packet experiment: does something on the path let a few packets pass, and then no more, and for how long?

A burst, unless the sweep of this run has told already; then packets that keep coming, at two paces; first packets of
other numbers and from other ports; and silences, each longer than the one before until something passes, then halved
between. Whatever is sent keeps such a state alive, so each silence begins with the last packet. To hear of what was
sent takes a silence too, longer than some states live: so what keeps coming is counted behind packets that use up what
that one has let in. A limit that earns one
packet in many seconds passes nothing for a while either, and then does after a silence; so in the end packets keep
coming for as long as anything took to pass again. Among all of it are controls, by which loss is told from a state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.refill import Asked, FirstPacket, Recovery, Refill
from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.control.control import Control
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.path.sending import send_probe
from pytest_hdp.measure.path.waiting import drive, look_until, pause
from pytest_hdp.measure.schedule.dispatch import file_observation
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.packet.hdp import DEFAULT_PORT, Header

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.vantage.receiving import Observation

BURST = 24  # packets: of a limit's burst of 20 something is seen
FIRST_IDLE = 0.5  # seconds
OTHERS = 5  # numbers, and ports, of which one packet each is sent
PACES = ((20, 0.1), (120, 0.0167))  # packets that keep coming, and seconds between them
CONTROLS = 24  # beside each question: one packet that does not come is then loss in 2 % of cases at most
LONGER = 1.25  # times what a packet took to pass again: in that a limit on the rate earns one
TRIES = 3  # at an interval both of whose ends do the same once more
NARROW = 1.2  # between two silences so alike nothing more is asked
CANDIDATES = (*range(254, 142, -1), *range(142, 63, -1))  # other numbers, those that nobody uses first
STATEFUL = frozenset({Verdict.FIRST_ONLY, Verdict.LOSSY})
WHOLE = frozenset({Verdict.DELIVERED, Verdict.REACHED})  # number 0, for which there are no sockets, is reached


def first_packet(
    path: OpenPath,
    plan: Plan,
    protocol: int,
    *,
    longest_idle: float,
    known: Judgement | None = None,
    used: str | None = None,
) -> FirstPacket:
    """Run the experiment for one number, forward. It takes ten times `longest_idle` seconds at most.

    `known`: what the sweep of this run found, whose packets were the first. `used`: what else may have used up the
    state, in words: then that nothing comes proves nothing.
    """
    train = Train(protocol)
    if used is None and known is None and path.traffic.has_sent(train):
        used = (
            "packets of this number had been sent before in this run, which may have used up what lets the first pass"
        )
    judgement = known if known is not None and known.verdict not in WHOLE else None
    if judgement is None:
        judgement = _burst(path, plan, train, known, used)
    if judgement.verdict not in STATEFUL or not judgement.arrived:
        return FirstPacket(judgement, used=used)
    asking = _Asking(path, plan)
    path.subscribers.append(asking.file_observation)
    try:
        return _characterised(asking, train, judgement, longest_idle, used)
    finally:
        path.subscribers.remove(asking.file_observation)


def _burst(path: OpenPath, plan: Plan, train: Train, known: Judgement | None, used: str | None) -> Judgement:
    """The verdict of a burst: where the sweep's packets came and none of these does, those were the first."""
    pace = replace(plan.pace, rounds=BURST, most_rounds=max(BURST, plan.pace.most_rounds), spacing=0.005)
    found = Measurement(path, replace(plan, trains=(train,), pace=pace, locate="none")).run()[train]
    if found.verdict is not Verdict.LOST:
        return found
    said = found.explanation.rstrip(".")
    if known is not None:
        said += f"; in the sweep of this run {known.delivered} of {known.sent} came before: those were the first"
        return replace(found, verdict=Verdict.FIRST_ONLY, explanation=f"{said}.", arrived=known.arrived)
    if used is not None:
        return replace(found, verdict=Verdict.INCONCLUSIVE, place=Place.UNKNOWN, explanation=f"{said}; {used}.")
    return found


def _characterised(
    asking: _Asking, train: Train, judgement: Judgement, longest_idle: float, used: str | None
) -> FirstPacket:
    """What the state hangs on, and what lets packets pass again."""
    begun, burst = asking.path.clock.monotonic(), judgement.delivered + 4
    slow, fast = (asking.keep_coming(train, count, spacing, spent=burst) for count, spacing in PACES)
    found = FirstPacket(judgement, slow=slow, fast=fast, used=used)
    if slow.came + fast.came and found.refills is not Refill.SILENCE:
        return found  # it does not hang on a flow's first packets
    fresh = [each for each in map(Train, CANDIDATES) if each != train and not asking.path.traffic.has_sent(each)]
    other = asking.ask([(each, None) for each in fresh[:OTHERS]]) if fresh else None
    if other is not None and used is not None and not other.came:
        other = None  # what may have used up this number's state may have used up theirs
    # apart by 8, so that under 47 none says another version of GRE
    ports = [Header((DEFAULT_PORT & ~7) + 8 * each, DEFAULT_PORT + each) for each in range(1, OTHERS + 1)]
    port = asking.ask([(train, header) for header in ports], spent=burst)
    passed: list[float] = []
    recovery = _recovery(asking, train, burst, longest_idle, passed)
    found = replace(found, other_number=other, other_port=port, recovery=recovery)
    if slow.came + fast.came or not passed:
        return found
    # Of a limit, two packets are earned from one that passed to the next but one. So one packet takes no longer than
    # that to be earned, nor than it took at first until any passed; and no less than what kept coming in vain.
    apart = [later - earlier for earlier, later in zip(passed, passed[2:], strict=False)]
    if min(apart, default=math.inf) < slow.seconds + fast.seconds:
        return found
    longest = min(passed[0] - begun, *apart) if apart else passed[0] - begun
    count, spacing = math.ceil((LONGER * longest + 1) / PACES[0][1]), PACES[0][1]
    more = asking.keep_coming(train, count, spacing, spent=burst)
    found = replace(found, slow=slow + more)
    return replace(found, recovery=None) if more.came else found


def _recovery(asking: _Asking, train: Train, burst: int, longest_idle: float, times: list[float]) -> Recovery | None:
    """The shortest silence after which a packet passes, between two that are alike; `times`: when any did, in seconds.

    The longest after which none did is asked for once more; if one passes then, it was loss, and the next longest is.
    So is the shortest after which one did: of two states in a row the second had its silence while the first was shut,
    and if none passes now, a longer one is looked for. None if that leads nowhere, and one did pass.
    """
    shut: dict[float, Asked] = {}
    low, high, again, idle = 0.0, math.inf, 0, FIRST_IDLE

    def asked_after(silence: float) -> tuple[float, Asked, int]:
        waited, asked, passed = asking.after(train, silence, burst)
        if passed:
            times.append(asking.path.clock.monotonic())
        return waited, asked, passed

    for _ in range(TRIES):
        while idle <= 1.01 * longest_idle and not (high / low <= NARROW if low else high < FIRST_IDLE / 4):
            waited, asked, passed = asked_after(idle)
            if passed and waited >= high:
                break  # it takes as long to hear of all that was sent: no shorter silence can be had
            if passed:
                high, again = waited, passed
            else:
                shut[waited] = asked
                low = max((each for each in shut if each < high), default=0.0)
            idle = 2 * idle if math.isinf(high) else math.sqrt(low * high) if low else high / 2
        none = None
        while low:
            _, asked, passed = asked_after(low)
            if not passed:
                none = shut[low] + asked
                break
            high, again = low, passed
            low = max((each for each in shut if each < high), default=0.0)
        if math.isinf(high):
            return None if times else Recovery(low, None, none, again, burst)
        waited, asked, passed = asked_after(high)
        if passed:
            return Recovery(low, high, none, again, burst)
        low, high, idle = waited, math.inf, 2 * waited
        shut[low] = asked
    return None


@dataclass(slots=True)
class _Asking:
    """Sends a few packets and controls among them, and waits for them at the receiver."""

    path: OpenPath
    plan: Plan
    ledger: Ledger = field(init=False)
    control: Control = field(init=False)
    timeout: float = field(init=False)
    _questions: int = 0
    _controls: int = 0
    _last: SentProbe | None = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.path.run_id, "first packet")
        self.control = Control(self.path, self.plan.content)
        self.timeout = self.plan.timeout or 5 * self.plan.pace.least_timeout

    def file_observation(self, observer: Observer, observation: Observation) -> None:
        """File what was seen."""
        file_observation(self.path, [(self.control, self.ledger)], observer, observation)

    def ask(self, packets: list[tuple[Train, Header | None]], *, spent: int = 0) -> Asked:
        """Send one packet of each of these, with controls before and after.

        `spent`: so many of the first one's train go before them, of which none is counted.
        """
        self._control(CONTROLS // 2)
        self._spend(packets[0][0], spent)
        sent = [self._send(train, header) for train, header in packets]
        self._control(CONTROLS // 2)
        return self._counted(sent)

    def keep_coming(self, train: Train, count: int, spacing: float, *, spent: int) -> Asked:
        """Send so many packets of a train, each with a control, with this much time between. `spent`: as in `ask`."""
        self._spend(train, spent)
        begun, sent = self.path.clock.monotonic(), []
        for _ in range(count):
            sent.append(self._send(train))
            self._control(1)
            drive(self.path, pause(self.path.clock, spacing))
        seconds = self.path.clock.monotonic() - begun
        return replace(self._counted(sent), seconds=seconds)

    def after(self, train: Train, idle: float, burst: int) -> tuple[float, Asked, int]:
        """Keep silent for so long since the last packet of a train, then send some of it, back to back.

        Returns how long that really was, the question (one, since what follows a lost first packet tells nothing), and
        how many passed.
        """
        clock = self.path.clock
        last = self._last
        assert last is not None, "a burst or what kept coming was before"
        drive(self.path, look_until(clock, last.asked_at + idle))
        self._control(CONTROLS // 2)
        sent = [self._send(train) for _ in range(burst)]
        self._control(CONTROLS // 2)
        told = self._counted(sent)
        return _left_at(sent[0]) - _left_at(last), replace(told, sent=1, came=min(1, told.came)), told.came

    def _spend(self, train: Train, count: int) -> None:
        """Use up what the silence before has let in."""
        for _ in range(count):
            self._send(train)

    def _send(self, train: Train, header: Header | None = None) -> SentProbe:
        self.path.listener(Direction.FORWARD, train.protocol)
        entry = send_probe(
            self.path, self.ledger, train, self._questions, self.plan.content, self.path.name.target, header
        )
        self._last = entry
        return entry

    def _control(self, count: int) -> None:
        for _ in range(count):
            self._controls += 1
            self.control.send(Direction.FORWARD, self._questions, echo=self._controls % 2 == 0)

    def _counted(self, sent: list[SentProbe]) -> Asked:
        """Wait until all of it came, or time is up, and count; of controls the kind of which most came."""
        clock = self.path.clock
        controls = self.control.of_round(self._questions)
        self._questions += 1

        def all_came() -> bool:
            return all(map(_came, sent)) and all(each.came for each in controls)

        drive(self.path, look_until(clock, clock.monotonic() + self.timeout + self.path.lag, all_came))
        self.path.sync()
        kinds = [[each for each in controls if each.echo is echo and each.errno is None] for echo in (False, True)]
        counted = max(kinds, key=lambda kind: sum(each.came for each in kind))
        went = [each for each in sent if each.errno is None]
        return Asked(len(went), sum(map(_came, went)), len(counted), sum(each.came for each in counted))


def _left_at(entry: SentProbe) -> float:
    """When a packet left, in seconds: as its kernel says, which may be later than we asked."""
    return min((copy.time for copy in entry.left), default=entry.sent_at) / 1e9


def _came(entry: SentProbe) -> bool:
    return any(copy.genuine for copy in (entry.delivered if entry.heard else entry.arrived))
