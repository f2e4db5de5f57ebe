"""Plugin tests run pytest on small projects of a user who has installed pytest-hdp and nothing else."""

import re
import socket
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest

INSTALLED = any(point.value == "pytest_hdp.plugin" for point in entry_points(group="pytest11"))
LOADED = () if INSTALLED else ("-p", "pytest_hdp.plugin")  # in a bare checkout there is no entry point


def may_measure() -> bool:
    """Whether a run may open raw sockets, on this host or in a private namespace."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, 255).close()
    except PermissionError:
        return subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nearly every run in here measures."""
    if not may_measure():
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip("privilege: neither raw sockets nor user namespaces"))


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """A folder with no configuration; `run` starts a pytest of its own there."""
    for variable in ("PYTEST_ADDOPTS", "CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return Project(pytester)


class Project:
    """What a test needs of a user's project. `loaded`: the arguments that load the plugin."""

    loaded = LOADED

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def write(self, **files: str) -> None:
        """Make test files."""
        self.pytester.makepyfile(**files)

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in a process of its own; the plugin comes by its entry point, or by -p from a checkout."""
        return self.pytester.runpytest_subprocess(*LOADED, "-p", "no:cacheprovider", *arguments)

    @staticmethod
    def examples(path: Path) -> list[str]:
        """The Python blocks of a Markdown file that hold tests."""
        text = path.read_text(encoding="utf-8")
        return [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def test_" in block]
