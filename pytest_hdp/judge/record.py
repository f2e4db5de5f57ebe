"""A result as one JSON object, and back: the line of `results.jsonl`, whose format is `results.schema.json`.

The annotations of `Result` say all of it: `Codec` writes by them, reads by them what anybody may have written, and
makes the schema of them.
"""

from __future__ import annotations

from typing import Any

from pytest_hdp.judge.result import SCHEMA, Result
from pytest_hdp.untrusted.codec import Codec
from pytest_hdp.untrusted.marks import MOST, WrongValueError
from pytest_hdp.untrusted.text import plain
from pytest_hdp.untrusted.values import whole

FIRST = (
    "schema",
    "run",
    "time",
    "path",
    "direction",
    "ip_version",
    "protocol",
    "keyword",
    "form",
    "verdict",
    "place",
    "explanation",
    "errno",
    "wire_protocol",
    "sent",
    "left",
    "arrived",
    "delivered",
    "duplicated",
    "reordered",
    "modified",
    "ttl",
    "changed",
    "nat",
    "icmp",
    "last_hop",
    "control",
    "bound",
    "expected",
    "outcome",
    "latency_us",
    "solicited",
    "earlier_run",
    "expected_errno",
    "expected_wire_protocol",
    "moved",
    "changed_to",
    "transport_checksum",
    "sent_to",
    "control_sent_to",
    "hops",
    "tool",
    "budget_spent",
    "shared_limit",
    "climb",
    "probes",
    "made",
)
"""The order in which readers find a record's fields; others follow."""

_PLACES = {name: place for place, name in enumerate(FIRST)}
_CODEC = Codec(Result)
_SCHEMA = whole(1, MOST)


def to_record(result: Result) -> dict[str, Any]:
    """Return a result as JSON values, its fields in the order that every reader sees."""
    return _ordered({"schema": SCHEMA, **_CODEC.encode(result)})


def from_record(record: object) -> Result:
    """Return the result that a JSON value holds. Raises WrongValueError, whose text is one line that can be shown.

    What a record does not keep is as in a fresh `Judgement`: it is `final`. A field that this version does not know is
    ignored, as long as the schema's number is known.
    """
    try:
        if isinstance(record, dict):
            _check_schema(record)
        return _CODEC.decode(record)
    except WrongValueError as error:
        raise WrongValueError(plain(str(error))) from None


def _check_schema(record: dict[object, object]) -> None:
    if "schema" not in record:
        raise WrongValueError("schema is missing")
    if (number := _SCHEMA.read(record["schema"], "schema")) > SCHEMA:
        raise WrongValueError(f"it has schema {number}, and this version reads up to {SCHEMA}: update pytest-hdp")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a record."""
    made = _CODEC.schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of results.jsonl: what became of one train",
        "type": "object",
        "required": sorted({"schema", *made["required"]}, key=_place),
        "properties": _ordered({"schema": {"const": SCHEMA}, **made["properties"]}),
        "$defs": made["$defs"],
    }


def _place(name: str) -> int:
    return _PLACES.get(name, len(_PLACES))


def _ordered(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in sorted(fields, key=_place)}
