"""What all our own tests share: repeatable property tests in CI, and a count of privilege skips."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]
BRIEF = os.environ.get("TESTS_PROFILE") == "brief"
"""CI, as a second user: only what may depend on who runs it."""
collect_ignore = (
    ["unit", "browser"]
    + [
        f"kernel/{name}"
        for name in ("ssh", "test_truth.py", "test_strangers.py", "test_latency.py", "test_agentless.py")
    ]
    + [
        f"kernel/{name}.py"
        for name in ("test_vantage_points", "test_provider_profiles", "test_inventory", "test_ci_command")
    ]
    + [
        f"plugin/test_{name}.py"
        for name in ("packaging", "options", "pytest_ways", "terminal", "hostile", "latency", "reports")
    ]
    if BRIEF
    else []
)

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None)
settings.register_profile("brief", settings.get_profile("ci"), max_examples=10)
settings.load_profile(os.environ.get("TESTS_PROFILE") or ("ci" if os.environ.get("CI") else "here"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests a missing privilege kept from running: their reason begins with "privilege:"."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", [])]
    missing = sum("privilege:" in str(reason[-1]) for reason in skipped if isinstance(reason, tuple))
    if missing:
        terminalreporter.write_line(f"privilege: {missing} tests did not run for want of it", yellow=True)
