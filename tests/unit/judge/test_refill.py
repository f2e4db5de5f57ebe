"""What lets packets pass again, by counts of what passed at two paces and after silences; and how sure that is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.refill import Asked, FirstPacket, Recovery, Refill
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.verdict import Place, Verdict

FIRST = Judgement(Train(253), Verdict.FIRST_ONLY, Place.PATH, "253, forward: the first came.", final=True, arrived=1)
LOSSY = replace(FIRST, verdict=Verdict.LOSSY)


def paces(slow: int, fast: int) -> dict[str, Asked]:
    return {"slow": Asked(20, slow, 10, 10, 2.0), "fast": Asked(120, fast, 60, 60, 2.0)}


@pytest.mark.parametrize(
    ("judgement", "slow", "fast", "refills"),
    [
        (LOSSY, 10, 11, Refill.TIME),  # five a second
        (FIRST, 2, 2, Refill.TIME),  # one a second
        (LOSSY, 20, 40, Refill.TIME),  # twenty a second
        (LOSSY, 10, 60, Refill.SHARE),  # half of them, at any pace
        (LOSSY, 13, 80, Refill.SHARE),
        (FIRST, 20, 1, Refill.SILENCE),  # of 0.05 s
        (LOSSY, 1, 1, None),  # too few
        (FIRST, 0, 0, None),
    ],
)
def test_what_lets_packets_pass(judgement: Judgement, slow: int, fast: int, refills: Refill | None) -> None:
    assert FirstPacket(judgement, **paces(slow, fast)).refills is refills


def test_silence_lets_them_where_nothing_else_does() -> None:
    recovered = FirstPacket(FIRST, **paces(0, 0), recovery=Recovery(1.7, 2.01, Asked(2, 0, 24, 24), 4, 8))
    assert recovered.refills is Refill.SILENCE
    assert "after 1.7 to 2.01 s of silence 4 packets pass again (by chance in 0.1 % of cases" in recovered.sentence
    shut = FirstPacket(FIRST, **paces(0, 0), recovery=Recovery(8.0, None, Asked(2, 0, 24, 24)))
    assert shut.refills is None
    assert "no packet passes again within 8 s of silence (by chance in 0.1 %" in shut.sentence


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        (Asked(1, 1, 0, 0), True),  # it came, whatever the control did
        (Asked(5, 0, 12, 12), False),
        (Asked(5, 0, 12, 0), None),  # nothing came at all
        (Asked(1, 0, 12, 6), None),  # half of the control was lost
        (Asked(5, 0, 0, 0), None),
        (Asked(0, 0, 12, 12), None),
    ],
)
def test_that_none_came_counts_beside_a_control_alone(asked: Asked, passes: bool | None) -> None:
    assert asked.passes is passes
    assert asked.passes is not False or asked.error <= 0.05


@given(st.integers(1, 30), st.integers(1, 60), st.integers(0, 60))
def test_more_lost_controls_make_no_statement_surer(sent: int, control: int, lost: int) -> None:
    lost = min(lost, control - 1)
    one, other = Asked(sent, 0, control, control - lost), Asked(sent, 0, control, control)
    assert one.error >= other.error - 1e-9


def test_what_was_not_to_be_told_is_said() -> None:
    deaf = Asked(5, 0, 12, 0)
    said = FirstPacket(FIRST, deaf, deaf, deaf, deaf, Recovery(8.0, None, deaf)).sentence
    assert "whether any passes while packets keep coming was not to be told" in said
    assert "of another number nothing was to be told; of another port nothing was to be told" in said
    assert "whether a packet passes again after 8 s of silence was not to be told" in said
    assert "does not get through either" not in said
