from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from pytest_hdp.judge.result import Result
from pytest_hdp.report.groups import cause, example_of, headline, hops_by_train

REJECTION = {"from": "100.64.0.1", "type": 3, "code": 13, "count": 2, "authenticated": True}


def lost(record: Any, number: int, **more: Any) -> Result:
    return record(number, "lost", "failed", **more)


def alike(*records: Result) -> bool:
    hops = hops_by_train(records)
    return len({cause(record, hops) for record in records}) == 1


def test_a_train_that_did_not_climb_died_where_the_one_did_that_climbed_for_it(record: Any):
    found = {"last_hop": {"ttl": 2, "address": "100.64.0.1"}, "climb": {}}
    climbed, other = lost(record, 47, **found), lost(record, 50, climb={"with": 47})
    assert alike(climbed, other)
    assert not alike(climbed, lost(record, 50, climb={"with": 51}))
    assert not alike(climbed, lost(record, 50, last_hop={"ttl": 3, "address": "203.0.113.1"}))
    assert example_of([other, climbed]) == 1


def test_counts_part_nobody_and_all_else_does(record: Any):
    one = lost(record, 47)
    assert alike(one, lost(record, 50, arrived=1, sent=9, control={"sent": 70, "delivered": 69}))
    for other in (
        record(50, "lossy", "failed"),
        lost(record, 50, expected=None),
        lost(record, 50, direction="reverse"),
        lost(record, 50, form="wellformed"),
        lost(record, 50, path={**asdict(one.path), "vantage": "paris"}),
        record(50, "refused_at_send", "failed", errno="EPERM"),
    ):
        assert not alike(one, other)


def test_who_rejects_parts_and_an_error_beside_another_verdict_does_not(record: Any):
    rejected = record(47, "rejected", "failed", icmp=[REJECTION])
    assert alike(rejected, record(50, "rejected", "failed", icmp=[{**REJECTION, "count": 5}]))
    assert not alike(rejected, record(50, "rejected", "failed", icmp=[{**REJECTION, "from": "203.0.113.1"}]))
    assert not alike(rejected, record(50, "rejected", "failed", icmp=[{**REJECTION, "code": 2}]))
    assert alike(lost(record, 47, icmp=[REJECTION]), lost(record, 50))


def test_the_headline_names_all(record: Any):
    group = [lost(record, number) for number in (47, 50, 51, 132, 148)]
    assert " ".join(headline(group, group[0], 40)).startswith(
        "5 equal failures: 47, 50-51, 132, 148. The one of 47 (gre) "
    )
    assert all(len(line) <= 40 for line in headline(group, group[0], 40))


def test_hostile_results_are_harmless(hostile_result: Result):
    assert alike(hostile_result, replace(hostile_result))
    assert all(line.isprintable() for line in headline([hostile_result], hostile_result))
