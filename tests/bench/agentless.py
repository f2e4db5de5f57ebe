"""A target where nobody watches, behind a home NAT: how long it takes, and how much of the answer is wrong.

    python tests/bench/agentless.py                  # ours, all three targets: about six minutes
    python tests/bench/agentless.py --only quick     # one of them: stock, tenth (ten errors a second), quick
    python tests/bench/agentless.py --nmap           # nmap's protocol scan of the stock target: three to five minutes

Packets go to hosts inside network namespaces of its own and nowhere else. Needs root, or user namespaces; nmap root.
The truth is the kernel's: a stock Linux host says "protocol unreachable" for all numbers but its own six, and what
a Linux NAT lets out untranslated brings no answer.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from pytest_hdp.lab.catalogue import make  # noqa: E402 (from the checkout)
from pytest_hdp.lab.topology import Lab  # noqa: E402

NUMBERS = range(256)
MOST_TELLING = (253, 254, 47, 50, 51, 132, 4, 41, 112, 89)
OWN = {1, 2, 6, 17, 103, 136}  # of a stock Linux host's: no answer to bare HDP
LEAKED = {58, 132}  # leave a Linux NAT untranslated beside some of those
SILENT = OWN | LEAKED
NMAPS = OWN | {47, 58}  # its GRE is empty, which leaks too, and its SCTP valid, which does not
TARGETS: Mapping[str, Mapping[str, int]] = {
    "stock": {},
    "tenth": {"ipv4/icmp_ratelimit": 100},
    "quick": {"ipv4/icmp_ratelimit": 1},
}
"""Settings of the target, by name: errors to each peer one in so many milliseconds, 1000 unless set."""

PER_NUMBER = {"stock": 1.0, "tenth": 0.1, "quick": 0.001}


def ours(name: str) -> str:
    """Run pytest at the client's end, as a user does. Returns a row of the table."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "suites/internet/test_sweep.py"]
    with tempfile.TemporaryDirectory() as folder, Lab(make("home-nat")) as lab:
        lab.namespace(lab.target).set_sysctls(TARGETS[name])
        started = time.time()
        lab.run(lab.client, [*command, f"--hdp-target={lab.target_address}", f"--hdp-report={folder}"])
        took = time.time() - started
        lines = (Path(folder) / "results.jsonl").read_text().splitlines()
    records = {record["protocol"]: record for record in map(json.loads, lines)}
    wrong = [
        number for number in NUMBERS if records[number]["verdict"] != ("silent" if number in SILENT else "reached")
    ]
    budget = PER_NUMBER[name] * len(NUMBERS)
    first = max(_at(records[number]) for number in MOST_TELLING) - started
    return f"| pytest-hdp | {name} | {took:.0f} s | {took / budget:.2f} | {first:.1f} s | {len(wrong)} {wrong or ''} |"


def _at(record: dict[str, str]) -> float:
    from datetime import datetime

    return datetime.fromisoformat(record["time"]).timestamp()


def nmap(name: str) -> str:
    """Run nmap's protocol scan at the client's end of the same lab. Returns a row of the table.

    Right is "closed" where the target says "protocol unreachable", and anything but that where it doesn't.
    """
    with tempfile.TemporaryDirectory() as folder, Lab(make("home-nat")) as lab:
        lab.namespace(lab.target).set_sysctls(TARGETS[name])
        started = time.time()
        out = Path(folder) / "nmap.xml"
        lab.run(lab.client, ["nmap", "-sO", "-n", "-Pn", "-oX", str(out), lab.target_address])
        took = time.time() - started
        closed = _closed(out.read_text())
    wrong = [number for number in NUMBERS if (number in closed) is (number in NMAPS)]
    share = took / len(NUMBERS) / PER_NUMBER[name]
    return f"| nmap -sO -n -Pn | {name} | {took:.0f} s | {share:.2f} | | {len(wrong)} {wrong or ''} |"


def _closed(xml: str) -> set[int]:
    """The numbers that nmap calls closed, in its XML: one by one, and in bulk ("0,3-5,7")."""
    found = {int(each) for each in re.findall(r'portid="(\d+)"><state state="closed"', xml)}
    for bulk in re.findall(r'<extraports state="closed".*?</extraports>', xml, re.DOTALL):
        for piece in ",".join(re.findall(r'ports="([^"]*)"', bulk)).split(","):
            first, _, last = piece.partition("-")
            found |= set(range(int(first), int(last or first) + 1)) if first else set()
    return found


def main() -> int:
    """Measure, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TARGETS, action="append", help="these targets only")
    parser.add_argument("--nmap", action="store_true", help="nmap instead of pytest-hdp, the stock target")
    options = parser.parse_args()
    run = nmap if options.nmap else ours
    rows = [run(name) for name in options.only or (["stock"] if options.nmap else TARGETS)]
    print("\n| tool | target | time | of the budget | ten most telling known after | wrong |")
    print("| --- | --- | ---: | ---: | ---: | --- |")
    print("\n".join(rows))
    print(f"\n{subprocess.run(['uname', '-sr'], capture_output=True, text=True, check=True).stdout.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
