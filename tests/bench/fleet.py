"""How long a fleet takes, and how long one host of it: each has an sshd, all one switch; every number both ways.

    python tests/bench/fleet.py [HOSTS [SUITES ...]]

As root; 12 hosts and suites/internet/test_sweep.py unless said otherwise. Start of pytest, logins and all reports are
included. Processor time is that of pytest and of its ssh clients; beside it that of the hosts' sshds and agents, which
elsewhere have processors of their own, and here take it from the same ones.
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "kernel" / "ssh"))

from fleet import Fleet
from ssh_hosts import namespace_of, processes

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
            with Hosts(fleet) as hosts_processes:
                status, printed = fleet.client.run(argv)
            theirs = hosts_processes.seconds
        assert status == 0, printed
        ended, *numbers = printed.split()
        assert ended == "0", f"the run ended with {ended}"
        clock, processor, memory = map(float, numbers)
        suite = ET.parse(report / "junit.xml").getroot().find("testsuite")
        assert suite is not None
        sizes = " | ".join(f"{size_of(report / each) / 1e6:.1f}" for each in KEPT)
    tests = suite.get("tests")
    return clock, f"| {hosts} | {tests} | {processor:.1f} | {theirs:.1f} | {clock:.1f} | {memory:.0f} | {sizes} |"


class Hosts(threading.Thread):
    """Watches, while it is entered, what sshds and agents of a fleet use of the processor."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(daemon=True)
        self._spaces = {os.fstat(host.descriptor).st_ino for host in fleet.hosts.values()}
        self._used: dict[int, float] = {}
        self._over = threading.Event()

    def __enter__(self) -> Hosts:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    @property
    def seconds(self) -> float:
        """Of all of them, as each was last seen."""
        return sum(self._used.values())

    def run(self) -> None:
        """Look twice a second: a session's processes end with it, and nobody is told then what they used."""
        while not self._over.wait(0.5):
            for pid in {*processes("sshd"), *processes("an agent needs 3.8")}:
                with contextlib.suppress(OSError):
                    if namespace_of(pid) in self._spaces:
                        _, _, fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")  # proc(5)
                        self._used[pid] = sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")


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
