"""Boxes and labs of the user's own. From a TOML file: see `labfile`; from a Python class: here. See docs/labs.md."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_hdp.lab import boxes, extensions, filters, limits, mangling, stateful, wires
from pytest_hdp.lab.boxes import USUAL, Box, Router, Traffic, Where
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.truth import DELIVERED, Truth

if TYPE_CHECKING:
    from pytest_hdp.judge.verdict import Direction, Form


@dataclass(frozen=True, slots=True)
class Statement:
    """One `[[box.expect]]`: the truth about these numbers, in this direction and form (None: any)."""

    protocols: frozenset[int]
    direction: Direction | None
    form: Form | None
    truth: Truth


@dataclass(frozen=True, slots=True)
class OwnBox(Box):
    """A box of the user's own nftables rules and statements; the first statement that fits holds, else delivered."""

    own_name: str = "own"
    at: Where = Where.ROUTER
    masquerades: bool = False
    told: str = "custom rules"
    own_rules: str = ""
    settings: tuple[tuple[str, object], ...] = ()
    statements: tuple[Statement, ...] = ()

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name given in the file."""
        return self.own_name

    @property
    def where(self) -> Where:  # type: ignore[override]
        """Where the file puts it."""
        return self.at

    @property
    def features(self) -> str:  # type: ignore[override]
        """What is wrong when its rules do not load."""
        return f"rules of box {self.own_name} that nft takes"

    @property
    def translates(self) -> bool:  # type: ignore[override]
        """Whether what is inside is hidden from outside: nobody there has a route to it."""
        return self.masquerades

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return self.told

    @property
    def rules(self) -> str:
        """Ruleset of the box's namespace."""
        return self.own_rules

    @property
    def sysctls(self) -> Mapping[str, object]:
        """Settings of the box's namespace."""
        return dict(self.settings)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Truth as stated."""
        for each in self.statements:
            if protocol in each.protocols and each.direction in {None, direction} and each.form in {None, form}:
                return each.truth
        return DELIVERED


@cache
def kinds() -> dict[str, type[Box]]:
    """Return the boxes that a file can name, by name."""
    found = {
        each.name: each
        for module in (boxes, extensions, filters, limits, mangling, stateful, wires)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Box) and not each.__name__.startswith("_")
    }
    return {name: found[name] for name in sorted(found) if found[name] not in {Box, wires.Wire}} | {"router": Router}


def from_class(name: str) -> LabSpec:
    """Make a lab of "module:Class", the module importable from the current folder too.

    The object is a box or its class (put between two routers), a LabSpec, or a function that returns a list of
    boxes. Raises ValueError, one line.
    """
    module_name, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        made = found() if callable(found) else found
    except Exception as error:  # a user's module may raise anything; it gets one line
        raise ValueError(f"lab {name}: {type(error).__name__}: {error}".splitlines()[0]) from error
    if isinstance(made, LabSpec):
        return made
    path = [Router(), made, Router()] if isinstance(made, Box) else made
    if not isinstance(path, Sequence) or not all(isinstance(each, Box) for each in path):
        raise ValueError(f"lab {name} is neither a Box, a LabSpec, nor a function that returns a list of boxes")
    told = "; then ".join(box.description for box in path if not isinstance(box, Router))
    return LabSpec(name, told, tuple(path))
