"""The 256 protocol numbers as a 16 x 16 picture, one letter each, for a terminal of any width."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Containment, Direction, Outcome, Verdict
from pytest_hdp.report import fields, headers
from pytest_hdp.report.fields import Cell
from pytest_hdp.report.groups import by_course
from pytest_hdp.report.letters import colour, letter, words_for
from pytest_hdp.report.lines import Line, beside, encodable, flowed, length, wrapped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pytest_hdp.judge.result import Result

SPACED = 41
"""Columns of a row with blanks between the cells and the row's first number in decimal."""
NO_DECIMAL = 36
SIDE_BY_SIDE = 100
"""From so many columns on, two grids share the width."""

_GAP = 4
_NAMES = 20  # columns of a chain's name
_SEVERITY = [Outcome.FAILED, Outcome.SKIPPED, Outcome.XFAILED, Outcome.PASSED]
_RUNGS: list[Verdict | Containment] = [*Verdict, *Containment]


def _cells(results: Iterable[Result]) -> dict[int, Cell]:
    """Return one cell per number; where a number has several results, the worst outcome shows."""
    cells: dict[int, Cell] = {}
    for result in results:
        cell = fields.cell(result)
        known = cells.setdefault(fields.protocol(result), cell)
        if _severity(cell) < _severity(known):
            cells[fields.protocol(result)] = cell
    return cells


def _severity(cell: Cell) -> int:
    return _SEVERITY.index(cell[1])


def _rows(cells: dict[int, Cell], width: int) -> list[Line]:
    """Return the column heads and one line for each row of 16 that holds a measured number."""
    rows = sorted({n // 16 for n in cells if 0 <= n <= 255})
    if not rows:
        return []
    spaced = width >= NO_DECIMAL
    between = " " if spaced else ""
    decimal = width >= SPACED
    margin = " " * (10 if decimal else 5)
    lines: list[Line] = [[(margin + between.join(f"{column:x}" for column in range(16)), None)]]
    for row in rows:
        line: Line = [(f"0x{row:x}_ {row * 16:3}  " if decimal else f"0x{row:x}_ ", None)]
        last = max(n % 16 for n in cells if n // 16 == row)
        for column in range(last + 1):
            gap = between if column else ""
            cell = cells.get(row * 16 + column)
            line.append((gap + letter(*cell), colour(*cell)) if cell else (gap + " ", None))
        lines.append(line)
    return lines


def _out_of_range(cells: dict[int, Cell], width: int) -> list[Line]:
    """Return "out of range: -1 k   256-262 n   263 k", numbers with the same letter folded."""
    outside = sorted(n for n in cells if not 0 <= n <= 255)
    if not outside:
        return []
    items: list[Line] = [[("out of range:", None)]]
    for cell, numbers in groupby(outside, lambda n: cells[n]):
        items.append([(fields.folded(numbers).replace(" ", "") + " ", None), (letter(*cell), colour(*cell))])
    return flowed(items, width, gap="  ")


def _legend(cells: dict[int, Cell], width: int, ways: Collection[Direction]) -> list[Line]:
    """Return what the letters that occur mean, each with its count, in the ladder's order. `ways`: of all of them."""

    def rung(cell: Cell) -> tuple[int, int]:
        return _RUNGS.index(cell[0]), _severity(cell)

    counts = Counter(cells.values())
    notes = {Outcome.XFAILED: " (expected)", Outcome.FAILED: " (FAILED)"}
    items: list[Line] = []
    for cell in sorted(counts, key=rung):
        verdict, outcome = cell
        note = notes.get(outcome, "")
        items.append([(letter(*cell), colour(*cell)), (f" {counts[cell]} {words_for(verdict, ways)}{note}", None)])
    return flowed(items, width)


def grid(results: Sequence[Result], *, width: int = 80, unicode: bool = True) -> list[Line]:
    """Return the picture of one path, direction and form: title, rows, numbers out of range, legend.

    `width` is in columns; below 36 the cells stand without blanks between them. Rows without a measured
    number are left out; a number that was not measured is blank. Nothing but ASCII with `unicode=False`.
    """
    if not results:
        return []
    if headers.is_behind(results):
        return _matrix(results, width, unicode=unicode)
    title = fields.course_title(results[0], unicode=unicode)
    cells = _cells(results)
    lines: list[Line] = [[(text, None)] for text in wrapped(title, width)]
    lines += [*_rows(cells, width), *_out_of_range(cells, width), *_legend(cells, width, fields.ways(results))]
    return encodable(lines, unicode=unicode)


def _matrix(results: Sequence[Result], width: int, *, unicode: bool) -> list[Line]:
    """Return what passes behind which extension headers: a row for each chain of them, a column for each transport."""
    columns = sorted(set(map(fields.protocol, results)))
    lines: list[Line] = [[(text, None)] for text in wrapped(headers.title(results, unicode=unicode), width)]
    lines.append([(" " * _NAMES + "".join(f"{number:>4}" for number in columns), None)])
    for group in by_course(results):
        cells = _cells(group)
        line: Line = [(f"{headers.name(group):{_NAMES}}", None)]
        for number in columns:
            found = cells.get(number)
            line += [("   ", None), (letter(*found), colour(*found)) if found else (" ", None)]
        lines.append(line)
    counted = {index: fields.cell(result) for index, result in enumerate(results)}
    return encodable([*lines, *_legend(counted, width, fields.ways(results))], unicode=unicode)


def grids(results: Iterable[Result], *, width: int = 80, unicode: bool = True) -> list[Line]:
    """Return one picture for each path, direction and form, two side by side from 100 columns on.

    Empty for no results. Pictures one below the other are parted by an empty line.
    """
    groups = headers.merged(by_course(results))
    if len(groups) < 2 or width < SIDE_BY_SIDE:
        blocks = [grid(group, width=width, unicode=unicode) for group in groups]
        return _stacked(blocks)
    half = (width - _GAP) // 2
    pictures = [grid(group, width=half, unicode=unicode) for group in groups]
    pairs = [pictures[start : start + 2] for start in range(0, len(pictures), 2)]
    return _stacked([beside(pair, [max(half, _widest(block)) for block in pair]) for pair in pairs])


def _widest(block: Sequence[Line]) -> int:
    return max((length(line) for line in block), default=0)


def _stacked(blocks: Sequence[list[Line]]) -> list[Line]:
    lines: list[Line] = []
    for block in blocks:
        lines.extend([*([[]] if lines else []), *block])
    return lines
