"""The rungs of the ladder, each a function of the counted evidence that returns a finding or None.

A rung may rely on those before it having passed. None says more than was seen:

- An absence counts only where an open observer would have seen the presence: no drop in that round, and the round's
  control came through. A presence counts always: a copy seen arriving beats a tap that missed it leaving.
- With one observer closed, what that observer would have told apart is told apart no more: without a tap at the
  receiver "not at its socket" is either the path or the receiver's kernel, so `inconclusive`.
- `lost`, `first_only` and `lossy` are inferences, and are drawn only when loss such as the control's makes the evidence
  less likely than the error rate allows (`statistics`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge import attributes, changes, explain, in_step, inference, places, stops
from pytest_hdp.judge.pattern import order_text
from pytest_hdp.judge.verdict import Place, Verdict
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Probe
    from pytest_hdp.judge.facts import Facts, Trial


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rung concludes. `sentence`: without its subject and full stop."""

    verdict: Verdict
    place: Place
    sentence: str
    final: bool = True
    errno: str | None = None


def refused_at_socket(facts: Facts) -> Finding | None:
    """1: socket() gave an errno."""
    errno = facts.evidence.socket_errno
    if errno is None:
        return None
    said = f"socket() refused the number with {plain(errno)}, so nothing was sent"
    return Finding(Verdict.REFUSED_AT_SOCKET, Place.SENDER_SOCKET, said, errno=errno)


def refused_at_send(facts: Facts) -> Finding | None:
    """2: sendto() gave an errno for every probe: for some is no verdict, nor few before the agent went."""
    refused, tried = facts.refused, len(facts.refused) + len(facts.accepted)
    if not refused:
        return None
    errnos = Counter(p.errno for p in refused)
    errno = min(errnos, key=lambda e: (-errnos[e], e or ""))
    said = f"sendto() refused {len(refused)} of {tried} with {explain.errnos_text(refused)}"
    if errno == "EPERM":
        said += changes.local_firewall_text(facts)
    if facts.accepted:
        said += f"; of the {len(facts.accepted)} it took: {explain.journey_text(facts)}"
    if facts.accepted or (errno == "EPERM" and not stops.at_send(facts, refused)):
        return Finding(Verdict.INCONCLUSIVE, Place.UNKNOWN, said, facts.last_chance)
    if facts.circumstances.agent_gone and not facts.enough:
        return Finding(Verdict.INCONCLUSIVE, Place.UNKNOWN, f"{said}, too few to tell")
    return Finding(Verdict.REFUSED_AT_SEND, Place.SENDER_SEND, said, facts.enough, errno)


def held_by_sender(facts: Facts) -> Finding | None:
    """3: taken by sendto(), and no copy seen anywhere, with the sender's tap open and the control seen on it."""
    watched = [p for p in facts.accepted if p.round in facts.rounds_that_left]
    if not facts.circumstances.observers.left or not watched or any(_seen(facts, probe) for probe in facts.accepted):
        return None
    if facts.circumstances.agent_gone or "wrapped" in facts.circumstances.names:
        return None  # what was handed over to it may never have been sent; or it may have left in other packets
    if not (enough := facts.enough_rounds(watched) and stops.at_sender(facts, watched)) and facts.last_chance:
        return None  # in the other rounds nobody looked, or nothing left at all, or hardly anything leaves
    beside = f" beside {len(watched)} of them" if len(watched) < len(facts.accepted) else ""
    said = (
        f"sendto() took {len(facts.accepted)} and none left {explain.sender_tap(facts)} or any other interface, while "
        f"the control did{beside}: the sender's kernel or its firewall keeps it"
    )
    return Finding(Verdict.HELD_BY_SENDER, Place.SENDER_KERNEL, said, enough)


def renumbered(facts: Facts) -> Finding | None:
    """4: all that left, left under another number, and none came through under its own.

    A number that 8 bits do not hold was renumbered by the sender wherever it is seen, also by an observer beyond a tap
    that missed it leaving.
    """
    asked = facts.train.protocol
    genuine = [facts.numbers_on_the_wire(p) for p in facts.accepted]
    left = [numbers for numbers in genuine if numbers]
    if not left or any(asked in numbers for numbers in left):
        return None
    if any(facts.intact(p.arrived) or facts.intact(p.delivered) for p in facts.accepted):
        return None
    others = sorted({number for numbers in left for number in numbers})
    where = f"left {explain.sender_tap(facts)}" if any(p.left for p in facts.accepted) else "came"
    said = f"{len(left)} of {len(facts.accepted)} {where} as {' and '.join(explain.numbered(n) for n in others)}"
    if others == [asked & 255]:
        said += f", the low 8 bits of {asked}: the protocol field holds no more"
    final = len(left) == len(facts.accepted) or facts.last_chance
    return Finding(Verdict.RENUMBERED, Place.SENDER_KERNEL, said, final)


def rejected(facts: Facts) -> Finding | None:
    """5: authenticated ICMP errors while the control was alive, and nothing delivered.

    Without an agent, a target that says "protocol unreachable" was reached: that is for rung 12; and what may be its
    firewall's word or its stack's is for rung 14. An error from a hop rejects the train only if nothing got past that
    hop; once the far observers have closed, only if it was every probe's fate, and there were enough of them, and the
    target's "protocol unreachable" only tells that nobody listens there any more.
    """
    errors = inference.rejections(facts)
    if not errors or any(p.delivered for p in facts.accepted) or facts.target_errors or facts.replied:
        return None
    every = len({p.index for p, _ in errors}) == len(facts.accepted)
    if facts.circumstances.agent_gone and not (facts.enough and every):
        return None  # a first packet that was rejected proves nothing about the next
    by_target = [(p, r) for p, r in errors if facts.from_target(r.source)]
    crossed = sum(fate.crossed for fate in facts.fates)
    if crossed and not by_target:
        return None
    if not (final := inference.rejection_is_proven(facts, errors)) and facts.last_chance and facts.has_agent:
        return None  # for a moment somebody had no way on: the others were lost, or nobody knows what became of them
    told = by_target if crossed else errors
    nearer = [(p, r) for p, r in told if facts.from_nearer(r)]
    by = explain.nearer_text(facts, told) if nearer else explain.rejections_text(told)
    said = f"{by}; of {explain.journey_text(facts)}"
    return Finding(Verdict.REJECTED, places.of_rejection(facts, told, nearer, crossed), said, final)


def lost(facts: Facts) -> Finding | None:
    """6: seen leaving, never arriving, more often in a row than loss such as the control's can explain."""
    observers, trials = facts.circumstances.observers, facts.path_trials
    if not (observers.left and observers.arrived) or facts.circumstances.agent_gone or facts.replied:
        return None
    if {"unopened", "elsewhere"} & facts.circumstances.names.keys():
        return None  # as an answer it might well come through, or past the observers to the target
    if any(trial.came for trial in trials) or not inference.all_lost(facts, trials):
        return None
    said = (
        f"{sum(bool(p.left) for p in facts.accepted)} of {len(facts.accepted)} left {explain.sender_tap(facts)}, "
        f"none reached {explain.receiver(facts)}, while {explain.control_text(facts)}{changes.carried_text(facts)}"
    )
    return Finding(Verdict.LOST, Place.PATH, said)


def first_only(facts: Facts) -> Finding | None:
    """7: the first one or few came through, then none, for as long as would make `lost`."""
    for trials in _views(facts):
        found = inference.first_only(facts, trials)
        if found is not None:
            came, after = found
            first = "the first" if came == 1 else f"the first {came}"
            said = f"{first} came through and none of the {after} after, while {explain.control_text(facts)}"
            return Finding(Verdict.FIRST_ONLY, places.of_losses(facts), _journey(facts, said))
    return None


def lossy(facts: Facts) -> Finding | None:
    """8: some came through, and clearly fewer than of the control; or what was lost, nearly all trains lost there."""
    for trials in _views(facts):
        if any(trial.came for trial in trials) and inference.clearly_lossy(facts, trials):
            gone = sum(not trial.came for trial in trials)
            which = order_text([trial.came for trial in trials])
            said = f"{gone} of {len(trials)} did not come through{which}, while {explain.control_text(facts)}"
            return Finding(Verdict.LOSSY, places.of_losses(facts), _journey(facts, said))
    some_came = _views(facts) and any(fate.crossed for fate in facts.fates)
    if some_came and facts.enough and inference.explains_nothing(facts) and in_step.hinders(facts):
        said = in_step.text(facts)
        return Finding(Verdict.LOSSY, places.of_losses(facts), _journey(facts, said))
    return None


def held_by_receiver(facts: Facts) -> Finding | None:
    """9: seen as sent at the receiver's interface, never at its socket, where no observer dropped packets.

    That takes no control: it came off the path, and what came to the interface and not to a socket was kept.
    """
    here = facts.circumstances
    if not (here.observers.arrived and here.observers.delivered) or here.agent_gone or here.elsewhere:
        return None
    arrived = [p for p in facts.accepted if facts.intact(p.arrived)]
    if all(p.round in facts.spoiled_rounds for p in arrived) or any(p.delivered for p in facts.accepted):
        return None
    came = [p for p in facts.accepted if p.arrived and p.round not in facts.spoiled_rounds]
    if not (enough := facts.enough_rounds(came) and stops.at_receiver(facts, came)) and facts.last_chance:
        return None  # what came in the other rounds may have found no room, or hardly anything comes to a socket
    said = (
        f"{len(arrived)} of {len(facts.accepted)} arrived at {explain.receiver_tap(facts)} and none came to its socket"
        f"{explain.control_at_socket_text(facts, arrived)}: {changes.kept_text(facts)}"
    )
    return Finding(Verdict.HELD_BY_RECEIVER, Place.RECEIVER_KERNEL, said, enough)


def modified(facts: Facts) -> Finding | None:
    """10: of some probes only changed copies came."""
    damaged = attributes.damaged(facts)
    if not damaged:
        return None
    came = sum(bool(fate.copies) for fate in facts.fates)
    fields = ", ".join(map(plain, attributes.modified_fields(facts)))
    said = (
        f"{len(damaged)} of {came} came to {explain.receiver(facts)} with {fields} changed"
        f"{changes.change_text(attributes.moved(facts), attributes.changed_to(facts))}, which no router may change"
    )
    return Finding(Verdict.MODIFIED, Place.RECEIVER_SOCKET, said, facts.enough)


def delivered(facts: Facts) -> Finding | None:
    """11: came to the receiver's socket as sent, and no more was lost than of the control."""
    if not any(p.delivered and facts.intact(p.delivered) for p in facts.accepted):
        return None
    return _passed(facts, Verdict.DELIVERED, Place.RECEIVER_SOCKET, f"as sent at {explain.receiver(facts)}")


def reached(facts: Facts) -> Finding | None:
    """12: the target itself answered; or it was seen at the target's interface, with no observer at its socket."""
    if facts.replied and not facts.replied_nearer:
        said = f"{explain.receiver(facts)} {explain.replies_text(facts)}"
        return Finding(Verdict.REACHED, Place.TARGET, said + explain.arrival_text(facts))
    if facts.target_errors:
        said = f"{explain.rejections_text(facts.target_errors)}, so it got there; {len(facts.accepted)} sent"
        return Finding(Verdict.REACHED, Place.TARGET, said + explain.arrival_text(facts))
    observers = facts.circumstances.observers
    if observers.arrived and not observers.delivered and any(facts.intact(p.arrived) for p in facts.accepted):
        where = f"as sent at {explain.receiver_tap(facts)}, where no socket listens to its number"
        return _passed(facts, Verdict.REACHED, Place.TARGET, where)
    return None


def silent(facts: Facts) -> Finding | None:
    """13: without an agent, nothing came back while the control did."""
    asked = [p for p in facts.accepted if p.round in facts.counting_rounds]
    if facts.circumstances.observers.left:
        asked = [p for p in asked if p.left]
    if facts.has_agent or facts.rejections or facts.replied_nearer or not asked or facts.circumstances.agent_gone:
        return None
    said = (
        f"{explain.counted(len(facts.accepted), 'probe')} got no reply{explain.unproven_text(facts)} while the control "
        f"did: dropped on the path, or dropped by {explain.receiver(facts)}, or accepted there without a reply"
        f"{explain.advice_text(facts)}"
    )
    return Finding(Verdict.SILENT, Place.UNKNOWN, said, facts.enough or facts.last_chance)


def inconclusive(facts: Facts) -> Finding:
    """14: none of the above is proven. Says what is in the way, and what was seen all the same."""
    reason, final = inference.obstacle(facts)
    said = _journey(facts, reason) if facts.accepted else reason
    return Finding(Verdict.INCONCLUSIVE, Place.UNKNOWN, said, final or facts.last_chance)


def _seen(facts: Facts, probe: Probe) -> bool:
    """Whether anything at all shows that it left: a copy anywhere, an answer, or an authenticated error of others."""
    errors = any(report.authenticated and not facts.by_sender(report) for report in probe.icmp)
    return bool(probe.left or probe.arrived or probe.delivered or probe.replies or errors)


def _views(facts: Facts) -> tuple[tuple[Trial, ...], ...]:
    """The trials of the path, then those of the whole way; none where absence at the far end means nothing."""
    blind = not facts.has_agent or facts.circumstances.agent_gone or facts.circumstances.elsewhere
    if blind or facts.replied or attributes.only_in_part(facts) or not inference.missing(facts):
        return ()
    return (facts.path_trials, facts.end_trials)


def _passed(facts: Facts, verdict: Verdict, place: Place, where: str) -> Finding | None:
    """A pass, if the losses are such as the control's."""
    missing, final = inference.missing(facts), facts.last_chance
    came = len(facts.accepted) - missing
    said = f"{came} of {len(facts.accepted)} arrived {where}"
    if final and not inference.enough_to_pass(facts):
        return None  # the first packets that came through prove nothing about the next
    if not inference.gets_through(facts) or in_step.hinders(facts):
        return None
    if not missing:
        return Finding(verdict, place, said + _errors(facts) * (verdict is Verdict.REACHED), facts.enough or final)
    if facts.circumstances.agent_gone or not facts.counting_rounds or not inference.compatible(facts):
        return None
    said += f", {explain.losses_text(facts)}"
    return Finding(verdict, place, _journey(facts, said), inference.settled(facts) or final)


def _journey(facts: Facts, said: str) -> str:
    """The claim, and behind it the counts and the errors it rests on."""
    return f"{said}; {explain.journey_text(facts)}{_errors(facts)}"


def _errors(facts: Facts) -> str:
    return f"; {explain.rejections_text(facts.rejections)}" if facts.rejections else ""
