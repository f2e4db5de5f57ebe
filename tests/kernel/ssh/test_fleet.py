"""A fleet, night after night: each night's exit status, JUnit and summary say exactly what happened, and no more."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from fleet import Fleet
from managed import run
from ssh_hosts import SWEEP, TOP, Done, wait_until

from pytest_hdp.judge.latency.result import LatencyResult
from pytest_hdp.report import latencyfile

NUMBERS = "--hdp-protocols=6,17,47,50,132,253"
TRAINS = 12  # of a host: six numbers, both ways


class Nights:
    """Runs of one recipe over a fleet, each held against the first one."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        self.folder = folder
        self.inventory = fleet.inventory()

    def __call__(self, name: str, *arguments: str) -> Done:
        summary = self.folder / f"{name}.md"
        summary.touch()
        done = self.fleet.run(
            SWEEP, NUMBERS, f"--hdp-inventory={self.inventory}", f"--hdp-report={self.folder / name}",
            f"--junit-xml={self.folder / name}.xml", "--hdp-locate=none", *arguments,
            env={"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"},
        )  # fmt: skip
        self.summary = summary.read_text()
        self.suite = ET.parse(self.folder / f"{name}.xml").getroot().find("testsuite")
        command = [
            sys.executable,
            "-m",
            "pytest_hdp.cli",
            "compare",
            str(self.folder / "first"),
            str(self.folder / name),
        ]
        compared = subprocess.run(command, env={"PYTHONPATH": str(TOP)}, capture_output=True, text=True, check=False)
        self.compared, self.difference = compared.returncode, compared.stdout
        return done

    @property
    def counts(self) -> tuple[int, int, int]:
        """Of JUnit: tests, failures, skipped."""
        return tuple(int(self.suite.get(name)) for name in ("tests", "failures", "skipped"))

    @property
    def unmeasured(self) -> list[str]:
        return [each.get("value") for each in self.suite.iter("property") if each.get("name") == "hdp_unmeasured"]


@pytest.fixture(scope="module")
def fleet(fleet_of) -> Fleet:
    return fleet_of(4)


@pytest.mark.long
@pytest.mark.night
@pytest.mark.parametrize("count", [pytest.param(4, id="four"), pytest.param(12, id="twelve")])
def test_three_nights(count: int, request: pytest.FixtureRequest, tmp_path: Path):
    """One host was always different; then one changes; then one has an outage, one refuses, one of twelve is silent."""
    fleet = request.getfixturevalue("fleet") if count == 4 else request.getfixturevalue("fleet_of")(count)
    every = count * TRAINS
    firewall = "{ type filter hook input priority 0; ip protocol 132 drop; }"
    run(fleet.hosts["h2"], f"nft 'table ip own {{ chain c {firewall}; }}'")
    night = Nights(fleet, tmp_path)
    profile = tmp_path / "recorded.toml"
    night("first", "--hdp-expect=none", f"--hdp-record={profile}")
    expecting = f"--hdp-expect={profile}"

    done = night("same", expecting)
    assert (done.status, night.compared, night.counts) == (0, 0, (every, 0, 1)), done.printed
    assert (night.unmeasured, "Everything as expected" in night.summary) == ([], True)

    on_the_way(fleet, "iifname c oifname h3 ip protocol 47 drop")
    done = night("changed", expecting)
    assert (done.status, night.compared, night.counts) == (1, 1, (every, 1, 1)), done.printed
    assert "47 (GRE): delivered -> lost" in night.difference
    assert (night.unmeasured, f"1 of {every} not as expected: 47 (gre)" in night.summary.lower()) == ([], True)

    out = ["h1", "h4"]
    rules = ["iifname c oifname h1 tcp dport != 22 drop", "iifname c oifname h1 ip protocol != 6 drop"]
    fleet.stop("h4")
    if count > 4:
        out.append("h5")
        rules.append("iifname c oifname h5 ip protocol 6 drop")  # never answers, where h4 refuses
    on_the_way(fleet, *rules)
    done = night("outage", expecting)
    assert (done.status, night.compared, night.counts) == (4, 3, (every, 0, len(out) * TRAINS + 1)), done.printed
    assert [line.partition(":")[0] for line in night.unmeasured] == [f"{each} could not be measured" for each in out]
    assert " ".join(night.difference.split()).endswith(f"evidence gone: {', '.join(out)}")
    for told in (f"{', '.join(out)} not measured", "Not all was measured; nothing unexpected in what was"):
        assert told in night.summary
    assert "as expected" not in (night.summary + done.printed).lower()


def on_the_way(fleet: Fleet, *rules: str) -> None:
    """These rules, and none from before, between the controller and the hosts."""
    run(
        fleet.switch,
        "nft 'table bridge b; delete table bridge b; table bridge b { chain c { "
        f"type filter hook forward priority 0; {'; '.join(rules)}; }}; }}'",
    )


LATENCY = str(TOP / "suites" / "internet" / "test_latency.py")


def latencies(done: Done, report: Path) -> dict[str, LatencyResult]:
    """What `latency.json` holds, by host."""
    results, problems = latencyfile.read(report / "latency.json")
    assert not problems, done.printed
    return {each.setup.path.name: each for each in results}


@pytest.mark.long
@pytest.mark.night
def test_latencies_are_measured_side_by_side(fleet: Fleet, tmp_path: Path):
    on_the_way(fleet)
    fleet.serve_all()
    options = (f"--hdp-inventory={fleet.inventory()}", "--hdp-latency-pairs=100", "-rs")
    done = fleet.run(LATENCY, *options, f"--hdp-report={tmp_path / 'one'}")
    found = latencies(done, tmp_path / "one")
    assert set(found) == {"h1", "h2", "h3", "h4"}, done.printed
    if all(each.valid for each in found.values()):  # on a busy machine what was not is measured alone
        assert max(each.setup.beside for each in found.values()) >= 1
        assert re.search(r"beside (3 others|2 others|1 other)\b", " ".join(done.printed.split()))


@pytest.mark.long
@pytest.mark.night
def test_of_latencies_side_by_side_an_agent_that_dies_costs_its_own(fleet: Fleet, tmp_path: Path):
    """Of four hosts one is skipped by its mark, and the agent of one is killed."""
    on_the_way(fleet)
    fleet.serve_all()
    options = (f"--hdp-inventory={fleet.inventory()}", "--hdp-latency-pairs=100", "-rs")
    mine = tmp_path / "test_mine.py"
    mine.write_text(MINE)
    (tmp_path / "conftest.py").write_text(NOT_TONIGHT)
    arrived, untouched = (fleet.hosts[each].open_socket(socket.AF_INET, socket.SOCK_RAW, 253) for each in ("h2", "h4"))
    _, wait = fleet.start(str(mine), *options, f"--hdp-report={tmp_path / 'two'}")
    with arrived, untouched:
        wait_until(lambda: select.select([arrived], (), (), 0)[0] != [], 120)
        os.kill(fleet.agent_of("h2"), signal.SIGKILL)
        done = wait()
        assert not select.select([untouched], (), (), 0)[0], "nobody asked for h4"
    assert done.status == 4, done.printed
    found = latencies(done, tmp_path / "two")
    assert set(found) == {"h1", "h3"}
    printed = " ".join(done.printed.split())
    assert "no latency: the agent ssh=" in printed
    assert "root@h2 is gone" in printed
    assert "Traceback" not in printed


MINE = """
import pytest
pytestmark = pytest.mark.hdp(path="target", eyes=True)

@pytest.mark.parametrize("number", [253])
def test_mine(hdp_latency, number):
    hdp_latency(number).check()
"""
NOT_TONIGHT = """
import pytest

def pytest_collection_modifyitems(items):
    for each in items:
        if "h4" in each.name:
            each.add_marker(pytest.mark.skip(reason="not tonight"))
"""
