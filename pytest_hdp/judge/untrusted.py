"""JSON values that nobody vouches for, read strictly: a wrong type or range is an error that names its field."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TypeVar, cast

_Word = TypeVar("_Word", bound=StrEnum)
LONGEST = 65536
MOST = 2**63 - 1


class WrongValueError(Exception):
    """What is wrong with a record; its text is one line."""


class Fields:
    """One JSON object, read field by field; `at` is its name in messages, with a dot after it.

    All methods raise WrongValueError.
    """

    def __init__(self, value: object, at: str) -> None:
        if not isinstance(value, dict):
            raise WrongValueError(f"{at.rstrip('.') or 'the record'} is not a JSON object")
        self.values = cast("dict[object, object]", value)
        self.at = at

    def get(self, name: str) -> object:
        """Return a field's value, whatever it is."""
        if name not in self.values:
            raise WrongValueError(f"{self.at}{name} is missing")
        return self.values[name]

    def wrong(self, name: str, what: str) -> WrongValueError:
        """Return the error that says what a field is not."""
        return WrongValueError(f"{self.at}{name} is not {what}")

    def text(self, name: str) -> str:
        """Return a text that is not too long."""
        value = self.get(name)
        if not isinstance(value, str) or len(value) > LONGEST:
            raise self.wrong(name, f"a text of at most {LONGEST} characters")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return a text, or None for null."""
        return None if self.get(name) is None else self.text(name)

    def number(self, name: str, low: int = 0, high: int = MOST) -> int:
        """Return a whole number within bounds."""
        value = self.get(name)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(name, f"a whole number from {low} to {high}")
        return value

    def number_or_none(self, name: str, low: int = 0, high: int = MOST) -> int | None:
        """Return a whole number within bounds, or None for null."""
        return None if self.get(name) is None else self.number(name, low, high)

    def time(self, name: str) -> float:
        """Return a finite number."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
            raise self.wrong(name, "a number")
        return float(value)

    def truth(self, name: str) -> bool:
        """Return true or false."""
        value = self.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def word(self, name: str, words: type[_Word]) -> _Word:
        """Return one of the words of an enum."""
        value = self.get(name)
        if not isinstance(value, str) or value not in set(words):
            raise self.wrong(name, f"one of: {', '.join(words)}")
        return words(value)

    def one_of(self, name: str, words: tuple[str, ...]) -> str:
        """Return one of these words."""
        value = self.get(name)
        if not isinstance(value, str) or value not in words:
            raise self.wrong(name, f"one of: {', '.join(words)}")
        return value

    def items(self, name: str) -> list[object]:
        """Return a list, whatever is in it."""
        value = self.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        return value

    def objects(self, name: str) -> list[Fields]:
        """Those of a list that may be missing: records of older versions have none."""
        if name not in self.values:
            return []
        return [Fields(item, f"{self.at}{name}[{i}].") for i, item in enumerate(self.items(name))]

    def texts(self, name: str) -> list[str]:
        """Return a list of texts that are not too long."""
        found = self.items(name)
        if not all(isinstance(item, str) and len(item) <= LONGEST for item in found):
            raise self.wrong(name, "a list of texts")
        return cast("list[str]", found)

    def fields(self, name: str) -> Fields:
        """Return an object."""
        return Fields(self.get(name), f"{self.at}{name}.")

    def fields_or_none(self, name: str) -> Fields | None:
        """Return an object, or None for null."""
        return None if self.get(name) is None else self.fields(name)


def _finite(value: float) -> bool:
    """Whether it is a number that a float holds: JSON's whole numbers have no limit, and Python reads NaN from JSON."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
