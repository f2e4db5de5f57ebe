"""Plugins that change what became of a test are heard: reruns, subtests, a hook that turns failures into skips."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

FLAKY = """
import os, pytest

@pytest.mark.hdp(protocols="47")
def test_flaky(hdp_probe):
    os.environ["ATTEMPTS"] = str(int(os.environ.get("ATTEMPTS", "0")) + 1)
    assert int(os.environ["ATTEMPTS"]) > {failures}
"""


def records(project) -> list[dict]:
    return [json.loads(line) for line in (project.pytester.path / "out" / "results.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
@pytest.mark.night("xdist")
def test_a_flaky_test_is_one_test_that_passed_and_was_run_again(project, workers):
    project.write(test_flaky=FLAKY.format(failures=2))
    result = project.run_alone("--reruns=3", "--hdp-report=out", "--junit-xml=junit.xml", *workers)
    printed = result.stdout.str()
    assert re.search(r"^=+ 1 passed, 2 rerun in ", printed, re.MULTILINE)
    assert "FAILURES" not in printed
    assert "FAILED" not in printed
    assert ". 1 delivered" in printed
    assert [record["outcome"] for record in records(project)] == ["passed"]
    cases = ET.parse(project.pytester.path / "junit.xml").getroot().findall(".//testcase")
    for case in cases:  # that there is one for each attempt is the way of pytest-rerunfailures
        assert len(case.findall(".//property[@name='hdp_verdict']")) == 1


@pytest.mark.night
def test_a_test_that_fails_every_time_failed_once(project):
    project.write(test_flaky=FLAKY.format(failures=9))
    result = project.run_alone("--reruns=2", "--hdp-report=out")
    printed = result.stdout.str()
    assert re.search(r"^=+ 1 failed, 2 rerun in ", printed, re.MULTILINE)
    assert "test_flaky.py RRX" in printed
    assert [record["outcome"] for record in records(project)] == ["failed"]


def test_a_verdict_that_fails_is_shown_once(project):
    project.write(
        test_sweep="import pytest\n@pytest.mark.hdp(protocols='256')\ndef test_it(hdp_probe): hdp_probe.check()\n"
    )
    result = project.run_alone("--reruns=1", "--hdp-expect=none", "-rR")
    assert re.search(r"^=+ 1 failed, 1 rerun in ", result.stdout.str(), re.MULTILINE)


@pytest.mark.night
def test_parts_of_a_test_have_their_own_letters_and_the_train_counts_once(project):
    project.write(
        test_parts="import pytest\n\n@pytest.mark.hdp(protocols='47')\ndef test_parts(hdp_probe, subtests):\n"
        "    with subtests.test('one'): assert 0\n    with subtests.test('two'): assert 1\n"
    )
    result = project.run_alone("--hdp-report=out", "-v")
    printed = result.stdout.str()
    assert "SUBFAILED[one] test_parts.py::test_parts[p047-gre]" in printed
    assert "SUBPASSED" in printed
    assert len(records(project)) == 1


@pytest.mark.night
def test_the_outcome_is_the_one_that_the_last_hook_gave(project):
    project.pytester.makeconftest(
        "import pytest\n\n@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
        "def pytest_runtest_makereport(item, call):\n"
        "    report = yield\n"
        "    if report.failed:\n"
        "        report.outcome, report.wasxfail = 'skipped', 'known'\n"
        "    return report\n"
    )
    project.write(
        test_sweep="import pytest\n@pytest.mark.hdp(protocols='256')\ndef test_it(hdp_probe): hdp_probe.check()\n"
    )
    result = project.run_alone("--hdp-expect=none", "--hdp-report=out")
    result.assert_outcomes(xfailed=1)
    assert [record["outcome"] for record in records(project)] == ["xfailed"]
