"""One run, read everywhere: the page, the table, the terminal, the properties and the results file agree."""

import json
import os
import pty
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from pytest_hdp.report.letters import letter, words

SWEEP = """
import pytest

@pytest.mark.hdp(protocols="-1-263")
def test_sweep(hdp_probe):
    hdp_probe.check()
"""
NUMBERS = "0,6,17,253,255"


def page_data(folder: Path):
    text = (folder / "report.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_all_views_of_a_run_agree(project):
    project.write(test_it=SWEEP)
    result = project.run("--hdp-expect=none", "--hdp-report=out", "--junitxml=junit.xml", "--hdp-seed=3")
    out = project.pytester.path / "out"
    records = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    truth = {each["protocol"]: (each["verdict"], each["outcome"]) for each in records}
    assert len(truth) == 265
    assert {verdict for verdict, _ in truth.values()} == {"refused_at_socket", "renumbered", "delivered"}

    drawn = page_data(out)
    assert {each["p"]: (each["v"], each["o"]) for course in drawn["courses"] for each in course["trains"]} == truth
    assert sum(each["count"] for each in drawn["verdicts"]) == 265
    assert drawn["made"][0]["seed"] == "3"

    rows = re.findall(r"^\| (-?\d+) \| [^|]* \| ([a-z ]+) \|", (out / "results.md").read_text(), re.MULTILINE)
    assert {int(number): verdict for number, verdict in rows} == {n: words(v) for n, (v, _) in truth.items()}

    properties = {}
    for case in ET.parse(project.pytester.path / "junit.xml").iter("testcase"):
        found = {each.get("name"): each.get("value") for each in case.iter("property")}
        properties[int(found["hdp_protocol"])] = (found["hdp_verdict"], found["hdp_outcome"])
        assert "hdp_probes" not in found
    assert properties == truth

    grid = re.findall(r"^0x(.)_ +\d+  (.*)$", result.stdout.str(), re.MULTILINE)
    seen = {int(row, 16) * 16 + column: mark for row, line in grid for column, mark in enumerate(line.split(" "))}
    assert seen == {n: letter(*cell) for n, cell in truth.items() if 0 <= n <= 255}


def test_the_page_comes_back_from_the_results_alone(project):
    project.write(test_it=SWEEP)
    project.run(f"--hdp-protocols={NUMBERS}", "--hdp-report=out")
    out = project.pytester.path / "out"
    before = page_data(out)
    (out / "report.html").unlink()
    (out / "results.md").unlink()
    done = project.pytester.run(sys.executable, "-m", "pytest_hdp.cli", "report", "out")
    assert done.ret == 0
    after = page_data(out)
    time = after["made"][0].pop("time")
    assert time
    assert before == after
    assert all(probe[4] is not None for each in after["courses"][0]["trains"] for probe in each.get("t", ()))


def test_a_page_that_cannot_be_written_is_bad_input(project):
    project.write(test_it=SWEEP)
    project.run("--hdp-protocols=253", "--hdp-report=out")
    again = (sys.executable, "-m", "pytest_hdp.cli", "report", "out", "-o")
    done = project.pytester.run(*again, "there")
    assert (done.ret, done.outlines) == (0, ["there/report.html, there/results.md: 1 train"])
    done = project.pytester.run(*again, "out/results.jsonl")
    assert (done.ret, done.errlines) == (4, ["hdp: out/results.jsonl can't be written: Not a directory"])


def test_github_gets_a_summary_and_an_annotation_for_each_verdict(project, monkeypatch):
    summary = project.pytester.path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    project.write(test_it=SWEEP)
    result = project.run("--hdp-protocols=0,6,256,263", "--hdp-expect=none", "--hdp-report=out")
    said = [line for line in result.stdout.lines if line.startswith("::")]
    assert [line.split("::")[1] for line in said] == [
        "warning title=2 protocol numbers refused at socket",
        "warning title=1 protocol number renumbered",
    ]
    assert summary.read_text().startswith("**1 of 2 protocol numbers got through")


def run_on_a_terminal(folder: Path, *arguments: str) -> str:
    """Run pytest on a terminal of its own; what it wrote."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ |= {"TERM": "xterm", "COLUMNS": "100"}
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])
    said = b""
    try:
        while chunk := os.read(terminal, 1 << 16):
            said += chunk
    except OSError:  # EIO: the child has gone
        pass
    os.close(terminal)
    os.waitpid(child, 0)
    return said.decode("utf-8", "replace")


LINE = re.compile("\x1bD\x1b\\[A\x1b7\r\x1b\\[B\x1b\\[2K([^\x1b]*)\x1b8")
SLOW = ("-pno:cacheprovider", "-pno:hypothesispytest", "--hdp-protocols=253-254", "--hdp-count=1500")


@pytest.mark.night
def test_a_terminal_shows_how_far_it_is_and_clears_it(project):
    project.write(test_it=SWEEP)
    said = run_on_a_terminal(project.pytester.path, *project.loaded, *SLOW)
    lines = LINE.findall(said)
    assert re.fullmatch(r"hdp: round \d+, 0 of 2 settled, about \d+ s left", lines[0])
    assert lines[-1] == ""
    assert "2 passed" in LINE.sub("", said)
    assert "hdp: round" not in LINE.sub("", said)


@pytest.mark.parametrize("more", [(), ("-n1",)])
@pytest.mark.night
def test_no_terminal_no_status_line(project, more):
    project.write(test_it=SWEEP)
    result = project.run(*SLOW, *more)
    assert "settled" not in result.stdout.str() + result.stderr.str()
    assert "\x1b" not in result.stdout.str()
