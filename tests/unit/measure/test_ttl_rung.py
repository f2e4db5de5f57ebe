"""Silence at a TTL: when it means death there, and when the place is left open."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pytest_hdp.judge.evidence import IcmpReport, Train
from pytest_hdp.judge.result import Hop, Judgement
from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.control.counting import ControlEntry
from pytest_hdp.measure.control.roundtrip import RoundTrip
from pytest_hdp.measure.ledger.probes import SentProbe
from pytest_hdp.measure.location.locate import Locator
from pytest_hdp.measure.location.located import GroupTracker, TraceResult, located
from pytest_hdp.measure.location.ttl_rung import Attempt, Rung

TRAIN, ROUTER = Train(97), "100.64.1.2"
FAR = TraceResult(TRAIN, Hop(1, "192.0.2.1"), Hop(3, "198.51.100.2"))
LOST = Judgement(TRAIN, Verdict.LOST, Place.PATH, "7 of 7 left, none arrived.", final=True)


def rung(answered: int, silent: int = 0) -> Rung:
    """A TTL at which the control was answered so often beside the train's silence, and so often was not."""
    controls = [ControlEntry(0, 2, Direction.FORWARD, echo=False, protocol=17) for _ in range(answered + silent)]
    for control in controls[:answered]:
        control.expired_at = ROUTER
    return Rung(2, [TRAIN], [Attempt({TRAIN: SentProbe(0, 2, TRAIN, b"")}, control) for control in controls])


@pytest.mark.parametrize(
    ("answered", "silent", "leaves_open"), [(0, 3, False), (1, 9, True), (2, 1, True), (3, 0, False)]
)
def test_a_router_that_speaks_leaves_a_silence_open_until_it_is_proven(
    answered: int, silent: int, leaves_open: bool
) -> None:
    asked = rung(answered, silent)
    assert asked.silent(TRAIN) is (answered == 3)
    assert asked.leaves_open(TRAIN) is leaves_open


def test_where_errors_are_few_silence_counts_after_a_rest_alone() -> None:
    few = rung(3, 1)
    assert not few.silent(TRAIN), "the router may have earned the control's error after the train's packet"
    few.attempts[:3] = [replace(each, rested=True) for each in few.attempts[:3]]
    assert few.silent(TRAIN)
    other = Train(98)
    entry = SentProbe(1, 2, other, b"")
    entry.icmp.append(IcmpReport(0, ROUTER, 11, 0, authenticated=True))
    few.attempts[0] = replace(few.attempts[0], probes={other: entry, **few.attempts[0].probes})
    assert not few.silent(TRAIN), "another one had the error that was earned"
    assert rung(5, 1).silent(TRAIN), "one that was lost leaves nothing open for ever"


def test_what_the_senders_own_kernel_says_comes_from_nowhere_on_the_way() -> None:
    asked = rung(3)
    for attempt in asked.attempts:
        attempt.probes[TRAIN].icmp.append(IcmpReport(0, "192.0.2.3", 3, 1, authenticated=True, own=True))
    assert not asked.heard_of(TRAIN)
    assert asked.at_ttl(TRAIN).icmp == ()


def test_on_another_way_the_controls_routers_leave_nothing_open() -> None:
    asked = rung(1, 9)
    assert not asked.leaves_open(TRAIN, elsewhere=True), "it does not meet who answered the control"
    other = Train(98)
    entry = SentProbe(1, 2, other, b"")
    entry.icmp.append(IcmpReport(0, "100.64.9.9", 11, 0, authenticated=True))
    few = Rung(2, [TRAIN, other], [replace(asked.attempts[0], probes={**asked.attempts[0].probes, other: entry})])
    assert few.leaves_open(TRAIN, elsewhere=True), "this one may be on its way, and have few errors"
    asked.attempts[0] = few.attempts[0]
    asked.trains.append(other)
    assert not asked.leaves_open(TRAIN, elsewhere=True), "asked ten times"


def test_an_open_silence_on_the_way_leaves_the_last_hop_open() -> None:
    assert located(LOST, FAR).last_hop == FAR.last
    doubtful = located(LOST, replace(FAR, doubtful=True))
    assert doubtful.last_hop is None
    assert "192.0.2.1 (hop 1)" in doubtful.explanation, "between these two it died in any case"


def test_who_was_left_open_stands_for_nobody() -> None:
    kinds = GroupTracker()
    kinds.climbed(LOST, replace(FAR, doubtful=True))
    other = replace(LOST, train=Train(89))
    assert kinds.stands_for(other).explanation == LOST.explanation


def test_the_control_waits_as_long_as_delays_vary() -> None:
    even, uneven, unknown = RoundTrip(), RoundTrip(), RoundTrip(transit=0.02)
    for index in range(60):
        even.learn(0.3)
        uneven.learn(0.003 * (index % 2))
    assert even.spread < 0.0001, "else the budget fills between the test packets and the control"
    assert 0.003 <= uneven.spread < 0.01
    assert unknown.spread == 0.02


def test_what_leaves_by_another_interface_does_not_meet_the_controls_hops() -> None:
    """By policy GRE leaves by eth1: that the control's first hop by eth0 kept silent about it tells nothing."""
    asked = rung(3)
    for attempt in asked.attempts:
        assert attempt.control is not None
        attempt.control.left_by.append((2, "eth0"))
        attempt.probes[TRAIN].left.append(SimpleNamespace(interface="eth1"))  # type: ignore[arg-type]
    assert asked.left_apart(TRAIN) == "eth1"
    locator = Locator.__new__(Locator)
    locator.rungs, locator.path = [asked], SimpleNamespace(receiver_end=lambda _: None, name=SimpleNamespace(target=""))  # type: ignore[assignment]
    locator.direction = Direction.FORWARD
    result = locator.result_of(TRAIN)
    assert (result.beyond, result.elsewhere, result.apart) == (None, True, "eth1")
    judged = GroupTracker().climbed(LOST, result)
    assert judged.explanation.endswith("; lost beyond eth1, by which the control does not leave.")
    assert judged.last_hop is None
    asked.attempts[0].control.left_by.append((2, "eth1"))  # type: ignore[union-attr]
    assert asked.left_apart(TRAIN) == "", "as where both pass a bridge and its port"
    assert (
        "lost between the sender and 100.64.1.2 (hop 2)"
        in GroupTracker().climbed(LOST, locator.result_of(TRAIN)).explanation
    )
