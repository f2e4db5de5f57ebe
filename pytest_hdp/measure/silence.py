"""What counts as an answer, when silence is proven, and what is in the way of saying more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import subject
from pytest_hdp.judge.facts import REJECTING
from pytest_hdp.judge.statistics import all_lost_refutes, alpha_per_train
from pytest_hdp.judge.verdict import Place, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pytest_hdp.judge.evidence import IcmpReport, RoundControl
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ledger import Entry
    from pytest_hdp.measure.plan import Plan

BUDGET_SPENT = "no answer beside it proves that there was an ICMP error left to send"


def rejecting(report: IcmpReport) -> bool:
    """Whether an ICMP error says that the packet was dropped, and was made by somebody who had it."""
    return report.authenticated and report.type in REJECTING


def over(entry: Entry) -> bool:
    """Nothing more is to be learnt of it: it was refused here, answered, or replied to."""
    return entry.errno is not None or bool(entry.replies) or any(map(rejecting, entry.icmp))


def by_stack_of(target: str, entry: Entry) -> bool:
    """Whether the target's own stack answered: protocol unreachable, or port unreachable to a datagram."""
    return any(
        each.authenticated and each.source == target and (each.type, each.code) in {(3, 2), (3, 3)}
        for each in entry.icmp
    )


def proven(silences: int, control: Iterable[RoundControl], plan: Plan) -> bool:
    """Whether a number was silent beside an answer so often that losses such as the control's do not explain it."""
    rounds = list(control)
    sent = sum(each.sent for each in rounds)
    lost = sent - sum(min(each.delivered, each.sent) for each in rounds)
    alpha = alpha_per_train(plan.error_rate, len(plan.trains))
    return silences >= plan.pace.rounds and all_lost_refutes(silences, lost, sent, alpha, 1)


def vouched(control: Iterable[RoundControl], rounds: Collection[int], *, echoes: bool) -> tuple[RoundControl, ...]:
    """The control with the answers of the target's stack counted in, which came in these rounds or right behind.

    `echoes`: whether any echo came back; where all are dropped, they say nothing about loss.
    """
    usual = list(control) if echoes else [replace(each, sent=0, delivered=0) for each in control]
    return tuple(
        replace(each, sent=each.sent + 1, delivered=each.delivered + 1) if each.round in rounds else each
        for each in usual
    )


def not_proven(judgement: Judgement, beside: int) -> Judgement:
    """Silence that is no verdict yet; `beside`: how often something else was answered right after it."""
    said = (
        f"{subject(judgement.train)}: nothing came back for {judgement.sent} sent; {beside} of them right before "
        "something that was answered: too few to tell silence from a loss, or from an ICMP budget that was spent."
    )
    return replace(judgement, verdict=Verdict.INCONCLUSIVE, place=Place.UNKNOWN, explanation=said)
