"""`--hdp-needs`: what has to pass between two hosts is asked, and nothing else; red where one dies."""

from __future__ import annotations

from pathlib import Path

import pytest

CLOUD = str(Path(__file__).parents[2] / "suites" / "cloud")


def test_what_is_needed_is_asked_both_ways_and_well_formed_where_it_has_a_form(project):
    result = project.run(CLOUD, "--hdp-lab=transparent", "--hdp-needs=esp,GRE,253", "-v")
    result.assert_outcomes(passed=6, deselected=None)
    said = result.stdout.str()
    for number, form in (("p047-gre", "wellformed"), ("p050-esp", "wellformed"), ("p253-experimental-1", "bare")):
        for way in ("forward", "reverse"):
            assert f"{number}-{way}-{form}] PASSED" in said
    assert "test_sweep" not in said
    assert result.ret == 0


def test_red_if_one_dies_with_the_place(project):
    result = project.run(CLOUD, "--hdp-lab=allowlist", "--hdp-needs=tcp,ipsec")
    result.assert_outcomes(passed=2, failed=4)
    assert result.ret == 1
    said = " ".join(result.stdout.str().split())
    assert "50 (ESP), 51 (AH): lost: 7 of 7 left eth0" in said
    assert "lost between 203.0.113.6 (hop 2) and 198.51.100.2 (hop 3)" in said


def test_what_a_lab_states_excuses_nothing(project):
    result = project.run(CLOUD, "--hdp-lab=allowlist", "--hdp-needs=gre")
    result.assert_outcomes(failed=2)


def test_where_it_is_not_given_nobody_hears_of_it(project):
    result = project.run(
        f"{CLOUD}/test_needs.py", f"{CLOUD}/test_sweep.py", "--hdp-lab=transparent", "--hdp-protocols=253"
    )
    result.assert_outcomes(passed=2)
    assert "deselected" not in result.stdout.str()


@pytest.mark.night
def test_with_protocols_both_are_asked(project):
    result = project.run(
        CLOUD, "--hdp-lab=transparent", "--hdp-needs=gre", "--hdp-protocols=47,253", "-k", "not latency"
    )
    result.assert_outcomes(passed=6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--hdp-needs=espp",), "--hdp-needs: 'espp' names no protocol (did you mean esp"),
        (("--hdp-needs=",), "--hdp-needs: the list of protocols is empty"),
        (("--hdp-needs=gre,,esp",), "--hdp-needs: 'gre,,esp' has an empty piece"),
        (("--hdp-needs=256",), "--hdp-needs: 256 can't pass: no packet has a protocol number below 0 or above 255"),
        (("--hdp-needs=gre", "--hdp-expect=none"), "leave --hdp-expect out"),
    ],
)
def test_a_bad_list_is_one_line(project, options, said):
    result = project.run(CLOUD, "--hdp-lab=transparent", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if line.startswith("ERROR")]
    assert said in line


def test_two_hosts_have_to_be_named(project):
    result = project.run(CLOUD, "--hdp-needs=gre")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if line.startswith("ERROR")]
    assert "give --hdp-target=ADDR and --hdp-agent=SPEC, or --hdp-lab=NAME" in line
