"""What counts as an answer, when silence is proven, and what is in the way of saying more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_hdp.judge.explain import counted, subject
from pytest_hdp.judge.statistics import all_lost_refutes, alpha_per_train
from pytest_hdp.judge.verdict import Place, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pytest_hdp.judge.evidence import IcmpReport, RoundControl, Train
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.plan import Plan

Step: TypeAlias = "tuple[Sequence[SentProbe], bool]"
"""Questions in the order they were sent, and whether all of them had an error to be answered with, or but the first."""

BUDGET_SPENT = "no answer beside it proves that there was an ICMP error left to send"


def rejecting(report: IcmpReport) -> bool:
    """Whether an ICMP error says that the packet was dropped, and was made by somebody on the path who had it."""
    return _drops(report) and not report.own


def over(entry: SentProbe) -> bool:
    """Nothing more is to be learnt of it: it was refused here, answered, or replied to."""
    return entry.errno is not None or bool(entry.replies) or any(map(_drops, entry.icmp))


def _drops(report: IcmpReport) -> bool:
    return report.authenticated and report.meaning.drops


def came_back(entry: SentProbe, own: str) -> bool:
    """Whether an error came over the path: our own kernel's, from our own address, says that nothing went there."""
    return any(rejecting(each) and each.source != own for each in entry.icmp)


def proven(silences: int, loss: tuple[int, int], plan: Plan) -> bool:
    """Whether a number was silent beside an answer so often that loss as of (lost, sent) does not explain it.

    That is asked anew at each silence from the first `rounds` on, while what is known of the loss goes up and down.
    """
    alpha = alpha_per_train(plan.error_rate, len(plan.trains))
    look = silences - plan.pace.rounds + 1
    return look > 0 and all_lost_refutes(silences, *loss, alpha, look)


def lost_of(control: Iterable[RoundControl]) -> tuple[int, int]:
    """(lost, sent) of echoes."""
    rounds = list(control)
    sent = sum(each.sent for each in rounds)
    return sent - sum(min(each.delivered, each.sent) for each in rounds), sent


def unanswered_of(steps: Iterable[Step], answered: Collection[Train]) -> tuple[int, int]:
    """(unanswered, asked) of the questions that are answered for certain if nothing is lost: of numbers once answered.

    Which ones these are must not hang on whether they were: an answer is a control only if its absence would be too.
    """
    asked: list[SentProbe] = []
    for entries, all_of_them in steps:
        known = [entry for entry in entries if entry.train in answered]
        asked += known if all_of_them else known[:1]
    return sum(not over(entry) for entry in asked), len(asked)


def confirmed_rounds(
    control: Iterable[RoundControl], rounds: Collection[int], *, echoes: bool
) -> tuple[RoundControl, ...]:
    """The control, with an answer in the place of an echo that did not come back, where one came then or right behind.

    It shows that the path was there in that round, and not how much it loses (`unanswered_of`). `echoes`: whether any
    echo came back; where all are dropped, they say nothing.
    """
    usual = list(control) if echoes else [replace(each, sent=0, delivered=0) for each in control]
    return tuple(
        replace(each, sent=each.sent + 1, delivered=1) if each.round in rounds and not each.delivered else each
        for each in usual
    )


def not_proven(judgement: Judgement, beside: int, *, crowded: bool = False) -> Judgement:
    """Silence that is no verdict yet; `beside`: how often something else was answered right after it.

    `crowded`: what is asked right behind others is lost, and then of what was asked alone.
    """
    causes = "a loss, or from an ICMP budget that was spent" + (", or from a limit that they share" if crowded else "")
    said = (
        f"{subject(judgement.train)}: {counted(judgement.sent, 'probe')} got no reply; {beside} of them right before "
        f"something that was answered: too few to tell silence from {causes}."
    )
    return replace(judgement, verdict=Verdict.INCONCLUSIVE, place=Place.UNKNOWN, explanation=said)
