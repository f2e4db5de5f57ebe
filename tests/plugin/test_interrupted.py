"""A run of which tests did not run says so wherever it says what it found, however it ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REST = "the rest of the run could not be measured: it was interrupted, and 1 of 3 tests did not run"
TESTS = """
import pytest

@pytest.mark.hdp(path="loopback", protocols="47,253")
def test_it(hdp_probe): hdp_probe.check()

def test_stop(): raise KeyboardInterrupt

@pytest.mark.hdp(path="loopback", protocols="50")
def test_more(hdp_probe): hdp_probe.check()
"""


def stopped(project, *arguments: str) -> pytest.RunResult:
    own = (*project.loaded, "-pno:cacheprovider", "-p", "no:randomly")
    return project.pytester.runpytest_inprocess(*own, *arguments, no_reraise_ctrlc=True)


def test_it_is_said_on_the_terminal_and_in_every_file(project, monkeypatch):
    summary = project.pytester.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    project.write(test_it=TESTS)
    result = stopped(project, "--hdp-report=out", "--junit-xml=junit.xml")
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
    assert f'<property name="hdp_unmeasured" value="{REST}"' in (project.pytester.path / "junit.xml").read_text()


@pytest.mark.night
def test_who_measured_nothing_is_not_bothered(project):
    project.write(test_it="def test_stop(): raise KeyboardInterrupt")
    result = stopped(project)
    assert result.ret == 2
    assert "could not be measured" not in result.stdout.str()


def test_what_a_killed_run_leaves_says_that_it_did_not_end(project):
    project.write(test_it=TESTS.replace("raise KeyboardInterrupt", "import os; os.kill(os.getpid(), 9)"))
    project.run_alone("-p", "no:randomly", "--hdp-report=out")
    folder = project.pytester.path / "out"
    assert not (folder / "report.html").exists()
    done = project.pytester.run(sys.executable, "-m", "pytest_hdp.cli", "report", "out")
    assert done.ret == 0
    for written in ("results.md", "report.html"):
        text = (folder / written).read_text(encoding="utf-8")
        assert "the rest of the run not measured" in text, written
        assert "all as expected" not in text, written


def test_who_ends_leaves_no_such_word(project):
    project.write(test_it=TESTS.replace("raise KeyboardInterrupt", "pass"))
    assert project.run("--hdp-report=out").ret == 0
    first = (project.pytester.path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert "unmeasured" not in json.loads(first)["made"]


FAILING = TESTS.replace("raise KeyboardInterrupt", "assert False")


@pytest.mark.night(but=["assert*"])
@pytest.mark.parametrize(
    ("stop", "given", "status", "why"),
    [
        ("assert False", "-x", 1, "it was stopped"),
        ("assert False", "--maxfail=1", 1, "it was stopped"),
        ("pytest.exit('enough')", "-v", 2, "it was interrupted"),
        ("pytest.exit('enough', returncode=0)", "-v", 4, "it ended early"),
    ],
)
def test_so_does_one_that_was_stopped(project, stop, given, status, why):
    project.write(test_it=TESTS.replace("raise KeyboardInterrupt", stop))
    result = stopped(project, given, "--hdp-report=out")
    assert result.ret == status
    said = f"the rest of the run could not be measured: {why}, and 1 of 3 tests did not run"
    assert f"hdp: {said}" in " ".join(result.stdout.str().split())
    for written in ("results.md", "report.html"):
        text = (project.pytester.path / "out" / written).read_text(encoding="utf-8")
        assert said in text
        assert "the rest of the run not measured" in text
        assert "all as expected" not in text


@pytest.mark.parametrize("given", ["--maxfail=2", "--collect-only", "-k test_it"])
def test_who_runs_all_that_was_asked_for_is_not_told(project, given):
    project.write(test_it=FAILING)
    assert "could not be measured" not in stopped(project, *given.split()).stdout.str()


@pytest.mark.parametrize("old", ["# yesterday's\n", None], ids=["there is one", "there is none"])
def test_no_profile_is_replaced_by_a_part_of_it(project, old):
    profile = project.pytester.path / "recorded.toml"
    if old is not None:
        profile.write_text(old)
    project.write(test_it=TESTS)
    result = stopped(project, "--hdp-record=recorded.toml")
    assert result.ret == 2
    said = "hdp: recorded.toml is left as it was: not all was measured"
    assert (said in " ".join(result.stdout.str().split())) is (old is not None)
    written = profile.read_text()
    assert (written == old) if old is not None else ('direction = "forward"' in written and "targets = [" in written)


def test_an_interrupt_between_two_tests_is_no_internal_error(tmp_path: Path) -> None:
    """Most of a run of a thousand quick tests is spent in pytest's hooks, so that is where Ctrl-C mostly hits."""
    top = Path(__file__).parents[2]
    (tmp_path / "interrupter.py").write_text("def pytest_runtest_makereport():\n    raise KeyboardInterrupt\n")
    suite = "suites/loopback/test_sweep.py"
    command = [sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest", "-p", "interrupter", suite]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{top}"}
    done = subprocess.run(command, cwd=top, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout
    assert "INTERNALERROR" not in done.stdout
