"""Lost, or rejected by who had no ICMP error left to say so: what that adds to a judgement. No I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import icmp_text, packets_of
from pytest_hdp.packet.icmp import Meaning
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Kind, Train
    from pytest_hdp.judge.result import Judgement

RAN_OUT = ", where its TTL ran out: in a loop, or since a box has lowered it"


def spent_by(address: str, judgement: Judgement, why: str) -> Judgement:
    """The judgement of a lost one that says whose budget was spent, and why it may be rejected there."""
    said = f"{plain(address)} {why}, and had no ICMP error left for this one: it may be rejected, too"
    return replace(judgement, budget_spent=address, explanation=f"{judgement.explanation.rstrip('.')}; {said}.")


def perhaps_rejected(address: str, judgement: Judgement, other: Train, *, asked: bool) -> Judgement:
    """The judgement of a lost one, where a router rejected another one, or it, a few times, and nobody since.

    `asked`: that one was asked again.
    """
    since = ", and nothing when that was asked for again" if asked else ""
    itself = other == judgement.train
    said = (
        f"{plain(address)} rejected {'it' if itself else packets_of(other)} at times{since}: if it has few ICMP errors "
        f"to send, it may reject {'all of it' if itself else 'this one, too'}"
    )
    return replace(judgement, budget_spent=address, explanation=f"{judgement.explanation.rstrip('.')}; {said}.")


def answered_once(kind: Kind, judgement: Judgement) -> Judgement:
    """The judgement of a lost one of which a router said so only once, or a few times, and not when asked again."""
    source, type_, code = kind
    count = sum(each.count for each in judgement.icmp if (each.source, each.type, each.code) == kind)
    expired = any(each.meaning is Meaning.EXPIRED for each in judgement.icmp if (each.source, each.type) == kind[:2])
    why = "it had no way on for a moment, or has few ICMP errors to send, and rejects it"
    if expired:
        why = f"that was so for a moment, or {plain(source)} has few ICMP errors to send"
    said = (
        f"{plain(source)} answered {count} of them with {icmp_text(source, type_, code)}{RAN_OUT if expired else ''}, "
        f"and none when it was asked again later: {why}"
    )
    return replace(judgement, budget_spent=source, explanation=f"{judgement.explanation.rstrip('.')}; {said}.")
