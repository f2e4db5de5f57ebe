"""What an annotation says of a field beyond its type, so that `codec` can write it, read it and describe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

LONGEST = 65536  # characters of a text
MOST = 2**63 - 1
MOST_ITEMS = 100_000  # of a list; a line of a results file holds less
LARGEST = 1e18  # of a number that is not whole


class WrongValueError(Exception):
    """What is wrong with a value that was read; its text is one line that can be shown."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Bounds of a whole number, themselves allowed."""

    low: int = 0
    high: int = MOST


@dataclass(frozen=True, slots=True)
class Longest:
    """How many characters a text may have, if not `LONGEST`."""

    length: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """The only values that a field may have."""

    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class At:
    """Where a field stands in JSON, if not under its own name: `At("control", "sent")` is in an object `control`."""

    path: tuple[str, ...]

    def __init__(self, *path: str) -> None:
        object.__setattr__(self, "path", path)


@dataclass(frozen=True, slots=True)
class About:
    """What a field means, for the schema."""

    text: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A field that is not written while it has its default. `null`: whoever wrote null meant that."""

    null: bool = False


@dataclass(frozen=True, slots=True)
class As:
    """A field that is another kind of value in JSON, into which `convert` turns it."""

    kind: Any
    convert: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A field of which JSON says nothing: whatever is read has this value."""

    value: object


@dataclass(frozen=True, slots=True)
class _Flag:
    name: str


SINCE = _Flag("since")
"""A field that is always written, and that older files lack."""
INLINE = _Flag("inline")
"""A dataclass whose fields stand among those of the one that it is in."""
NAN = _Flag("nan")
"""A number that may be none: NaN, in JSON null."""

Count: TypeAlias = Annotated[int, Whole()]
Octet: TypeAlias = Annotated[int, Whole(0, 255)]
