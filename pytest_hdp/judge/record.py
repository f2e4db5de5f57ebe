"""A result as one JSON object, and back: the line of `results.jsonl`, whose format is `results.schema.json`.

Reading is strict, since results files are untrusted and come from other versions: a value of the wrong type or out
of its range is an error that names its field; nothing is guessed, and nothing raises. Fields that are not known are
ignored, as long as the schema number is known.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pytest_hdp.judge.climb_record import read_climb, read_icmp, to_climb, to_icmp
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.explain import plain
from pytest_hdp.judge.result import SCHEMA, Hop, Judgement, Nat, PathName, Result, SharedLimit, Tool
from pytest_hdp.judge.trace import Trace, TracedError, traces
from pytest_hdp.judge.untrusted import MOST, Fields, WrongValueError
from pytest_hdp.judge.verdict import Direction, Form, Outcome, Place, Verdict

MOST_MOVED = 65_535


def to_record(result: Result) -> dict[str, Any]:
    """Return a result as JSON values, its fields in the order that every reader sees."""
    judgement, path = result.judgement, result.path
    record: dict[str, Any] = {
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
        "nat": _nat(judgement.nat),
        "icmp": to_icmp(judgement.icmp),
        "last_hop": _hop(judgement.last_hop),
        "control": {"sent": judgement.control_sent, "delivered": judgement.control_delivered},
        "bound": judgement.bound,
        "expected": None if result.expected is None else result.expected.value,
        "outcome": result.outcome.value,
        "latency_us": _latency(result.latency_us),
        "solicited": judgement.solicited,
        "earlier_run": result.earlier_run,
    }
    if result.expected_errno is not None:
        record["expected_errno"] = result.expected_errno
    if result.expected_wire_protocol is not None:
        record["expected_wire_protocol"] = result.expected_wire_protocol
    record |= {name: value for name in _OPTIONAL if (value := getattr(judgement, name)) is not None}
    if judgement.hops:
        record["hops"] = [_hop(hop) for hop in judgement.hops]
    if result.tool is not None:
        record["tool"] = {"version": result.tool.version, "rules": result.tool.rules}
    if judgement.budget_spent is not None:
        record["budget_spent"] = judgement.budget_spent
    if judgement.shared_limit is not None:
        record["shared_limit"] = asdict(judgement.shared_limit)
    if judgement.climb is not None:
        record["climb"] = to_climb(judgement.climb)
    if judgement.probes:
        record["probes"] = [_traced(trace) for trace in traces(judgement.probes)]
    return record


_OPTIONAL = ("moved", "changed_to", "transport_checksum", "sent_to", "control_sent_to")
_CHECKSUMS = ("right", "stale", "none")


def from_record(record: object) -> Result | str:
    """Return the result that a JSON value holds, or one line that says what is wrong with it. Raises nothing.

    What a record does not keep is as in a fresh `Judgement`: it is `final`.
    """
    try:
        return _result(Fields(record, ""))
    except WrongValueError as wrong:
        return plain(str(wrong))


def _result(fields: Fields) -> Result:
    schema = fields.number("schema", 1)
    if schema > SCHEMA:
        raise WrongValueError(f"it has schema {schema}, and this version reads up to {SCHEMA}: update pytest-hdp")
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
        expected_errno=fields.text("expected_errno") if "expected_errno" in fields.values else None,
        expected_wire_protocol=(
            fields.number("expected_wire_protocol", 0, 255) if "expected_wire_protocol" in fields.values else None
        ),
        earlier_run=fields.time("earlier_run") if fields.values.get("earlier_run") is not None else None,
        tool=_read_tool(fields.fields("tool")) if "tool" in fields.values else None,
    )


def _read_tool(fields: Fields) -> Tool:
    return Tool(fields.text("version"), fields.number("rules", 1))


def _judgement(fields: Fields) -> Judgement:
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
        modified=tuple(fields.texts("modified")),
        ttl=fields.number_or_none("ttl", 0, 255) if "ttl" in fields.values else None,
        changed=tuple(fields.texts("changed")) if "changed" in fields.values else (),
        nat=_read_nat(nat),
        icmp=tuple(read_icmp(Fields(item, f"icmp[{i}].")) for i, item in enumerate(fields.items("icmp"))),
        last_hop=None if hop is None else _read_hop(hop),
        control_sent=control.number("sent"),
        control_delivered=control.number("delivered"),
        bound=fields.text_or_none("bound"),
        hops=tuple(_read_hop(hop) for hop in fields.objects("hops")),
        climb=read_climb(fields.fields("climb")) if "climb" in fields.values else None,
        budget_spent=fields.text("budget_spent") if "budget_spent" in fields.values else None,
        shared_limit=_read_limit(fields.fields("shared_limit")) if "shared_limit" in fields.values else None,
        solicited=fields.truth("solicited") if "solicited" in fields.values else False,
        moved=fields.number("moved", -MOST_MOVED, MOST_MOVED) if "moved" in fields.values else None,
        changed_to=fields.number("changed_to", 0, 255) if "changed_to" in fields.values else None,
        transport_checksum=(
            fields.one_of("transport_checksum", _CHECKSUMS) if "transport_checksum" in fields.values else None
        ),
        sent_to=fields.text("sent_to") if "sent_to" in fields.values else None,
        control_sent_to=fields.text("control_sent_to") if "control_sent_to" in fields.values else None,
        probes=tuple(_trace(probe) for probe in fields.objects("probes")),
    )


def _read_limit(limit: Fields) -> SharedLimit:
    interval = None if limit.get("interval") is None else limit.time("interval")
    return SharedLimit(limit.time("rate"), limit.number("burst"), interval, limit.text("numbers"))


def _ip_version(fields: Fields) -> int:
    version = fields.number("ip_version")
    if version not in {4, 6}:
        raise fields.wrong("ip_version", "4 or 6")
    return version


def _nat(nat: Nat) -> dict[str, Any]:
    return {"state": nat.state, "source": nat.source, **({"control": nat.control} if nat.control is not None else {})}


def _read_nat(nat: Fields) -> Nat:
    control = nat.text("control") if "control" in nat.values else None
    return Nat(nat.one_of("state", ("translated", "leaked", "none")), nat.text_or_none("source"), control)


def _hop(hop: Hop | None) -> dict[str, Any] | None:
    return None if hop is None else {"ttl": hop.ttl, "address": hop.address}


def _read_hop(hop: Fields) -> Hop:
    return Hop(hop.number("ttl", 0, 255), hop.text("address"))


def _traced(trace: Trace) -> dict[str, Any]:
    """What is null is left out: most of a file would be nulls."""
    seen = {"left": trace.left, "arrived": trace.arrived, "delivered": trace.delivered, "errno": trace.errno}
    traced: dict[str, Any] = {"index": trace.index, "round": trace.round, "sent": trace.sent}
    traced |= {eye: value for eye, value in seen.items() if value is not None}
    if trace.icmp:
        traced["icmp"] = [{"after": i.after, "from": i.source, "type": i.type, "code": i.code} for i in trace.icmp]
    return traced


def _trace(fields: Fields) -> Trace:
    def after(name: str) -> int | None:
        return fields.number(name, -MOST) if name in fields.values else None

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
                error.number("after", -MOST),
                error.text("from"),
                error.number("type", 0, 255),
                error.number("code", 0, 255),
            )
            for error in fields.objects("icmp")
        ),
    )


def _latency(latency: tuple[float, float, float] | None) -> dict[str, float] | None:
    return None if latency is None else dict(zip(("min", "median", "p99"), latency, strict=True))


def _read_latency(fields: Fields | None) -> tuple[float, float, float] | None:
    return None if fields is None else (fields.time("min"), fields.time("median"), fields.time("p99"))
