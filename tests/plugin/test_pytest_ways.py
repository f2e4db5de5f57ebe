"""The ways in which pytest is used daily do what they do everywhere, and the sweep is measured once all the same."""

import json

import pytest

SWEEP = "import pytest\n\n@pytest.mark.hdp(default='0-12')\ndef test_sweep(hdp_probe): hdp_probe.check()\n"
USERS = ("--hdp-protocols=0-12", "--hdp-report=out")


@pytest.fixture
def sweep(project):
    project.write(test_sweep=SWEEP)
    return project


def records(project) -> list[dict]:
    return [json.loads(line) for line in (project.pytester.path / "out" / "results.jsonl").read_text().splitlines()]


def test_the_plain_run_that_the_others_are_held_against(sweep):
    sweep.run(*USERS).assert_outcomes(passed=12, xfailed=1)


@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal"])
@pytest.mark.night("load", "loadgroup", "loadscope", "loadfile")
def test_however_xdist_distributes(sweep, dist):
    sweep.run(*USERS, "-n", "2", "--dist", dist).assert_outcomes(passed=12, xfailed=1)
    found = records(sweep)
    assert sorted(each["protocol"] for each in found) == list(range(13))
    assert len({(each["run"], each["control"]["sent"]) for each in found if each["sent"]}) == 1


def test_without_xdist(sweep):
    sweep.run(*USERS, "-p", "no:xdist").assert_outcomes(passed=12, xfailed=1)


def test_without_us_nothing_of_ours_is_in_the_way(project):
    project.write(test_other="def test_other(): assert True\n")
    result = project.pytester.runpytest_subprocess("-p", "no:hdp", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert "hdp:" not in result.stdout.str()


def test_one_is_selected_and_no_other_is_measured(sweep):
    sweep.run("--hdp-report=out", "-k", "p006").assert_outcomes(passed=1, deselected=12)
    assert [each["protocol"] for each in records(sweep)] == [6]


def test_collecting_measures_nothing(sweep):
    result = sweep.run("--hdp-report=out", "--collect-only", "-q")
    assert result.ret == 0
    assert "test_sweep.py::test_sweep[p006-tcp]" in result.stdout.str()
    assert not (sweep.pytester.path / "out" / "results.jsonl").exists()


@pytest.mark.night
def test_stops_at_the_first_failure_and_goes_on_with_the_last_failed(sweep):
    # no cache without its plugin, so not by `sweep.run`
    def run(*more):
        return sweep.pytester.runpytest_subprocess(*sweep.loaded, "--hdp-expect=none", *more)

    run("-x").assert_outcomes(failed=1)
    run().assert_outcomes(failed=1, passed=12)
    again = run("--lf", "--hdp-report=out")
    again.assert_outcomes(failed=1)
    assert [each["protocol"] for each in records(sweep)] == [0]
