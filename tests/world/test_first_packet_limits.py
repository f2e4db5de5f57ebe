"""The first-packet experiment on limits that refill slowly, beside states that only silence ends; no second passes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from sim.blueprint import plain
from sim.elements import Limit
from sim.elements.routers import RouterRule
from sim.families.registry import SECOND
from sim.packet import Packet
from sim.world import build

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.refill import FirstPacket, Refill
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.verdict import Place, Verdict
from pytest_hdp.measure.experiments.first_packet import first_packet


@dataclass(slots=True)
class Forgets(RouterRule):
    """A state that lets the first `count` packets of 253 pass, until none has come for `silence` ns."""

    silence: int
    count: int
    name: str = "a state"
    _seen: int = 0
    _last: dict[int, int] = field(default_factory=dict)

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if packet.protocol != 253 or packet.quote is not None:
            return None
        if now - self._last.get(way, now) > self.silence:
            self._seen = 0
        self._last[way] = now
        self._seen += 1
        return "drop" if self._seen > self.count else None


@dataclass(slots=True)
class HeldLong(RouterRule):
    """A state that is shut for so many packets of 253, and then lets one pass after 0.3 s; nobody asks `most` of it."""

    held: int
    most: int
    state: Forgets
    name: str = "a state that was held"

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        if packet.protocol != 253:
            return None
        self.held, self.most = self.held - 1, self.most - 1
        assert self.most > 0, "the search for the shortest silence has no end"
        said = self.state.judge(packet, way, now)
        return "drop" if self.held >= 0 else said


SWEPT = Judgement(Train(253), Verdict.FIRST_ONLY, Place.PATH, "known", True, sent=7, left=7, arrived=1, delivered=1)
"""What a sweep has told of it before."""


def found(
    *rules: RouterRule, longest_idle: float = 8.0, timeout: float | None = None, known: Judgement | None = None
) -> FirstPacket:
    """What the experiment says of 253 behind a router, or two, with such rules."""
    blueprint = plain(4, agent=True)
    blueprint.trains = (Train(253),)
    for router, rule in zip(blueprint.routers, rules, strict=False):
        router.rules += (rule,)
    world = build(blueprint, ("own",), trace=False, ties=None)
    plan = replace(world.measurement.plan, timeout=timeout)
    return first_packet(world.path, plan, 253, longest_idle=longest_idle, known=known)


@pytest.mark.night(but=["1-5", "4-14", "4-6"])
@pytest.mark.parametrize("every", [5, 6, 8, 11, 14])
@pytest.mark.parametrize("burst", [1, 4])
def test_a_limit_that_earns_a_packet_in_seconds_is_no_state_that_silence_ends(every: int, burst: int) -> None:
    """For the four seconds in which packets keep coming at first none passes, and after some silences one does."""
    seen = found(Limit(frozenset({253}), every * SECOND, burst))
    assert seen.judgement.verdict is Verdict.FIRST_ONLY
    assert seen.refills is Refill.TIME, seen.sentence
    assert "a limit on the rate" in seen.sentence
    assert "of silence" not in seen.sentence


@pytest.mark.night(but=["1-3.0", "4-1.5", "1-0.7"])
@pytest.mark.parametrize("silence", [0.7, 1.5, 3.0, 5.0, 7.0])
@pytest.mark.parametrize("count", [1, 4])
def test_a_state_that_silence_ends_is_told_as_ever(silence: float, count: int) -> None:
    seen = found(Forgets(int(silence * SECOND), count))
    assert seen.refills is Refill.SILENCE, seen.sentence
    assert seen.recovery is not None
    assert seen.recovery.high is not None
    assert seen.recovery.low <= silence <= seen.recovery.high
    assert "while packets keep coming none of" in seen.sentence


@pytest.mark.night
@pytest.mark.parametrize(("silence", "count", "timeout"), [(0.7, 1, 1.0), (0.7, 4, 9.0), (3.0, 1, 4.0)])
def test_a_state_that_forgets_before_all_is_heard_is_no_limit(silence: float, count: int, timeout: float) -> None:
    """Each question then begins after a silence that is long enough, in which nobody asks anything."""
    seen = found(Forgets(int(silence * SECOND), count), timeout=timeout)
    assert seen.refills is Refill.SILENCE, seen.sentence
    assert "while packets keep coming none of" in seen.sentence
    assert "another port does not get through either" in seen.sentence
    assert seen.recovery is not None
    assert seen.recovery.high is not None
    assert seen.recovery.low <= silence <= seen.recovery.high


def test_of_two_boxes_in_a_row_the_longer_silence_is_told() -> None:
    """While packets keep coming the first is shut, and the second has its silence already."""
    seen = found(Forgets(int(1.2 * SECOND), 4), Forgets(int(4.1 * SECOND), 2))
    assert (seen.judgement.delivered, seen.refills) == (2, Refill.SILENCE), seen.sentence
    assert seen.recovery is not None
    assert seen.recovery.high is not None
    assert seen.recovery.low <= 4.1 <= seen.recovery.high


def test_what_passes_after_no_silence_that_was_tried_is_said_to() -> None:
    seen = found(Limit(frozenset({253}), 600 * SECOND, 4))
    assert (seen.judgement.verdict, seen.refills) == (Verdict.FIRST_ONLY, None), seen.sentence
    assert "no packet passes again within 8 s of silence" in seen.sentence


@pytest.mark.parametrize("timeout", [1.5, 3.0, 6.0])
def test_the_search_ends_where_no_shorter_silence_can_be_had(timeout: float) -> None:
    """It takes the timeout to hear that not all of a question came, so that each silence is at least as long."""
    state = HeldLong(160, 1000, Forgets(int(0.3 * SECOND), 1))
    seen = found(state, timeout=timeout, known=SWEPT)
    assert state.held < 0, "the silences were asked for"
    assert seen.judgement is SWEPT
