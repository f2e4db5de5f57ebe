"""One run through labs with verdicts of many kinds, read everywhere: page, table, terminal, JUnit, results file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab
from pytest_hdp.report.letters import letter, words

pytestmark = pytest.mark.long

TOP = Path(__file__).parents[2]
LABS = ("reject", "home-nat", "first-only", "host-firewall", "sender-firewall", "mangle-byte")
NUMBERS = "6,47,132,253"
VERDICTS = {
    "delivered", "rejected", "lost", "first_only", "held_by_receiver", "refused_at_send", "modified",
}  # fmt: skip
COUNTS = ("sent", "left", "arrived", "delivered")

Key = tuple[str, str, int]
"""Lab, direction, protocol number."""


@pytest.fixture(scope="module", params=[(), ("--hdp-expect=none",)], ids=["as expected", "nothing expected"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that a run wrote to, and what it printed."""
    try:
        with Lab(make("transparent")):
            pass
    except LabUnavailable as error:
        pytest.skip(f"privilege: {error}")
    folder = tmp_path_factory.mktemp("views")
    labs = [f"--hdp-lab={name}" for name in LABS]
    files = [f"--hdp-report={folder}", f"--junitxml={folder / 'junit.xml'}"]
    usual = [
        "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest",
        "suites/internet/test_sweep.py", f"--hdp-protocols={NUMBERS}",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
    environment |= {"COLUMNS": "80", "PYTHONPATH": str(TOP), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, *usual, *labs, *files, *request.param],
        cwd=TOP, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def truth(run: tuple[Path, str]) -> dict[Key, dict[str, Any]]:
    """The results file."""
    lines = (run[0] / "results.jsonl").read_text(encoding="utf-8").splitlines()
    records = {(r["path"]["name"], r["direction"], r["protocol"]): r for r in map(json.loads, lines)}
    assert len(lines) == len(records) == len(LABS) * 2 * len(NUMBERS.split(","))
    assert {record["verdict"] for record in records.values()} == VERDICTS
    assert {record["outcome"] for record in records.values()} in ({"passed", "xfailed"}, {"passed", "failed"})
    return records


def of(truth: dict[Key, dict[str, Any]], *names: str) -> dict[Key, tuple[Any, ...]]:
    return {key: tuple(record[name] for name in names) for key, record in truth.items()}


@pytest.mark.night
def test_the_page(run, truth):
    text = (run[0] / "report.html").read_text(encoding="utf-8")
    drawn = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    shown = {
        (re.match(r"lab (\S+),", course["title"])[1], course["direction"], train["p"]): train
        for course in drawn["courses"]
        for train in course["trains"]
    }
    assert {key: (each["v"], each["o"]) for key, each in shown.items()} == of(truth, "verdict", "outcome")
    assert {key: tuple(each["n"]) for key, each in shown.items()} == of(truth, *COUNTS)
    assert {key: (each["place"],) for key, each in shown.items()} == of(truth, "place")
    for key, each in shown.items():
        assert truth[key]["explanation"].endswith(drawn["texts"][each["x"]])
    counted = {(each["verdict"], each["outcome"]): each["count"] for each in drawn["verdicts"]}
    cells = list(of(truth, "verdict", "outcome").values())
    assert counted == {cell: cells.count(cell) for cell in cells}


@pytest.mark.night
def test_the_table(run, truth):
    shown = {}
    for section in (run[0] / "results.md").read_text(encoding="utf-8").split("\n## ")[2:]:
        title = re.match(r"lab (\S+), .* (forward|reverse), bare\n", section)
        for row in re.findall(r"^\| (\d+) \| (.*) \|$", section, re.MULTILINE):
            cells = row[1].split(" | ")
            shown[title[1], title[2], int(row[0])] = (cells[1], cells[2], re.findall(r"\d+ of \d+", cells[5])[:1])
    expected = {
        key: (words(verdict), place, [f"{delivered} of {sent}"] if sent else [])
        for key, (verdict, place, sent, delivered) in of(truth, "verdict", "place", "sent", "delivered").items()
    }
    assert shown == expected


@pytest.mark.night
def test_the_terminal(run, truth):
    shown = {}
    course = None
    for line in run[1].splitlines():
        if title := re.fullmatch(r"lab (\S+), .*, (forward|reverse), bare", line.rstrip()):
            course = title.groups()
        elif course and (row := re.match(r"0x(.)_ +\d+  (.*)$", line)):
            marks = row[2][::2]
            shown |= {(*course, int(row[1], 16) * 16 + n): mark for n, mark in enumerate(marks) if mark != " "}
    assert shown == {key: letter(*cell) for key, cell in of(truth, "verdict", "outcome").items()}


@pytest.mark.night
def test_the_properties(run, truth):
    shown = {}
    names = ("verdict", "outcome", "place", "explanation", *COUNTS)
    for case in ET.parse(run[0] / "junit.xml").iter("testcase"):
        found = {each.get("name"): each.get("value") for each in case.iter("property")}
        key = json.loads(found["hdp_path"])["name"], found["hdp_direction"], int(found["hdp_protocol"])
        shown[key] = tuple(found[f"hdp_{name}"] for name in names)
        how = {child.tag for child in case} - {"properties"}
        assert how == {"failed": {"failure"}, "xfailed": {"skipped"}, "passed": set()}[found["hdp_outcome"]]
    assert shown == {key: tuple(map(str, values)) for key, values in of(truth, *names).items()}
