"""The command that makes the coverage table of docs/truth.md goes on where it was, and prints a row for each path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_hdp.vantage.points import can_open_raw, can_unshare

COMMAND = Path(__file__).with_name("latency_coverage.py")
CASES = "veth,equal-cost-5,busy-0"

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)


@pytest.mark.night
def test_a_command_that_was_interrupted_goes_on(tmp_path):
    results = tmp_path / "coverage.jsonl"

    def run(runs: int) -> str:
        options = ("--runs", str(runs), "--pairs", "160", "--cases", CASES, "--results", str(results))
        done = subprocess.run(
            [sys.executable, COMMAND, *options], capture_output=True, text=True, timeout=300, check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith("HDP_")},
        )  # fmt: skip
        assert done.returncode in {0, 1}, done.stderr  # a busy machine may miss what it is held against
        assert done.stderr == ""
        return done.stdout

    rows = [line for line in run(1).splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + len(CASES.split(","))
    first = results.read_text().splitlines()
    assert [json.loads(line)["case"] for line in first] == CASES.split(",")
    run(2)
    lines = results.read_text().splitlines()
    assert lines[:3] == first
    assert sorted((each["case"], each["seed"]) for each in map(json.loads, lines)) == sorted(
        (case, seed) for case in CASES.split(",") for seed in (0, 1)
    )
