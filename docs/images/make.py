"""The README's picture of the page: `python docs/images/make.py`, which wants chromium."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
TOP = HERE.parents[1]
_spec = importlib.util.spec_from_file_location("hdp_chromium", TOP / "tests" / "browser" / "chromium.py")
chromium = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = chromium
_spec.loader.exec_module(chromium)

with chromium.Chromium() as browser:
    browser.look(width=1200, height=860)
    browser.call("Emulation.setScrollbarsHidden", hidden=True)
    browser.open(TOP / "samples" / "first-only" / "report.html")
    browser.picture(HERE / "report.png")
