"""The line about a path that could not be measured, or hardly: as it is told and recorded, and as it is read back."""

from __future__ import annotations

_COULD = " could "
"""Between a path's name and what could not be done with it."""
_HARDLY = "hardly"


def not_measured(path: str, why: str, *, hardly: bool = False) -> str:
    """Return "paris could not be measured: no route"; `hardly`: most of it told nothing."""
    return f"{path}{_COULD}{_HARDLY if hardly else 'not'} be measured: {why}"


def path_of(line: str) -> tuple[str, bool]:
    """Return whose line that is, and whether the path could hardly be measured, which is more than not at all."""
    path, _, rest = line.partition(_COULD)
    return path, rest.startswith(_HARDLY)
