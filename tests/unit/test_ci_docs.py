"""The workflow in docs/ci: valid, with options that exist, and as careful as docs/ci.md says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_hdp.cli import main

CI = Path(__file__).parents[2] / "docs" / "ci"
WORKFLOW = (CI / "hdp.yml").read_text(encoding="utf-8")
MEASURE = (CI / "hdp-measure").read_text(encoding="utf-8")
PAGE = (CI.parent / "ci.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def workflow() -> dict:
    return yaml.safe_load(WORKFLOW)


@pytest.fixture(scope="module")
def options() -> set[str]:
    """Every long option that pytest knows with this plugin and xdist."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", told))


def commands(workflow: dict) -> list[str]:
    return [step["run"] for step in workflow["jobs"]["measure"]["steps"] if "run" in step]


def asked(text: str) -> set[str]:
    """The long options of every pytest in a text."""
    found = [line for line in text.replace("\\\n", " ").splitlines() if "bin/pytest" in line]
    assert found
    return {word.partition("=")[0] for line in found for word in shlex.split(line) if word.startswith("--")}


def test_every_option_exists(workflow, options):
    pages = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "bin/pytest -" in block]
    for text in (" \n".join(commands(workflow)), MEASURE, *pages):
        assert asked(text) <= options


def test_every_step_that_runs_something_here_is_a_command_that_exists(workflow, tmp_path, capsys):
    programs = {shlex.split(command)[0] for command in commands(workflow)}
    assert programs == {"/opt/hdp/bin/pytest", "sudo", "/opt/hdp/bin/hdp"}
    (compare,) = [command for command in commands(workflow) if "bin/hdp compare " in command]
    arguments = shlex.split(compare.partition(" >> ")[0])[1:]
    assert main([*arguments[:-2], str(tmp_path), str(tmp_path)]) == 4  # understood, and nothing there to compare
    assert "results.jsonl" in capsys.readouterr().err


def test_nobody_can_start_it_from_outside(workflow):
    triggers = workflow[True]  # YAML 1.1 reads `on` as true
    assert set(triggers) == {"schedule", "workflow_dispatch"}
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in WORKFLOW
    assert all("permissions" not in job for job in workflow["jobs"].values())


def test_actions_are_pinned_by_commit_with_their_version_beside_it(workflow):
    uses = re.findall(r"uses: (.*)", WORKFLOW)
    assert len(uses) == 2
    for each in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)
    (checkout,) = [step for step in workflow["jobs"]["measure"]["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"]["persist-credentials"] is False


def test_it_is_bounded_and_keeps_the_report_whatever_happens(workflow):
    (job,) = workflow["jobs"].values()
    assert job["timeout-minutes"] <= 60
    assert job["runs-on"][0] == "self-hosted"
    assert job["steps"][-1]["if"] == "always()"
    assert "upload-artifact" in job["steps"][-1]["uses"]


def test_root_runs_one_command_that_takes_nothing_from_its_caller(workflow):
    (sudo,) = [command for command in commands(workflow) if "sudo" in command]
    assert sudo == "sudo -n /usr/local/sbin/hdp-measure"
    assert 'NOPASSWD: /usr/local/sbin/hdp-measure ""' in PAGE
    assert "exec env -i " in MEASURE
    assert "$@" not in MEASURE
    refused = subprocess.run(["sh", CI / "hdp-measure", "-p", "evil"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (4, "")
