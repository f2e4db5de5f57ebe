from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def _record(protocol: int, verdict: str = "delivered", outcome: str = "passed", **fields: Any) -> dict[str, Any]:
    there = 3 if verdict == "delivered" else 0
    return {
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
        "explanation": f"{protocol}, forward: {there} of 3 came to 198.51.100.2.",
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
        **fields,
    }


@pytest.fixture(scope="session")
def record() -> Callable[..., dict[str, Any]]:
    """Makes a result record: 3 probes through the lab home-nat, delivered, unless told otherwise."""
    return _record


HOSTILE = "\x1b[31m\x00\x07\r\n\u202e\u2028\ud800|`<b>&amp;*_~$[x](y)](z) @me #1 https://evil www.evil \N{PILE OF POO}"


@pytest.fixture(scope="session")
def hostile() -> str:
    """Return one string with everything that hurts a terminal, a table or a page."""
    return HOSTILE


@pytest.fixture(scope="session")
def hostile_record(record: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Return a record in which every string is hostile."""

    def poisoned(value: Any) -> Any:
        if isinstance(value, str):
            return HOSTILE
        if isinstance(value, dict):
            return {key: poisoned(item) for key, item in value.items()}
        return [poisoned(item) for item in value] if isinstance(value, list) else value

    icmp = [{"from": "x", "type": "y", "code": "z", "count": "n", "authenticated": False}]
    more = {
        "icmp": icmp,
        "last_hop": {"ttl": "x", "address": "y"},
        "bound": "b",
        "errno": "E",
        "modified": ["m"],
    }
    made: dict[str, Any] = poisoned(record(47, nat={"state": "leaked", "source": "s"}, **more))
    return made
