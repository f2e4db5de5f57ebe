"""What all tests in this folder need: namespaces are furnished with ip(8) and nft(8), by us and by labs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

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
