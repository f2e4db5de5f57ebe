"""A comparison of two results, in words: for a terminal, for a pull request, for a program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.compare import Comparison, Gone, Pair
from pytest_hdp.judge.record import to_record
from pytest_hdp.judge.result import Result
from pytest_hdp.report import fields
from pytest_hdp.report.groups import by_course
from pytest_hdp.report.letters import words
from pytest_hdp.report.lines import wrapped
from pytest_hdp.report.markdown import escaped, table
from pytest_hdp.untrusted.text import safe

SCHEMA = 1
SEVERAL = 3
"""So many paths have names in the headline."""

Row: TypeAlias = tuple[str, str, str, str]
"""Numbers, before, after, and why, of trains that changed in the same way."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two results. `name`: the file, as it was given; `trains`: how many are in it."""

    name: str
    run: str
    time: str
    trains: int

    @classmethod
    def of(cls, name: str, results: Sequence[Result]) -> Side:
        """What to say of a file that holds these results."""
        return cls(name, results[0].run, min(result.time for result in results), len(results))

    def __str__(self) -> str:
        return f"{safe(self.name)} (run {safe(self.run)}, {safe(self.time)}, {_trains(self.trains)})"


def headline(found: Comparison) -> str:
    """Return the comparison in one line: "2 of 255 trains changed, 1 without evidence, 3 only in A"."""
    if found.unclear and len(found.unclear) == found.pairs:
        every = "" if found.pairs == 1 else "any of "
        said = [f"no evidence either way in {every}{_trains(found.pairs)}"]
        return ", ".join([*said, *_one_sided(found), *_gone_in_short(found)])
    said = [f"{len(found.changed)} of {_trains(found.pairs)} changed" if found.changed else "nothing changed"]
    said[0] += f" in {_trains(found.pairs)}" if not found.changed else ""
    said += [f"{len(found.unclear)} without evidence"] if found.unclear else []
    return ", ".join([*said, *_one_sided(found), *_gone_in_short(found)])


def _one_sided(found: Comparison) -> list[str]:
    sides = ((len(found.only_before), "A"), (len(found.only_after), "B"))
    return [f"{count} only in {side}" for count, side in sides if count]


def _gone_in_short(found: Comparison) -> list[str]:
    """Return on which paths the evidence is gone: the names of a few, or how many they are."""
    names = list(dict.fromkeys(_name(each) for each in found.gone))
    told = ", ".join(names) if len(names) <= SEVERAL else f"{len(names)} paths"
    return [f"evidence gone: {told}"] if names else []


def _name(gone: Gone) -> str:
    name = safe(gone.path.name or gone.path.target)
    return name if gone.path.vantage is None else f"{name} from {safe(gone.path.vantage)}"


def _gone_in_words(gone: Gone) -> str:
    """Return one path's line: what was known of it, and how much of that is not known any more."""
    course = f"{_name(gone)}, {gone.direction}, {gone.form}"
    if gone.absent:
        return f"{course}: A knew {_trains(gone.known)}, and B has nothing of this path"
    return f"{course}: of {gone.missing} of the {_trains(gone.known)} that A knew B learnt nothing"


def text(found: Comparison, before: Side, after: Side, width: int = 80) -> list[str]:
    """Return the lines for a terminal, folded to `width` columns, without colour."""
    lines = [*wrapped(f"A: {before}", width, "   "), *wrapped(f"B: {after}", width, "   "), ""]
    for title, pairs in (("changed", found.changed), ("no evidence either way", found.unclear)):
        for group in _courses(pairs):
            lines += wrapped(f"{title}: {_title(group)}", width, "  ")
            rows = _rows(group)
            for numbers, old, new, why in rows:
                lines += wrapped(f"  {numbers}: {old} -> {new}", width, "    ")
                lines += wrapped(f"      {why}", width, "      ")
            lines.append("")
    for title, results in (("only in A", found.only_before), ("only in B", found.only_after)):
        for course in by_course(results):
            where = fields.course_title(course[0], unicode=False)
            lines += [*wrapped(f"{title}: {where}: {fields.subjects(course)}", width, "  "), ""]
    for gone in found.gone:
        lines += [*wrapped(f"evidence gone: {_gone_in_words(gone)}", width, "  "), ""]
    lines += [line for note in _notes(found) for line in wrapped(note, width, "  ")]
    return [*lines, *wrapped(headline(found), width, "  ")]


def markdown(found: Comparison, before: Side, after: Side) -> str:
    """Return the same as Markdown, in which nothing from the files takes effect."""
    lines = [f"# pytest-hdp: {escaped(headline(found))}", "", f"- A: {escaped(before)}", f"- B: {escaped(after)}", ""]
    heads = [("Protocol numbers", False), ("A", False), ("B", False), ("What B says", False)]
    for title, pairs in (("Changed", found.changed), ("No evidence either way", found.unclear)):
        for group in _courses(pairs):
            lines += [f"## {title}: {escaped(_title(group))}", "", *table(heads, _rows(group)), ""]
    for title, results in (("Only in A", found.only_before), ("Only in B", found.only_after)):
        for course in by_course(results):
            where = fields.course_title(course[0], unicode=False)
            lines += [f"## {title}: {escaped(where)}", "", escaped(fields.subjects(course)), ""]
    if found.gone:
        lines += ["## Evidence gone", "", *(f"- {escaped(_gone_in_words(gone))}" for gone in found.gone), ""]
    lines += [f"- {escaped(note)}" for note in _notes(found)]
    return "\n".join(lines)


def as_json(found: Comparison, before: Side, after: Side, *, status: int) -> str:
    """Return the same for a program: one object, ASCII, two blanks of indent. `status`: the exit status."""
    document = {
        "schema": SCHEMA,
        "status": status,
        "a": _side(before),
        "b": _side(after),
        "changed": [_pair(pair) for pair in found.changed],
        "no_evidence": [_pair(pair) for pair in found.unclear],
        "unchanged": len(found.unchanged),
        "only_a": [_train(result) for result in found.only_before],
        "only_b": [_train(result) for result in found.only_after],
        "gone": [_gone(each) for each in found.gone],
        "rules": [{"a": a, "b": b, "trains": count} for (a, b), count in sorted(found.rules.items())],
    }
    return json.dumps(document, indent=2)


def _side(side: Side) -> dict[str, Any]:
    return {"file": side.name, "run": side.run, "time": side.time, "trains": side.trains}


def _gone(gone: Gone) -> dict[str, Any]:
    return {
        "path": asdict(gone.path),
        "direction": gone.direction,
        "form": gone.form,
        "known": gone.known,
        "missing": gone.missing,
        "absent": gone.absent,
    }


def _train(result: Result) -> dict[str, Any]:
    names = ("path", "direction", "ip_version", "protocol", "keyword", "form", "verdict", "explanation")
    record = to_record(result)
    return {name: record[name] for name in names}


def _pair(pair: Pair) -> dict[str, Any]:
    changes = {change.what: [change.before, change.after] for change in pair.changes}
    return {**_train(pair.after), "changes": changes, "rules": [pair.before.rules, pair.after.rules]}


def _courses(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Return the pairs of one path, direction and form together."""
    by_result = {id(pair.after): pair for pair in pairs}
    return [[by_result[id(result)] for result in group] for group in by_course(p.after for p in pairs)]


def _title(group: Sequence[Pair]) -> str:
    return fields.course_title(group[0].after, unicode=False)


def _rows(group: Iterable[Pair]) -> list[Row]:
    return [
        (fields.subjects([pair.after for pair in pairs]), old, new, _why(pairs))
        for (old, new), pairs in alike(group, _before_and_after).items()
    ]


def _before_and_after(pair: Pair) -> tuple[str, str]:
    old = "; ".join(_format_value(change.what, change.before) for change in pair.changes) or pair.before.verdict
    new = "; ".join(_format_value(change.what, change.after) for change in pair.changes) or pair.after.verdict
    return safe(words(old)), safe(words(new))


def _why(pairs: Sequence[Pair]) -> str:
    """Return what B says of the first of them."""
    result = pairs[0].after
    about = "" if len(pairs) == 1 else f"{fields.subject(result)}: "
    return about + fields.reason(result)


def _format_value(what: str, value: str) -> str:
    return value if what == "verdict" else f"{what} {value}"


def _notes(found: Comparison) -> list[str]:
    judged = [
        f"note: {_trains(count)} {'was' if count == 1 else 'were'} judged by rules {old} in A and by rules {new} in B, "
        "so that a verdict may differ for no more than that (docs/verdicts.md)"
        for (old, new), count in sorted(found.rules.items())
    ]
    return judged + [
        f"note: {safe(old.name)} was measured from {safe(old.source)} in A and from {safe(new.source)} in B"
        for old, new in found.moved
    ]


def _trains(count: int) -> str:
    return "1 train" if count == 1 else f"{count} trains"
