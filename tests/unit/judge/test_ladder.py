"""Each rung by example, the order of the rungs, and what stands beside the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fates import NO_AGENT, SECOND, Example, P, V, attributes_of, probe, seen
from ladder_examples import EXAMPLES

from pytest_hdp.judge.evidence import (
    Circumstances,
    Observers,
    Probe,
    RoundControl,
    Train,
    TrainEvidence,
)
from pytest_hdp.judge.explain import bound_text, percent_above
from pytest_hdp.judge.ladder import RUNGS, judge
from pytest_hdp.judge.verdict import Direction, Form, Verdict


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    example = EXAMPLES[name]
    judgement = example.judge()
    assert (judgement.verdict, judgement.place) == (example.verdict, example.place), judgement.explanation
    assert judgement.final is example.final, judgement.explanation
    for words in example.says:
        assert words in judgement.explanation
    assert judgement.explanation.isprintable()
    assert judgement.explanation.startswith("132 (sctp), forward: ")
    assert judgement.explanation.endswith(".")


def test_every_verdict_has_an_example() -> None:
    assert {example.verdict for example in EXAMPLES.values()} == set(Verdict)


def test_rungs_stand_in_the_order_of_the_verdicts() -> None:
    assert [rung.__name__ for rung in RUNGS] == [str(verdict) for verdict in Verdict]


EXCLUSIVE = {("held_by_sender", "renumbered"), ("lost", "first_only")}
"""Neighbours that no evidence reaches both: nothing left or something did; none came or some did."""


@pytest.mark.night(but=["1", "7", "11"])
@pytest.mark.parametrize("lower", range(len(RUNGS) - 1))
def test_two_rungs_swapped_change_an_example(lower: int) -> None:
    swapped = list(RUNGS)
    swapped[lower], swapped[lower + 1] = swapped[lower + 1], swapped[lower]
    names = (RUNGS[lower].__name__, RUNGS[lower + 1].__name__)
    changed = [name for name, example in EXAMPLES.items() if example.judge(swapped).verdict != example.verdict]
    assert bool(changed) is (names not in EXCLUSIVE), f"{names}: {changed}"


@pytest.mark.parametrize("missing", RUNGS[:-1], ids=lambda rung: rung.__name__)
def test_a_rung_taken_out_changes_an_example(missing: Any) -> None:
    ladder = [rung for rung in RUNGS if rung is not missing]
    assert any(example.judge(ladder).verdict != example.verdict for example in EXAMPLES.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_order_is_nothing(name: str) -> None:
    example = EXAMPLES[name]
    evidence, circumstances = example.evidence(), example.circumstances()
    backwards = replace(
        evidence,
        probes=tuple(
            replace(p, left=p.left[::-1], arrived=p.arrived[::-1], delivered=p.delivered[::-1], icmp=p.icmp[::-1])
            for p in evidence.probes[::-1]
        ),
    )
    assert judge(backwards, replace(circumstances, control=circumstances.control[::-1])) == example.judge()


@pytest.mark.parametrize("name", EXAMPLES)
def test_counts_and_bound(name: str) -> None:
    example = EXAMPLES[name]
    judgement = example.judge()
    taken = [p for p in example.evidence().probes if p.errno is None]
    assert judgement.sent == len(taken)
    assert judgement.left == sum(bool(p.left) for p in taken)
    assert judgement.arrived == sum(bool(p.arrived) for p in taken)
    assert judgement.delivered == sum(any(s.genuine for s in p.delivered) for p in taken)
    control = example.circumstances().control
    assert judgement.control_sent == sum(c.sent for c in control)
    assert judgement.control_delivered == sum(c.delivered for c in control)
    if judgement.verdict in {V.LOST, V.LOSSY, V.FIRST_ONLY, V.HELD_BY_RECEIVER}:
        assert judgement.bound is not None
        assert " %" in judgement.bound
    if example.observers in (NO_AGENT, Observers(False, False, False)) or judgement.verdict in {V.DELIVERED, V.REACHED}:
        assert judgement.bound is None


def test_bound_of_seven() -> None:
    assert Example("lllllll", V.LOST, P.PATH).judge().bound == "0 of 7 arrived: delivery probability below 35 % at 95 %"
    assert bound_text(5, 5) == "5 of 5 arrived"
    assert bound_text(0, 30).endswith("below 9.6 % at 95 %")


@pytest.mark.parametrize(("share", "text"), [(0.348, "35 %"), (0.35, "35 %"), (0.0487, "4.9 %"), (1.0, "100 %")])
def test_percentages_are_upper_bounds(share: float, text: str) -> None:
    assert percent_above(share) == text


def test_errno_and_wire_protocol() -> None:
    assert EXAMPLES["socket"].judge().errno == "EPROTONOSUPPORT"
    assert EXAMPLES["send"].judge().errno == "EPERM"
    assert Example("EM", V.REFUSED_AT_SEND, P.SENDER_SEND).judge().errno == "EMSGSIZE", "the first of equals by name"
    assert EXAMPLES["send, some"].judge().errno is None
    assert EXAMPLES["renumbered"].judge().wire_protocol == 4
    assert EXAMPLES["lost"].judge().wire_protocol == 132
    assert EXAMPLES["send"].judge().wire_protocol is None


def test_renumbered_says_why() -> None:
    at = SECOND
    left = Probe(0, 0, at, left=(seen(at, protocol=6),), arrived=(seen(at, protocol=6, changed=("protocol",)),))
    judgement = judge(TrainEvidence(Train(262), None, (left,)), Circumstances((RoundControl(0, 1, 1, 1),)))
    assert judgement.verdict is V.RENUMBERED
    assert judgement.final
    assert "as 6 (tcp), the low 8 bits of 262" in judgement.explanation


def test_what_left_without_a_header_left_under_the_number_that_was_inside() -> None:
    without = replace(seen(5, protocol=253, genuine=False, changed=("payload", "protocol")), moved=-8)
    judgement = attributes_of(*(replace(probe("l", i), left=(without,), arrived=(without,)) for i in range(5)))
    assert (judgement.verdict, judgement.wire_protocol) == (V.RENUMBERED, 253)
    left_as_sent = attributes_of(*(replace(probe("l", i), arrived=(without,)) for i in range(5)))
    assert (left_as_sent.verdict, left_as_sent.moved) == (V.MODIFIED, -8)


def test_what_left_behind_a_header_of_ipsecs_left_under_the_number_of_that() -> None:
    behind = replace(seen(5, protocol=51, genuine=False, changed=("payload", "protocol")), moved=24)
    judgement = attributes_of(*(replace(probe("l", i), left=(behind,), arrived=(behind,)) for i in range(5)))
    assert (judgement.verdict, judgement.wire_protocol) == (V.RENUMBERED, 51)
    assert "5 of 5 left " in judgement.explanation
    assert "as 51 (ah)" in judgement.explanation


def test_what_may_have_left_in_other_packets_is_not_held() -> None:
    """What IPsec encrypts nobody sees leaving."""
    probes = tuple(replace(probe("l", i), left=()) for i in range(7))
    control = tuple(RoundControl(i, 1, 1, 1) for i in range(7))
    evidence = TrainEvidence(Train(132), None, probes)
    assert judge(evidence, Circumstances(control)).verdict is V.HELD_BY_SENDER
    wrapped = Circumstances(control, names={"wrapped": "it may have left in others"})
    for around in (wrapped, replace(wrapped, observers=NO_AGENT)):
        judgement = judge(evidence, around)
        assert (judgement.verdict, judgement.final) == (V.INCONCLUSIVE, True)
        assert "it may have left in others" in judgement.explanation
    came = replace(probes[0], delivered=(seen(5),), arrived=(seen(5),))
    assert judge(TrainEvidence(Train(132), None, (came, *probes[1:])), wrapped).verdict is not V.HELD_BY_SENDER


def test_another_number_on_arrival_is_not_as_sent() -> None:
    changed = [replace(probe("d", i), arrived=(), delivered=(seen(i, protocol=4),)) for i in range(5)]
    example = EXAMPLES["delivered"]
    judgement = judge(TrainEvidence(Train(132), None, tuple(changed)), example.circumstances())
    assert (judgement.verdict, judgement.modified) == (V.MODIFIED, ("protocol",))


def test_the_sentence_names_form_and_direction() -> None:
    train = Train(253, Direction.REVERSE, Form.WELLFORMED)
    judgement = judge(TrainEvidence(train, "EINVAL"), Circumstances(()))
    assert judgement.explanation.startswith("253 (experimental-1), wellformed, reverse: socket() refused")
