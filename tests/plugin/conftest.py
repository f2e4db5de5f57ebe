"""Plugin tests run pytest on small projects of a user who has installed pytest-hdp and nothing else."""

import importlib
import pkgutil
import re
import socket
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import pytest_hdp

sys.path.insert(0, str(Path(__file__).parent))  # what several modules of tests here share

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


@pytest.fixture(scope="session", autouse=True)
def _whole() -> None:
    """Import all of our own before a run in this process: of what is imported within one, pytester keeps but half."""
    for module in pkgutil.walk_packages(pytest_hdp.__path__, "pytest_hdp."):
        if not module.name.startswith("pytest_hdp.suites"):
            importlib.import_module(module.name)


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
        """Run pytest in this process, which has imported most of it: five times as fast as one of its own.

        The plugin comes by its entry point, or by -p from a checkout. Workers are processes as ever.
        """
        return self.pytester.runpytest_inprocess(*LOADED, "-p", "no:cacheprovider", *arguments)

    def run_alone(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in a process of its own, for what is settled when Python starts, or outlives a run."""
        return self.pytester.runpytest_subprocess(*LOADED, "-p", "no:cacheprovider", *arguments)

    @staticmethod
    def examples(path: Path) -> list[str]:
        """The Python blocks of a Markdown file that hold tests."""
        text = path.read_text(encoding="utf-8")
        return [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def test_" in block]
