"""What broke and where, over several paths in one sentence; and what one can do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from operator import itemgetter
from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.not_measured import in_short
from pytest_hdp.judge.verdict import Direction, Form, Outcome, Verdict
from pytest_hdp.report import fields, headers
from pytest_hdp.report.fields import OPEN, THROUGH
from pytest_hdp.report.path_picture import picture_of
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Result

SEVERAL = 3
"""Of so many paths a headline tells; of the rest how many they are."""
FEW = 6
"""So many numbers have names in a headline."""
_FATES: dict[str, tuple[str, str]] = {
    Verdict.REFUSED_AT_SOCKET: ("held back", "at the start of the way"),
    Verdict.REFUSED_AT_SEND: ("held back", "at the start of the way"),
    Verdict.HELD_BY_SENDER: ("held back", "at the start of the way"),
    Verdict.RENUMBERED: ("renumbered", "at the start of the way"),
    Verdict.REJECTED: ("rejected", "on the way"),
    Verdict.LOST: ("lost", "on the way"),
    Verdict.FIRST_ONLY: ("stopped after the first", "on the way"),
    Verdict.LOSSY: ("lost in part", "on the way"),
    Verdict.HELD_BY_RECEIVER: ("held back", "at the end of the way"),
    Verdict.MODIFIED: ("changed", "on the way"),
}
_STOPPED = frozenset({Verdict.LOST, Verdict.REJECTED})
_CHANGED = frozenset({Verdict.RENUMBERED, Verdict.MODIFIED})
_TO_DO: dict[str, str] = {
    Verdict.REFUSED_AT_SEND: "refused when sent: look at the sender's own firewall (nft list ruleset)",
    Verdict.HELD_BY_RECEIVER: "held back at the receiver: look at its own firewall (nft list ruleset)",
    Verdict.MODIFIED: "changed on the way: ask who runs the boxes between for what rewrites packets",
}


def of_several(groups: Sequence[Sequence[Result]]) -> str:
    """Return a headline of courses over more than one path: "GRE lost on the way to paris; tokyo: all through."."""
    by_path = alike(groups, lambda group: group[0].path).values()
    told = sorted(map(_of_path, by_path), key=lambda each: each[0])
    clauses = [clause for _, clause in told[:SEVERAL]]
    if len(told) > SEVERAL:
        rest = len(told) - SEVERAL
        clauses.append(f"{rest} more path{'' if rest == 1 else 's'} below")
    said = "; ".join(clauses)
    return f"{said[:1].upper()}{said[1:]}."


def _of_path(courses: Sequence[Sequence[Result]]) -> tuple[int, str]:
    """Return how grave it is (0 gravest), and what became of one path's numbers."""
    name = _name(courses[0][0])
    everything = [result for course in courses for result in course]
    broken = [result for result in everything if result.verdict not in THROUGH | OPEN]
    if not broken:
        still_open = sum(result.verdict in OPEN for result in everything)
        if not still_open:
            return 2, f"{name}: all through"
        return 1, f"{name}: {'no answer' if still_open == len(everything) else f'{still_open} undecided'}"
    plain, behind = headers.parted(courses)
    told = [(_broken(course, alone=len(courses) == 1), course) for course in filter(_has_broken, plain)]
    told += [(headers.counted(chains), chains[0]) for chains in behind if any(map(_has_broken, chains))]
    said = alike(told, itemgetter(0))
    ways = {what: dict.fromkeys(_to_or_from(course[0]) for _, course in those) for what, those in said.items()}
    return 0, ", ".join(f"{what} {' and '.join(way)} {name}" for what, way in ways.items())


def _has_broken(course: Iterable[Result]) -> bool:
    return any(result.verdict not in THROUGH | OPEN for result in course)


def _to_or_from(result: Result) -> str:
    return "from" if result.judgement.train.direction is Direction.REVERSE else "to"


def _broken(course: Sequence[Result], *, alone: bool) -> str:
    """Return "GRE, ESP lost on the way", or, of many, "only 3 of 255 got through"."""
    broken = [result for result in course if result.verdict not in THROUGH | OPEN]
    train = course[0].judgement.train
    shape = "" if alone or train.form is Form.BARE else f" {train.form}"
    if len(broken) > FEW:
        through = sum(result.verdict in THROUGH for result in course)
        return f"{f'only {through}' if through else 'none'} of {len(course)} got through{shape}"
    verdicts = {result.verdict for result in broken}
    fates = {_FATES[verdict] for verdict in verdicts}
    fate, where = fates.pop() if len(fates) == 1 else (_mixed(verdicts), "on the way")
    names = ", ".join(fields.keyword(result) or str(fields.protocol(result)) for result in broken)
    return f"{names} {fate}{shape} {where}"


def _mixed(verdicts: Set[str]) -> str:
    """What became of several of which one was stopped, say, and another one changed."""
    if verdicts <= _STOPPED:
        return "stopped"
    if not verdicts & _CHANGED:
        return "held up"
    return "changed" if verdicts <= _CHANGED else "held up or changed"


def _name(result: Result) -> str:
    path = result.path
    name = safe(path.name or path.target or "?")
    return name if path.vantage is None else f"{name} (from {safe(path.vantage)})"


def missing(unmeasured: Iterable[str]) -> str:
    """Return what a headline adds of the lines of what could not be measured or read: "h2, h7 not measured", or ""."""
    by_way = alike(dict.fromkeys(map(in_short, unmeasured)), itemgetter(1))
    return ", ".join(_missing([name for name, _ in those], way) for way, those in by_way.items())


def _missing(names: Sequence[str], way: str) -> str:
    what = "files" if "read" in way else "paths"
    return f"{', '.join(names) if len(names) <= SEVERAL else f'{len(names)} {what}'} {way}"


def advice(groups: Sequence[Sequence[Result]], most: int = 3) -> tuple[str, ...]:
    """Return what a reader can do about what was not expected or is open; of each kind once, `most` in all."""
    said: dict[str, None] = {}
    for group in groups:
        wrong = [result for result in group if result.outcome == Outcome.FAILED]
        course = picture_of(group)
        worrying = {result.verdict for result in wrong}
        for end in sorted(course.ends, key=lambda end: -end.count):
            if end.verdict in worrying and (where := course.where(end)):
                what = "of extension headers" if headers.is_behind(group) else "by protocol number"
                said[f"Ask who runs the network {where} for a filter {what}."] = None
        for verdict, told in _TO_DO.items():
            if verdict in worrying:
                numbers = fields.subjects([each for each in wrong if each.verdict == verdict])
                said[f"{numbers} {told}."] = None
        silent = any(result.verdict == Verdict.SILENT for result in group)
        if silent and group[0].path.agent is None:
            said["No answer is no loss: an agent there (--hdp-agent=ssh=USER@HOST) sees what arrives."] = None
    return tuple(said)[:most]
