"""A result as JSON and back, held against the schema that is shipped, and against hostile values."""

from __future__ import annotations

import copy
import json
import math
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pytest_hdp.judge.record as record_module
from pytest_hdp.judge.evidence import IcmpReport, Probe, Sighting, Train
from pytest_hdp.judge.record import from_record, schema, to_record
from pytest_hdp.judge.result import (
    SCHEMA,
    AtTtl,
    Climb,
    Hop,
    IcmpCount,
    Judgement,
    LatencyUs,
    Made,
    Nat,
    PathInfo,
    ReadAs,
    Result,
    SharedLimit,
    Tool,
    TwinCount,
)
from pytest_hdp.judge.trace import Trace, TracedError, traces
from pytest_hdp.judge.verdict import Containment, Direction, Form, Outcome, Place, Verdict
from pytest_hdp.untrusted.marks import WrongValueError

# As the design fixes it: names and order are what other tools read.
FIELDS = """
schema run time path direction ip_version protocol keyword form verdict place explanation errno wire_protocol sent left
arrived delivered duplicated reordered modified ttl changed nat icmp last_hop control bound expected outcome latency_us
solicited earlier_run
"""

ADDITIVE = ["expected_errno", "expected_wire_protocol", "moved", "changed_to", "transport_checksum"]
ADDITIVE += ["flow_label", "extension_headers", "read_as", "delivered_under", "chain"]
ADDITIVE += ["sent_to", "control_sent_to"]
ADDED = [*ADDITIVE, "hops", "tool", "budget_spent", "shared_limit"]
ADDED += ["containment", "containment_eye", "twin", "climb", "probes", "made"]

SCHEMA_FILE = schema()
PUBLISHED = Path(record_module.__file__).with_name("results.schema.json")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA_FILE)


def written_schema() -> str:
    return json.dumps(SCHEMA_FILE, indent=1) + "\n"


counts = st.integers(0, 2**40)
texts = st.text(max_size=40)
trains = st.builds(Train, st.integers(-5, 70000), st.sampled_from(Direction), st.sampled_from(Form), texts)
octets = st.integers(0, 255)
icmp_counts = st.lists(
    st.builds(IcmpCount, texts, octets, octets, st.integers(1, 10**6), st.booleans(), st.none() | counts), max_size=3
).map(tuple)
judgements = st.builds(
    Judgement,
    train=trains,
    verdict=st.sampled_from(Verdict),
    place=st.sampled_from(Place),
    explanation=texts,
    final=st.just(True),
    errno=st.none() | texts,
    wire_protocol=st.none() | st.integers(0, 255),
    sent=counts,
    left=counts,
    arrived=counts,
    delivered=counts,
    duplicated=counts,
    reordered=counts,
    modified=st.lists(texts, max_size=3).map(tuple),
    ttl=st.none() | st.integers(0, 255),
    changed=st.lists(texts, max_size=3).map(tuple),
    nat=st.builds(Nat, st.sampled_from(["translated", "leaked", "none"]), st.none() | texts, st.none() | texts),
    icmp=icmp_counts,
    moved=st.none() | st.integers(-65535, 65535),
    changed_to=st.none() | st.integers(0, 255),
    transport_checksum=st.none() | st.sampled_from(["right", "stale", "none"]),
    flow_label=st.none() | st.integers(0, 0xFFFFF),
    extension_headers=st.lists(st.integers(0, 255), max_size=3).map(tuple),
    read_as=st.none() | st.builds(ReadAs, counts, st.integers(0, 255)),
    delivered_under=st.none() | st.integers(0, 255),
    sent_to=st.none() | texts,
    control_sent_to=st.none() | texts,
    last_hop=st.none() | st.builds(Hop, st.integers(1, 255), texts),
    control_sent=counts,
    control_delivered=counts,
    bound=st.none() | texts,
)
microseconds = st.floats(0, 1e12, allow_nan=False)
results = st.builds(
    Result,
    run=texts,
    time=texts,
    path=st.builds(PathInfo, texts, texts, texts, texts, st.none() | texts),
    ip_version=st.sampled_from([4, 6]),
    keyword=texts,
    judgement=judgements,
    expected=st.none() | st.sampled_from(Verdict),
    outcome=st.sampled_from(Outcome),
    latency_us=st.none() | st.builds(LatencyUs, microseconds, microseconds, microseconds),
    expected_errno=st.none() | texts,
    expected_wire_protocol=st.none() | st.integers(0, 255),
    earlier_run=st.none() | microseconds,
    tool=st.none() | st.builds(Tool, texts, st.integers(1, 99)),
    made=st.none() | st.builds(Made, *[st.none() | texts] * 6),
)


@given(results)
def test_there_and_back(result: Result) -> None:
    record = to_record(result)
    assert from_record(json.loads(json.dumps(record))) == result


nanoseconds = st.integers(-(2**40), 2**40)
errors = st.builds(TracedError, nanoseconds, texts, st.integers(0, 255), st.integers(0, 255))
seen = st.none() | nanoseconds
some_traces = st.builds(
    Trace,
    counts,
    st.integers(-1, 99),
    counts,
    st.none() | texts,
    seen,
    seen,
    seen,
    st.lists(errors, max_size=2).map(tuple),
)
rungs = st.builds(
    AtTtl, st.integers(0, 255), counts, icmp_counts, counts, st.none() | texts.filter(bool), counts, st.booleans()
)
climbs = st.builds(Climb, st.lists(rungs, max_size=3).map(tuple), st.none() | st.integers(-5, 70000))
some_hops = st.lists(st.builds(Hop, st.integers(1, 255), texts), min_size=1, max_size=3).map(tuple)


twins = st.builds(TwinCount, counts, counts, counts, counts)
limits = st.builds(SharedLimit, st.floats(0, 1e6), counts, st.none() | st.floats(1e-6, 100), texts)


@given(results, st.sampled_from(Containment), st.none() | texts, st.none() | twins)
def test_a_containment_there_and_back(
    result: Result, word: Containment, observer: str | None, twin: TwinCount | None
) -> None:
    judgement = replace(result.judgement, containment=word, containment_eye=observer, twin=twin)
    written = to_record(replace(result, judgement=judgement))
    VALIDATOR.validate(written)
    assert from_record(json.loads(json.dumps(written))) == replace(result, judgement=judgement)


@given(results, st.lists(some_traces, min_size=1, max_size=3).map(tuple), some_hops, climbs, limits)
def test_probes_and_hops_there_and_back(
    result: Result, probes: tuple[Trace, ...], hops: tuple[Hop, ...], climb: Climb, limit: SharedLimit
) -> None:
    more = {"probes": probes, "hops": hops, "climb": climb, "budget_spent": "r", "shared_limit": limit}
    result = replace(result, judgement=replace(result.judgement, **more))  # type: ignore[arg-type]
    record = to_record(result)
    VALIDATOR.validate(record)
    back = from_record(json.loads(json.dumps(record)))
    assert (back.judgement.probes, back.judgement.hops, back.judgement.climb) == (probes, hops, climb)
    assert back.judgement.shared_limit == limit
    assert to_record(back) == record


def test_probes_stay_in_the_order_they_were_sent_whatever_the_clock_says() -> None:
    first, second = Probe(5, 0, 7_000), Probe(9, 1, 2_000)  # the clock was set back in between
    assert traces((second, first)) == (Trace(5, 0, 0), Trace(9, 1, 0))


def test_a_probe_keeps_when_each_eye_saw_it_first() -> None:
    def copy_at(time: int) -> Sighting:
        return Sighting(time, 47, True, "192.0.2.1", "192.0.2.2", 64)

    error = IcmpReport(1_700, "192.0.2.9", 3, 2, True)
    second = Probe(9, 1, 1_500, left=(copy_at(1_520), copy_at(1_510)), arrived=(copy_at(1_490),), icmp=(error,))
    first = Probe(5, 0, 1_000, errno="ENOBUFS")
    assert traces((second, first)) == (
        Trace(5, 0, 0, errno="ENOBUFS"),
        Trace(9, 1, 500, left=10, arrived=-10, icmp=(TracedError(200, "192.0.2.9", 3, 2),)),
    )


@given(results)
def test_fields_their_order_and_the_schema(result: Result) -> None:
    record = to_record(result)
    holders = (result, result.judgement, result.judgement.train)
    names = (*ADDITIVE, "tool", "made")
    held = {name: next((getattr(each, name) for each in holders if hasattr(each, name)), None) for name in names}
    stated = [name for name, value in held.items() if value not in (None, ()) and (name, value) != ("chain", "")]
    assert list(record) == [*FIELDS.split(), *stated]
    VALIDATOR.validate(record)


def test_the_schema_is_one_and_complete() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA_FILE)
    assert list(SCHEMA_FILE["properties"]) == [*FIELDS.split(), *ADDED]
    assert SCHEMA_FILE["required"] == [name for name in FIELDS.split() if name not in SINCE]
    assert SCHEMA_FILE["properties"]["schema"]["const"] == SCHEMA
    for words, name in ((Verdict, "verdict"), (Place, "place")):
        assert SCHEMA_FILE["$defs"][name]["enum"] == [str(word) for word in words]


def test_the_published_schema_is_the_one_that_is_read_by() -> None:
    """It is made anew by `python tests/unit/judge/test_record.py`."""
    assert PUBLISHED.read_text(encoding="utf-8") == written_schema()
    assert (PUBLISHED.parents[2] / "docs" / PUBLISHED.name).resolve() == PUBLISHED


SINCE = ("ttl", "changed", "solicited", "earlier_run")
SAMPLE = to_record(
    Result(
        "run", "2026-11-23T05:00:00Z", PathInfo("lab", "home-nat", "192.0.2.1", "198.51.100.2", None, "paris"),
        4, "GRE",
        Judgement(
            Train(47, chain="dst64/6"), Verdict.REJECTED, Place.HOP, "why", final=True,
            icmp=(IcmpCount("100.64.0.1", 3, 13, 1, True),), last_hop=Hop(2, "100.64.0.1"), modified=("payload",),
            moved=4, changed_to=17, transport_checksum="stale",
            flow_label=0x12345, extension_headers=(43,), read_as=ReadAs(1320, 1), delivered_under=6,
            sent_to="203.0.113.12", control_sent_to="203.0.113.11",
        ),
        Verdict.DELIVERED, Outcome.FAILED, LatencyUs(1.0, 2.0, 3.0),
    )
)  # fmt: skip


def paths_in(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [at, *(path for key, item in inner for path in paths_in(item, (*at, key)))]


PATHS = paths_in(SAMPLE)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def put(record: Any, path: tuple[str | int, ...], value: object) -> Any:
    if not path:
        return value
    record = copy.deepcopy(record)
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return record


@settings(max_examples=6 * settings.default.max_examples)
@given(st.sampled_from(PATHS), json_values)
def test_a_hostile_value_is_read_as_the_schema_says(path: tuple[str | int, ...], value: object) -> None:
    """What the schema allows is read; anything else is one printable line, and nothing raises."""
    record = put(SAMPLE, path, value)
    with suppress(WrongValueError):
        VALIDATOR.validate(to_record(from_record(record)))
        assert VALIDATOR.is_valid(record) or _whole_float(value), "JSON Schema calls 1.0 an integer"
        return
    assert not VALIDATOR.is_valid(record) or not _finite(record)
    with pytest.raises(WrongValueError) as error:
        from_record(record)
    assert str(error.value)
    assert str(error.value).isprintable()


def _finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    if isinstance(value, float):
        return math.isfinite(value) and not value.is_integer()
    return not isinstance(value, int) or abs(value) < 2**1000


def _whole_float(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


def test_fields_that_older_files_lack_may_be_missing() -> None:
    record = {name: value for name, value in SAMPLE.items() if name not in SINCE}
    VALIDATOR.validate(record)
    read = from_record(record)
    assert (read.judgement.ttl, read.judgement.changed) == (None, ())
    assert (read.judgement.solicited, read.earlier_run) == (False, None)


def test_a_limit_without_what_older_files_did_not_know_of_it_is_read() -> None:
    limit = {"rate": 9.9, "burst": 5, "interval": 0.1, "numbers": "2-5"}
    read = from_record({**SAMPLE, "shared_limit": limit}).judgement.shared_limit
    assert read is not None
    assert (read.rate, read.most) == (9.9, None)


OPTIONAL = {("path", "vantage"), *((name,) for name in (*SINCE, *ADDITIVE))}  # older files do not have them


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path and isinstance(path[-1], str) and path not in OPTIONAL], ids=str
)
def test_a_missing_field_is_named(path: tuple[str | int, ...]) -> None:
    record = copy.deepcopy(SAMPLE)
    inner = record
    for key in path[:-1]:
        inner = inner[key]  # type: ignore[index]
    del inner[path[-1]]  # type: ignore[arg-type]
    with pytest.raises(WrongValueError, match=re.escape(f"{path[-1]} is missing")):
        from_record(record)


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ((), [], "the record is not a JSON object"),
        (("schema",), 2, "it has schema 2, and this version reads up to 1: update pytest-hdp"),
        (("schema",), True, "schema is not a whole number from 1 to"),
        (("ip_version",), 5, "ip_version is not 4 or 6"),
        (("protocol",), "47", "protocol is not a whole number"),
        (("sent",), -1, "sent is not a whole number from 0"),
        (("sent",), 1.0, "sent is not a whole number"),
        (("verdict",), "fine", "verdict is not one of: refused_at_socket"),
        (("nat", "state"), ["none"], "nat.state is not one of: translated, leaked, none"),
        (("icmp", 0, "count"), 0, "icmp[0].count is not a whole number from 1"),
        (("icmp",), {}, "icmp is not a list"),
        (("latency_us", "p99"), math.nan, "latency_us.p99 is not a number"),
        (("latency_us", "p99"), 10**400, "latency_us.p99 is not a number"),
        (("modified",), [1], "modified[0] is not a text of at most 65536 characters"),
        (("run",), "x" * 65537, "run is not a text of at most 65536 characters"),
        (("path",), None, "path is not a JSON object"),
    ],
)
def test_errors_name_the_field(path: tuple[str | int, ...], value: object, error: str) -> None:
    with pytest.raises(WrongValueError, match=f"^{re.escape(error)}"):
        from_record(put(SAMPLE, path, value))


def test_a_file_without_vantage_points_has_none() -> None:
    record = copy.deepcopy(SAMPLE)
    del record["path"]["vantage"]
    VALIDATOR.validate(record)
    found, named = from_record(record), from_record(SAMPLE)
    assert (found.path.vantage, named.path.vantage) == (None, "paris")
    assert to_record(found) == record


def test_unknown_fields_are_ignored() -> None:
    assert from_record({**SAMPLE, "colour": {"deep": [None]}}) == from_record(SAMPLE)


if __name__ == "__main__":
    PUBLISHED.write_text(written_schema(), encoding="utf-8")
