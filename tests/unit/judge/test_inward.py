"""What came in to a box unasked, what did not, and what is not proven."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_hdp.judge.containment import Ruling
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.inward import admit
from pytest_hdp.judge.outside import Launched, Side, Sight, Surroundings
from pytest_hdp.judge.result import TwinCount
from pytest_hdp.judge.verdict import Containment, Direction, Form, Outcome

C = Containment
BOX, TWIN, FAR = "192.0.2.2", "192.0.2.130", "198.51.100.2"
N = 28
TRAIN = Train(132, Direction.REVERSE)
EYES = ("namespace box", "namespace twin")


def sent(count: int = N, first: int = 0, errno: str | None = None) -> tuple[Launched, ...]:
    return tuple(Launched(first + at, at, errno) for at in range(count))


def seen(indexes: range) -> tuple[Sight, ...]:
    return tuple(Sight(each, "the agent", FAR) for each in indexes)


AROUND = Surroundings(trains=512, came=dict.fromkeys(range(N), 4))
TIGHT = Side(sent(), address=BOX)
PROOF = Side(sent(first=1000), seen(range(1000, 1000 + N)), address=TWIN)
LATER = Side(tuple(replace(each, later_only=True) for each in sent(first=2000)), seen(range(2000, 2000 + N)))
FRAGMENTS = replace(PROOF, launched=PROOF.launched + LATER.launched, seen=PROOF.seen + LATER.seen)


def asked(
    box: Side = TIGHT, twin: Side | None = PROOF, around: Surroundings = AROUND, form: Form = Form.BARE
) -> Ruling:
    return admit(replace(TRAIN, form=form), box, twin, around, EYES)


def test_none_in_while_all_of_the_twin_s_came_is_contained() -> None:
    ruling = asked()
    assert (ruling.containment, ruling.observer, ruling.twin) == (C.CONTAINED, EYES[0], TwinCount(N, N, N))
    assert ruling.sentence == (
        "contained: none of 28 came in to namespace box, while 28 of 28 of its twin's came to namespace twin"
    )


def test_one_copy_at_its_interface_got_in_whatever_else_is_known() -> None:
    box = replace(TIGHT, seen=seen(range(7, 8)))
    for twin in (None, PROOF, replace(PROOF, seen=()), replace(PROOF, address=BOX)):
        ruling = asked(box, twin, replace(AROUND, came={}, blind="it may be blind", gone="the agent is gone"))
        assert (ruling.containment, ruling.observer) == (C.LEAKED, EYES[0])
        assert ruling.sentence == f"got in: 1 of 28 came in unasked, seen by namespace box, from {FAR}"


def test_what_may_leave_may_come_in_and_need_not() -> None:
    around = replace(AROUND, allowed={132})
    assert asked(replace(TIGHT, seen=seen(range(N))), around=around).containment is C.ALLOWED
    for form in Form:
        assert asked(twin=FRAGMENTS, around=around, form=form).containment is C.CONTAINED, "never blocked"


def test_what_comes_in_only_after_allowed_traffic_is_told_as_that() -> None:
    launched = tuple(replace(each, late=each.index >= 14) for each in sent())
    ruling = asked(Side(launched, seen(range(14, 20))))
    assert ruling.containment is C.LEAKED
    assert "none of those before allowed traffic of the same pair did, so that opened the way" in ruling.sentence


@pytest.mark.parametrize(
    ("box", "twin", "around", "said"),
    [
        (TIGHT, None, AROUND, "no twin (--hdp-twin) shows that it would have been seen"),
        (TIGHT, replace(PROOF, seen=()), AROUND, "nothing that was sent to namespace twin came there either"),
        (TIGHT, replace(PROOF, launched=sent(errno="EPERM"), seen=()), AROUND, "to its twin either (EPERM)"),
        (TIGHT, Side(refused="EPROTONOSUPPORT"), AROUND, "to its twin either (EPROTONOSUPPORT)"),
        (TIGHT, replace(PROOF, address=BOX), AROUND, f"box and twin have one address, {BOX}"),
        (Side(sent(errno="EHOSTUNREACH"), address=BOX), PROOF, AROUND, "could not send it to the box (EHOSTUNREACH)"),
        (Side(address=BOX), PROOF, AROUND, "could not send it to the box (nothing was sent)"),
        (TIGHT, PROOF, replace(AROUND, blind="nobody could look"), "nothing came in, and nobody could look"),
        (TIGHT, PROOF, replace(AROUND, came={}), "none of the 0 came in"),
        (TIGHT, PROOF, replace(AROUND, spoiled=set(range(N))), "none of the 0 came in"),
        (Side(sent(3), address=BOX), PROOF, AROUND, "too little to tell that from chance"),
        (TIGHT, PROOF, replace(AROUND, bound=0.01), "and 1 % is asked for"),
        (Side(sent(2), address=BOX), PROOF, replace(AROUND, withheld="no more may go"), "(no more may go)"),
        (Side(sent(errno="EAGAIN"), address=BOX), PROOF, replace(AROUND, withheld="no more may go"), "no more may go"),
    ],
)
def test_what_shows_nothing_is_unproven(box: Side, twin: Side | None, around: Surroundings, said: str) -> None:
    ruling = asked(box, twin, around)
    assert ruling.containment is C.UNPROVEN
    assert ruling.sentence.startswith("unproven: ")
    assert said in ruling.sentence
    assert ruling.containment.outcome is Outcome.FAILED


def test_fragments_decide_only_by_later_ones_of_the_twin() -> None:
    assert asked(twin=FRAGMENTS, form=Form.FRAGMENTED).containment is C.CONTAINED
    ruling = asked(twin=replace(FRAGMENTS, seen=PROOF.seen), form=Form.FRAGMENTED)
    assert ruling.containment is C.UNPROVEN
    assert "none of 28 later ones that were sent without a first" in ruling.sentence


def test_a_way_that_loses_makes_no_proof_of_little() -> None:
    twin = replace(PROOF, seen=PROOF.seen[:7])
    assert asked(twin=twin).containment is C.UNPROVEN


def test_the_word_tells_the_ways_apart() -> None:
    assert [C.LEAKED.told(way) for way in Direction] == ["got out", "got in"]
    assert {C.CONTAINED.told(way) for way in Direction} == {"contained"}
