"""Kinds of JSON values: how each is written, read from somebody else's file, or refused, and its JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any

from pytest_hdp.untrusted.marks import LARGEST, LONGEST, MOST_ITEMS

NO_OBJECT = "is not a JSON object"
MISSING = "is missing"


class NotThisKindError(Exception):
    """A value that is not of its kind: what is wrong with it, and where it stands in what was read."""

    def __init__(self, what: str, path: str = "") -> None:
        super().__init__(what, path)
        self.what = what
        self.path = path

    def within(self, name: str) -> NotThisKindError:
        """Return the same of the object or list that holds it under `name`: a field's, or `[3]`."""
        between = "." if self.path and not self.path.startswith("[") else ""
        return NotThisKindError(self.what, name + between + self.path)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value: how to write it as JSON, how to read it from JSON, and its schema.

    `read` raises NotThisKindError. Neither is told the value's name, which costs time for every value and matters
    for the wrong one alone: who holds the value adds it as the error passes.
    """

    write: Callable[[Any], Any]
    read: Callable[[object], Any]
    schema: dict[str, Any]


def same(value: Any) -> Any:
    """Return a value that JSON knows, too. Whoever writes many values asks for it by name, and calls it for none."""
    return value


def truth() -> Kind:
    """True or false."""

    def read(value: object) -> bool:
        if not isinstance(value, bool):
            raise NotThisKindError("is not true or false")
        return value

    return Kind(same, read, {"type": "boolean"})


def text(longest: int = LONGEST) -> Kind:
    """A text of so many characters at most."""

    def read(value: object) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise NotThisKindError(f"is not a text of at most {longest} characters")
        return value

    return Kind(same, read, {"type": "string", "maxLength": longest})


def whole(low: int, high: int) -> Kind:
    """A whole number within bounds."""

    def read(value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise NotThisKindError(f"is not a whole number from {low} to {high}")
        return value

    return Kind(same, read, {"type": "integer", "minimum": low, "maximum": high})


def number(*, nan: bool) -> Kind:
    """A finite number. `nan`: or none, NaN in Python and null in JSON."""

    def read(value: object) -> float:
        if nan and value is None:
            return math.nan
        # JSON's whole numbers have no limit, and Python reads NaN from JSON: neither is in bounds.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
            raise NotThisKindError("is not a number")
        return float(value)

    schema = {"type": ["number", "null"] if nan else "number", "minimum": -LARGEST, "maximum": LARGEST}
    return Kind((lambda value: None if math.isnan(value) else value) if nan else same, read, schema)


def one_of(values: Sequence[str | int]) -> Kind:
    """One of a few words, or of a few numbers."""
    words = all(isinstance(value, str) for value in values)
    said = f"one of: {', '.join(map(str, values))}" if words else " or ".join(map(str, values))

    def read(value: object) -> object:
        if type(value) is not (str if words else int) or value not in values:
            raise NotThisKindError(f"is not {said}")
        return value

    return Kind(same, read, {"enum": list(values)})


def word(cls: type[StrEnum]) -> Kind:
    """A member of an enum."""
    known = {each.value: each for each in cls}

    def read(value: object) -> StrEnum:
        if not isinstance(value, str) or value not in known:
            raise NotThisKindError(f"is not one of: {', '.join(known)}")
        return known[value]

    return Kind(attrgetter("value"), read, {"enum": list(known)})


def or_null(kind: Kind) -> Kind:
    """The same, or None."""
    write, read = kind.write, kind.read
    schema: dict[str, Any] = {"anyOf": [kind.schema, {"type": "null"}]}
    if isinstance(kind.schema.get("type"), str):
        schema = {**kind.schema, "type": [kind.schema["type"], "null"]}
    return Kind(
        same if write is same else lambda value: None if value is None else write(value),
        lambda value: None if value is None else read(value),
        schema,
    )


def many(kind: Kind) -> Kind:
    """A tuple of values that are all of one kind."""
    write, read_one = kind.write, kind.read

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list) or len(value) > MOST_ITEMS:
            raise NotThisKindError("is not a list")
        made: list[object] = []
        try:
            for each in value:
                made.append(read_one(each))  # noqa: PERF401  how many are made is where it went wrong
        except NotThisKindError as error:
            raise error.within(f"[{len(made)}]") from None
        return tuple(made)

    return Kind(
        list if write is same else lambda value: [write(each) for each in value],
        read,
        {"type": "array", "items": kind.schema},
    )


def fixed(kinds: Sequence[Kind]) -> Kind:
    """A tuple of so many values, each of its own kind."""

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list) or len(value) != len(kinds):
            raise NotThisKindError(f"is not a list of {len(kinds)}")
        made: list[object] = []
        try:
            for kind, each in zip(kinds, value, strict=True):
                made.append(kind.read(each))
        except NotThisKindError as error:
            raise error.within(f"[{len(made)}]") from None
        return tuple(made)

    schema: dict[str, Any] = {"type": "array", "prefixItems": [kind.schema for kind in kinds]}
    schema |= {"minItems": len(kinds), "maxItems": len(kinds)}
    return Kind(lambda value: [kind.write(each) for kind, each in zip(kinds, value, strict=True)], read, schema)


def mapping(kind: Kind) -> Kind:
    """A dict by names, of values that are all of one kind."""
    names = text()

    def read(value: object) -> dict[str, object]:
        if not isinstance(value, dict) or len(value) > MOST_ITEMS:
            raise NotThisKindError(NO_OBJECT)
        made: dict[str, object] = {}
        for key, each in value.items():
            name = names.read(key)
            try:
                made[name] = kind.read(each)
            except NotThisKindError as error:
                raise error.within(name) from None
        return made

    return Kind(
        lambda value: {name: kind.write(each) for name, each in value.items()},
        read,
        {"type": "object", "additionalProperties": kind.schema},
    )
