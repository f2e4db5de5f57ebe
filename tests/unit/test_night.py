"""The marker `night` of our own tests: what a commit leaves out is told, and no test is left out by both."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
import pytest
def test_usual(): pass
@pytest.mark.night
def test_long(): pass
@pytest.mark.night
@pytest.mark.parametrize("way", ["a", "b"])
def test_long_ways(way): pass
@pytest.mark.night("slow*")
@pytest.mark.parametrize("way", ["quick", "slow", "slower"])
def test_named(way): pass
@pytest.mark.night(but=["quick", "short"])
@pytest.mark.parametrize("way", ["quick", "slow", "short"])
def test_all_but(way): pass
@pytest.mark.parametrize("way", ["quick", "slow", "slowest"])
@pytest.mark.night("slow*", but=["slowest"])
def test_both(way): pass
"""
BY_NIGHT = [
    "test_long", "test_long_ways[a]", "test_long_ways[b]", "test_named[slow]", "test_named[slower]",
    "test_all_but[slow]", "test_both[slow]",
]  # fmt: skip
BY_DAY = ["test_usual", "test_named[quick]", "test_all_but[quick]", "test_all_but[short]", "test_both[quick]",
    "test_both[slowest]"]  # fmt: skip


@pytest.mark.parametrize(("asked", "run"), [((), BY_DAY), (("-m", "night"), BY_NIGHT)], ids=["day", "night"])
def test_each_is_run_by_day_or_by_night(pytester: pytest.Pytester, asked: tuple[str, ...], run: list[str]):
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8").replace('pytest_plugins = ["pytester"]\n', ""))
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-pno:cacheprovider", "-pno:hypothesispytest", "-v", *asked)
    ran = [line.partition("::")[2].split(" ")[0] for line in result.outlines if " PASSED" in line]
    assert ran == run
    if not asked:
        assert f"night: {len(BY_NIGHT)} tests are left to .ci/night, or to `pytest -m night tests`" in result.outlines
