"""The runner of steps within guests and trees: what did not really run, or failed, or hung, has not passed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STEPS = Path(__file__).parents[2] / ".ci" / "kernels" / "steps"
PYTEST = f"{sys.executable} -m pytest -q"


def steps(tmp_path: Path, *lines: str) -> list[str]:
    listed = tmp_path / "steps"
    listed.write_text("".join(line + "\n" for line in lines))
    done = subprocess.run(["bash", STEPS, listed], capture_output=True, text=True, check=True, timeout=120)
    return [line.rpartition("|")[0] for line in done.stdout.splitlines() if line.startswith("hdp-step|")]


@pytest.mark.night(but=["2-*"])
@pytest.mark.parametrize(
    ("at_least", "test", "outcome"),
    [
        (1, "def test(): pass", "passed|1 passed"),
        (2, "def test(): pass", "failed|1 passed"),
        (1, "def test(): assert 0", "failed|1 failed"),
        (1, "import pytest; pytest.skip('no', allow_module_level=True)", "failed|1 skipped"),
    ],
)
def test_what_pytest_counted(tmp_path: Path, at_least: int, test: str, outcome: str):
    (tmp_path / "test_it.py").write_text(test)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    assert steps(tmp_path, f"it|root|100|{at_least}|cd {tmp_path} && {PYTEST}") == [f"hdp-step|it|root|{outcome}"]


def test_a_step_that_hangs_is_ended_and_the_next_one_runs(tmp_path: Path):
    found = steps(tmp_path, "slow|root|1|0|sleep 60", "plain|root|60|0|echo 0 wrong", "none|root|60|1|true")
    assert found == [
        "hdp-step|slow|root|failed|hung: ended after 1 s",
        "hdp-step|plain|root|passed|0 wrong",
        "hdp-step|none|root|failed|no test ran",
    ]


def test_a_script_that_fails_says_its_last_word(tmp_path: Path):
    assert steps(tmp_path, "red|root|60|0|echo 3 wrong; false") == ["hdp-step|red|root|failed|3 wrong"]
