"""Are the records of all labs and samples as before? Runs the sweep of two checkouts, and compares what they say.

    python tests/bench/as_before.py OLD NEW [--labs home-nat,loss-5]     # each with its own .venv; as root or not

Compared is, for each train, what no luck decides: verdict, place, errno, NAT state, kinds of authentic ICMP errors,
expected, outcome. A train of a lab that loses by chance, or limits the rate, may differ in one of the ways that its
truth allows: it is listed, not counted. Samples are judged again by each checkout's own tests, so here only their files
are compared. Exit status 1 if anything that was expected before is different. Neither checkout may change meanwhile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

KEY = ("direction", "form", "protocol")


def records(checkout: Path, labs: str, folder: Path) -> dict[tuple[object, ...], dict[str, object]]:
    """The records of one checkout's sweep over labs, by path and train."""
    command = [
        str(checkout / ".venv/bin/pytest"), "-q", "-p", "no:cacheprovider", "suites/internet/test_sweep.py",
        f"--hdp-lab={labs}", "--hdp-seed=1", f"--hdp-report={folder}",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{checkout}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    found = {}
    for line in (folder / "results.jsonl").read_text().splitlines():
        record = json.loads(line)
        found[record["path"]["name"], *(record[each] for each in KEY)] = record
    return found


def told(record: dict[str, object]) -> dict[str, object]:
    """What is compared of a record."""
    errors = [each for each in record["icmp"] if each["authenticated"]]  # type: ignore[attr-defined]
    icmp = {(each["from"], each["type"], each["code"]) for each in errors}
    kept = {each: record[each] for each in ("verdict", "place", "errno", "expected", "outcome")}
    return {**kept, "nat": record["nat"]["state"], "icmp": sorted(icmp)}  # type: ignore[index]


def main() -> int:
    """Print what differs, by lab and by what it is; status 1 if a train that passed or was expected is neither now."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--labs", default="all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        before = records(options.old.resolve(), options.labs, Path(scratch) / "old")
        after = records(options.new.resolve(), options.labs, Path(scratch) / "new")
    differing: Counter[tuple[object, ...]] = Counter()
    worse = 0
    for key in sorted(before.keys() & after.keys(), key=str):
        old, new = told(before[key]), told(after[key])
        for field in old:
            if old[field] != new[field]:
                differing[key[0], field, str(old[field]), str(new[field])] += 1
        worse += old["outcome"] != "failed" and new["outcome"] == "failed"
    for (lab, field, was, now), count in sorted(differing.items(), key=str):
        print(f"{lab}: {field} of {count} trains was {was}, is {now}")
    only = len(before.keys() ^ after.keys())
    print(f"{len(before.keys() & after.keys())} trains compared, {only} in one of them only, {worse} fail that did not")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
