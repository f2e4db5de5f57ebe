"""Rejected or lost, where a router has few errors to send: what its silence excuses, and what is said of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_hdp.judge.details import IcmpCount
from pytest_hdp.judge.evidence import IcmpReport, Train
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.ledger.probes import SentProbe
from pytest_hdp.measure.location.lost_or_rejected import answered_once
from pytest_hdp.measure.schedule.leisure import Leisure
from pytest_hdp.packet.family import IPV4

ROUTER = "10.0.12.2"
ONCE, LOST, THIRD = Train(47), Train(50), Train(89)
REPORT = IcmpReport(0, ROUTER, 3, 1, authenticated=True)


def judgement(train: Train) -> Judgement:
    return Judgement(train, Verdict.LOST, Place.PATH, f"{train.protocol}: none of 7 arrived.", final=True, sent=7)


class Clock:
    """Time that passes when somebody waits."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Known:
    """What a measurement knows of trains that are lost, of which one was rejected once."""

    def __init__(self, *trains: Train) -> None:
        self.settled, self.to_locate = {}, {train: judgement(train) for train in trains}
        self.momentary, self.rounds, self.timeout, self.clock = {}, 7, 0.1, Clock()
        self.plan = SimpleNamespace(locate="groups")
        self.path = SimpleNamespace(
            family=IPV4, gone=None, routed=True, sender_end=lambda _: SimpleNamespace(address="")
        )
        self.control = SimpleNamespace(address=lambda _: "")
        self.ledger = Ledger(b"\x01" * 8)
        for index, train in enumerate(trains):
            self.ledger.add(SentProbe(index, 0, train, b"", icmp=[REPORT] * (train == ONCE)))

    def end(self, _direction):
        return SimpleNamespace(address="")

    def circumstances(self, train, *, more_rounds):
        return SimpleNamespace(reference=SimpleNamespace(general=frozenset()))

    def forget_circumstances(self):
        pass

    def judge(self, train, *, more_rounds):
        return judgement(train)

    def settle(self, found, *, worth):
        self.to_locate[found.train] = found


def asked(know, answers):
    """Leisure that has asked, of whom these are answered then, by whom."""
    leisure = Leisure(know, Direction.FORWARD)

    def send(trains, direction, number):
        for train in trains:
            report = [IcmpReport(0, source, 3, 1, authenticated=True) for source in answers.get(train, ())]
            know.ledger.add(SentProbe(len(know.ledger.probes), number, train, b"", icmp=report))
        yield know.clock.now

    for deadline in leisure.ask(send, 1000.0):
        know.clock.now = max(know.clock.now, deadline)
    return leisure


def test_no_silence_is_excused_beside_nothing():
    leisure = asked(Known(ONCE), {})
    assert leisure.unanswered == [ONCE], "whether it had an error left is not known"


def test_who_shows_that_there_is_an_error_left_is_asked_last_itself():
    know = Known(ONCE, LOST, THIRD)
    assert Leisure(know, Direction.FORWARD).unanswered[-1] == ONCE
    assert asked(know, {ONCE: [ROUTER]}).unanswered == []


@pytest.mark.parametrize(
    ("answers", "train", "said"),
    [
        (None, LOST, "rejected 47 (gre) at times: if it has few"),
        ({}, LOST, "rejected 47 (gre) at times, and nothing when that was asked for again: if it has few"),
        ({THIRD: [ROUTER]}, LOST, "10.0.12.2 rejects others, and had no ICMP error left for this one"),
        ({}, ONCE, "10.0.12.2 rejected it at times, and nothing when that was asked for again: if it has few ICMP"),
    ],
    ids=["nobody asked", "silent again", "it rejects another", "of itself"],
)
def test_it_is_said_whether_anybody_was_asked_again(answers, train, said):
    know = Known(ONCE, LOST, THIRD)
    leisure = Leisure(know, Direction.FORWARD) if answers is None else asked(know, answers)
    leisure.judge()
    assert said in know.to_locate[train].explanation


def test_a_ttl_that_ran_out_is_no_loop_alone():
    lost = Judgement(
        ONCE, Verdict.LOST, Place.PATH, "none arrived.", final=True, sent=7, icmp=(IcmpCount(ROUTER, 11, 0, 2, True),)
    )
    said = answered_once((ROUTER, 11, 0), lost).explanation
    assert (
        "where its TTL ran out: in a loop, or since a box has lowered it, and none when it was asked again later"
        in said
    )
    assert said.endswith("that was so for a moment, or 10.0.12.2 has few ICMP errors to send.")
