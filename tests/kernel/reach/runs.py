"""Runs of pytest over a path within the machine: client, router, server, each a namespace; the router drops GRE."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import TOP, Machine

CLIENT, SERVER = "198.51.100.1", "198.51.100.130"
PATH = f"""
for each in client router server; do ip netns add $each; ip -n $each link set lo up; done
ip -n router link add c type veth peer name eth0 netns client
ip -n router link add s type veth peer name eth0 netns server
ip -n client addr add {CLIENT}/25 dev eth0; ip -n client link set eth0 up
ip -n server addr add {SERVER}/25 dev eth0; ip -n server link set eth0 up
ip -n router addr add 198.51.100.2/25 dev c; ip -n router link set c up
ip -n router addr add 198.51.100.131/25 dev s; ip -n router link set s up
ip -n client route add default via 198.51.100.2; ip -n server route add default via 198.51.100.131
ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip netns exec router nft 'table ip t {{ chain c {{ type filter hook forward priority 0; ip protocol 47 drop; }}; }}'
"""
NUMBERS = (6, 17, 47, 132, 253)


@dataclass(frozen=True)
class Done:
    """A run that has ended. `records` by number and direction."""

    status: int
    printed: str
    records: dict[tuple[int, str], dict[str, Any]]


class Runs:
    """The path, and runs over it."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self._folder = folder
        self._count = 0
        machine.shell(PATH)

    def start(self, *arguments: str, **environment: str) -> tuple[subprocess.Popen[str], Callable[[], Done]]:
        """Start a run; the second value waits for its end."""
        self._count += 1
        report = self._folder / str(self._count)
        started = self.machine.start(
            sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest", f"--hdp-report={report}",
            *arguments, **environment,
        )  # fmt: skip

        def wait() -> Done:
            printed, _ = started.communicate(timeout=120)
            results = report / "results.jsonl"
            lines = results.read_text().splitlines() if results.exists() else []
            records = {(each["protocol"], each["direction"]): each for each in map(json.loads, lines)}
            return Done(started.returncode, printed, records)

        return started, wait

    def sweep(self, source: str, agent: str, *arguments: str, suite: str = "internet", **environment: str) -> Done:
        """All numbers of interest from one vantage point to another."""
        return self.start(*self.swept(source, agent, suite), *arguments, **environment)[1]()

    def swept(self, source: str, agent: str, suite: str = "internet") -> list[str]:
        numbers = f"--hdp-protocols={','.join(map(str, NUMBERS))}"
        tests = str(TOP / "suites" / suite / "test_sweep.py")
        return [tests, f"--hdp-source={source}", f"--hdp-agent={agent}", f"--hdp-target={SERVER}", numbers]

    def raw_sockets(self, name: str) -> int:
        """Raw and packet sockets in one of the namespaces."""
        printed = self.machine.run("ip", "netns", "exec", name, "cat", "/proc/net/raw", "/proc/net/packet")
        return len([line for line in printed.splitlines() if not line.lstrip().startswith(("sl", "sk"))])

    def check_truth(self, done: Done) -> None:
        """What the router drops is lost, and nothing else."""
        assert {number for number, direction in done.records if direction == "forward"} == set(NUMBERS), done.printed
        for (number, direction), record in done.records.items():
            wanted = "lost" if number == 47 else "delivered"
            assert record["verdict"] == wanted, (number, direction, record["explanation"], done.printed)
