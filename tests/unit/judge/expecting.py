"""Profiles and verdicts as the tests of expectations write them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.verdict import Direction, Form, Outcome, Place, Verdict

V, OUT = Verdict, Outcome


def judged(verdict: Verdict, *, protocol: int = 47, **other: Any) -> Judgement:
    train = Train(protocol, other.pop("direction", Direction.FORWARD), other.pop("form", Form.BARE))
    return Judgement(train, verdict, Place.UNKNOWN, "what happened.", final=True, **other)


verdicts = st.sampled_from(Verdict)


errnos = st.none() | st.sampled_from(["EPERM", "EINVAL"])


observations = st.lists(
    st.builds(
        lambda protocol, verdict, errno, direction, form: judged(
            verdict, protocol=protocol, errno=errno, direction=direction, form=form
        ),
        st.integers(-1, 263),
        verdicts,
        errnos,
        st.sampled_from(Direction),
        st.sampled_from(Form),
    ),
    max_size=40,
    unique_by=lambda judgement: judgement.train,
)
