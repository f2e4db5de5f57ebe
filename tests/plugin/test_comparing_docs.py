"""The example of docs/comparing.md, as it stands there: two lab files of one name, and what changed between them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "comparing.md"
SWEEP = (
    "import pytest\n\n@pytest.mark.hdp(path='target', default='1-255', direction='both')\n"
    "def test_sweep(hdp_probe): hdp_probe.check()\n"
)


@pytest.mark.night
def test_the_example_can_be_run_without_a_network(project):
    text = DOCS.read_text(encoding="utf-8")
    before, after = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (commands,) = re.findall(r"```sh\n(pytest .*?)```", text, re.DOTALL)
    project.write(test_sweep=SWEEP)
    folder = project.pytester.path
    (folder / "before.toml").write_text(before, encoding="utf-8")
    (folder / "after.toml").write_text(after, encoding="utf-8")
    *runs, compare = commands.splitlines()
    for run in runs:
        _, suite, *options = run.split()
        assert suite == "suites/internet/test_sweep.py"
        project.run(*options)
    _, *arguments = compare.partition("#")[0].split()
    done = subprocess.run(
        [sys.executable, "-m", "pytest_hdp.cli", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("47 (GRE), 50 (ESP): delivered -> lost") == 2
    assert "4 of 10 trains changed" in done.stdout
