"""Reads a JUnit file of pytest's and fails if too little was really run.

Standard library only, any Python 3: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import re
import sys
import xml.etree.ElementTree as ET


def main() -> int:
    """Print one line for each shortfall; exit status 1 if there is any."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--at-least", type=int, default=1, metavar="N", help="tests run and not skipped")
    parser.add_argument("--kernel-at-least", type=int, default=0, metavar="N", help="of these, in tests/kernel")
    parser.add_argument("--none-skipped", nargs="+", default=(), metavar="WORD", help="for a reason that begins so")
    parser.add_argument("--line", action="store_true", help="print pytest's line of counts")
    wanted = parser.parse_args()
    root = ET.parse(wanted.file).getroot()  # noqa: S314 (our own pytest wrote it)
    cases = list(root.iter("testcase"))
    skips = {case: skip.get("message") or "" for case in cases for skip in case.findall("skipped")}
    ran = [case for case in cases if case not in skips]
    kernel = [case for case in ran if (case.get("classname") or "").startswith("tests.kernel")]
    problems = []
    if len(ran) < wanted.at_least:
        problems.append(f"only {len(ran)} tests ran, wanted {wanted.at_least}")
    if len(kernel) < wanted.kernel_at_least:
        problems.append(f"only {len(kernel)} tests of tests/kernel ran, wanted {wanted.kernel_at_least}")
    beginnings = tuple(re.compile(rf"{re.escape(word)}\b") for word in wanted.none_skipped)
    missing = [(case.get("name"), why) for case, why in skips.items() if any(word.match(why) for word in beginnings)]
    problems += [f"skipped: {name}: {why}" for name, why in missing]
    for problem in problems:
        print(f"{wanted.file}: {problem}", file=sys.stderr)
    if wanted.line:
        seconds = sum(float(suite.get("time") or 0) for suite in root.iter("testsuite"))
        print(f"===== {counts(cases, skips)} in {seconds:.2f}s =====")
    return 1 if problems else 0


def counts(cases: list[ET.Element], skips: dict[ET.Element, str]) -> str:
    """Return "12 failed, 345 passed, 6 skipped, 7 xfailed", as pytest words it."""
    failed = sum(any(case.find(kind) is not None for kind in ("failure", "error")) for case in cases)
    xfailed = sum(skip.get("type") == "pytest.xfail" for case in skips for skip in case.findall("skipped"))
    passed = len(cases) - len(skips) - failed
    found = {"failed": failed, "passed": passed, "skipped": len(skips) - xfailed, "xfailed": xfailed}
    return ", ".join(f"{n} {name}" for name, n in found.items() if n)


if __name__ == "__main__":
    sys.exit(main())
