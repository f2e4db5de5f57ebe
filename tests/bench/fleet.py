"""How long a fleet takes, and how long one host of it: each has an sshd, all one switch; every number both ways.

    python tests/bench/fleet.py [HOSTS [SUITES ...]]

As root; 12 hosts and suites/internet/test_sweep.py unless said otherwise. Start of pytest, logins and all reports are
included. Processor time is that of pytest and of its ssh clients; beside it that of the hosts' sshds and agents, which
elsewhere have processors of their own, and here take it from the same ones.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "kernel" / "ssh"))

from fleet import Fleet

TOP = Path(__file__).parents[2]
SWEEP = "suites/internet/test_sweep.py"
KEPT = ("junit.xml", "results.jsonl", "capture.pcapng", "report.html")


def measure(*arguments: str) -> None:
    """At the controller: one run of pytest, and what it took."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-mpytest", "-pno:cacheprovider", "-q", *arguments],
        cwd=TOP, capture_output=True, text=True, check=False,
    )  # fmt: skip
    took, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(done.returncode, took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def row(hosts: int, suites: list[str]) -> tuple[float, str]:
    """Build so many hosts, run once; its seconds, and a row of the table."""
    with tempfile.TemporaryDirectory(prefix="hdp-fleet-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        report = folder / "report"
        with Fleet(folder, hosts) as fleet:
            argv = [sys.executable, __file__, "--inside", *suites, f"--hdp-inventory={fleet.inventory()}"]
            argv += ["--hdp-expect=none", f"--hdp-report={report}", f"--junit-xml={report}/junit.xml"]
            status, printed = fleet.client.run(argv)
            theirs = sum(used_by(sshd) for name in fleet.names for sshd in fleet.processes_at(name, "sshd"))
        assert status == 0, printed
        ended, *numbers = printed.split()
        assert ended == "0", f"the run ended with {ended}"
        clock, processor, memory = map(float, numbers)
        suite = ET.parse(report / "junit.xml").getroot().find("testsuite")
        assert suite is not None
        sizes = " | ".join(f"{size_of(report / each) / 1e6:.1f}" for each in KEPT)
    tests = suite.get("tests")
    return clock, f"| {hosts} | {tests} | {processor:.1f} | {theirs:.1f} | {clock:.1f} | {memory:.0f} | {sizes} |"


def used_by(sshd: int) -> float:
    """Seconds of processor time of a process and of all below it that have ended: sessions, and agents in them."""
    behind_the_name = Path(f"/proc/{sshd}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, behind_the_name[11:15])) / os.sysconf("SC_CLK_TCK")  # proc(5): utime, stime, cutime, cstime


def size_of(file: Path) -> int:
    """Bytes; 0 of what a suite without trains does not write."""
    return file.stat().st_size if file.exists() else 0


def main() -> None:
    """Print the table, and how many times longer the fleet took than one host."""
    if sys.argv[1:2] == ["--inside"]:
        measure(*sys.argv[2:])
        return
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    suites = sys.argv[2:] or [SWEEP]
    print(f"Linux {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} processors")
    print(
        "| hosts | tests | processor, s | the hosts', s | clock, s | memory, MB |",
        " | ".join(f"{each}, MB" for each in KEPT),
        "|",
    )
    print(f"| {'---: | ' * 10}")
    times = []
    for count in (1, hosts):
        clock, line = row(count, suites)
        print(f"{line} load {os.getloadavg()[0]:.1f}", flush=True)
        times.append(clock)
    print(f"{hosts} hosts took {times[1] / times[0]:.1f} times as long as one")


if __name__ == "__main__":
    main()
