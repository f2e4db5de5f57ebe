"""Reads one result for showing: who, where, how many.

A result may come from a file that somebody else wrote: every string that leaves this module has been through `safe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.explain import icmp_text
from pytest_hdp.judge.explain import subject as sentence_subject
from pytest_hdp.judge.result import IcmpCount, PathInfo, Result
from pytest_hdp.judge.verdict import Containment, Direction, Outcome, Verdict
from pytest_hdp.packet.chain import CHAINS
from pytest_hdp.packet.registry import lookup
from pytest_hdp.untrusted.text import safe

Cell: TypeAlias = tuple[Verdict | Containment, Outcome]
"""What was found of a number, and its outcome."""

THROUGH = frozenset({Verdict.DELIVERED, Verdict.REACHED})
OPEN = frozenset({Verdict.SILENT, Verdict.INCONCLUSIVE})
MOST_LOST = 0.2
"""A path that loses more than this of everything is told of first of all."""


def word(text: str | None) -> str:
    """Return a text, harmless to show; nothing for none."""
    return "" if text is None else safe(text)


def protocol(result: Result) -> int:
    """Return the protocol number that was asked for: behind extension headers the transport's."""
    return result.judgement.train.transport


def keyword(result: Result) -> str:
    """Return that number's keyword, harmless to show; "" for none."""
    train = result.judgement.train
    return safe(result.keyword) if train.behind is None else lookup(train.transport).keyword


def in_header(result: Result) -> bool:
    """Return whether its number fits the header of an IP packet."""
    return 0 <= protocol(result) <= 255


def finding(result: Result) -> Verdict | Containment:
    """Return what the outcome follows: the verdict, or where a box was asked, whether it got out."""
    return result.judgement.containment or result.verdict


def ways(results: Iterable[Result]) -> set[Direction]:
    """Return the directions that they ran in."""
    return {result.judgement.train.direction for result in results}


def cell(result: Result) -> Cell:
    """Return what a number is drawn and counted by: what was found of it, and its outcome."""
    return finding(result), result.outcome


def observed(result: Result) -> tuple[int, int, int | None, int | None]:
    """Return how many probes were sent, left, arrived and were delivered, None where nobody looked.

    Without an agent nobody looks at the far end of a real path: there a 0 would be a guess.
    """
    judgement = result.judgement
    if result.path.agent is None and result.path.kind != "loopback":
        return judgement.sent, judgement.left, None, None
    return judgement.sent, judgement.left, judgement.arrived, judgement.delivered


def subject(result: Result) -> str:
    """Return the number with its keyword: "132 (sctp)"."""
    word = keyword(result)
    return f"{protocol(result)} ({word})" if word else str(protocol(result))


def reason(result: Result) -> str:
    """Return the explanation without the "132 (sctp), forward: " that it begins with, or "132, forward: " of others."""
    explanation, train = result.judgement.explanation, result.judgement.train
    for about in (sentence_subject(train), f"{train.protocol}, {train.direction}"):
        explanation = explanation.removeprefix(f"{about}: ")
    return safe(explanation)


def control_loss(results: Iterable[Result]) -> str:
    """Return "the path itself loses 80 % of the control", of the course that loses most; "" for no more than a fifth.

    Of a course whose control was all lost other words say more.
    """
    worst = 0.0
    for result in results:
        sent, came = result.judgement.control_sent, result.judgement.control_delivered
        if 0 < came < sent:
            worst = max(worst, 1 - came / sent)
    return f"the path itself loses {100 * worst:.0f} % of the control" if worst > MOST_LOST else ""


def path_title(path: PathInfo, direction: Direction = Direction.FORWARD, *, unicode: bool = True) -> str:
    """Return where a train ran: "lab home-nat, 192.0.2.2 -> 198.51.100.2", in the direction it ran."""
    kind, name = (safe(each, unicode=unicode) for each in (path.kind, path.name))
    ends = [safe(each or "?", unicode=unicode) for each in (path.source, path.target)]
    if direction is Direction.REVERSE:
        ends.reverse()
    arrow = "\u2192" if unicode else "->"
    label = kind if name in {"", kind} else f"{kind} {name}"
    if path.vantage is not None:
        label = f"{label} from {safe(path.vantage, unicode=unicode)}"
    return f"{label + ', ' if label else ''}{ends[0]} {arrow} {ends[1]}"


def course_title(result: Result, *, unicode: bool = True) -> str:
    """Return where and how a train ran: "lab home-nat, 192.0.2.2 -> 198.51.100.2, forward, bare"."""
    return f"{path_title(result.path, result.judgement.train.direction, unicode=unicode)}, {course(result)}"


def control_source(result: Result) -> str:
    """Return ", the control's 10.77.2.1" where the receiver saw the control come from another address."""
    control = result.judgement.nat.control
    return f", the control's {safe(control)}" if control is not None else ""


def icmp_error(error: IcmpCount) -> str:
    """Return "5 x protocol unreachable (ICMP 3/2) from 198.51.100.2"."""
    who = safe(error.source)
    proof = "" if error.authenticated else ", not authenticated"
    return f"{error.count} x {icmp_text(error.source, error.type, error.code)} from {who}{proof}"


def course(result: Result) -> str:
    """Return "forward, bare" (and "IPv6" where it is)."""
    train = result.judgement.train
    form = train.form if train.behind is None else f"behind {train.behind.words}"
    return f"{train.direction}, {form}{', IPv6' if result.ip_version == 6 else ''}"


def course_key(result: Result) -> tuple[str, ...]:
    """Return what trains of one course have in common: path, IP version, form, extension headers and direction."""
    train = result.judgement.train
    return (*_place_key(result.path), str(result.ip_version), train.form, _in_order(train), train.direction)


@lru_cache(maxsize=1024)
def _place_key(path: PathInfo) -> tuple[str, ...]:
    return tuple(map(safe, (path.vantage, path.kind, path.name, path.source, path.target, path.agent)))


def _in_order(train: Train) -> str:
    """What sorts the chains of extension headers as they are asked, behind all that has none."""
    return "" if train.behind is None else f"{list(CHAINS).index(train.behind.name):02}"


def located_by(result: Result) -> int:
    """Return the number whose packets looked for where it died: its own, or the one that stands for it."""
    climb = result.judgement.climb
    return protocol(result) if climb is None or climb.by is None else climb.by


def folded(numbers: Iterable[int]) -> str:
    """Return numbers as people write them: `[50, 47, 51]` as "47, 50-51". Negative ones are never folded."""
    spans: list[list[int]] = []
    for value in sorted(set(numbers)):
        if spans and spans[-1][1] == value - 1 and spans[-1][0] >= 0:
            spans[-1][1] = value
        else:
            spans.append([value, value])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def subjects(results: Sequence[Result]) -> str:
    """Return the numbers of several results: with keywords if there are up to four, else folded."""
    one_each = {protocol(result): subject(result) for result in results}
    if len(one_each) <= 4:
        return ", ".join(one_each[key] for key in sorted(one_each))
    return folded(one_each)
