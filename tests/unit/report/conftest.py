from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.explain import subject
from pytest_hdp.judge.record import from_record
from pytest_hdp.judge.verdict import Direction, Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_hdp.judge.result import Result


def result(protocol: int, verdict: str = "delivered", outcome: str = "passed", **said: Any) -> Result:
    """Return a result by the fields of its record."""
    there = 3 if verdict == "delivered" else 0
    train = Train(protocol, Direction(said.get("direction", "forward")), Form(said.get("form", "bare")))
    record = {
        "schema": 1,
        "run": "0011223344556677",
        "time": "2026-11-23T10:00:00Z",
        "path": {
            "kind": "lab",
            "name": "home-nat",
            "source": "192.0.2.2",
            "target": "198.51.100.2",
            "agent": "lab",
        },
        "direction": "forward",
        "ip_version": 4,
        "protocol": protocol,
        "keyword": {6: "tcp", 47: "gre", 132: "sctp"}.get(protocol, ""),
        "form": "bare",
        "verdict": verdict,
        "place": "receiver's socket" if there else "on the path",
        "explanation": f"{subject(train)}: {there} of 3 came to 198.51.100.2.",
        "errno": None,
        "wire_protocol": protocol & 255,
        "sent": 3,
        "left": 3,
        "arrived": there,
        "delivered": there,
        "duplicated": 0,
        "reordered": 0,
        "modified": [],
        "ttl": 62 if there else None,
        "changed": [],
        "nat": {"state": "none", "source": None},
        "icmp": [],
        "last_hop": None,
        "control": {"sent": 9, "delivered": 9},
        "bound": None,
        "expected": "delivered",
        "outcome": outcome,
        "latency_us": None,
        "solicited": False,
        "earlier_run": None,
        **said,
    }
    return from_record(record)


@pytest.fixture(scope="session")
def record() -> Callable[..., Result]:
    """Makes a result: 3 probes through the lab home-nat, delivered, unless told otherwise."""
    return result


HOSTILE = "\x1b[31m\x00\x07\r\n\u202e\u2028\ud800|`<b>&amp;*_~$[x](y)](z) @me #1 https://evil www.evil \N{PILE OF POO}"


@pytest.fixture(scope="session")
def hostile() -> str:
    """Return one string with everything that hurts a terminal, a table or a page."""
    return HOSTILE


@pytest.fixture(scope="session")
def hostile_result() -> Result:
    """Return a result in which every text that may be any is hostile."""

    def poisoned(value: Any) -> Any:
        if isinstance(value, StrEnum):
            return value
        if isinstance(value, str):
            return HOSTILE
        if isinstance(value, tuple):
            return tuple(map(poisoned, value))
        if not is_dataclass(value) or isinstance(value, type):
            return value
        return replace(value, **{each.name: poisoned(getattr(value, each.name)) for each in fields(value)})

    error = {"from": "x", "type": 200, "code": 3, "count": 2, "authenticated": False}
    made: Result = poisoned(
        result(
            47,
            nat={"state": "leaked", "source": "s", "control": "c"},
            icmp=[error],
            last_hop={"ttl": 2, "address": "y"},
            hops=[{"ttl": 2, "address": "y"}],
            climb={"ttls": [{"ttl": 2, "sent": 3, "icmp": [error], "control": {"answered": 2, "from": "z"}}]},
            probes=[{"index": 0, "round": 0, "sent": 0, "errno": "E", "icmp": [{**TRACED, "from": "w"}]}],
            bound="b",
            errno="E",
            modified=["m"],
            changed=["c"],
            sent_to="t",
            control_sent_to="u",
            expected_errno="E",
            made={"command": "c", "system": "s", "source": "f"},
        )
    )
    return replace(made, judgement=replace(made.judgement, nat=replace(made.judgement.nat, state="leaked")))


TRACED = {"after": 5, "type": 3, "code": 2}
