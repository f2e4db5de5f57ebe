"""Help for a run that does something else than was meant: a variable, a -k, a --lf without effect, one's own host."""

from __future__ import annotations

import os
import re
import socket
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.plugin.options import OPTIONS
from pytest_hdp.plugin.vantage_points import vantage_of
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORT_ID = re.compile(r"\bp(\d{1,2})(?![\w])")
_OUR_ID = re.compile(r"\[p-?\d\d\d?-")


class HdpWarning(pytest.PytestWarning):
    """Something that was given and has no effect."""


def warn_of_variables(config: pytest.Config) -> None:
    """Warn of HDP_* variables that are no option's; raises pytest.UsageError where warnings are errors."""
    if vantage_of(config) is not None:
        return  # what is set there has no effect: the options come from here
    for told in unknown_variables(os.environ):
        try:
            warnings.warn(HdpWarning(told), stacklevel=1)
        except HdpWarning as error:
            raise pytest.UsageError(str(error)) from None


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Return a line for each name that begins as our variables do, and is none."""
    known = [f"HDP_{option.field.upper()}" for option in OPTIONS]
    said = []
    for name in sorted(names):
        if name.startswith("HDP_") and name not in known:
            close = get_close_matches(name, known, 1)
            meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            said.append(f"the variable {safe(name, limit=100)} has no effect: {meant}")
    return said


def own_address(address: str) -> bool:
    """Return whether an IPv4 address is one of this host's, loopback aside: a socket can be bound to no other."""
    if address.startswith("127."):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        try:
            ours.bind((address, 0))
        except OSError:
            return False
    return not _binds_anything()


def _binds_anything() -> bool:
    """Return whether the kernel lets sockets be bound to addresses that are not here (net.ipv4.ip_nonlocal_bind)."""
    try:
        return Path("/proc/sys/net/ipv4/ip_nonlocal_bind").read_text(encoding="ascii").strip() != "0"
    except OSError:
        return False


class Hints:
    """Says at the end of a run which selection missed; lives in the process that the user started."""

    def __init__(self) -> None:
        self._deselected: list[str] = []
        self._said: list[str] = []

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Keep which of our tests -k left out."""
        self._deselected += [item.nodeid for item in items if "hdp_case" in getattr(item, "fixturenames", ())]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Look for a -k that left out all, and for a --lf whose tests are not among these."""
        config = session.config
        keyword = str(config.getoption("keyword", "") or "")
        if (short := _SHORT_ID.search(keyword)) and self._deselected and not session.items:
            self._said.append(
                f"-k {safe(keyword, limit=80)} selects nothing: ids have three digits, as in -k p{int(short[1]):03}"
            )
        if (missed := missed_by_lf(config, session.items)) is not None:
            self._said.append(missed)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say it."""
        for line in self._said:
            terminalreporter.write_line(f"hdp: {line}", yellow=True)


def missed_by_lf(config: pytest.Config, items: Iterable[pytest.Item]) -> str | None:
    """Return a line where --lf is to repeat tests of ours that are not among these, or None."""
    missing = _last_failed(config) if config.getoption("lf", False) else set()
    if not missing or not missing.isdisjoint(item.nodeid for item in items):
        return None
    return (
        "--lf: none of the tests that failed last is among these: they had other --hdp options "
        f"({safe(min(missing))}): give the same once more"
    )


def _last_failed(config: pytest.Config) -> set[str]:
    """Return the ids of our tests that failed in the last run."""
    cache = getattr(config, "cache", None)
    known = cache.get("cache/lastfailed", {}) if cache is not None else {}
    return {nodeid for nodeid in known if _OUR_ID.search(str(nodeid))} if isinstance(known, dict) else set()
