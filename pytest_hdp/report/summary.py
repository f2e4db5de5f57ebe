"""The surprises in words, equal ones together, and one line of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.verdict import Containment, Outcome, Verdict
from pytest_hdp.report import fields
from pytest_hdp.report.checksums import stale_checksums
from pytest_hdp.report.doubles import doubles
from pytest_hdp.report.expected import expected_and_got
from pytest_hdp.report.groups import by_course
from pytest_hdp.report.letters import colour, words_for
from pytest_hdp.report.limits import shared_limits
from pytest_hdp.report.lines import encodable, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hdp.judge.result import Result
    from pytest_hdp.report.fields import Cell
    from pytest_hdp.report.lines import Line

SEVERAL = 4
"""Of so many different sentences about one verdict, all are printed; of more, one as an example."""

_EXAMPLES = {number: rank for rank, number in enumerate((47, 50, 132, 51, 4, 41, 89, 112, 253))}
"""The numbers that say most about a path: GRE, ESP, SCTP, AH, IPIP, IPv6, OSPF, VRRP, and one for experiments."""
_RUNGS: dict[Verdict | Containment, int] = {word: rung for rung, word in enumerate((*Verdict, *Containment))}


def counts_line(results: Sequence[Result]) -> str:
    """Return "264 trains: 255 delivered, 3 refused at socket (expected), ...", in the ladder's order."""
    cells = alike(results, fields.cell)
    said = []
    for verdict, outcome in sorted(cells, key=by_rung):
        note = {Outcome.XFAILED: " (expected)", Outcome.FAILED: " (FAILED)"}
        those = cells[verdict, outcome]
        said.append(f"{len(those)} {words_for(verdict, fields.ways(those))}{note.get(outcome, '')}")
    trains = "1 train" if len(results) == 1 else f"{len(results)} trains"
    return f"{trains}: {', '.join(said) or 'nothing measured'}"


def by_rung(cell: Cell) -> tuple[int, str]:
    """Return a sorting key: the ladder's order."""
    return _RUNGS[cell[0]], cell[1]


def telling(results: Sequence[Result]) -> Result:
    """Return the result to show as an example: of a number that people know, and that no host treats as its own."""
    return min(results, key=lambda result: _EXAMPLES.get(fields.protocol(result), len(_EXAMPLES)))


def _sentences(results: Iterable[Result]) -> list[tuple[Result, str]]:
    """Return a sentence for each group of equal results, with one of them; few even if many differ."""
    said = []
    for head, everyone in alike(results, expected_and_got).items():
        groups = alike(everyone, fields.reason).values()
        if len(groups) <= SEVERAL:
            said += [(g[0], f"{fields.subjects(g)}: {head}: {_beyond(head, g[0])}") for g in groups]
            continue
        example = telling(everyone)
        of_one = f"for example {fields.subject(example)}: {_beyond(head, example)}"
        said.append((example, f"{fields.subjects(everyone)}: {head}; {of_one}"))
    return said


def _beyond(head: str, result: Result) -> str:
    """Return a result's reason, without the words that stand before it already."""
    return fields.reason(result).removeprefix(f"{head}: ")


def surprises(results: Iterable[Result], *, width: int = 80, unicode: bool = True, whole: bool = True) -> list[Line]:
    """Return what a reader must know beyond the grid, as lines of at most `width` columns.

    First what failed, grouped ("47 (gre), 50-51: expected ..., got ...: ..."), then what is open (silent,
    inconclusive) with its reason, then what came more than once, under a line naming the path if there are several;
    the last line counts.
    One line says so if all was as expected, unless something could not be measured (`whole`: nothing of that kind is
    known); no lines at all for no results.
    """
    groups = by_course(results)
    everything = [result for group in groups for result in group]
    if not everything:
        return []
    lines: list[Line] = []
    for group in groups:
        told = _lines_about(group, width)
        if told and len(groups) > 1:
            title = f"{fields.course_title(group[0], unicode=unicode)}:"
            lines += [[(text, None)] for text in wrapped(title, width)]
        lines += told
    count = counts_line(everything)
    if all(result.outcome not in {Outcome.FAILED, Outcome.SKIPPED} for result in everything):
        expected = any(result.expected is not None for result in everything)
        fine = "All as expected" if expected else "No failures"
        count = f"{fine if whole else 'Nothing unexpected in what was measured'}. {count}"
    lines += [[(text, None)] for text in wrapped(count, width, "  ")]
    return encodable(lines, unicode=unicode)


def _lines_about(results: Sequence[Result], width: int) -> list[Line]:
    """Return the sentences about one path, direction and form: failed ones first, then open ones."""
    lines: list[Line] = []
    for outcome in (Outcome.FAILED, Outcome.SKIPPED):
        those = [result for result in results if result.outcome == outcome]
        for result, sentence in _sentences(those):
            shade = colour(fields.finding(result), outcome)
            lines += [[(text, shade)] for text in wrapped(sentence, width, "  ")]
    for sentence in (*doubles(results), *stale_checksums(results), *shared_limits(results)):
        lines += [[(text, "yellow")] for text in wrapped(f"{sentence}.", width, "  ")]
    return lines
