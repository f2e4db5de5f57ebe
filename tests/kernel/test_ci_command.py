"""docs/ci/hdp-measure, run through a lab: green while nothing changed, red when something did."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab

TOP = Path(__file__).parents[2]


@pytest.fixture
def measure(tmp_path: Path):
    """Run the script with its folders in ours, at the client of a lab."""
    try:
        with Lab(make("transparent")):
            pass
    except LabUnavailable as error:
        if "needs network namespaces" not in str(error):
            raise
        pytest.skip(f"privilege: {error}")
    script = (TOP / "docs" / "ci" / "hdp-measure").read_text()
    for ours, theirs in {
        f"{tmp_path}/var": "/var/lib/hdp",
        f"{tmp_path}/etc": "/etc/hdp",
        f"PYTHONPATH={TOP} {sys.executable} -m pytest --hdp-protocols=47,253": "/opt/hdp/bin/pytest",
    }.items():
        assert theirs in script
        script = script.replace(theirs, ours)
    (tmp_path / "hdp-measure").write_text(script)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "hosts.toml").write_text('[[target]]\nname = "far"\naddress = "198.51.100.2"\n')
    (tmp_path / "conftest.py").write_text("raise SystemExit('a conftest.py that is not root\\'s was run')")

    def run(lab: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "pytest_hdp.cli", "lab", "run", lab, "--", "sh", tmp_path / "hdp-measure"]
        environment = {**os.environ, "PYTHONPATH": str(TOP), "PYTEST_ADDOPTS": "--not-an-option"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.night
def test_red_only_when_something_changed(measure, tmp_path):
    (tmp_path / "etc" / "recorded.toml").write_text(
        '[profile]\nname = "recorded"\n[[expect]]\nprotocols = "47,253"\nverdict = "reached"\n'
    )
    status, printed = measure("transparent")
    assert status == 0, printed
    first = tmp_path / "var" / "report"
    first.rename(tmp_path / "first")
    status, printed = measure("allowlist")
    assert status == 1, printed
    assert "expected reached, got silent" in printed
    compare = [sys.executable, "-m", "pytest_hdp.cli", "compare", "--markdown", tmp_path / "first", first]
    done = subprocess.run(compare, env={"PYTHONPATH": str(TOP)}, capture_output=True, text=True, check=False)
    # silence is no evidence of a change, and the profile, which asked for exactly this, is what told it
    assert (done.returncode, "no evidence either way in any of 2 trains" in done.stdout) == (3, True), (
        done.stdout + done.stderr
    )
