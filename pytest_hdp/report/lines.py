"""Lines of coloured text without a terminal: a line is a list of (text, colour or None) segments."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pytest_hdp.untrusted.text import no_command, safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Segment = tuple[str, str | None]
"""Text, and pytest's name of its colour ("red", "green", ...) or None."""

Line = list[Segment]


def text_of(line: Line) -> str:
    """Return the line without its colours and without trailing blanks."""
    return "".join(text for text, _ in line).rstrip()


def length(line: Line) -> int:
    """Return how many columns the line takes."""
    return sum(len(text) for text, _ in line)


def padded(line: Line, width: int) -> Line:
    """Return the line filled with blanks up to `width` columns."""
    missing = width - length(line)
    return [*line, (" " * missing, None)] if missing > 0 else line


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return `text` folded to `width` columns; further lines begin with `indent`. Ranges stay whole.

    A line whose first word would be a command to a CI runner has that word escaped, and may be wider by three columns.
    """
    width = max(width, len(indent) + 10)
    lines = textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
    return list(map(no_command, lines)) or [""]


def encodable(lines: Iterable[Line], *, unicode: bool) -> list[Line]:
    """Return the lines with everything beyond ASCII escaped, unless `unicode`."""
    if unicode:
        return list(lines)
    return [[(safe(text, unicode=False), colour) for text, colour in line] for line in lines]


def flowed(items: Iterable[Line], width: int, gap: str = "   ") -> list[Line]:
    """Return the items set side by side with `gap` between, on as many lines as `width` columns need.

    An item is never folded; one wider than `width` has a line to itself.
    """
    lines: list[Line] = []
    for item in items:
        if lines and length(lines[-1]) + len(gap) + length(item) <= width:
            lines[-1] = [*lines[-1], (gap, None), *item]
        else:
            lines.append(list(item))
    return lines


def beside(blocks: Sequence[Sequence[Line]], widths: Sequence[int], gap: str = "    ") -> list[Line]:
    """Return blocks of lines set next to each other, each as wide as its entry in `widths`."""
    height = max((len(block) for block in blocks), default=0)
    lines: list[Line] = []
    for row in range(height):
        line: Line = []
        for block, width in zip(blocks, widths, strict=True):
            cells = block[row] if row < len(block) else []
            line = [*line, *([(gap, None)] if line else []), *padded(list(cells), width)]
        lines.append(line)
    return lines
