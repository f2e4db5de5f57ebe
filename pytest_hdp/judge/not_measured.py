"""The line about what could not be measured or read, or hardly: as it is told and recorded, and as it is read back."""

from __future__ import annotations

_COULD = " could "
"""Between the name of a path or file and what could not be done with it."""
_NOT_MEASURED = "not measured"
_IN_SHORT = {
    "not be read whole": "not read whole",
    "not be read": "not read",
    "hardly be measured": "hardly measured",
    "not be measured": _NOT_MEASURED,
}
"""What a line says, as a headline does; the first that fits."""


def not_measured(path: str, why: str, *, hardly: bool = False) -> str:
    """Return "paris could not be measured: no route"; `hardly`: most of it told nothing."""
    return f"{path}{_COULD}{'hardly' if hardly else 'not'} be measured: {why}"


def not_read(file: str, why: str, *, partly: bool = False) -> str:
    """Return "out/results.jsonl could not be read: no such file"; `partly`: some of it could be."""
    return f"{file}{_COULD}not be read{' whole' if partly else ''}: {why}"


def in_short(line: str) -> tuple[str, str]:
    """Return what such a line is about, and how much of that is missing: ("paris", "hardly measured")."""
    name, _, rest = line.partition(_COULD)
    return name, next((short for said, short in _IN_SHORT.items() if rest.startswith(said)), _NOT_MEASURED)
