"""CI's own reading of a JUnit file: it must notice tests that did not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "junit.py"

TESTS = """
import pytest
def test_passes(): pass
@pytest.mark.skip(reason="privilege: needs root")
def test_wants_root(): pass
@pytest.mark.skip(reason="needs nmap, not privilege: x")
def test_wants_nmap(): pass
@pytest.mark.xfail
def test_expected(): assert 0
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what pytest wrote about one passed and one unprivileged test in tests/kernel, and two others."""
    top = tmp_path_factory.mktemp("top")
    (top / "tests" / "kernel").mkdir(parents=True)
    (top / "tests" / "kernel" / "test_real.py").write_text(TESTS)
    options = ("-pno:cacheprovider", "-pno:hypothesispytest", "-pno:hdp", "--junitxml=junit.xml", "--rootdir=.")
    usual = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run(
        [sys.executable, "-mpytest", *options, "tests"], cwd=top, env=usual, stdout=subprocess.DEVNULL, check=True
    )
    return top / "junit.xml"


def junit(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_enough_ran(report: Path):
    done = junit(report, "--at-least", 1, "--kernel-at-least", 1)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (["--at-least", 2], "only 1 tests ran, wanted 2"),
        (["--kernel-at-least", 2], "only 1 tests of tests/kernel ran, wanted 2"),
        (["--none-skipped", "privilege"], "skipped: test_wants_root: privilege: needs root"),
        (["--none-skipped", "needs", "other"], "skipped: test_wants_nmap: needs nmap, not privilege: x"),
    ],
)
def test_too_little_ran(report: Path, wanted: list[object], problem: str):
    done = junit(report, *wanted)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"{report}: {problem}"]


def test_the_last_line_counts_as_pytest_does(report: Path):
    assert junit(report, "--line").stdout.startswith("===== 1 passed, 2 skipped, 1 xfailed in ")


def test_the_last_line_counts_failures_and_errors(pytester: pytest.Pytester):
    broken = "import pytest\n@pytest.fixture\ndef broken(): assert 0\n"
    pytester.makepyfile(broken + "def test_fails(): assert 0\ndef test_errs(broken): pass")
    pytester.runpytest_subprocess("-pno:cacheprovider", "-pno:hypothesispytest", "--junitxml=junit.xml")
    assert junit(pytester.path / "junit.xml", "--line").stdout.startswith("===== 2 failed in ")
