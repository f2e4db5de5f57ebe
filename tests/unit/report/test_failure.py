from __future__ import annotations

from typing import Any

import pytest

from pytest_hdp.judge.result import Result
from pytest_hdp.report.failure import failure_block

COMMAND = "sudo .venv/bin/pytest 'suites/internet/test_sweep.py' --hdp-lab=home-nat --hdp-protocols=132 -k 'p132-sctp'"


def lost(record: Any, **fields: Any) -> Result:
    explanation = (
        "132 (sctp), forward: 3 of 3 left eth0, none reached 198.51.100.2; 100.64.0.1 (hop 2) was the last to answer."
    )
    return record(132, "lost", "failed", explanation=explanation, **fields)


def test_the_block(record: Any):
    evidence = {
        "icmp": [{"from": "100.64.0.1", "type": 3, "code": 13, "count": 2, "authenticated": True}],
        "last_hop": {"ttl": 2, "address": "100.64.0.1"},
        "bound": "0 of 3 arrived: delivery probability below 63 % at 95 %",
    }
    assert failure_block(lost(record, **evidence), COMMAND, 90).splitlines() == [
        "protocol 132 (sctp): 3 of 3 left eth0, none reached 198.51.100.2; 100.64.0.1 (hop 2) was",
        "the last to answer.",
        "",
        "  path       lab home-nat, 192.0.2.2 -> 198.51.100.2, forward, bare",
        "  verdict    expected delivered, got lost",
        "  place      on the path",
        "  sent       3 probes",
        "  left       3 of 3 left the sender's interface",
        "  arrived    0 of 3 arrived at the receiver's interface",
        "  delivered  0 of 3 delivered to the receiver's socket",
        "  ICMP       2 x communication administratively prohibited (ICMP 3/13) from 100.64.0.1",
        "  last hop   100.64.0.1 (hop 2)",
        "  control    9 of 9 came through",
        "  bound      0 of 3 arrived: delivery probability below 63 % at 95 %",
        "",
        "  repeat just this one:",
        f"  {COMMAND}",
    ]


def row(block: str, label: str) -> str:
    """Return the text beside a label."""
    return next(line[13:] for line in block.splitlines() if line.startswith(f"  {label} "))


def test_a_refusal_names_errno_and_place(record: Any):
    refused = record(
        0, "refused_at_socket", "failed", sent=0, left=0, errno="EPROTONOSUPPORT", place="sender's socket()"
    )
    block = failure_block(refused, COMMAND)
    assert row(block, "sent") == "0 probes (EPROTONOSUPPORT at the sender's socket())"
    assert row(block, "verdict") == "expected delivered, got refused at socket (EPROTONOSUPPORT)"
    assert not any(line.startswith(("  left", "  arrived", "  control")) for line in block.splitlines())


def test_an_eye_that_was_not_there_is_not_a_zero(record: Any):
    path = {"kind": "internet", "name": "", "source": "192.0.2.2", "target": "198.51.100.2", "agent": None}
    block = failure_block(lost(record, path=path), COMMAND)
    assert row(block, "arrived") == row(block, "delivered") == "not observed"
    assert row(block, "left").startswith("3 of 3")


def test_what_changed_on_the_way_is_told_where_it_was_seen(record: Any):
    renumbered = failure_block(record(256, "renumbered", "failed", wire_protocol=0), COMMAND)
    assert row(renumbered, "left").endswith("; as protocol 0")
    modified = record(
        47,
        "modified",
        "failed",
        delivered=3,
        duplicated=2,
        reordered=1,
        modified=["payload", "length"],
        nat={"state": "leaked", "source": "10.0.0.2", "control": "192.0.2.9"},
    )
    assert (
        "; 2 duplicated, 1 reordered, changed: payload, length, source leaked: 10.0.0.2, the control's 192.0.2.9"
        in " ".join(failure_block(modified, COMMAND, 200).split())
    )


def test_an_icmp_error_without_proof_says_so(record: Any):
    icmp = [{"from": "203.0.113.9", "type": 3, "code": 2, "count": 1, "authenticated": False}]
    assert row(failure_block(lost(record, icmp=icmp), COMMAND, 100), "ICMP").endswith("203.0.113.9, not authenticated")
    assert row(failure_block(lost(record), COMMAND), "ICMP") == "no error came back"


def test_without_an_expectation_only_the_verdict_is_told(record: Any):
    assert row(failure_block(lost(record, expected=None), COMMAND), "verdict") == "lost"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_is_folded_to_the_width_but_for_the_command(record: Any, width: int):
    *block, command = failure_block(lost(record), COMMAND, width).splitlines()
    assert all(len(line) <= width for line in block)
    assert command.strip() == COMMAND


def test_hostile_strings_are_shown_harmlessly(hostile_result: Result, hostile: str):
    block = failure_block(hostile_result, hostile, 80)
    assert all(line.isprintable() or not line for line in block.split("\n"))
