"""A run that was interrupted says so wherever it says what it found."""

from __future__ import annotations

import json

import pytest

REST = "the rest of the run could not be measured: it was interrupted"
TESTS = """
import pytest

@pytest.mark.hdp(path="loopback", protocols="47,253")
def test_it(hdp_probe): hdp_probe.check()

def test_stop(): raise KeyboardInterrupt

@pytest.mark.hdp(path="loopback", protocols="50")
def test_more(hdp_probe): hdp_probe.check()
"""


def stopped(project, *arguments: str) -> pytest.RunResult:
    own = (*project.loaded, "-pno:cacheprovider")
    return project.pytester.runpytest_inprocess(*own, *arguments, no_reraise_ctrlc=True)


def test_it_is_said_on_the_terminal_and_in_every_file(project, monkeypatch):
    summary = project.pytester.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    project.write(test_it=TESTS)
    result = stopped(project, "-p", "no:randomly", "--hdp-report=out")
    assert result.ret == 2
    printed = " ".join(result.stdout.str().split())
    assert f"hdp: {REST}" in printed
    assert "All as expected" not in printed
    folder = project.pytester.path / "out"
    for written in (folder / "results.md", folder / "report.html", summary):
        text = written.read_text(encoding="utf-8")
        assert REST in text, written
        assert "the rest of the run not measured" in text, written
        assert "all as expected" not in text, written
    first = json.loads((folder / "results.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["made"]["unmeasured"] == REST


def test_who_measured_nothing_is_not_bothered(project):
    project.write(test_it="def test_stop(): raise KeyboardInterrupt")
    result = stopped(project)
    assert result.ret == 2
    assert "could not be measured" not in result.stdout.str()
