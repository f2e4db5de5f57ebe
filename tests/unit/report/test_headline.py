from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_hdp.judge.result import Result
from pytest_hdp.report.groups import by_course
from pytest_hdp.report.headline import advice, of_several
from pytest_hdp.report.story import story

HOPS = [{"ttl": 1, "address": "192.0.2.1"}, {"ttl": 2, "address": "100.64.0.1"}]


def to(name: str, each: Result, **path: Any) -> Result:
    return replace(each, path=replace(each.path, kind="internet", name=name, **path))


def told(*records: Result) -> str:
    return of_several(by_course(records))


def test_what_broke_and_where_comes_first(record: Any):
    broken = [to("paris", record(n, "lost", "failed")) for n in (47, 132)]
    fine = [to("tokyo", record(47)), to("tokyo", record(132))]
    quiet = [to("office", record(n, "silent", "skipped"), agent=None) for n in (47, 132)]
    assert told(*fine, *quiet, *broken) == (
        "Gre, sctp lost on the way to paris; office: no answer; tokyo: all through."
    )


def test_of_many_numbers_it_counts_and_of_many_paths_too(record: Any):
    many = [to("paris", record(n, "lost", "failed")) for n in range(10, 40)]
    assert told(*many, to("paris", record(6)), to("tokyo", record(6))) == (
        "Only 1 of 31 got through to paris; tokyo: all through."
    )
    assert told(*(to(f"p{n}", record(6)) for n in range(5))).endswith("; 2 more paths below.")


def test_the_way_back_is_told_apart(record: Any):
    back = to("paris", record(47, "rejected", "failed", direction="reverse"))
    assert told(to("paris", record(47)), back, to("tokyo", record(47))).startswith(
        "Gre rejected on the way from paris; "
    )


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["held_by_receiver"] * 2, "Gre, sctp held back at the end of the way to paris; "),
        (["refused_at_send", "held_by_sender"], "Gre, sctp held back at the start of the way to paris; "),
        (["renumbered"] * 2, "Gre, sctp renumbered at the start of the way to paris; "),
        (["lossy"] * 2, "Gre, sctp lost in part on the way to paris; "),
        (["first_only"] * 2, "Gre, sctp stopped after the first on the way to paris; "),
        (["lost", "rejected"], "Gre, sctp stopped on the way to paris; "),
        (["lost", "held_by_receiver"], "Gre, sctp held up on the way to paris; "),
    ],
)
def test_where_on_the_way_is_not_said_of_what_came_or_never_left(record: Any, verdicts: list[str], said: str):
    broken = [to("paris", record(n, verdict, "failed")) for n, verdict in zip((47, 132), verdicts, strict=True)]
    assert told(*broken, to("tokyo", record(47))).startswith(said)


def test_what_is_lost_both_ways_is_told_once(record: Any):
    there = to("paris", record(47, "lost", "failed"))
    back = to("paris", record(47, "lost", "failed", direction="reverse"))
    assert told(there, back, to("tokyo", record(47))).startswith("Gre lost on the way to and from paris; ")


def test_what_one_can_do_names_the_hops_and_the_agent(record: Any):
    lost = record(47, "lost", "failed", hops=HOPS, last_hop=HOPS[0])
    held = record(50, "held_by_receiver", "failed")
    silent = to("office", record(51, "silent", "skipped"), agent=None)
    said = advice(by_course([lost, held, silent]))
    assert any("between 192.0.2.1 (hop 1) and 100.64.0.1 (hop 2)" in each for each in said)
    assert any(each.startswith("50 held back at the receiver") for each in said)
    assert any("--hdp-agent=ssh=USER@HOST" in each for each in said)
    assert advice(by_course([record(6), record(0, "lost", "xfailed")])) == ()


def test_one_that_ended_nobody_knows_where_is_named(record: Any):
    found = [record(n, "lost", "failed", hops=HOPS, last_hop=HOPS[0]) for n in (50, 51)]
    [line] = story([*found, record(47, "rejected", "failed"), record(6)]).lines
    assert "2 lost on the path, between " in line
    unknown = record(1, "lost", "failed")
    [line] = story([*found, unknown, record(6)]).lines
    assert "1 lost on the path, hop unknown (1)" in line


def test_hostile_results_make_a_harmless_headline(hostile_result: Result, record: Any):
    groups = by_course([hostile_result, record(6)])
    assert of_several(groups).isprintable()
    assert all(each.isprintable() for each in advice(groups))
