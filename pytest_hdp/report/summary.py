"""The surprises in words, equal ones together, and one line of counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Outcome, Verdict
from pytest_hdp.report import fields
from pytest_hdp.report.doubles import doubles
from pytest_hdp.report.letters import colour, words
from pytest_hdp.report.limits import shared_limits
from pytest_hdp.report.lines import encodable, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hdp.report.fields import Record
    from pytest_hdp.report.lines import Line

SEVERAL = 4
"""Of so many different sentences about one verdict, all are printed; of more, one as an example."""

_NO_FAILURES = frozenset(verdict for verdict in Verdict if verdict.outcome is not Outcome.FAILED)
_EXAMPLES = {number: rank for rank, number in enumerate((47, 50, 132, 51, 4, 41, 89, 112, 253))}
"""The numbers that say most about a path: GRE, ESP, SCTP, AH, IPIP, IPv6, OSPF, VRRP, and one for experiments."""
_RUNGS: dict[str, int] = {verdict: rung for rung, verdict in enumerate(Verdict)}


def counts_line(records: Sequence[Record]) -> str:
    """Return "264 trains: 255 delivered, 3 refused at socket (expected), ...", in the ladder's order."""
    counts = Counter((fields.word(r, "verdict"), fields.word(r, "outcome")) for r in records)
    said = []
    for verdict, outcome in sorted(counts, key=by_rung):
        note = {Outcome.XFAILED: " (expected)", Outcome.FAILED: " (FAILED)"}
        known = note.get(Outcome(outcome), "") if outcome in set(Outcome) else ""
        said.append(f"{counts[verdict, outcome]} {words(verdict)}{known}")
    trains = "1 train" if len(records) == 1 else f"{len(records)} trains"
    return f"{trains}: {', '.join(said) or 'nothing measured'}"


def by_rung(cell: tuple[str, str]) -> tuple[int, str]:
    """Return a sorting key for (verdict, outcome): the ladder's order, unknown verdicts last."""
    return _RUNGS.get(cell[0], len(_RUNGS)), cell[1]


def expected_and_got(record: Record) -> str:
    """Return "expected delivered, got lost", or only "lost" where nothing was expected or the two are equal.

    A verdict that was expected can still fail by its errno, or by the number under which it left: then both are said.
    "delivered, but the test failed" is a test that failed for a reason of its own.
    """
    got = words(fields.word(record, "verdict", "no verdict"))
    errno = fields.word(record, "errno")
    got = f"{got} ({errno})" if errno else got
    if own_reason(record):
        return f"{got}, but the test failed"
    if record.get("expected") is None or _as_expected(record):
        return got
    expected = words(fields.word(record, "expected"))
    if errno := fields.word(record, "expected_errno"):
        expected = f"{expected} ({errno})"
    if (number := fields.number(record, "expected_wire_protocol")) is not None:
        expected, got = f"{expected} to {number}", f"{got} to {fields.number(record, 'wire_protocol')}"
    return f"expected {expected}, got {got}"


def own_reason(record: Record) -> bool:
    """Return whether a test failed although the verdict is no reason to: it passes, or is open, or was expected so."""
    if record.get("outcome") != Outcome.FAILED:
        return False
    if record.get("expected") is None:
        return fields.word(record, "verdict") in _NO_FAILURES
    return _as_expected(record)


def _as_expected(record: Record) -> bool:
    """Return whether the verdict is the expected one, and what was stated beside it, too."""
    stated = ((key, record.get(f"expected_{key}")) for key in ("errno", "wire_protocol"))
    return record.get("verdict") == record.get("expected") and all(
        value is None or record.get(key) == value for key, value in stated
    )


def _grouped(records: Iterable[Record]) -> list[list[Record]]:
    """Return records together that say the same of different numbers."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((expected_and_got(record), fields.reason(record)), []).append(record)
    return list(groups.values())


def telling(records: Sequence[Record]) -> Record:
    """Return the record to show as an example: of a number that people know, and that no host treats as its own."""
    return min(records, key=lambda record: _EXAMPLES.get(fields.protocol(record), len(_EXAMPLES)))


def _sentences(records: Iterable[Record]) -> list[tuple[Record, str]]:
    """Return a sentence for each group of equal records, with one of them; few even if many differ."""
    by_head: dict[str, list[list[Record]]] = {}
    for group in _grouped(records):
        by_head.setdefault(expected_and_got(group[0]), []).append(group)
    said = []
    for head, groups in by_head.items():
        if len(groups) <= SEVERAL:
            said += [(g[0], f"{fields.subjects(g)}: {head}: {fields.reason(g[0])}") for g in groups]
            continue
        everyone = [record for group in groups for record in group]
        example = telling(everyone)
        of_one = f"for example {fields.subject(example)}: {fields.reason(example)}"
        said.append((example, f"{fields.subjects(everyone)}: {head}; {of_one}"))
    return said


def surprises(records: Iterable[Record], *, width: int = 80, unicode: bool = True, whole: bool = True) -> list[Line]:
    """Return what a reader must know beyond the grid, as lines of at most `width` columns.

    First what failed, grouped ("47 (gre), 50-51: expected ..., got ...: ..."), then what is open (silent,
    inconclusive) with its reason, then what came more than once, under a line naming the path if there are several;
    the last line counts.
    One line says so if all was as expected, unless something could not be measured (`whole`: nothing of that kind is
    known); no lines at all for no records.
    """
    groups = fields.by_course(records)
    everything = [record for group in groups for record in group]
    if not everything:
        return []
    lines: list[Line] = []
    for group in groups:
        told = _told(group, width)
        if told and len(groups) > 1:
            title = f"{fields.path_title(group[0], unicode=unicode)}, {fields.course(group[0])}:"
            lines += [[(text, None)] for text in wrapped(title, width)]
        lines += told
    count = counts_line(everything)
    if all(record.get("outcome") not in {Outcome.FAILED, Outcome.SKIPPED} for record in everything):
        expected = any(record.get("expected") is not None for record in everything)
        fine = "All as expected" if expected else "No failures"
        count = f"{fine if whole else 'Nothing unexpected in what was measured'}. {count}"
    lines += [[(text, None)] for text in wrapped(count, width, "  ")]
    return encodable(lines, unicode=unicode)


def _told(records: Sequence[Record], width: int) -> list[Line]:
    """Return the sentences about one path, direction and form: failed ones first, then open ones."""
    lines: list[Line] = []
    for outcome in (Outcome.FAILED, Outcome.SKIPPED):
        those = [record for record in records if record.get("outcome") == outcome]
        for record, sentence in _sentences(those):
            shade = colour(fields.word(record, "verdict"), outcome)
            lines += [[(text, shade)] for text in wrapped(sentence, width, "  ")]
    for sentence in (*doubles(records), *shared_limits(records)):
        lines += [[(text, "yellow")] for text in wrapped(f"{sentence}.", width, "  ")]
    return lines
