"""The marker `needs` of our own tests: what can't run here is skipped, told and counted, and never counted as run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
import pytest
@pytest.fixture
def made(): assert 0, "a fixture of a test that can't run"
@pytest.mark.needs("sh", "no-such-program")
@pytest.mark.parametrize("number", [1, 2])
def test_one(made, number): pass
@pytest.mark.needs("sh")
def test_other(): pass
@pytest.mark.skip(reason="privilege: root")
def test_root(): pass
@pytest.mark.skip(reason="not today")
def test_skipped(): pass
"""


@pytest.mark.night(but=["serial"])
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["serial", "worker"])
def test_a_missing_program_is_a_skip_that_is_counted(pytester: pytest.Pytester, workers: list[str]):
    text = CONFTEST.read_text(encoding="utf-8").replace('pytest_plugins = ["pytester"]\n', "")
    pytester.makeconftest(text)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-pno:cacheprovider", "-pno:hypothesispytest", "-rs", *workers)
    result.assert_outcomes(passed=1, skipped=4)
    assert "needs no-such-program: 2 tests did not run for want of it" in result.outlines
    assert "privilege: 1 tests did not run for want of it" in result.outlines
    assert re.search(r"SKIPPED \[2\] .*: needs no-such-program: apt install no-such-program", result.stdout.str())


def test_the_systems_programs_are_found_by_every_user(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8").replace('pytest_plugins = ["pytester"]\n', ""))
    pytester.makepyfile("import os\ndef test_path(): assert os.environ['PATH'].endswith(':/usr/sbin:/sbin')")
    pytester.runpytest_subprocess("-pno:cacheprovider", "-pno:hypothesispytest").assert_outcomes(passed=1)
