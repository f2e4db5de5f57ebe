"""A run with an agent over SSH where there is nothing but IPv6: to log in, to measure, and back."""

from __future__ import annotations

import pytest

from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.lab.catalogue import make

SOME = "--hdp-protocols=0,1,6,17,43,44,47,58,59,60,135,253,255"


@pytest.fixture(scope="module")
def hosts(hosts_of):
    return hosts_of(make("allowlist").over(6))


@pytest.mark.night
@pytest.mark.parametrize("words", ["", "drop"])
def test_an_agent_is_logged_in_to_and_measures_both_ways(hosts, words):
    assert ":" in hosts.address
    done = hosts.sweep(hosts.agent("root", words), SOME)
    truth = {
        (number, way.value): hosts.lab.expected(number, way, Form.BARE).verdict
        for number in {number for number, _ in done.records}
        for way in Direction
    }
    assert done.verdicts == {key: verdict.value for key, verdict in truth.items()}, done.printed
    assert len(done.records) == 26
    assert {record["path"]["agent"] for record in done.records.values()} == {f"ssh=root@{hosts.address}"}
