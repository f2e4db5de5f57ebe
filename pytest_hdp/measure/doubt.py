"""What is in the way of saying more about a number that a target did not answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import subject
from pytest_hdp.judge.verdict import Form, Place, Verdict

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement

BUDGET_SPENT = "no answer beside it proves that there was an ICMP error left to send"


def not_proven(judgement: Judgement, beside: int) -> Judgement:
    """Silence that is no verdict yet; `beside`: how often something else was answered right after it."""
    said = (
        f"{subject(judgement.train)}: nothing came back for {judgement.sent} sent; {beside} of them right before "
        "something that was answered: too few to tell silence from a loss, or from an ICMP budget that was spent."
    )
    return replace(judgement, verdict=Verdict.INCONCLUSIVE, place=Place.UNKNOWN, explanation=said)


def never_answered(train: Train) -> bool:
    """Whether no router answers for it: bare HDP under 1 reads as an ICMP error, and none is sent about one."""
    return train.protocol == 1 and train.form is Form.BARE
