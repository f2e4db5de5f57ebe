"""An inventory: targets in a TOML file, each with a name, and if it has them an agent, a profile and tags of its own.

[[target]]
name = "tokyo"
address = "198.51.100.2"
agent = "ssh=root@198.51.100.2"
profile = "digitalocean"
tags = ["asia", "rented"]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_hdp.judge.expectations.packaged import builtin_names
from pytest_hdp.judge.path_keys import path_key
from pytest_hdp.packet.family import family_of
from pytest_hdp.untrusted.toml import Document

if TYPE_CHECKING:
    from pytest_hdp.judge.expectations.profile import Profile
    from pytest_hdp.packet.family import Family
    from pytest_hdp.plugin.vantage_specs import VantageSpec

_Value = TypeVar("_Value")
_KEYS = ("name", "address", "agent", "profile", "tags")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TAKEN = frozenset(
    {"and", "or", "not", "True", "False", "None", "hdp", "skip", "skipif", "xfail", "parametrize", "usefixtures"}
    | {"filterwarnings", "tryfirst", "trylast"}
)


@dataclass(frozen=True, slots=True)
class Target:
    """A host to send to. `name` is in test ids and results; `agent`: who observes; `profile`: its own, "none", or None.

    `tags` are marks of its tests. `listed`: it is from an inventory, and its tests always bear its name.
    """

    name: str
    address: str
    agent: VantageSpec | None = None
    profile: Profile | str | None = None
    tags: tuple[str, ...] = ()
    listed: bool = False

    @property
    def family(self) -> Family:
        """The version of IP of its address."""
        return family_of(self.address)

    @property
    def key(self) -> str:
        """The key of the path to it: one name may have an address of each version."""
        return path_key(f"target:{self.name}", self.family)


@dataclass(frozen=True, slots=True)
class Parsers:
    """How the values of an inventory are read: as the options of the same names. They raise ValueError, one line."""

    address: Callable[[str], str]
    agent: Callable[[str], VantageSpec]
    profile: Callable[[str], Profile | str]


def from_file(name: str, parsers: Parsers) -> tuple[Target, ...]:
    """The targets of the inventory in this file. Raises ValueError, one line."""
    try:
        text = Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(
            f"{name!r} can't be read ({error.strerror}); name a TOML file with [[target]] tables"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: not a text file in UTF-8") from None
    return load(text, name, parsers)


def load(text: str, origin: str, parsers: Parsers) -> tuple[Target, ...]:
    """The targets of an inventory. `origin`: its file, for messages and for where its profiles lie.

    Raises ValueError: one line, with the file and the number of the line.
    """
    return _InventoryFile(text, origin, parsers).targets()


class _InventoryFile(Document):
    """Turns a document into targets."""

    def __init__(self, text: str, origin: str, parsers: Parsers) -> None:
        super().__init__(text, origin, "target")
        self.parsers = parsers

    def targets(self) -> tuple[Target, ...]:
        document = self.values
        for key in document:
            if key != "target":
                self.fail(self.line(key), f"{key!r} is not [[target]], all that an inventory holds")
        tables = document.get("target")
        if not isinstance(tables, list) or not tables:
            self.fail(1, "has no [[target]] with two brackets: an inventory is a list of targets")
        found: dict[tuple[str, int], Target] = {}
        for index, table in enumerate(tables):
            start = self.start(index)
            if not isinstance(table, dict):
                self.fail(start, "[[target]] is not a table")
            target = self.target(table, start)
            named = target.name, target.family.version
            if named in found:
                self.fail(self.line("name", start), f"there are two targets of the name {target.name!r}")
            found[named] = target
        return tuple(found.values())

    def target(self, table: Mapping[str, object], start: int) -> Target:
        for key in table:
            if key not in _KEYS:
                self.fail(self.line(key, start), f"[[target]] has no {key!r}: it takes {', '.join(_KEYS)}")
        address, agent, profile = (self.text(table, key, start) for key in ("address", "agent", "profile"))
        if address is None:
            self.fail(start, "[[target]] needs an address")
        read = self.parsers
        host = self.parsed("address", start, read.address, address)
        name = self.text(table, "name", start) or host
        if not _NAME.fullmatch(name) and name != host:
            self.fail(self.line("name", start), f"{name!r} is no name: up to 64 letters, digits, dots, _ and -")
        return Target(
            name,
            host,
            None if agent is None else self.parsed("agent", start, read.agent, agent),
            None if profile is None else self.parsed("profile", start, read.profile, self.resolved(profile)),
            self.tags(table, start),
            listed=True,
        )

    def resolved(self, profile: str) -> str:
        """A profile's name as it is, and a file's relative path from the folder of the inventory."""
        known = profile == "none" or profile in builtin_names()
        return profile if known else str(Path(self.origin).parent / profile)

    def tags(self, table: Mapping[str, object], start: int) -> tuple[str, ...]:
        given = table.get("tags", [])
        if not isinstance(given, list) or not all(isinstance(tag, str) for tag in given):
            self.fail(self.line("tags", start), 'tags is a list of words, as in tags = ["asia", "rented"]')
        for tag in given:
            if not _NAME.fullmatch(tag) or tag in _TAKEN:
                self.fail(self.line("tags", start), f"{tag!r} can't be a tag: it is to be a mark of tests, for -m")
        return tuple(dict.fromkeys(given))

    def parsed(self, key: str, start: int, parse: Callable[[str], _Value], text: str) -> _Value:
        try:
            return parse(text)
        except ValueError as error:
            self.fail(self.line(key, start), f"{key}: {error}")
