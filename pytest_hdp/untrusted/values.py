"""Kinds of JSON values: how each is written, how it is read from somebody else's file, and its JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pytest_hdp.untrusted.marks import LARGEST, LONGEST, MOST_ITEMS, WrongValueError


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value. `write`: as JSON; `read`: from JSON, with the value's name for messages; and its schema.

    `read` raises WrongValueError.
    """

    write: Callable[[Any], Any]
    read: Callable[[object, str], Any]
    schema: dict[str, Any]


def same(value: Any) -> Any:
    """Return a value that JSON knows, too."""
    return value


def truth() -> Kind:
    """True or false."""

    def read(value: object, at: str) -> bool:
        if not isinstance(value, bool):
            raise WrongValueError(f"{at} is not true or false")
        return value

    return Kind(same, read, {"type": "boolean"})


def text(longest: int = LONGEST) -> Kind:
    """A text of so many characters at most."""

    def read(value: object, at: str) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise WrongValueError(f"{at} is not a text of at most {longest} characters")
        return value

    return Kind(same, read, {"type": "string", "maxLength": longest})


def whole(low: int, high: int) -> Kind:
    """A whole number within bounds."""

    def read(value: object, at: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise WrongValueError(f"{at} is not a whole number from {low} to {high}")
        return value

    return Kind(same, read, {"type": "integer", "minimum": low, "maximum": high})


def number(*, nan: bool) -> Kind:
    """A finite number. `nan`: or none, NaN in Python and null in JSON."""

    def read(value: object, at: str) -> float:
        if nan and value is None:
            return math.nan
        # JSON's whole numbers have no limit, and Python reads NaN from JSON: neither is in bounds.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
            raise WrongValueError(f"{at} is not a number")
        return float(value)

    schema = {"type": ["number", "null"] if nan else "number", "minimum": -LARGEST, "maximum": LARGEST}
    return Kind(lambda value: None if nan and math.isnan(value) else value, read, schema)


def one_of(values: Sequence[str | int]) -> Kind:
    """One of a few words, or of a few numbers."""
    words = all(isinstance(value, str) for value in values)
    said = f"one of: {', '.join(map(str, values))}" if words else " or ".join(map(str, values))

    def read(value: object, at: str) -> object:
        if type(value) is not (str if words else int) or value not in values:
            raise WrongValueError(f"{at} is not {said}")
        return value

    return Kind(same, read, {"enum": list(values)})


def word(cls: type[StrEnum]) -> Kind:
    """A member of an enum."""
    known = {each.value: each for each in cls}

    def read(value: object, at: str) -> StrEnum:
        if not isinstance(value, str) or value not in known:
            raise WrongValueError(f"{at} is not one of: {', '.join(known)}")
        return known[value]

    return Kind(lambda value: value.value, read, {"enum": list(known)})


def or_null(kind: Kind) -> Kind:
    """The same, or None."""
    schema: dict[str, Any] = {"anyOf": [kind.schema, {"type": "null"}]}
    if isinstance(kind.schema.get("type"), str):
        schema = {**kind.schema, "type": [kind.schema["type"], "null"]}
    return Kind(
        lambda value: None if value is None else kind.write(value),
        lambda value, at: None if value is None else kind.read(value, at),
        schema,
    )


def many(kind: Kind) -> Kind:
    """A tuple of values that are all of one kind."""

    def read(value: object, at: str) -> tuple[object, ...]:
        if not isinstance(value, list) or len(value) > MOST_ITEMS:
            raise WrongValueError(f"{at} is not a list")
        return tuple(kind.read(each, f"{at}[{i}]") for i, each in enumerate(value))

    write = kind.write
    return Kind(lambda value: [write(each) for each in value], read, {"type": "array", "items": kind.schema})


def fixed(kinds: Sequence[Kind]) -> Kind:
    """A tuple of so many values, each of its own kind."""

    def read(value: object, at: str) -> tuple[object, ...]:
        if not isinstance(value, list) or len(value) != len(kinds):
            raise WrongValueError(f"{at} is not a list of {len(kinds)}")
        return tuple(kind.read(each, f"{at}[{i}]") for i, (kind, each) in enumerate(zip(kinds, value, strict=True)))

    schema: dict[str, Any] = {"type": "array", "prefixItems": [kind.schema for kind in kinds]}
    schema |= {"minItems": len(kinds), "maxItems": len(kinds)}
    return Kind(lambda value: [kind.write(each) for kind, each in zip(kinds, value, strict=True)], read, schema)


def named(cls: type[Any], kinds: dict[str, Kind]) -> Kind:
    """A NamedTuple, in JSON an object of its fields."""

    def read(value: object, at: str) -> object:
        if not isinstance(value, dict):
            raise WrongValueError(f"{at} is not a JSON object")
        if missing := kinds.keys() - value.keys():
            raise WrongValueError(f"{at}.{min(missing)} is missing")
        return cls(**{name: kind.read(value[name], f"{at}.{name}") for name, kind in kinds.items()})

    properties = {name: kind.schema for name, kind in kinds.items()}
    return Kind(
        lambda value: {name: kind.write(each) for (name, kind), each in zip(kinds.items(), value, strict=True)},
        read,
        {"type": "object", "required": list(kinds), "properties": properties},
    )


def mapping(kind: Kind) -> Kind:
    """A dict by names, of values that are all of one kind."""
    names = text()

    def read(value: object, at: str) -> dict[str, object]:
        if not isinstance(value, dict) or len(value) > MOST_ITEMS:
            raise WrongValueError(f"{at} is not a JSON object")
        return {names.read(key, at): kind.read(each, f"{at}.{key}") for key, each in value.items()}

    return Kind(
        lambda value: {name: kind.write(each) for name, each in value.items()},
        read,
        {"type": "object", "additionalProperties": kind.schema},
    )
