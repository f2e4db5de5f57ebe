"""The ladder: fourteen rungs in order, from the sender's socket to "unknown"; the first that holds decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_hdp.judge import attributes, changes, explain, rungs
from pytest_hdp.judge.facts import Facts, one_per_round
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.rungs import Finding
from pytest_hdp.judge.verdict import Verdict

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Circumstances, TrainEvidence

Rung = Callable[[Facts], Finding | None]

RUNGS: tuple[Rung, ...] = (
    rungs.refused_at_socket,
    rungs.refused_at_send,
    rungs.held_by_sender,
    rungs.renumbered,
    rungs.rejected,
    rungs.lost,
    rungs.first_only,
    rungs.lossy,
    rungs.held_by_receiver,
    rungs.modified,
    rungs.delivered,
    rungs.reached,
    rungs.silent,
    rungs.inconclusive,
)
"""In the order of `Verdict`. The last always finds."""

_UNBOUNDED = {
    Verdict.REFUSED_AT_SOCKET,
    Verdict.REFUSED_AT_SEND,
    Verdict.RENUMBERED,
    Verdict.MODIFIED,
    Verdict.DELIVERED,
    Verdict.REACHED,
}
"""Verdicts that say nothing about how likely an arrival is."""


def judge(evidence: TrainEvidence, circumstances: Circumstances, ladder: Sequence[Rung] = RUNGS) -> Judgement:
    """Return what the evidence of one train means.

    The same for any order of probes, controls and sightings. `ladder`: another order of rungs, to hold
    this one against.
    """
    facts = Facts(evidence, circumstances)
    finding = next(found for rung in ladder if (found := rung(facts)) is not None)
    accepted, control = facts.accepted, circumstances.control
    checksum = attributes.transport_checksum(facts)
    after = changes.checksum_text(checksum) + explain.solicited_text(evidence) + changes.answers_text(facts)
    return Judgement(
        train=facts.train,
        verdict=finding.verdict,
        place=finding.place,
        explanation=f"{explain.subject(facts.train)}: {finding.sentence}{after}.",
        final=finding.final,
        errno=finding.errno,
        wire_protocol=attributes.wire_protocol(facts),
        sent=len(accepted),
        left=sum(bool(p.left) for p in accepted),
        arrived=sum(bool(p.arrived) for p in accepted),
        delivered=sum(bool(facts.intact(p.delivered)) for p in accepted),
        duplicated=attributes.duplicated(facts),
        reordered=attributes.reordered(facts),
        modified=attributes.modified_fields(facts),
        nat=attributes.nat(facts),
        icmp=attributes.icmp_counts(facts),
        control_sent=sum(c.sent for c in control),
        control_delivered=sum(c.delivered for c in control),
        bound=_bound(facts, finding.verdict),
        ttl=attributes.arrival_ttl(facts),
        changed=attributes.good_faith_changes(facts),
        solicited=evidence.solicited,
        moved=attributes.moved(facts),
        changed_to=attributes.changed_to(facts),
        transport_checksum=checksum,
        flow_label=attributes.arrival_flow_label(facts),
        extension_headers=attributes.extension_headers(facts),
        delivered_under=attributes.delivered_under(facts),
        read_as=attributes.read_as(facts),
        sent_to=circumstances.names.get("answers_to"),
        control_sent_to=circumstances.names.get("control_answers_to"),
        probes=evidence.probes,
    )


def _bound(facts: Facts, verdict: Verdict) -> str | None:
    """The bound of a non-delivery, where an agent would have seen a delivery."""
    if verdict in _UNBOUNDED or not facts.has_agent or facts.circumstances.agent_gone or not facts.end_trials:
        return None
    trials = one_per_round(facts.end_trials)
    return explain.bound_text(sum(trial.came for trial in trials), len(trials))
