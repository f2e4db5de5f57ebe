"""Labs from TOML files, with one clear line for whatever is wrong with one. See docs/labs.md for the format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import Box, Router, Where
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.truth import Truth
from pytest_hdp.lab.userlab import OwnBox, Statement, kinds
from pytest_hdp.packet.numbers import parse_protocols
from pytest_hdp.untrusted.toml import parse

if TYPE_CHECKING:
    from typing import NoReturn

_LAB_KEYS = ("name", "description")
_OWN_KEYS = ("name", "where", "translates", "description", "rules", "rules_file", "sysctls", "expect")
_EXPECT_KEYS = ("protocols", "verdict", "direction", "form", "errno", "icmp", "nat", "changed", "also")
_TESTIFIED = frozenset(Verdict) - {Verdict.RENUMBERED, Verdict.REFUSED_AT_SOCKET}
_NAT = ("none", "translated", "leaked")
_LARGEST = 10**9


def from_file(name: str) -> LabSpec:
    """Read a lab from a TOML file. Raises ValueError, one line, with the file and what is wrong."""
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise ValueError(f"lab {name}: {reason}") from None
    return _Reader(path).lab(parse(text, f"lab {name}"))


class _Reader:
    """Turns a document into boxes; every complaint names the file and the place in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, complaint: str) -> NoReturn:
        raise ValueError(f"lab {self.path}: {complaint}")

    def lab(self, document: Mapping[str, Any]) -> LabSpec:
        head = document.get("lab", {})
        self.check(document, ("lab", "box"), "the file")
        self.check(head, _LAB_KEYS, "[lab]")
        tables = document.get("box", [])
        if not isinstance(tables, list) or not tables:
            self.fail("has no [[box]]: a lab is a list of boxes from the client to the target")
        made = tuple(self.box(table, f"[[box]] {number}") for number, table in enumerate(tables, 1))
        told = "; then ".join(box.description for box in made if type(box) is not Router)
        name = self.text(head, "name", self.path.stem, "[lab]")
        spec = LabSpec(name, self.text(head, "description", told, "[lab]"), made)
        try:
            spec.expected(253, Direction.FORWARD, Form.BARE)
        except ValueError as error:
            self.fail(str(error))
        return spec

    def box(self, table: Any, place: str) -> Box:
        if not isinstance(table, dict):
            self.fail(f"{place} is not a table")
        kind = str(table.get("kind"))
        if kind == "nftables":
            return self.own({key: value for key, value in table.items() if key != "kind"}, place)
        if kind not in kinds():
            self.fail(f"{place}: kind {kind!r} is none of nftables, {', '.join(kinds())}")
        made = kinds()[kind]
        parameters = {each.name: each for each in fields(made)}
        given = {key: value for key, value in table.items() if key != "kind"}
        self.check(given, tuple(parameters), f"{place} ({kind})")
        for key, value in given.items():
            given[key] = self.parameter(value, str(parameters[key].type), f"{place}: {key}")
        return made(**given)

    def parameter(self, value: Any, kind: str, place: str) -> Any:
        if "frozenset" in kind:
            return self.numbers(value, place)
        if "bool" in kind:
            fits = isinstance(value, bool)
        else:
            fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST
            fits = fits and (kind != "int" or isinstance(value, int))
        if not fits:
            self.fail(f"{place} = {value!r} is not {'true or false' if kind == 'bool' else 'a number from 0 up'}")
        if place.endswith(("probability", "errors", "replays")) and value > 1:
            self.fail(f"{place} = {value!r} is not from 0 to 1")
        return value

    def own(self, table: Mapping[str, Any], place: str) -> OwnBox:
        self.check(table, _OWN_KEYS, place)
        where = self.word(Where, table.get("where", "router"), f"{place}: where")
        if where in {Where.WIRE, Where.BESIDE}:
            self.fail(f"{place}: nftables work at a router, at the client or at the target, not on a wire or beside")
        sysctls = table.get("sysctls", {})
        plain = isinstance(sysctls, dict) and all(isinstance(each, int | str) for each in sysctls.values())
        if not plain or not all(re.fullmatch(r"[\w/.-]+", key) for key in sysctls):
            self.fail(f'{place}: sysctls is a table such as {{ "ipv4/ip_default_ttl" = 32 }}')
        if any(".." in key or key.startswith("/") for key in sysctls):
            self.fail(f"{place}: sysctls are named by their path below /proc/sys/net")
        name = self.text(table, "name", "own", place)
        expectations = table.get("expect", [])
        if not isinstance(expectations, list):
            self.fail(f"{place}: write [[box.expect]], with two brackets")
        return OwnBox(
            own_name=name,
            at=where,
            masquerades=self.parameter(table.get("translates", False), "bool", f"{place}: translates"),
            told=self.text(table, "description", f"{name}: custom rules", place),
            own_rules=self.rules(table, place),
            settings=tuple(sysctls.items()),
            statements=tuple(self.statement(each, name, f"{place}: expect") for each in expectations),
        )

    def rules(self, table: Mapping[str, Any], place: str) -> str:
        rules = self.text(table, "rules", "", place)
        if "rules_file" not in table:
            return rules
        file = self.path.parent / self.text(table, "rules_file", "", place)
        try:
            return file.read_text(encoding="utf-8") + rules
        except (OSError, ValueError) as error:  # not UTF-8, or a NUL in the name
            self.fail(f"{place}: rules_file {file}: {error}")

    def statement(self, table: Any, box: str, place: str) -> Statement:
        if not isinstance(table, dict):
            self.fail(f"{place} is not a table")
        self.check(table, _EXPECT_KEYS, place)
        verdict = self.word(Verdict, table.get("verdict"), f"{place}: verdict")
        if verdict not in _TESTIFIED:
            self.fail(f"{place}: {verdict} is for the sender's kernel, not for a box")
        icmp = table.get("icmp")
        if icmp is not None and not (isinstance(icmp, list) and [type(each) for each in icmp] == [int, int]):
            self.fail(f"{place}: icmp is a type and a code, such as [3, 13]")
        also = frozenset(self.word(Verdict, each, f"{place}: also") for each in self.texts(table, "also", place))
        direction, form = table.get("direction"), table.get("form")
        return Statement(
            protocols=self.numbers(table.get("protocols", "0-255"), f"{place}: protocols"),
            direction=None if direction is None else self.word(Direction, direction, f"{place}: direction"),
            form=None if form is None else self.word(Form, form, f"{place}: form"),
            truth=Truth(
                verdict,
                also=also,
                errno=self.text(table, "errno", "", place) or None,
                icmp=None if icmp is None else (icmp[0], icmp[1]),
                nat=self.word(_NAT, table.get("nat", "none"), f"{place}: nat"),
                changed=tuple(self.texts(table, "changed", place)),
                box=box,
            ),
        )

    def numbers(self, value: Any, place: str) -> frozenset[int]:
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        try:
            return frozenset(parse_protocols(text))
        except ValueError as error:
            self.fail(f"{place}: {error}")

    def word(self, words: Any, value: Any, place: str) -> Any:
        if not isinstance(value, str) or value not in set(words):
            self.fail(f"{place} = {value!r} is none of {', '.join(words)}")
        return words(value) if isinstance(words, type) else value

    def text(self, table: Mapping[str, Any], key: str, default: str, place: str) -> str:
        value = table.get(key, default)
        if not isinstance(value, str):
            self.fail(f"{place}: {key} is a text, not {value!r}")
        return value

    def texts(self, table: Mapping[str, Any], key: str, place: str) -> list[str]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.fail(f"{place}: {key} is a list of texts, not {value!r}")
        return value

    def check(self, table: Any, known: Sequence[str], place: str) -> None:
        if not isinstance(table, dict):
            self.fail(f"{place} is not a table")
        surplus = sorted(set(table) - set(known))
        if surplus:
            self.fail(f"{place} has no {surplus[0]!r}: it takes {', '.join(known)}")
