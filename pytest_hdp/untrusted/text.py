"""Makes text that came from elsewhere (the wire, a results file, a far host) harmless to show."""

from __future__ import annotations

import re

LIMIT = 2000
"""Longest text shown, in characters: a hostile file must not be able to flood a terminal."""

_COMMAND = re.compile(r"#(?=\w*\[)(?<=##)")
"""In the log of a CI job: what begins a command anywhere in a line (GitHub's ##[, Azure's ##vso[, ##teamcity[)."""
_COMMAND_LINE = re.compile(r"^(\s*):(?=:[a-z].*::)", re.IGNORECASE)
"""What begins one as a line's first word (GitHub's ::error title=x::, which may stand behind blanks)."""


def plain(text: str) -> str:
    """Return the text with everything that does not print (controls, bidirectional marks, lone surrogates) escaped.

    So is what a CI runner takes for a command wherever it stands in a line.
    """
    if "##" in text:
        text = _COMMAND.sub(r"\\x23", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def safe(value: object, *, unicode: bool = True, limit: int = LIMIT) -> str:
    r"""Return `value` as one printable line: control, bidirectional, invisible characters escaped.

    An escape character becomes the four characters `\x1b`, a newline `\n`. With `unicode=False` everything
    beyond ASCII is escaped too. Texts longer than `limit` characters are cut and end in "...". Never raises
    for a str, whatever is in it, lone surrogates included.
    """
    text = value if isinstance(value, str) else str(value)
    shown = plain(text[:limit])
    if not unicode:
        shown = shown.encode("ascii", "backslashreplace").decode("ascii")
    return shown + "..." if len(text) > limit else shown


def no_command(line: str) -> str:
    """Return a line of text that is printed, in which a CI runner reads no command."""
    return _COMMAND_LINE.sub(r"\1\\x3a", line)
