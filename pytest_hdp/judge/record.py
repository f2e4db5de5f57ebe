"""A result as one JSON object, and back: the line of `results.jsonl`, whose format is `results.schema.json`.

The annotations of `Result` say all of it: `Codec` writes by them, reads by them what anybody may have written, and
makes the schema of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pytest_hdp.judge.result import SCHEMA, Result
from pytest_hdp.untrusted.codec import Codec
from pytest_hdp.untrusted.marks import Whole, WrongValueError

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
    "flow_label",
    "extension_headers",
    "read_as",
    "delivered_under",
    "chain",
    "sent_to",
    "control_sent_to",
    "hops",
    "tool",
    "budget_spent",
    "shared_limit",
    "containment",
    "containment_eye",
    "twin",
    "climb",
    "probes",
    "made",
)
"""The order in which readers find a record's fields; others follow."""


@dataclass(frozen=True, slots=True)
class _Numbered:
    """What all schemas have in common."""

    schema: Annotated[int, Whole(1)]


_CODEC = Codec(Result, FIRST)
_NUMBER = Codec(_Numbered)


def to_record(result: Result) -> dict[str, Any]:
    """Return a result as JSON values, its fields in the order that every reader sees."""
    return {"schema": SCHEMA, **_CODEC.encode(result)}


def from_record(record: object) -> Result:
    """Return the result that a JSON value holds. Raises WrongValueError, whose text is one line that can be shown.

    What a record does not keep is as in a fresh `Judgement`: it is `final`. A field that this version does not know is
    ignored, as long as the schema's number is known.
    """
    if (number := _NUMBER.decode(record).schema) > SCHEMA:
        raise WrongValueError(f"it has schema {number}, and this version reads up to {SCHEMA}: update pytest-hdp")
    return _CODEC.decode(record)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a record."""
    places = {name: place for place, name in enumerate(FIRST)}
    made = _CODEC.schema()
    properties = {"schema": {"const": SCHEMA}, **made["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of results.jsonl: what became of one train",
        "type": "object",
        "required": sorted({"schema", *made["required"]}, key=places.__getitem__),
        "properties": {name: properties[name] for name in sorted(properties, key=places.__getitem__)},
        "$defs": made["$defs"],
    }
