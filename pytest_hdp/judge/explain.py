"""The words of a judgement: names, counts, bounds and reasons, put so that an engineer knows where to look next.

Nothing here decides anything. Every piece of text that comes from outside goes through `plain`.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from pytest_hdp.judge.distance import FARTHEST, distances, is_as_far
from pytest_hdp.judge.evidence import Means
from pytest_hdp.judge.statistics import upper_bound
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.packet.family import family_of
from pytest_hdp.packet.icmp import describe
from pytest_hdp.packet.registry import slug
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hdp.judge.evidence import IcmpReport, Probe, Sighting, Train, TrainEvidence
    from pytest_hdp.judge.facts import Facts

ANSWERED_IF_VALID = frozenset({1, 6, 17, 136})
"""Numbers that hosts answer when the message is valid, and drop otherwise: ICMP echo, TCP, UDP and UDP-Lite."""

_MOST_KINDS = 3


def subject(train: Train) -> str:
    """Return what a sentence is about: "132 (sctp), forward"."""
    return f"{packets_of(train)}, {train.direction}"


def packets_of(train: Train) -> str:
    """Return what a train's packets are, whatever their direction: "132 (sctp), wellformed"."""
    if train.behind is not None:
        return f"{numbered(train.transport)} behind {train.behind.words}"
    form = "" if train.form is Form.BARE else f", {train.form}"
    return f"{numbered(train.protocol)}{form}"


def numbered(protocol: int) -> str:
    """Return a number with its keyword: "132 (sctp)"."""
    return f"{protocol} ({slug(protocol)})"


def name(facts: Facts, key: str, otherwise: str) -> str:
    """Return one of the circumstances' names, or what stands for it."""
    return plain(facts.circumstances.names.get(key) or otherwise)


def sender_tap(facts: Facts) -> str:
    """Return by which interfaces it left, in words; where it did not, the one by which the sender's routes lead."""
    used = _interfaces(probe.left for probe in facts.accepted)
    return used or name(facts, "sender_interface", "the sender's interface")


def receiver_tap(facts: Facts) -> str:
    """Return the receiver's interface in words: "eth1 of 198.51.100.2"."""
    used = _interfaces(probe.arrived for probe in facts.accepted)
    interface = used or plain(facts.circumstances.names.get("receiver_interface") or "the interface")
    whose = "the agent's host" if facts.circumstances.elsewhere else receiver(facts)
    return f"{interface} of {whose}"


def _interfaces(copies: Iterable[Sequence[Sighting]]) -> str:
    """Return where the first copy of each was seen, the commonest first: "eth0", "eth0 and eth1"."""
    counts = Counter(seen[0].interface for seen in copies if seen and seen[0].interface)
    ranked = sorted(counts, key=lambda each: (-counts[each], each))
    return " and ".join(map(plain, ranked[:2])) + (f" and {len(ranked) - 2} more" if len(ranked) > 2 else "")


def receiver(facts: Facts) -> str:
    """Return the receiving end's address in words."""
    return name(facts, "target", "the receiver")


def percent_above(share: float) -> str:
    """Return a percentage that is not below `share`: two digits, rounded up, since it states an upper bound."""
    value = 100 * share
    if value >= 10:
        return f"{math.ceil(value - 1e-9):d} %"
    return f"{math.ceil(10 * value - 1e-9) / 10:.1f} %"


def bound_text(came: int, sent: int) -> str:
    """Return "0 of 7 arrived: delivery probability below 35 % at 95 %", by the exact one-sided bound."""
    counted = f"{came} of {sent} arrived"
    if came >= sent:
        return counted
    return f"{counted}: delivery probability below {percent_above(upper_bound(came, sent))} at 95 %"


def control_text(facts: Facts) -> str:
    """Return how the control fared: "all 70 control packets arrived", "the control lost 1 of 70", and what it was."""
    lost, sent = facts.control
    if not sent:
        return f"no round counts in which it was sent{in_brackets(spoiled_of(facts))}"
    said = f"all {sent} control packets arrived" if sent > 1 and not lost else f"the control lost {lost} of {sent}"
    return said + reference_text(facts)


def losses_text(facts: Facts) -> str:
    """Return why it is passed although some did not come: the control loses, too, or nobody can say what was lost."""
    if facts.control[1]:
        return f"no fewer than chance explains: {control_text(facts)}"
    return f"the others in rounds that tell nothing of what did not come{in_brackets(spoiled_of(facts))}"


def spoiled_of(facts: Facts) -> list[str]:
    """Return by what the rounds were spoiled in which it was sent."""
    mine = {probe.round for probe in facts.accepted}
    return sorted({plain(observer) for c in facts.circumstances.control if c.round in mine for observer in c.spoiled})


def in_brackets(said: Sequence[str]) -> str:
    """Return texts as an aside, if there are any."""
    return f" ({'; '.join(said)})" if said else ""


def reference_text(facts: Facts) -> str:
    """Return what the control was, in brackets, where it was not the usual one: " (echoes, since ...)"."""
    reference = facts.circumstances.reference
    refused = f"sendto() refused the control's UDP with {plain(reference.errno)}" if reference.errno else ""
    if reference.means is Means.INTERFACE:
        return f" at {receiver_tap(facts)} (UDP, none of which came to its socket)"
    if reference.means is Means.STAND_IN and reference.stand_in is not None:
        why = f"{refused}, and no echo came through" if refused else "neither its UDP nor its echoes came through"
        why = "most of the usual ones were lost" if reference.some_came else why
        return f" (packets of {packets_of(reference.stand_in)}, since {why})"
    if reference.means is Means.ECHOES:
        return f" (ICMP echoes, since {refused or 'none of its UDP came through'})"
    return f" ({refused})" if refused else ""


def control_errors_text(facts: Facts) -> str:
    """Return who said what about the control: "; 100.64.0.1 answered 9 of it with host unreachable (ICMP 3/1)"."""
    errors = sorted(facts.circumstances.reference.errors, key=lambda each: (-each[3], each))
    said = [
        f"{plain(source)} answered {count} of it with {icmp_text(source, kind, code)}"
        for source, kind, code, count in errors
    ]
    return "".join(f"; {each}" for each in said[:_MOST_KINDS])


def control_at_socket_text(facts: Facts, arrived: Iterable[Probe]) -> str:
    """Return whether the control came to a socket of the receiver's when these probes did not."""
    means = facts.circumstances.reference.means
    if means is Means.INTERFACE:
        return ", nor did the control's UDP"
    beside = means is Means.USUAL and any(p.round in facts.counting_rounds for p in arrived)
    return ", while the control did" if beside else ""


def icmp_text(source: str, type_: int, code: int) -> str:
    """Return an ICMP error in words: "protocol unreachable (ICMP 3/2)". `source`: who sent it, by whatever IP."""
    return describe(type_, code, version=family_of(source).version)


def rejections_text(rejections: Iterable[tuple[Probe, IcmpReport]]) -> str:
    """Return who rejected how many, the commonest first: "100.64.0.1 rejected 5 with host unreachable (ICMP 3/1)"."""
    probes: dict[tuple[str, int, int], set[int]] = {}
    for probe, report in rejections:
        probes.setdefault((report.source, report.type, report.code), set()).add(probe.index)
    ranked = sorted(probes.items(), key=lambda item: (-len(item[1]), item[0]))
    said = [
        f"{plain(source)} answered {len(indices)} with {icmp_text(source, type_, code)}"
        for (source, type_, code), indices in ranked[:3]
    ]
    return ", ".join(said) + (f" and {len(ranked) - 3} more kinds of error came" if len(ranked) > 3 else "")


def either_text(facts: Facts) -> str:
    """Return who may have said "port unreachable", where two may have."""
    said = f"{rejections_text(facts.ambiguous)}, and that is"
    if facts.circumstances.firewall_says_port:
        return (
            f"{said} either its stack, for a port that nobody has, or its firewall, which says so of numbers that no "
            "kernel handles, too: only an agent there tells which"
        )
    return (
        f"{said} either its firewall (REJECT, as it comes), or its kernel's own handler of {facts.train.protocol}, "
        "which has no tunnel or IPsec state for this packet: only an agent there tells which"
    )


def replies_text(facts: Facts) -> str:
    """Return what the target replied, and what proves it: "replied to 1 of 3 with TCP RST, which holds our ..."."""
    replied = [probe.replies[0] for probe in facts.accepted if probe.replies]
    kinds = Counter((reply.kind, reply.proof) for reply in replied)
    kind, proof = min(kinds, key=lambda each: (-kinds[each], each))
    return f"replied to {len(replied)} of {len(facts.accepted)} with {plain(kind)}, which holds {plain(proof)}"


def nearer_text(facts: Facts, errors: Sequence[tuple[Probe, IcmpReport]] = ()) -> str:
    """Return what came in the target's name, and that it need not be the target's: these errors, or else replies."""
    ttls = {report.ttl for _, report in errors if report.ttl is not None}
    ttls = ttls or {reply.ttl for probe in facts.accepted for reply in probe.replies}
    theirs, echoes = (" and ".join(map(str, sorted(some))) for some in (ttls, facts.circumstances.echo_ttls))
    said = rejections_text(errors) if errors else f"{receiver(facts)} {replies_text(facts)}"
    why = "from another distance"
    if any(is_as_far(ttl, facts.circumstances.echo_ttls) for ttl in ttls):
        why += ", or it begins its echoes with another TTL"
    return (
        f"{said}, and that came with TTL {theirs}, its echoes with {echoes}: {why}, so that a firewall on the way may "
        "have sent it in its name"
    )


def arrival_text(facts: Facts) -> str:
    """Return what the target's quotes show of the way there: "; its TTL was 62 there: 2 routers on the way".

    A box that sets the TTL hides all routers before it. So it is "as behind 2" where the target's echoes passed others.
    """
    said = ""
    left = {probe.index: probe.left[0].ttl for probe in facts.accepted if probe.left}
    steps = [
        (report.quoted_ttl, left[probe.index] - report.quoted_ttl)
        for probe, report in facts.target_errors
        if report.quoted_ttl is not None and probe.index in left
    ]
    if steps:
        ttl, routers = min(steps, key=lambda each: (-steps.count(each), each))
        said += f"; its TTL was {ttl} there"
        if 0 <= routers < FARTHEST:
            agree = any(routers in distances(each) for each in facts.circumstances.echo_ttls)
            known = f": {counted(routers, 'router')} on the way"
            behind = f", as behind {counted(routers, 'router')}" if routers else ", as it left"
            said += known if agree else behind
    if names := sorted({name for _, report in facts.target_errors for name in report.changed}):
        said += f"; the quote shows {', '.join(map(plain, names))} changed"
    return said


def unproven_text(facts: Facts) -> str:
    """Return what came back and proves nothing, as a part of a sentence, "," for nothing."""
    unproven = [report for probe in facts.probes for report in probe.icmp if not report.authenticated]
    if not unproven:
        return ","
    prove = "proves" if len(unproven) == 1 else "prove"
    changed = sorted({name for report in unproven for name in report.changed})
    quotes = f" (quoted with {', '.join(map(plain, changed))} changed, or made up)" if changed else ""
    return f", but {counted(len(unproven), 'ICMP error')} that {prove} nothing{quotes},"


def solicited_text(evidence: TrainEvidence) -> str:
    """Return what makes a train forward no fresh one, as the end of a sentence: reverse is always to be an answer."""
    if not evidence.solicited or evidence.train.direction is Direction.REVERSE:
        return ""
    return "; packets of this number had come the other way before, which may have opened the way for it"


def advice_text(facts: Facts) -> str:
    """Return what to try where bare HDP is no valid message of a protocol that hosts answer."""
    if facts.train.form is not Form.BARE or facts.train.protocol not in ANSWERED_IF_VALID:
        return ""
    return f"; a host answers valid {slug(facts.train.protocol)} only, which --hdp-form=wellformed sends"


def probed_with(protocol: int, others: int = 0) -> str:
    """Return what a sentence says where other numbers looked for the hop: ", if it fares as 47 and 3 more did"."""
    return f", if it fares as {protocol}{f' and {others} more' if others else ''} did: it was not asked itself"


def counted(count: int, what: str) -> str:
    """Return "1 probe", "2 probes"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def errnos_text(probes: Iterable[Probe]) -> str:
    """Return the errnos with their counts where they differ: "EPERM" or "EPERM (2), EMSGSIZE (1)"."""
    counts = Counter(plain(probe.errno) for probe in probes if probe.errno)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{errno} ({n})" for errno, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def journey_text(facts: Facts) -> str:
    """Return how far the probes were seen to get: "7 of 7 left eth0, 5 arrived at eth1, 0 came to its socket"."""
    observers, accepted = facts.circumstances.observers, facts.accepted
    said = f"{len(accepted)} sent"
    if observers.left:
        said = f"{sum(bool(p.left) for p in accepted)} of {len(accepted)} left {sender_tap(facts)}"
    if observers.arrived:
        said += f", {sum(bool(p.arrived) for p in accepted)} arrived at {receiver_tap(facts)}"
    if observers.delivered:
        socket = "its socket" if observers.arrived else f"the socket of {receiver(facts)}"
        said += f", {sum(bool(p.delivered) for p in accepted)} came to {socket}"
    return said


def in_part_text(facts: Facts, probes: int) -> str:
    """Of so many probes the later fragments, which bear no tag, were nobody's to see."""
    return f"of {probes} only first fragments came to {receiver(facts)}: whether the rest came too nobody has seen"
