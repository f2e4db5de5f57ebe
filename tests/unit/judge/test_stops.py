"""What stops at one end while little of the control gets on there either is held by nobody: it had no luck."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fates import NAMES, Example, P, V

from pytest_hdp.judge.evidence import Circumstances, RoundControl
from pytest_hdp.judge.ladder import judge

KEPT = {".": V.HELD_BY_SENDER, "a": V.HELD_BY_RECEIVER}


def control(letter: str, got_on: int, rounds: int) -> tuple[RoundControl, ...]:
    """44 packets a round, of which so many got on at the end where the train of this letter stops."""
    if letter == ".":
        return tuple(RoundControl(n, 40, got_on, got_on, taken=44) for n in range(rounds))
    return tuple(RoundControl(n, 44, 44, 44, taken=44, arrived=38, at_socket=got_on) for n in range(rounds))


def around(letter: str, got_on: int, rounds: int, *, more: bool = False) -> Circumstances:
    return Circumstances(control(letter, got_on, rounds), names=NAMES, minimum_count=7, more_rounds=more)


@pytest.mark.parametrize("letter", KEPT)
def test_seven_without_luck_are_held_by_nobody(letter: str) -> None:
    seven = Example(letter * 7, KEPT[letter], P.UNKNOWN).evidence()
    asked_on, at_the_end = (judge(seven, around(letter, 4, 7, more=more)) for more in (True, False))
    assert not asked_on.final
    assert at_the_end.verdict is V.INCONCLUSIVE
    assert "keeps it" not in at_the_end.explanation


@pytest.mark.parametrize("letter", KEPT)
@pytest.mark.parametrize("got_on", [38, 4])
def test_as_many_as_no_luck_explains_are_held(letter: str, got_on: int) -> None:
    """A control of which nearly all gets on explains nothing; one that mostly stops takes many more of the train."""
    count = 7 if letter == "a" and got_on == 38 else 400
    many = Example(letter * count, KEPT[letter], P.UNKNOWN).evidence()
    assert judge(many, around(letter, got_on, count)).verdict is KEPT[letter]


def test_a_datagram_that_nobody_listens_for_says_nothing_of_other_numbers() -> None:
    seven = Example("aaaaaaa", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL).evidence()
    assert judge(seven, around("a", 0, 7)).verdict is V.HELD_BY_RECEIVER


def test_what_the_receivers_host_sends_on_it_does_not_keep() -> None:
    seven = Example("aaaaaaa", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL).evidence()
    onward = replace(seven, probes=tuple(replace(each, onward=(("docker0", "172.17.0.2"),)) for each in seven.probes))
    told = judge(onward, around("a", 38, 7))
    assert told.verdict is V.HELD_BY_RECEIVER
    assert "7 left that host again by docker0, to 172.17.0.2: its kernel sends it on" in told.explanation
    assert "keeps it" not in told.explanation


@pytest.mark.parametrize("letter", ["a", "P", "F"])
def test_where_the_observers_are_at_another_host_nothing_is_held_or_rejected(letter: str) -> None:
    """There the target's stack says that nobody listens, and this is so: they listen at another host."""
    seven = Example(letter * 7, V.INCONCLUSIVE, P.UNKNOWN).evidence()
    if letter == "F":
        seven = replace(seven, probes=tuple(replace(each, delivered=()) for each in seven.probes))
    told = judge(seven, replace(around("a", 38, 7), names={**NAMES, "elsewhere": "log in at another host"}))
    assert told.verdict is V.INCONCLUSIVE
    assert "log in at another host" in told.explanation


def test_what_a_limit_of_the_senders_own_firewall_refuses_it_does_not_refuse_always() -> None:
    """It took one in ten of others: seven of seven refused are no more than their share of that."""
    seven = Example("EEEEEEE", V.REFUSED_AT_SEND, P.SENDER_SEND).evidence()
    alone = around("a", 38, 7)
    limited = replace(alone, refusals=(90, 100))
    assert judge(seven, alone).verdict is V.REFUSED_AT_SEND
    told = judge(seven, limited)
    assert told.verdict is V.INCONCLUSIVE
    assert "7 of 7 with EPERM" in told.explanation
    assert "it refused 90 of 100 of such numbers, as a limit that numbers share does" in told.explanation
    assert not judge(seven, replace(limited, more_rounds=True)).final
    many = Example("E" * 60, V.REFUSED_AT_SEND, P.SENDER_SEND).evidence()
    assert judge(many, replace(limited, refusals=(30, 100))).verdict is V.REFUSED_AT_SEND


@pytest.mark.parametrize(("errno", "verdict"), [("EPERM", V.INCONCLUSIVE), ("EMSGSIZE", V.REFUSED_AT_SEND)])
def test_a_firewall_that_refuses_others_at_times_explains_its_own_refusals_alone(errno: str, verdict: V) -> None:
    seven = Example("." * 7, V.REFUSED_AT_SEND, P.UNKNOWN).evidence()
    refused = replace(seven, probes=tuple(replace(each, errno=errno) for each in seven.probes))
    assert judge(refused, replace(around("a", 38, 7), refusals=(6, 14))).verdict is verdict
