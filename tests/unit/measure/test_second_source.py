"""What came to nobody at an outside address that two hosts share tells of neither."""

from dataclasses import replace

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement, Nat
from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.campaign.second import unasked
from pytest_hdp.measure.path.endpoints import PathUnavailable

OUTSIDE, OWN = "203.0.113.1", "192.168.7.3"
UNASKED = Judgement(
    Train(47, Direction.REVERSE), Verdict.LOST, Place.PATH, "none arrived.", final=True, bound="0 of 7", sent_to=OUTSIDE
)
FIRST = Judgement(
    Train(47),
    Verdict.DELIVERED,
    Place.RECEIVER_SOCKET,
    "all arrived.",
    final=True,
    sent=7,
    nat=Nat("translated", OUTSIDE),
)


@pytest.mark.parametrize("source", [OUTSIDE, None])
@pytest.mark.parametrize("verdict", [Verdict.LOST, Verdict.REJECTED, Verdict.FIRST_ONLY, Verdict.LOSSY])
def test_what_another_host_asked_for_from_there_is_not_unasked(verdict, source):
    """If nothing of it arrived, nobody knows from where: it may have been from there."""
    asked = []
    first = replace(FIRST, nat=Nat("none", source))
    found = unasked(replace(UNASKED, verdict=verdict), OWN, lambda train: asked.append(train) or first)
    assert (found.verdict, found.place, found.bound) == (Verdict.INCONCLUSIVE, Place.UNKNOWN, None)
    assert "sent to 203.0.113.1, the outside address of the first source too" in found.explanation
    assert asked == [Train(47)]


@pytest.mark.parametrize(
    ("judgement", "first"),
    [
        (replace(UNASKED, verdict=Verdict.DELIVERED), FIRST),
        (replace(UNASKED, verdict=Verdict.HELD_BY_RECEIVER), FIRST),
        (replace(UNASKED, sent_to=None), FIRST),
        (replace(UNASKED, sent_to=OWN), replace(FIRST, nat=Nat("none", None))),
        (UNASKED, replace(FIRST, nat=Nat("translated", "203.0.113.2"))),
        (UNASKED, replace(FIRST, sent=0)),
        (UNASKED, None),
    ],
    ids=["came in", "came to the host", "nowhere", "no translator", "another address", "nothing sent", "not asked for"],
)
def test_else_it_stands(judgement, first):
    assert unasked(judgement, OWN, lambda _: first) is judgement


def test_a_first_source_that_cannot_be_had_has_asked_for_nothing():
    def gone(_):
        raise PathUnavailable("gone")

    assert unasked(UNASKED, OWN, gone) is UNASKED
