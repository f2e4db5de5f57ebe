"""TOML that somebody wrote by hand, a profile say: what is wrong is told in one line, with the number of the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, NoReturn

from pytest_hdp.untrusted.text import safe


class TomlError(ValueError):
    """What is wrong with a document: one line that can be shown, "labs.toml:3: ..."."""


def parse(text: str, origin: str) -> dict[str, Any]:
    """Return a document's values. `origin`: its file, for messages. Raises TomlError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # tomllib says "... (at line 3, column 5)"; editors look for the line behind the file's name.
        found = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line = int(found[1]) if found else max(1, len(text.splitlines()))
        raise wrong(origin, line, re.sub(r" [(]at [^)]*[)]$", "", str(error))) from None
    except RecursionError:
        raise wrong(origin, 1, "nested too deeply") from None
    except ValueError:  # from int(), of which TOML's own errors are no kind
        raise wrong(origin, _longest_line(text), "a number of too many digits") from None


def wrong(origin: str, line: int, complaint: str) -> TomlError:
    """Return the error that says what is wrong where."""
    return TomlError(safe(f"{origin}:{line}: {complaint}"))


def _longest_line(text: str) -> int:
    lines = text.splitlines()
    return 1 + max(range(len(lines)), key=lambda number: len(lines[number]), default=0)


class Document:
    """A document whose keys and tables have line numbers. `tables`: where each [[table]] of one name begins.

    Raises TomlError.
    """

    def __init__(self, text: str, origin: str, table: str) -> None:
        begins = re.compile(rf"\s*\[\[\s*[\"']?{re.escape(table)}[\"']?\s*\]\]")
        self.origin = origin
        self.values = parse(text, origin)
        self.lines = text.splitlines()
        self.tables = [number for number, line in enumerate(self.lines, 1) if begins.match(line)]
        self._begin = frozenset(self.tables)

    def start(self, index: int) -> int:
        """Return the line on which the table of this index begins; 1 if it is written in another way."""
        return self.tables[index] if index < len(self.tables) else 1

    def line(self, key: str, start: int = 1) -> int:
        """Return the line of a key in the table that begins at `start`, else that line."""
        own = re.compile(rf"\s*(?:\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[\]=.]")
        for number in range(start, len(self.lines) + 1):
            if number > start and number in self._begin and start in self._begin:
                break
            if own.match(self.lines[number - 1]):
                return number
        return start

    def text(self, table: Mapping[str, object], key: str, start: int) -> str | None:
        """Return the text under a key of the table that begins at `start`; None if there is none."""
        value = table.get(key)
        if value is not None and not isinstance(value, str):
            self.fail(self.line(key, start), f"{key} is a text in quotes")
        return value

    def fail(self, line: int, complaint: str) -> NoReturn:
        """Raise what is wrong on this line."""
        raise wrong(self.origin, line, complaint)
