"""How long a page takes that has many paths: prints a Markdown table. Not a test: nothing here fails by the clock.

python tests/bench/page.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tests" / "unit" / "report"), str(CHECKOUT)]

from conftest import result  # noqa: E402 (found by now)
from pytest_hdp.report.page.document import page  # noqa: E402

PATHS = (10, 100, 1000, 4000)
NUMBERS = (6, 47)


def records(paths: int) -> list[Any]:
    """Two numbers each way on each of so many paths, whose control found a hop."""
    found = []
    for number in range(paths):
        path = {"kind": "internet", "name": "target", "source": "192.0.2.2", "agent": None}
        path["target"] = f"198.51.{number >> 8}.{number & 255}"
        for direction in ("forward", "reverse"):
            for protocol in NUMBERS:
                hops = [{"ttl": 1, "address": "192.0.2.1"}]
                found.append(result(protocol, hops=hops, direction=direction, path=path))
    return found


def main() -> None:
    print("| paths | records | page | a record |\n| ---: | ---: | ---: | ---: |")
    for paths in PATHS:
        made = records(paths)
        took = []
        for _ in range(3):
            began = time.process_time()
            page(made)
            took.append(time.process_time() - began)
        print(f"| {paths} | {len(made)} | {min(took):.3f} s | {min(took) / len(made) * 1e6:.0f} us |")


main()
