"""What all tests in this folder need: namespaces are furnished with ip(8) and nft(8), by us and by labs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # what several modules of tests here share

TOP = Path(__file__).parents[2]
NAMESPACES = ("unshare", "-rnmpf", "--kill-child", "--mount-proc")
"""User, network, mounts and process ids: what would outlive the program, or a timeout, is killed by the kernel."""
InNamespaces = Callable[..., subprocess.CompletedProcess[str]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.needs("ip", "nft"))


@pytest.fixture
def in_namespaces() -> InNamespaces:
    """Run a shell script in namespaces that end, with all that runs in them, when it does."""
    if subprocess.run([*NAMESPACES, "true"], check=False).returncode:
        pytest.skip("privilege: neither root nor user namespaces")

    def start(script: str, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        return subprocess.run(
            # `ip netns` keeps names in /run/netns
            [*NAMESPACES, "bash", "-c", f"mount -t tmpfs none /run && {script}", "bash", *arguments],
            cwd=TOP, env=usual, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    return start


@pytest.fixture
def run_beside(tmp_path: Path, in_namespaces: InNamespaces) -> Callable[..., tuple[int, str, dict[Any, Any]]]:
    """Run pytest beside a topology, all of it in namespaces (user, mount, network) that end with the process.

    It gives exit status, what was printed, and the records by number and direction.
    """

    def start(topology: str, *arguments: str) -> tuple[int, str, dict[Any, Any]]:
        report = tmp_path / "report"
        command = f'{sys.executable} -mpytest -pno:cacheprovider -pno:hypothesispytest --hdp-report={report} "$@"'
        done = in_namespaces(f"{topology}\n{command}", *arguments)
        results = report / "results.jsonl"
        records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return done.returncode, done.stdout + done.stderr, {(r["protocol"], r["direction"]): r for r in records}

    return start
