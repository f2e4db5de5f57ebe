"""An option that was typed and that none of the tests can use is refused; one that others may use elsewhere is not."""

from __future__ import annotations

import re

import pytest

HERE = "import pytest\n\n@pytest.mark.hdp(path='loopback', default='253')\ndef test_it(hdp_probe): hdp_probe.check()\n"
ANYWHERE = HERE.replace("path='loopback', ", "")
FAILING = HERE.replace("default='253'", "protocols='256'").replace("hdp_probe.check()", "assert not hdp_probe")
OWN = "def test_of_the_users(): pass\n"
PATH = "none of these tests sends to a target or through a lab; suites/internet does"
BOX = "none of these tests asks what leaves a box; suites/containment does"
LATENCY = "none of these tests measures latency; suites/internet/test_latency.py does"
ENDS = ("--hdp-target=127.0.0.1", "--hdp-agent=netns=far", "--hdp-source=netns=near")
CASES = {
    ("--hdp-target=127.0.0.1",): f"--hdp-target: {PATH}",
    ("--hdp-lab", "allowlist"): f"--hdp-lab: {PATH}",
    ("--hdp-lab=sandbox-closed", "--hdp-bound=2%"): f"--hdp-lab: {PATH}",
    ("--hdp-latency-margin=30",): f"--hdp-latency-margin: {LATENCY}",
    ("--hdp-latency-pairs=300",): f"--hdp-latency-pairs: {LATENCY}",
}
THROUGH_A_LAB = {
    ("--hdp-latency-margin=30",): f"--hdp-latency-margin: {LATENCY}",
    ("--hdp-lab=sandbox-closed", "--hdp-bound=2%"): f"--hdp-bound: {BOX}",
    ("--hdp-lab=sandbox-closed", "--hdp-allow=tcp"): f"--hdp-allow: {BOX}",
    ("--hdp-lab=sandbox-closed", "--hdp-direction=both"): f"--hdp-direction: {BOX}",
    ("--hdp-lab=sandbox-closed", "--hdp-form=bare,fragmented"): f"--hdp-form of fragments or options: {BOX}",
    ("--hdp-needs=gre",): "--hdp-needs: none of these tests asks what has to pass; suites/cloud/test_needs.py does",
}


def refused(project, *arguments: str) -> str:
    result = project.run("-q", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
    (line,) = [line for line in result.stderr.lines if line.strip()]
    return line


@pytest.mark.parametrize("tests", [HERE, OWN], ids=["loopback", "no test of ours"])
@pytest.mark.parametrize(("given", "said"), CASES.items(), ids=" ".join)
def test_on_loopback(project, given, said, tests):
    project.write(test_it=tests)
    assert refused(project, *given) == f"ERROR: {said}"


@pytest.mark.parametrize(("given", "said"), THROUGH_A_LAB.items(), ids=" ".join)
def test_through_a_lab(project, given, said):
    project.write(test_it=ANYWHERE)
    assert refused(project, "--hdp-lab=transparent", *given) == f"ERROR: {said}"


@pytest.mark.parametrize("agent", [(), ("--hdp-agent=popen",)], ids=["no agent", "an agent"])
def test_a_second_source_that_no_test_starts_from(project, agent):
    project.write(test_it=ANYWHERE)
    sources = ("--hdp-source=netns=pid:1", "--hdp-source=netns=pid:2", "--hdp-target=127.0.0.1")
    line = refused(project, *sources, *agent)
    assert line.startswith("ERROR: --hdp-source twice: none of these tests starts from a second host")


def test_workers_refuse_it_too(project):
    project.write(test_it=HERE)
    assert f"--hdp-target: {PATH}" in refused(project, "--hdp-target=127.0.0.1", "-n1")


def test_what_the_environment_and_an_ini_file_say_may_serve_others(project, monkeypatch):
    project.write(test_it=HERE)
    project.pytester.makeini("[pytest]\nhdp_latency_margin = 30\naddopts = --hdp-latency-pairs=300")
    monkeypatch.setenv("HDP_TARGET", "127.0.0.1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--hdp-agent=popen")
    assert project.run().ret == 0


def test_what_is_deselected_was_asked(project):
    project.write(test_here=HERE, test_there=HERE.replace("loopback", "target"))
    assert project.run("--hdp-target=127.0.0.1", "-k", "test_here").ret == 0


@pytest.mark.parametrize(("tests", "status"), [("", 5), ("import nothing_of_that_name", 2)], ids=["none", "broken"])
def test_where_no_test_was_found_pytest_says_why(project, tests, status):
    project.write(test_it=tests)
    assert project.run("--hdp-target=127.0.0.1").ret == status


def test_the_command_that_repeats_a_test_has_what_it_can_use(project):
    project.write(test_here=FAILING, test_there=HERE.replace("loopback", "target"))
    printed = project.run(
        "--hdp-target=127.0.0.1", "--hdp-agent=popen", "-k", "test_here", "--hdp-count=4"
    ).stdout.str()
    (repeat,) = re.findall(r"pytest 'test_here.*--hdp-seed.*", printed)
    assert "--hdp-count=4" in repeat
    assert "--hdp-target" not in repeat
    assert "--hdp-agent" not in repeat


def test_a_form_that_only_a_box_is_asked_in_is_not_repeated_of_another_path(project):
    box = HERE.replace("path='loopback'", "path='target', variant='containment'")
    project.write(test_here=FAILING, test_box=box)
    given = ("--hdp-lab=sandbox-closed", "--hdp-form=bare,fragmented", "-k", "test_here")
    printed = project.run(*given).stdout.str()
    (repeat,) = re.findall(r"pytest 'test_here.*--hdp-seed.*", printed)
    assert "--hdp-form=bare " in repeat
    assert "sandbox" not in repeat
