"""The first-packet experiment: does something on the path let a packet pass, and then no more?

Burst, idle, burst again; then another number and another port, to see what the state hangs on. Probing keeps such a
state alive, so each idle time is spent in silence, and each is twice the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.measure.control import PACKET_OUTGOING, Control
from pytest_hdp.measure.engine import Measurement
from pytest_hdp.measure.ledger import Ledger
from pytest_hdp.measure.probes import Entry
from pytest_hdp.measure.sending import send_probe
from pytest_hdp.measure.waiting import drive, look_until, pause
from pytest_hdp.packet.hdp import DEFAULT_PORT, Header

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ends import Eye
    from pytest_hdp.measure.path import OpenPath
    from pytest_hdp.measure.plan import Plan
    from pytest_hdp.vantage.station import Observation

BURST = 8
FIRST_IDLE = 0.5  # seconds
OTHER_PORT = 1 + DEFAULT_PORT


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """What the experiment found about one number.

    `judgement`: of the first burst. `other_number`, `other_port`: whether a packet passed under another number, and
    from another HDP port, while this number's packets did not (None: not asked, since they all passed).
    `recovered_after`: seconds of silence after which a packet passed again; None if it did not within `waited`.
    """

    judgement: Judgement
    other_number: bool | None = None
    other_port: bool | None = None
    recovered_after: float | None = None
    waited: float = 0.0

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        said = [self.judgement.explanation.rstrip(".")]
        if self.other_number is not None:
            said.append(f"another number {_gets(self.other_number)}")
        if self.other_port is not None:
            said.append(f"another port {_gets(self.other_port)}")
        if self.recovered_after is not None:
            said.append(f"after {self.recovered_after:g} s of silence a packet passes again")
        elif self.waited:
            said.append(f"no packet passes again within {self.waited:g} s of silence")
        return "; ".join(said) + "."


def _gets(passes: bool) -> str:
    return "starts afresh" if passes else "does not get through either"


def first_packet(path: OpenPath, plan: Plan, protocol: int, *, longest_idle: float) -> FirstPacket:
    """Run the experiment for one number, forward. It takes `longest_idle` seconds twice at most."""
    pace = replace(plan.pace, rounds=BURST, most_rounds=max(BURST, plan.pace.most_rounds), spacing=0.005)
    plan = replace(plan, trains=(Train(protocol),), pace=pace, locate="none")
    judgement = Measurement(path, plan).run()[Train(protocol)]
    if judgement.verdict is not Verdict.FIRST_ONLY:
        return FirstPacket(judgement)
    single = _Single(path, plan)
    another = protocol - 1 if protocol > 1 else protocol + 1
    other_number = single.passes(another)
    other_port = single.passes(protocol, Header(OTHER_PORT, OTHER_PORT))
    idle = FIRST_IDLE
    while idle <= longest_idle:
        drive(path, pause(path.clock, idle))
        if single.passes(protocol):
            return FirstPacket(judgement, other_number, other_port, idle, idle)
        idle *= 2
    return FirstPacket(judgement, other_number, other_port, None, idle / 2)


class _Single:
    """Sends one probe at a time and waits for it at the receiver's socket, or its interface where there can be none."""

    def __init__(self, path: OpenPath, plan: Plan) -> None:
        self.path = path
        self.ledger = Ledger(path.run_id, "first packet")
        self.content = plan.content
        self.timeout = plan.timeout or 5 * plan.pace.least_timeout
        self.address = Control(path, b"").address(Direction.FORWARD)

    def passes(self, protocol: int, header: Header | None = None) -> bool:
        """Whether one packet of this number comes through."""
        train = Train(protocol)
        self.path.listener(Direction.FORWARD, protocol)
        self.path.subscribers.append(self._file)
        entry = send_probe(self.path, self.ledger, train, 0, self.content, self.address, header)
        deadline = self.path.clock.monotonic() + self.timeout + self.path.lag
        drive(self.path, look_until(self.path.clock, deadline, lambda: _came(entry)))
        self.path.settle()
        self.path.subscribers.remove(self._file)
        return _came(entry)

    def _file(self, eye: Eye, observation: Observation) -> None:
        arriving = eye.kind == "tap" and eye.end is self.path.far and observation[2] != PACKET_OUTGOING
        if eye.kind == "socket" or arriving:
            found = self.ledger.probe(observation[1], observation[3], observation[5])
            if found is not None:
                entry, copy = found
                entry.keep(entry.arrived if arriving else entry.delivered, copy)


def _came(entry: Entry) -> bool:
    return any(copy.genuine for copy in (entry.delivered if entry.heard else entry.arrived))
