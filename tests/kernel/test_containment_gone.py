"""Somebody dies while a box is asked: what nobody may have seen is no proof, whoever it is that is gone."""

import json
import runpy
from pathlib import Path

import pytest

BOXES = runpy.run_path(str(Path(__file__).with_name("test_containment.py")))
LONG = ("--hdp-count=1000", "--hdp-protocols=47,132,253")
PYTHON = "command=ip netns exec {} python3"
DYING = "command=ip netns exec {} timeout -s KILL 5 python3"


@pytest.mark.long
@pytest.mark.parametrize("gone", ["box", "server", "twin"])
def test_whoever_is_gone_nothing_is_proven(run_beside, tmp_path: Path, gone: str):
    """The box is shut, and would be proven if all of them lived: 2,000 rounds take longer than the dying one lives."""
    spec = {name: (DYING if name == gone else PYTHON).format(name) for name in ("box", "server", "twin")}
    status, printed, _ = run_beside(
        f"{BOXES['TOPOLOGY']}\n{BOXES['CLOSED']}", BOXES["SUITE"], f"--hdp-source={spec['box']}",
        f"--hdp-twin={spec['twin']}", f"--hdp-agent={spec['server']}", f"--hdp-target={BOXES['FAR']}", *LONG,
    )  # fmt: skip
    assert status in {1, 4}, printed
    results = tmp_path / "report" / "results.jsonl"
    records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    assert {each["containment"] for each in records} <= {"unproven"}, printed
    assert "containment: PROVEN" not in BOXES["told"](printed)
    assert "is gone" in BOXES["told"](printed), printed
