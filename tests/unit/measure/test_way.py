"""The way of a number by who answers at each TTL, where several routers have one address."""

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Hop, IcmpCount, Judgement
from pytest_hdp.judge.verdict import Place, Verdict
from pytest_hdp.measure.location.located import TraceResult, located
from pytest_hdp.measure.location.way import Way

A, B, C, TARGET = "192.0.2.1", "203.0.113.1", "203.0.113.6", "198.51.100.2"


def way(*rungs: tuple[str | None, str | None]) -> Way:
    """`rungs`: who answered the number, and the control; of that None: it came through."""
    found = Way()
    for ttl, (own, control) in enumerate(rungs, 1):
        there = Hop(ttl, control or TARGET)
        if own is None:
            found.unanswered(there)
        else:
            found.answered(Hop(ttl, own), there, known=True, beside=own == control)
    return found


@pytest.mark.parametrize(
    ("rungs", "last", "beyond"),
    [
        ([(A, A), (B, B), (None, C)], (2, B), (3, C)),
        # behind a translator all of them speak in the target's name
        ([(A, A), (TARGET, TARGET), (TARGET, TARGET), (None, TARGET), (None, None)], (3, TARGET), (4, TARGET)),
        ([(A, A), (TARGET, TARGET), (TARGET, TARGET), (TARGET, TARGET), (None, None)], (4, TARGET), (5, TARGET)),
        ([(A, A), (B, B), (A, A), (None, None)], (3, A), (4, TARGET)),  # one private address twice on a way
        ([(A, A), (B, B), (B, C), (B, None)], (2, B), (3, C)),  # somebody has set its TTL
    ],
)
def test_routers_of_one_address_are_told_apart_by_the_control(rungs, last, beyond):
    found = way(*rungs)
    assert (found.last, found.beyond, found.circle, found.elsewhere) == (Hop(*last), Hop(*beyond), None, False)


@pytest.mark.parametrize(
    ("rungs", "sends", "to"),
    [
        ([(A, A), (B, B), (A, C), (B, C)], (2, B), (1, A)),
        ([(A, A), (B, B), (C, None), (B, None), (C, None)], (3, C), (2, B)),
        ([(A, A), (TARGET, TARGET), (B, TARGET), (TARGET, None), (B, None)], (3, B), (2, TARGET)),
        ([(A, A), (B, B), (None, C), (A, C), (B, C), (None, C), (A, C)], (2, B), (1, A)),  # one of them never answers
    ],
)
def test_a_circle_is_one_that_it_goes_twice_and_the_control_does_not_go(rungs, sends, to):
    assert way(*rungs).circle == (Hop(*sends), Hop(*to))
    assert way(*rungs[:-1]).circle is None


@pytest.mark.parametrize(
    ("rungs", "again"),
    [
        ([(A, A), (B, B), (A, C)], Hop(1, A)),
        ([(A, A), (None, C), (A, C), (None, C), (A, C)], Hop(1, A)),  # the other one never answers
        ([(A, A), (B, B), (A, C), (None, TARGET)], Hop(1, A)),
        ([(A, A), (B, B), (A, C), (C, TARGET)], None),  # one private address twice, and then on
        ([(A, A), (B, B), (B, C), (B, C)], None),  # somebody has set its TTL
        ([(A, A), (B, B), (A, A)], None),  # so goes the control
    ],
)
def test_an_address_that_is_met_twice_may_be_a_circle_or_two_routers(rungs, again):
    found = way(*rungs)
    assert (found.circle, found.again) == (None, again)


def test_of_an_address_that_is_met_twice_both_readings_are_told():
    train = Train(50)
    judgement = Judgement(train, Verdict.LOST, Place.PATH, "50 (esp): no.", final=True, sent=7)
    found = TraceResult(train, Hop(3, A), None, (), elsewhere=True, again=Hop(1, A))
    assert located(judgement, found).explanation == (
        "50 (esp): no; lost beyond 192.0.2.1 (hop 3), who answered at hop 1 too (a loop, two of one address, or a TTL "
        "that was set on the way), on another way than the control's."
    )


def test_a_router_in_the_targets_name_is_not_the_target():
    assert way((A, A), (B, B), (TARGET, None)).elsewhere


@pytest.mark.parametrize(
    ("last", "beyond", "said"),
    [
        (
            Hop(3, TARGET),
            Hop(4, TARGET),
            "rejected beyond 198.51.100.2 (hop 3), an address that the control met at hop 4 too",
        ),
        (
            Hop(1, A),
            Hop(2, TARGET),
            "rejected beyond 198.51.100.2 (hop 2), an address that the control met at hop 3 too",
        ),
    ],
)
def test_of_routers_in_one_name_the_first_at_least_had_what_it_rejects(last, beyond, said):
    train, hops = Train(50), (Hop(1, A), *(Hop(ttl, TARGET) for ttl in (2, 3, 4)))
    icmp = (IcmpCount(TARGET, 3, 13, 7, authenticated=True),)
    judgement = Judgement(train, Verdict.REJECTED, Place.HOP, "50 (esp): no.", final=True, sent=7, icmp=icmp)
    assert located(judgement, TraceResult(train, last, beyond, hops)).explanation == f"50 (esp): no; {said}."


@pytest.mark.parametrize(("where", "said"), [(C, ""), (B, " between 203.0.113.1 (hop 2) and 203.0.113.6 (hop 3)")])
def test_what_ran_out_of_its_ttl_beyond_all_that_were_asked_died_before_none_of_them(where, said):
    """A box at hop 1 sets the TTL; who lets it run out has no error left for what looks for the hop."""
    icmp = (IcmpCount(where, 11, 0, 5, authenticated=True),)
    judgement = Judgement(Train(47), Verdict.REJECTED, Place.HOP, "47 (gre): no.", final=True, sent=7, icmp=icmp)
    hops = (Hop(1, A), Hop(2, B), *([Hop(3, C)] if where == B else []))
    found = located(judgement, TraceResult(Train(47), None, Hop(1, A), hops))
    why = "where its TTL ran out: in a loop, or since a box has lowered it"
    assert found.explanation == f"47 (gre): no; rejected{said}, {why}."
    assert found.last_hop == (Hop(2, B) if where == B else None)
