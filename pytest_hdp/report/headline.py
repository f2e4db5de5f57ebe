"""What broke and where, over several paths in one sentence; and what one can do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Outcome, Verdict
from pytest_hdp.report import fields
from pytest_hdp.report.ends import course_of
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.report.fields import Record

SEVERAL = 3
"""Of so many paths a headline tells; of the rest how many they are."""
FEW = 6
"""So many numbers have names in a headline."""
THROUGH = frozenset({Verdict.DELIVERED, Verdict.REACHED})
COULD = " could "
"""Between a path's name and what could not be done with it, in the line of one that was not measured."""
OPEN = frozenset({Verdict.SILENT, Verdict.INCONCLUSIVE})
_FATES: dict[str, str] = {Verdict.LOST: "lost", Verdict.REJECTED: "rejected", Verdict.MODIFIED: "changed"}
_TO_DO: dict[str, str] = {
    Verdict.REFUSED_AT_SEND: "refused when sent: look at the sender's own firewall (nft list ruleset)",
    Verdict.HELD_BY_RECEIVER: "held back at the receiver: look at its own firewall (nft list ruleset)",
    Verdict.MODIFIED: "changed on the way: ask who runs the boxes between for what rewrites packets",
}


def of_several(groups: Sequence[Sequence[Record]]) -> str:
    """Return a headline of courses over more than one path: "GRE lost on the way to paris; tokyo: all through."."""
    by_path: dict[str, list[Sequence[Record]]] = {}
    for group in groups:
        by_path.setdefault(str(fields.part(group[0], "path")), []).append(group)
    told = sorted((_of_path(courses) for courses in by_path.values()), key=lambda each: each[0])
    clauses = [clause for _, clause in told[:SEVERAL]]
    if len(told) > SEVERAL:
        rest = len(told) - SEVERAL
        clauses.append(f"{rest} more path{'' if rest == 1 else 's'} below")
    said = "; ".join(clauses)
    return f"{said[:1].upper()}{said[1:]}."


def _of_path(courses: Sequence[Sequence[Record]]) -> tuple[int, str]:
    """Return how grave it is (0 gravest), and what became of one path's numbers."""
    name = _name(courses[0][0])
    everything = [record for course in courses for record in course]
    broken = [record for record in everything if record.get("verdict") not in THROUGH | OPEN]
    if not broken:
        still_open = sum(record.get("verdict") in OPEN for record in everything)
        if not still_open:
            return 2, f"{name}: all through"
        return 1, f"{name}: {'no answer' if still_open == len(everything) else f'{still_open} undecided'}"
    ways: dict[str, list[str]] = {}
    for course in courses:
        if _has_broken(course):
            ways.setdefault(_broken(course, alone=len(courses) == 1), []).append(_way(course[0]))
    return 0, ", ".join(f"{what} {' and '.join(dict.fromkeys(way))} {name}" for what, way in ways.items())


def _has_broken(course: Iterable[Record]) -> bool:
    return any(record.get("verdict") not in THROUGH | OPEN for record in course)


def _way(record: Record) -> str:
    return "from" if record.get("direction") == "reverse" else "to"


def _broken(course: Sequence[Record], *, alone: bool) -> str:
    """Return "GRE, ESP lost on the way", or, of many, "only 3 of 255 got through"."""
    broken = [record for record in course if record.get("verdict") not in THROUGH | OPEN]
    form = "" if alone or course[0].get("form") in {None, "bare"} else f" {fields.word(course[0], 'form')}"
    if len(broken) > FEW:
        through = sum(record.get("verdict") in THROUGH for record in course)
        return f"{f'only {through}' if through else 'none'} of {len(course)} got through{form}"
    verdicts = {fields.word(record, "verdict") for record in broken}
    fate = _FATES.get(verdicts.pop(), "stopped") if len(verdicts) == 1 else "stopped"
    names = ", ".join(fields.word(record, "keyword") or str(fields.protocol(record)) for record in broken)
    return f"{names} {fate}{form} on the way"


def _name(record: Record) -> str:
    path = fields.part(record, "path")
    name = safe(path.get("name") or "") or safe(path.get("target") or "?")
    vantage = path.get("vantage")
    return name if vantage is None else f"{name} (from {safe(vantage)})"


def missing(unmeasured: Iterable[str]) -> str:
    """Return what a headline adds of the lines of paths that could not be measured: "h2, h7 not measured", or ""."""
    ways: dict[str, dict[str, None]] = {"not": {}, "hardly": {}}
    for line in unmeasured:
        name, _, said = line.partition(COULD)
        ways["hardly" if said.startswith("hardly") else "not"][name] = None
    told = [
        f"{', '.join(names) if len(names) <= SEVERAL else f'{len(names)} paths'} {how} measured"
        for how, names in ways.items()
        if names
    ]
    return ", ".join(told)


def advice(groups: Sequence[Sequence[Record]], most: int = 3) -> tuple[str, ...]:
    """Return what a reader can do about what was not expected or is open; of each kind once, `most` in all."""
    said: dict[str, None] = {}
    for group in groups:
        wrong = [record for record in group if record.get("outcome") == Outcome.FAILED]
        course = course_of(group)
        worrying = {fields.word(record, "verdict") for record in wrong}
        for end in sorted(course.ends, key=lambda end: -end.count):
            if end.verdict in worrying and (where := course.where(end)):
                said[f"Ask who runs the network {where} for a filter by protocol number."] = None
        for verdict, told in _TO_DO.items():
            if verdict in worrying:
                numbers = fields.subjects([each for each in wrong if each.get("verdict") == verdict])
                said[f"{numbers} {told}."] = None
        silent = any(record.get("verdict") == Verdict.SILENT for record in group)
        if silent and fields.part(group[0], "path").get("agent") is None:
            said["No answer is no loss: an agent there (--hdp-agent=ssh=USER@HOST) sees what arrives."] = None
    return tuple(said)[:most]
