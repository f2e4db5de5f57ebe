"""What each end's eyes must not miss, and must not make up: situations of real hosts, built with `ip` and `nft`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
SWEEP = "suites/internet/test_sweep.py"
TARGET = "198.51.100.2"
WATCHED = ("--hdp-source=netns=client", "--hdp-agent=netns=server", f"--hdp-target={TARGET}")
ALONE = (WATCHED[0], WATCHED[2])

# client - router - server
LINE = """
set -e
for n in client router server; do ip netns add $n; ip -n $n link set lo up; done
ip link add eth0 netns client type veth peer name in netns router
ip link add eth0 netns server type veth peer name out netns router
ip -n client addr add 192.0.2.2/24 dev eth0; ip -n client link set eth0 up
ip -n router addr add 192.0.2.1/24 dev in; ip -n router link set in up
ip -n router addr add 198.51.100.1/24 dev out; ip -n router link set out up
ip -n server addr add 198.51.100.2/24 dev eth0; ip -n server link set eth0 up
ip -n client route add default via 192.0.2.1; ip -n server route add default via 198.51.100.1
ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
"""

Run = Callable[..., tuple[str, dict[tuple[int, str], dict[str, Any]]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run pytest beside a topology, all of it in namespaces that end with the process: what it printed, and records."""
    if subprocess.run(["unshare", "-rnm", "true"], check=False).returncode:
        pytest.skip("privilege: neither root nor user namespaces")

    def start(topology: str, *arguments: str) -> tuple[str, dict[tuple[int, str], dict[str, Any]]]:
        report = tmp_path / "report"
        command = f'{sys.executable} -m pytest -p no:cacheprovider {SWEEP} --hdp-report={report} "$@"'
        script = f"mount -t tmpfs none /run && {topology}\n{command}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        done = subprocess.run(
            ["unshare", "-rnm", "bash", "-c", script, "bash", *arguments],
            cwd=TOP, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        printed = done.stdout + done.stderr
        if "kernel lacks" in printed:
            pytest.skip(f"kernel: {printed.strip().splitlines()[-1]}")
        results = report / "results.jsonl"
        assert results.exists(), printed
        records = [json.loads(line) for line in results.read_text().splitlines()]
        return printed, {(each["protocol"], each["direction"]): each for each in records}

    return start


def test_what_an_ipsec_policy_refuses_is_held_by_the_receiver(run: Run) -> None:
    policy = "ip -n server xfrm policy add dir in src 192.0.2.2/32 dst 198.51.100.2/32 proto 50 action block"
    printed, records = run(
        LINE + policy + " || { echo the kernel lacks IPsec policies; exit 1; }", *WATCHED, "--hdp-protocols=50,253"
    )
    assert "overflow" not in printed
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == {(50, "forward"): "held_by_receiver"}, printed
