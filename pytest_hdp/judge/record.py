"""A result as one JSON object, and back: the line of `results.jsonl`, whose format is `results.schema.json`.

Reading is strict, since results files are untrusted and come from other versions: a value of the wrong type or out
of its range is an error that names its field; nothing is guessed, and nothing raises. Fields that are not known are
ignored, as long as the schema number is known.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any, TypeVar, cast

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.explain import plain
from pytest_hdp.judge.result import SCHEMA, Hop, IcmpCount, Judgement, Nat, PathName, Result
from pytest_hdp.judge.trace import Trace, TracedError, traces
from pytest_hdp.judge.verdict import Direction, Form, Outcome, Place, Verdict

_Word = TypeVar("_Word", bound=StrEnum)
_LONGEST = 65536
_MOST = 2**63 - 1


def to_record(result: Result) -> dict[str, Any]:
    """Return a result as JSON values, its fields in the order that every reader sees."""
    judgement, path = result.judgement, result.path
    record = {
        "schema": SCHEMA,
        "run": result.run,
        "time": result.time,
        "path": {
            "kind": path.kind,
            "name": path.name,
            "source": path.source,
            "target": path.target,
            "agent": path.agent,
            **({"vantage": path.vantage} if path.vantage is not None else {}),
        },
        "direction": judgement.train.direction.value,
        "ip_version": result.ip_version,
        "protocol": judgement.train.protocol,
        "keyword": result.keyword,
        "form": judgement.train.form.value,
        "verdict": judgement.verdict.value,
        "place": judgement.place.value,
        "explanation": judgement.explanation,
        "errno": judgement.errno,
        "wire_protocol": judgement.wire_protocol,
        "sent": judgement.sent,
        "left": judgement.left,
        "arrived": judgement.arrived,
        "delivered": judgement.delivered,
        "duplicated": judgement.duplicated,
        "reordered": judgement.reordered,
        "modified": list(judgement.modified),
        "ttl": judgement.ttl,
        "changed": list(judgement.changed),
        "nat": {"state": judgement.nat.state, "source": judgement.nat.source},
        "icmp": [
            {"from": i.source, "type": i.type, "code": i.code, "count": i.count, "authenticated": i.authenticated}
            for i in judgement.icmp
        ],
        "last_hop": _hop(judgement.last_hop),
        "control": {"sent": judgement.control_sent, "delivered": judgement.control_delivered},
        "bound": judgement.bound,
        "expected": None if result.expected is None else result.expected.value,
        "outcome": result.outcome.value,
        "latency_us": _latency(result.latency_us),
    }
    if judgement.hops:
        record["hops"] = [_hop(hop) for hop in judgement.hops]
    if judgement.probes:
        record["probes"] = [_traced(trace) for trace in traces(judgement.probes)]
    return record


def from_record(record: object) -> Result | str:
    """Return the result that a JSON value holds, or one line that says what is wrong with it. Raises nothing.

    What a record does not keep is as in a fresh `Judgement`: it is `final`.
    """
    try:
        return _result(_Fields(record, ""))
    except _WrongError as wrong:
        return plain(str(wrong))


class _WrongError(Exception):
    """What is wrong with a record."""


class _Fields:
    """One JSON object, read field by field; `at` is its name in messages, with a dot after it."""

    def __init__(self, value: object, at: str) -> None:
        if not isinstance(value, dict):
            raise _WrongError(f"{at.rstrip('.') or 'the record'} is not a JSON object")
        self.values = cast("dict[object, object]", value)
        self.at = at

    def get(self, name: str) -> object:
        if name not in self.values:
            raise _WrongError(f"{self.at}{name} is missing")
        return self.values[name]

    def wrong(self, name: str, what: str) -> _WrongError:
        return _WrongError(f"{self.at}{name} is not {what}")

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise self.wrong(name, f"a text of at most {_LONGEST} characters")
        return value

    def text_or_none(self, name: str) -> str | None:
        return None if self.get(name) is None else self.text(name)

    def number(self, name: str, low: int = 0, high: int = _MOST) -> int:
        value = self.get(name)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(name, f"a whole number from {low} to {high}")
        return value

    def number_or_none(self, name: str, low: int = 0, high: int = _MOST) -> int | None:
        return None if self.get(name) is None else self.number(name, low, high)

    def time(self, name: str) -> float:
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
            raise self.wrong(name, "a number")
        return float(value)

    def truth(self, name: str) -> bool:
        value = self.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def word(self, name: str, words: type[_Word]) -> _Word:
        value = self.get(name)
        if not isinstance(value, str) or value not in set(words):
            raise self.wrong(name, f"one of: {', '.join(words)}")
        return words(value)

    def one_of(self, name: str, words: tuple[str, ...]) -> str:
        value = self.get(name)
        if not isinstance(value, str) or value not in words:
            raise self.wrong(name, f"one of: {', '.join(words)}")
        return value

    def items(self, name: str) -> list[object]:
        value = self.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        return value

    def objects(self, name: str) -> list[_Fields]:
        """Those of a list that may be missing: records of older versions have none."""
        if name not in self.values:
            return []
        return [_Fields(item, f"{self.at}{name}[{i}].") for i, item in enumerate(self.items(name))]

    def fields(self, name: str) -> _Fields:
        return _Fields(self.get(name), f"{self.at}{name}.")

    def fields_or_none(self, name: str) -> _Fields | None:
        return None if self.get(name) is None else self.fields(name)


def _result(fields: _Fields) -> Result:
    schema = fields.number("schema", 1)
    if schema > SCHEMA:
        raise _WrongError(f"it has schema {schema}, and this version reads up to {SCHEMA}: update pytest-hdp")
    path = fields.fields("path")
    expected = None if fields.get("expected") is None else fields.word("expected", Verdict)
    return Result(
        run=fields.text("run"),
        time=fields.text("time"),
        path=PathName(
            path.text("kind"),
            path.text("name"),
            path.text("source"),
            path.text("target"),
            path.text_or_none("agent"),
            path.text_or_none("vantage") if "vantage" in path.values else None,
        ),
        ip_version=_ip_version(fields),
        keyword=fields.text("keyword"),
        judgement=_judgement(fields),
        expected=expected,
        outcome=fields.word("outcome", Outcome),
        latency_us=_read_latency(fields.fields_or_none("latency_us")),
    )


def _judgement(fields: _Fields) -> Judgement:
    nat, control, hop = fields.fields("nat"), fields.fields("control"), fields.fields_or_none("last_hop")
    return Judgement(
        train=Train(
            fields.number("protocol", -(2**31), 2**31 - 1),
            fields.word("direction", Direction),
            fields.word("form", Form),
        ),
        verdict=fields.word("verdict", Verdict),
        place=fields.word("place", Place),
        explanation=fields.text("explanation"),
        final=True,
        errno=fields.text_or_none("errno"),
        wire_protocol=fields.number_or_none("wire_protocol", 0, 255),
        sent=fields.number("sent"),
        left=fields.number("left"),
        arrived=fields.number("arrived"),
        delivered=fields.number("delivered"),
        duplicated=fields.number("duplicated"),
        reordered=fields.number("reordered"),
        modified=tuple(_names(fields, "modified")),
        ttl=fields.number_or_none("ttl", 0, 255) if "ttl" in fields.values else None,
        changed=tuple(_names(fields, "changed")) if "changed" in fields.values else (),
        nat=Nat(nat.one_of("state", ("translated", "leaked", "none")), nat.text_or_none("source")),
        icmp=tuple(_icmp(_Fields(item, f"icmp[{i}].")) for i, item in enumerate(fields.items("icmp"))),
        last_hop=None if hop is None else _read_hop(hop),
        control_sent=control.number("sent"),
        control_delivered=control.number("delivered"),
        bound=fields.text_or_none("bound"),
        hops=tuple(_read_hop(hop) for hop in fields.objects("hops")),
        probes=tuple(_trace(probe) for probe in fields.objects("probes")),
    )


def _ip_version(fields: _Fields) -> int:
    version = fields.number("ip_version")
    if version not in {4, 6}:
        raise fields.wrong("ip_version", "4 or 6")
    return version


def _icmp(fields: _Fields) -> IcmpCount:
    return IcmpCount(
        fields.text("from"),
        fields.number("type", 0, 255),
        fields.number("code", 0, 255),
        fields.number("count", 1),
        fields.truth("authenticated"),
    )


def _names(fields: _Fields, name: str) -> list[str]:
    names = fields.items(name)
    if not all(isinstance(item, str) and len(item) <= _LONGEST for item in names):
        raise fields.wrong(name, "a list of texts")
    return cast("list[str]", names)


def _hop(hop: Hop | None) -> dict[str, Any] | None:
    return None if hop is None else {"ttl": hop.ttl, "address": hop.address}


def _read_hop(hop: _Fields) -> Hop:
    return Hop(hop.number("ttl", 0, 255), hop.text("address"))


def _traced(trace: Trace) -> dict[str, Any]:
    """What is null is left out: most of a file would be nulls."""
    seen = {"left": trace.left, "arrived": trace.arrived, "delivered": trace.delivered, "errno": trace.errno}
    traced: dict[str, Any] = {"index": trace.index, "round": trace.round, "sent": trace.sent}
    traced |= {eye: value for eye, value in seen.items() if value is not None}
    if trace.icmp:
        traced["icmp"] = [{"after": i.after, "from": i.source, "type": i.type, "code": i.code} for i in trace.icmp]
    return traced


def _trace(fields: _Fields) -> Trace:
    def after(name: str) -> int | None:
        return fields.number(name, -_MOST) if name in fields.values else None

    return Trace(
        index=fields.number("index"),
        round=fields.number("round", -1),
        sent=fields.number("sent"),
        errno=fields.text("errno") if "errno" in fields.values else None,
        left=after("left"),
        arrived=after("arrived"),
        delivered=after("delivered"),
        icmp=tuple(
            TracedError(
                error.number("after", -_MOST),
                error.text("from"),
                error.number("type", 0, 255),
                error.number("code", 0, 255),
            )
            for error in fields.objects("icmp")
        ),
    )


def _latency(latency: tuple[float, float, float] | None) -> dict[str, float] | None:
    return None if latency is None else dict(zip(("min", "median", "p99"), latency, strict=True))


def _read_latency(fields: _Fields | None) -> tuple[float, float, float] | None:
    return None if fields is None else (fields.time("min"), fields.time("median"), fields.time("p99"))


def _finite(value: float) -> bool:
    """Whether it is a number that a float holds: JSON's whole numbers have no limit, and Python reads NaN from JSON."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
