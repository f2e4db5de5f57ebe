"""From counts to claims about loss: what is significant, what the control explains too, what is in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge import explain, in_step, statistics
from pytest_hdp.judge.attributes import in_part
from pytest_hdp.judge.facts import TRANSIENT, one_per_round, rounds_of, tail_after_first
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hdp.judge.evidence import IcmpReport, Kind, Probe
    from pytest_hdp.judge.facts import Facts, Trial

SUSPICIOUS = 0.001
"""Below this p-value a train that lost some is not passed as delivered, though it is far from proven lossy.

Not higher: of 256 trains that lose as the control does, two or three fall below 0.01.
"""

REPEATED = 3
"""In so many rounds an ICMP error came that is said of the number, and not of all that came by at the moment."""

EACH_LOOK = 0.985
"""Confidence at each look at which a train gets through more often than hardly ever, one look a round.

Over all looks at a train, 40 rounds at most, that makes 95 %: docs/verdicts.md, tests/unit/judge/test_pass_bound.py.
"""

COMMON = 0.1
"""From this p-value on it is passed without further rounds: one such train in ten gets some that needs none."""

USUAL_COUNT = 7
"""Probes of a train, as asked for by default: by fewer a limit's usual burst of five looks like a free way."""


def all_lost(facts: Facts, trials: tuple[Trial, ...], share: float = 1.0) -> bool:
    """Say whether these trials, all lost, are too many in a row for loss such as the control's.

    `share`: of the error rate for such a claim.
    """
    lost, sent = facts.control
    if not facts.enough:
        return False
    return statistics.all_lost_refutes(rounds_of(trials), lost, sent, share * facts.alpha, facts.look)


def first_only(facts: Facts, trials: tuple[Trial, ...]) -> tuple[int, int] | None:
    """Return (how many came first, how many were lost after them) if that run of losses is significant."""
    split = tail_after_first(trials)
    if split is None or not all_lost(facts, split[1], statistics.alpha_at_look(1.0, split[0])):
        return None
    return split[0], len(split[1])


def clearly_lossy(facts: Facts, trials: tuple[Trial, ...]) -> bool:
    """Say whether clearly more of these trials were lost than of the control."""
    lost, sent = facts.control
    if not facts.enough:
        return False
    units = one_per_round(trials)
    gone = sum(not unit.came for unit in units)
    return statistics.clearly_more(gone, len(units), lost, sent, facts.alpha, facts.look)


def explains_nothing(facts: Facts) -> bool:
    """Say whether the control loses so little that a loss is hardly by chance."""
    lost, sent = facts.control
    return lost <= 2 * statistics.LOSS_FLOOR * sent


def _is_repeated(facts: Facts, kind: Kind, rounds: int) -> bool:
    """Say whether an error is known to tell of the number, or came in so many rounds that it does."""
    least, general = facts.circumstances.minimum_count, facts.circumstances.reference.general
    return kind not in facts.circumstances.momentary or rounds >= (least if kind in general else min(REPEATED, least))


def enough_to_pass(facts: Facts) -> bool:
    """Say whether so many were sent that what came is no burst that a limit grants.

    As many as were to be; where somebody has ended it before, as many as usual are.
    """
    return facts.enough or (facts.circumstances.agent_gone is None and len(facts.accepted) >= USUAL_COUNT)


def rejections(facts: Facts) -> list[tuple[Probe, IcmpReport]]:
    """Return the ICMP errors that tell of this number, with the probe that each is about."""
    open_ = facts.ambiguous + facts.nearer_errors
    errors = [each for each in facts.rejections if each not in open_]
    errors = [(p, r) for p, r in errors if _tells(facts, p, r) and not _unheard(facts, p, r)]
    if not facts.circumstances.momentary:
        return errors
    rounds: dict[Kind, set[int]] = {}
    for probe, report in errors:
        rounds.setdefault(report.kind, set()).add(probe.round)
    return [(p, r) for p, r in errors if _is_repeated(facts, r.kind, len(rounds[r.kind]))]


def _tells(facts: Facts, probe: Probe, report: IcmpReport) -> bool:
    """Say whether an error is about the number: the control was alive, or the probe came to who says it."""
    if probe.round in facts.counting_rounds:
        return True
    there = probe.arrived or not facts.has_agent
    return bool(there and facts.from_target(report.source)) and probe.round not in facts.spoiled_rounds


def _unheard(facts: Facts, probe: Probe, report: IcmpReport) -> bool:
    """Say whether the target only tells what its host made of what no socket of ours was there for, or not any more.

    Nor is what it says of another number, which the probe came there under, said of this one.
    """
    stack = (facts.circumstances.agent_gone is not None or facts.circumstances.elsewhere) and report.meaning.by_stack
    # where others came to the interface, this one did, too: it said so itself, and the tap has missed it
    came = any(each.arrived for each in facts.accepted) and not facts.circumstances.observers.delivered
    became = bool(probe.arrived) and all(copy.protocol != facts.train.protocol for copy in probe.arrived)
    return (came or stack or became) and facts.from_target(report.source)


def rejection_is_proven(facts: Facts, errors: Sequence[tuple[Probe, IcmpReport]]) -> bool:
    """Say whether so many were rejected that none gets through, or so many lost beside them.

    Who rejects may have few errors to send. Without an agent nobody else can tell of those that brought none.
    """
    if not facts.has_agent:
        return facts.enough
    return facts.enough_rounds([probe for probe, _ in errors]) or all_lost(facts, facts.end_trials)


def missing(facts: Facts) -> int:
    """Return how many probes did not come, as sent, to the last open observer."""
    return sum([not fate.came_as_sent for fate in facts.fates])


def compatible(facts: Facts) -> bool:
    """Say whether the train's losses give little reason to suspect it of losing more than the control."""
    return _likeness(facts) >= SUSPICIOUS


def settled(facts: Facts) -> bool:
    """Say whether the losses need no further look: the control loses too, and such as these are common by chance.

    Not while the last one was lost: all that follow may be; nor before as many rounds count as every train gets, those
    aside in which somebody on the path rejected it: a limit beyond has not met these.
    """
    last_came = facts.end_trials[-1:] and facts.end_trials[-1].came
    rejected = {probe.round for probe, _ in facts.rejections}
    counting = rounds_of(t for t in facts.end_trials if t.round not in rejected) >= facts.circumstances.minimum_count
    return bool(last_came) and facts.enough and counting and facts.control[0] > 0 and _likeness(facts) >= COMMON


def _likeness(facts: Facts) -> float:
    lost, sent = facts.control
    trials = [trial for trial in facts.end_trials if trial.round not in facts.spoiled_rounds]
    return statistics.fisher(sum(not trial.came for trial in trials), len(trials), lost, sent)


def gets_through(facts: Facts) -> bool:
    """Say whether so many came that the train's delivery probability is not as small as that of hardly a path."""
    share, units = facts.circumstances.least_share, one_per_round(facts.clean_trials)
    if not share:
        return True
    lost, sent = facts.control
    if missing(facts) and sent and (sent - lost) <= share * sent:
        return False  # beside a control that is lost nearly always, what came through did so by luck
    return statistics.surely_above(share, sum(unit.came for unit in units), len(units), EACH_LOOK)


def obstacle(facts: Facts) -> tuple[str, bool]:
    """Return what keeps the evidence from meaning more, and whether further rounds could not help."""
    circumstances = facts.circumstances
    if circumstances.agent_gone:
        return f"the far end's eyes closed: {plain(circumstances.agent_gone)}", True
    if "unconfirmed" in circumstances.names or not facts.accepted:
        final = bool({"unconfirmed", "elsewhere"} & circumstances.names.keys())
        return explain.name(facts, "unconfirmed", _nothing_sent(facts)), final
    if circumstances.elsewhere or not facts.counting_rounds:
        said = explain.name(facts, "elsewhere", _no_counting_round(facts))
        return said, circumstances.elsewhere and facts.enough
    if "unopened" in circumstances.names and not any(trial.came for trial in facts.end_trials):
        return explain.name(facts, "unopened", ""), facts.enough
    if "wrapped" in circumstances.names or not facts.has_agent:
        wrapped = explain.name(facts, "wrapped", "")
        return (wrapped, facts.enough) if wrapped else _unanswered(facts)
    part = in_part(facts)
    return (explain.in_part_text(facts, part), facts.enough) if part else _unproven(facts)


def _unanswered(facts: Facts) -> tuple[str, bool]:
    """Without an agent."""
    if facts.replied_nearer:
        return explain.nearer_text(facts), True
    if facts.nearer_errors:
        return explain.nearer_text(facts, facts.nearer_errors), True
    if facts.ambiguous:
        return explain.either_text(facts), True
    if facts.rejections:
        return "ICMP errors came only in rounds whose control was lost", False
    return _none_counts(facts), False


def _none_counts(facts: Facts) -> str:
    """Return why no round says anything about this train, though rounds of others do."""
    if beside := [probe for probe in facts.accepted if probe.round in facts.counting_rounds]:
        sent = explain.counted(len(beside), "probe")
        return f"of {sent} sent in rounds whose control came through, none was seen leaving"
    if spoiled := explain.spoiled_of(facts):
        return (
            f"every round in which it was sent was spoiled{explain.in_brackets(spoiled)}, so its silence means nothing"
        )
    return "in no round in which it was sent did the control come through"


def _nothing_sent(facts: Facts) -> str:
    if facts.stranded:
        errnos = explain.errnos_text(facts.stranded)
        return f"the sending host had no way out for {len(facts.stranded)} probes, and none for the control ({errnos})"
    transient = [p for p in facts.probes if p.errno in TRANSIENT]
    if transient:
        errnos = explain.errnos_text(transient)
        return f"the sending host took none of {len(transient)} probes for want of resources ({errnos})"
    return explain.name(facts, "withheld", "no probe was sent")


def _no_counting_round(facts: Facts) -> str:
    control = facts.circumstances.control
    spoiled = sorted({plain(observer) for c in control for observer in c.spoiled})
    if not any(c.sent for c in control):
        if any(c.refused for c in control):
            errno = facts.circumstances.reference.errno
            return "no control could be sent either" + (f" ({plain(errno)})" if errno else "")
        return "no control was sent" if facts.has_agent else "nothing came back, neither a control nor an answer"
    if not facts.clean_control:
        return f"every round was spoiled ({'; '.join(spoiled)}), so what was not seen means nothing"
    also = f" in the rounds that were not spoiled ({'; '.join(spoiled)})" if spoiled else " in any round"
    errors = explain.control_errors_text(facts)
    return f"the control was lost too: none came through{also}{explain.reference_text(facts)}{errors}"


def _unproven(facts: Facts) -> tuple[str, bool]:
    """With an agent and a control: too few probes, or two places that look the same where an observer was closed."""
    observers, trials = facts.circumstances.observers, facts.end_trials
    gone = sum(not trial.came for trial in trials)
    if in_step.shared(facts):
        return _lost_in_step(facts)
    if any(trial.came for trial in facts.clean_trials) and not (enough_to_pass(facts) and gets_through(facts)):
        return _too_few(facts), False
    if not gone:
        return "none of the probes fell in a round that counts", False
    if gone == len(trials) and not observers.arrived:
        where = "with no tap at the receiver, the path and the receiver's kernel look the same"
        return f"none came to the receiver's socket, and {where}", all_lost(facts, trials)
    if gone == len(trials) and not observers.left:
        where = "with no tap at the sender, its kernel and the path look the same"
        return f"none arrived, and {where}", all_lost(facts, trials)
    bound = explain.bound_text(len(trials) - gone, len(trials))
    return f"{bound}, too few to tell from loss such as the control's, and {explain.control_text(facts)}", False


def _lost_in_step(facts: Facts) -> tuple[str, bool]:
    """It lost what nearly all trains lost: by that alone nobody says whether it loses more."""
    if in_step.shared(facts, apart=True):
        return f"{in_step.text(facts)}; what it loses by chance as well is open", False
    return in_step.text(facts), in_step.only_first(facts) and enough_to_pass(facts) and gets_through(facts)


def _too_few(facts: Facts) -> str:
    """Some came, and by so few a train that hardly ever gets through is not told from one that does."""
    if not enough_to_pass(facts):
        taken = explain.counted(len(facts.accepted), "probe")
        least = min(facts.circumstances.minimum_count, USUAL_COUNT)
        return f"only {taken} could be sent, of the {least} that a verdict takes"
    units = one_per_round(facts.clean_trials)
    came, share = sum(unit.came for unit in units), facts.circumstances.least_share
    lost, sent = facts.control
    why = f"too few to say that more than {100 * share:.0f} % get through"
    if 2 * lost > sent:
        why = "and the path itself loses most"
    return f"{explain.bound_text(came, len(units))}, {why}: {explain.control_text(facts)}"
