"""Tests of the page in a real browser: Debian's chromium, as whoever runs the tests."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_hdp.judge.record import from_record
from pytest_hdp.report.page.document import page

_spec = importlib.util.spec_from_file_location("hdp_chromium", Path(__file__).with_name("chromium.py"))
chromium = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = chromium
_spec.loader.exec_module(chromium)


@pytest.fixture(scope="session")
def started() -> Iterator[Any]:
    if chromium.PROGRAM is None:
        pytest.skip("needs chromium: apt install chromium")
    with chromium.Chromium() as browser:
        yield browser


@pytest.fixture
def browser(started: Any) -> Any:
    """The browser, with a window of 1280 x 900."""
    started.call("Emulation.setEmulatedMedia", media="")
    started.look()
    return started


@pytest.fixture
def shown(browser: Any, tmp_path: Path) -> Callable[..., Any]:
    """`shown(records, ...)` opens the page of these records; it must ask for nothing but itself."""

    def show(records: Sequence[Mapping[str, Any]], fragment: str = "", **more: Any) -> Any:
        file = tmp_path / "report.html"
        file.write_text(page(map(from_record, records), **more), encoding="utf-8")
        browser.open(file, fragment)
        assert browser.run("document.documentElement.dataset.ready") == "yes", browser.complaints
        assert [each.split("#")[0] for each in browser.requests] == [file.as_uri()]
        assert browser.complaints == []
        return browser

    return show
