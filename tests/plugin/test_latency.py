"""The latency experiment as a user meets it: sentence, properties, file, gate."""

import json
import sys
import xml.etree.ElementTree as ET

import pytest

from pytest_hdp.judge.latency.differences import Level
from pytest_hdp.judge.latency.result import against_udp
from pytest_hdp.report.latencyfile import read

FEW = "--hdp-latency-pairs=120"
MINE = """
    def test_mine(hdp_latency):
        observed = hdp_latency(253)
        assert observed.results[0].enough, observed.sentence
    """
CHECKED = """
    import pytest
    @pytest.mark.hdp(path="target", eyes=True, variant="latency")
    def test_it(hdp_latency): hdp_latency().check()
    """

SLOW = """
[lab]
name = "slow"
description = "more than any scheduler adds"
[[box]]
kind = "delay"
us = 150000
protocols = "253"
"""


@pytest.fixture
def mine(project):
    project.write(test_mine=MINE)
    return project


def test_the_sentence_is_in_the_terminal_the_properties_and_the_file(mine):
    result = mine.run(FEW, "--hdp-report=out", "--junitxml=junit.xml")
    result.assert_outcomes(passed=1)
    notes = [line for line in result.outlines if line.startswith("note: ")]
    assert len(notes) == 1, "one sentence for each direction; the rest is for -v, and for the report"
    (found,), problems = read(mine.pytester.path / "out" / "latency.json")
    assert problems == []
    assert found.setup.rounds == 120
    properties = {
        each.get("name"): each.get("value") for each in ET.parse(mine.pytester.path / "junit.xml").iter("property")
    }
    assert properties["hdp_latency_forward_sentence"] == found.sentence
    assert properties["hdp_latency_forward_user_pairs"] == "120"
    assert float(properties["hdp_latency_forward_kernel_low_us"]) == against_udp(found.differences)[Level.KERNEL].low


@pytest.mark.night(but=["alone"])
@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "xdist"])
def test_verbose_tells_the_rest_too(mine, workers):
    mine.run(FEW, "-v", *workers).stdout.fnmatch_lines(
        ["note: latency: *", "note: latency: HDP: median * at user level*", "note: latency: UDP:*"]
    )


@pytest.mark.night
def test_with_workers_the_file_is_the_same(mine):
    mine.run(FEW, "--hdp-report=out", "-n2").assert_outcomes(passed=1)
    assert len(read(mine.pytester.path / "out" / "latency.json")[0]) == 1


@pytest.mark.night(but=["option"])
@pytest.mark.needs("ip", "nft")
@pytest.mark.parametrize("how", ["option", "environment", "ini"])
def test_a_margin_makes_it_a_gate(project, monkeypatch, how):
    project.write(test_mine=CHECKED)
    (project.pytester.path / "slow.toml").write_text(SLOW, encoding="utf-8")
    given = []
    if how == "option":
        given = ["--hdp-latency-margin=100"]
    elif how == "environment":
        monkeypatch.setenv("HDP_LATENCY_MARGIN", "100")
    else:
        project.pytester.makeini("[pytest]\nhdp_latency_margin = 100")
    for _ in range(5):  # a machine that is busy for a second makes a run that claims nothing, and says so
        result = project.run("--hdp-lab=slow.toml", FEW, *given)
        if "not valid" not in result.stdout.str():
            break
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["forward: *more than the margin of 100 us"])
    assert "Traceback" not in result.stdout.str()


def test_a_margin_that_is_kept_is_said(project):
    project.write(test_mine=MINE)
    # A margin that no machine exceeds: of 600 packets a few that a busy one held back decide p99.
    result = project.run("--hdp-latency-pairs=300", "--hdp-latency-margin=30000000")
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines_random(["note: latency: .*"])
    assert "within the margin of 30000000 us" in " ".join(result.stdout.str().split())


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--hdp-latency-margin=fast", "'fast' is not a number greater than 0"),
        ("--hdp-latency-margin=-1", "'-1' is not a number greater than 0"),
        ("--hdp-latency-pairs=3", "'3' is not a whole number from 100 to 100000"),
    ],
)
def test_bad_values_are_one_line(mine, option, said):
    result = mine.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {option.partition('=')[0]}: {said}*"])


@pytest.mark.needs("ip", "nft")
def test_what_does_not_get_through_is_skipped_with_the_counts(project):
    project.write(test_mine=CHECKED)
    result = project.run("--hdp-lab=allowlist", FEW, "-rs")
    result.assert_outcomes(skipped=1)
    assert "0 of 120 HDP, 120 of 120 UDP" in " ".join(result.stdout.str().split())


@pytest.mark.night
@pytest.mark.needs("ip")
def test_without_eyes_it_is_skipped(project):
    project.write(test_mine=CHECKED)
    own = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]  # every user has raw sockets there
    command = [*own, sys.executable, "-mpytest", *project.loaded, "-pno:cacheprovider", "-pno:hypothesispytest"]
    project.pytester.run(*command, "--hdp-target=127.0.0.1", "-rs").assert_outcomes(skipped=1)


@pytest.mark.night
@pytest.mark.needs("ip", "nft")
def test_it_runs_last_and_leaves_the_other_tests_paths_alone(project):
    project.write(
        test_a="import pytest\npytestmark = pytest.mark.hdp(path='target', eyes=True, variant='latency')\n"
        "def test_a(hdp_latency): hdp_latency()",
        test_b="import pytest\n@pytest.mark.hdp(path='target', protocols='253')\n"
        "def test_b(hdp_probe): assert hdp_probe.verdict == 'first_only'",
    )
    result = project.run("--hdp-lab=first-only", FEW, "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_b*", "*test_a*"])


def test_every_delivered_train_has_its_latency(project):
    project.write(test_mine="def test_it(hdp_probe): hdp_probe.check()")
    project.run("--hdp-protocols=0,253", "--hdp-report=out")
    lines = (project.pytester.path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    refused, delivered = (json.loads(line)["latency_us"] for line in lines)
    assert refused is None
    assert 0 < delivered["min"] <= delivered["median"] <= delivered["p99"]
