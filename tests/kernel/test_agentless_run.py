"""pytest at the client's end of a lab, with a target and nobody at it: what its user reads, and keeps after Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_hdp.vantage.points import can_unshare

TOP = Path(__file__).parents[2]
TARGET = "198.51.100.2"
PATIENCE = 60.0
INTERRUPTED = 2

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and not can_unshare(), reason="privilege: neither root nor user namespaces"
)


def command(lab: str, *arguments: str) -> list[str]:
    run = [sys.executable, "-m", "pytest_hdp.cli", "lab", "run", lab, "--", sys.executable, "-m", "pytest"]
    return [*run, "-pno:cacheprovider", "-pno:hypothesispytest", f"--hdp-target={TARGET}", *arguments]


def environment() -> dict[str, str]:
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_", "COLUMNS"))}
    return {**usual, "TERM": "xterm", "PYTHONPATH": str(TOP)}


@pytest.mark.night
@pytest.mark.long
def test_one_command_tells_of_the_own_kernel_and_then_of_the_target(tmp_path):
    """From the checkout's root, nothing but --hdp-target; here with fewer numbers, and without what takes long."""
    few = ["--hdp-protocols=253,47,6", "--hdp-latency-pairs=100", "-k", "not payload"]
    done = subprocess.run(
        command("home-nat", *few, f"--hdp-report={tmp_path}"),
        cwd=TOP, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    printed = done.stdout
    assert done.returncode == 0, printed
    order = [printed.index(f"suites/{suite}/test_sweep.py") for suite in ("loopback", "internet", "cloud")]
    assert order == sorted(order)
    assert f"to {TARGET}, no agent there: 3 trains, as fast as its ICMP errors come" in printed
    assert re.search(r"suites/internet/test_sweep\.py \+\+s", printed)
    end = " ".join(printed[printed.index("= IP protocol numbers =") :].split())
    assert "+ 2 reached s 1 silent" in end
    assert f"note: path to {TARGET}: 192.0.2.1 - 203.0.113.6 - {TARGET}, 3 hops" in end
    assert end.count("skipped: ") == 2
    assert "--hdp-source=SPEC --hdp-twin=SPEC" in end, "of suites/containment"
    assert "skipped: this test needs an agent at the target" in end
    assert "\x1b" not in printed
    records = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert {(each["protocol"], each["ttl"]) for each in records if each["verdict"] == "reached"} == {
        (253, 62),
        (47, 62),
    }


@pytest.mark.night
def test_ctrl_c_keeps_what_is_known_of_a_slow_target(tmp_path):
    """On a terminal a line tells how long it will take; the numbers known by then are in the grid and the file."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        command("home-nat", "suites/internet/test_sweep.py", f"--hdp-report={tmp_path}", "--color=no"),
        cwd=TOP, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    heard = b""

    def hear(pattern: bytes) -> None:
        nonlocal heard
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, heard):
            assert select.select([ours], (), (), deadline - time.monotonic())[0], heard.decode()
            heard += os.read(ours, 65536)

    try:
        hear(rb"hdp: \d+ of 256 settled, about (\d{2,3} s|\d min) left")
        hear(rb"hdp: (\d{2}) of 256 settled")
        os.killpg(running.pid, signal.SIGINT)
        hear(rb"KeyboardInterrupt|Interrupted|no tests ran|\d (passed|skipped).* in ")
        hear(rb" in \d+\.\d+s")
        assert running.wait(PATIENCE) == INTERRUPTED
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        os.close(ours)
    records = {
        each["protocol"]: each for each in map(json.loads, (tmp_path / "results.jsonl").read_text().splitlines())
    }
    assert len(records) >= 10
    assert {253, 254, 47, 50, 51, 4} <= records.keys()
    assert {each["verdict"] for each in records.values()} <= {"reached", "silent"}
    assert b"= IP protocol numbers =" in heard
    assert re.search(rb"\+ \d+ reached", heard)


@pytest.mark.parametrize("suite", ["internet", "cloud"])
@pytest.mark.night("cloud")
def test_a_suite_without_a_target_is_refused(suite):
    done = subprocess.run(
        [sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest", f"suites/{suite}"],
        cwd=TOP, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "ERROR: no target: give --hdp-lab=NAME, or --hdp-target=ADDR" in done.stderr, done.stdout


# a stock host that earns an error in `$each` milliseconds, and saves up six
HOST = """
set -e
mount -t tmpfs none /run
for n in client host; do ip netns add $n; ip -n $n link set lo up; done
ip link add e netns client type veth peer name e netns host
i=1; for n in client host; do ip -n $n addr add 198.51.100.$i/24 dev e; ip -n $n link set e up; i=2; done
ip netns exec host sh -c "echo $each >/proc/sys/net/ipv4/icmp_ratelimit"
run() { ip netns exec client "$PYTHON" -m pytest -pno:cacheprovider -pno:hypothesispytest --hdp-locate=none \\
  --hdp-target=198.51.100.2 suites/internet/test_sweep.py "$@"; }
errors() { ip netns exec host awk '/^Icmp:/ && !n++ {for (i = 1; i <= NF; i++) if ($i == "OutDestUnreachs") c = i}
  /^Icmp:/ {v = $c} END {print v}' /proc/net/snmp; }
"""
# a run that is killed when it has had all that was saved up
SPENT = """
run --hdp-protocols=20-254 >/dev/null 2>&1 & first=$!
for i in $(seq 600); do [ "$(errors)" -lt 6 ] || break; sleep 0.05; done
kill -9 $(pgrep -P $first) $first 2>/dev/null || true
run --hdp-protocols=47,253 --hdp-report="$REPORT/0"
"""
TOGETHER = """
ip netns exec host nft 'table ip t { chain c { type filter hook input priority 0; ip protocol { 47, 99 } drop; }; }'
for k in 0 1; do run --hdp-protocols=47,99,150-169,253 --hdp-report="$REPORT/$k" & pids="$pids $!"; done
for each in $pids; do wait $each; done
"""
# a program that has nine of ten errors, until it is killed
ANOTHER = """
ip netns exec client "$PYTHON" -c "
import random, socket, time
chance, asking = random.Random(1), socket.socket(socket.AF_INET, socket.SOCK_RAW, 200)
while True:
    asking.sendto(b'somebody else', ('198.51.100.2', 0))
    time.sleep(chance.uniform(0, 0.024))
" & other=$!
run --hdp-protocols=100,150-152,253 --hdp-report="$REPORT/0" || true
kill $other
"""


def beside(tmp_path: Path, each: int, script: str, reports: int = 1) -> list[dict[int, dict[str, object]]]:
    """What runs found before such a host, each by number."""
    given = {"PYTHON": sys.executable, "REPORT": str(tmp_path / "report"), "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        ["unshare", *(["-r"] if os.geteuid() else []), "-nmpf", "--kill-child", "--mount-proc", "bash", "-c",
         HOST + script],
        cwd=TOP, env={**environment(), **given, "each": str(each)}, capture_output=True, text=True,
        timeout=PATIENCE * 3, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    files = [tmp_path / "report" / str(number) / "results.jsonl" for number in range(reports)]
    return [{each["protocol"]: each for each in map(json.loads, file.read_text().splitlines())} for file in files]


@pytest.mark.night
def test_a_run_right_behind_another_waits_for_what_that_one_used_up(tmp_path):
    """The target has no error left, as the first run's note in the user's state folder lets one suppose."""
    (found,) = beside(tmp_path, 4000, SPENT)
    assert all(each["earlier_run"] is not None for each in found.values())
    assert {number: each["verdict"] for number, each in found.items()} == {47: "reached", 253: "reached"}, found


@pytest.mark.night
@pytest.mark.long
def test_two_runs_that_begin_together_share_what_the_target_earns(tmp_path):
    """Each sees the other's errors: a silence counts only where neither had the one that this target had to send."""
    dropped, silent = {47, 99}, set()
    for found in beside(tmp_path, 100, TOGETHER, reports=2):
        assert {each["verdict"] for number, each in found.items() if number not in dropped} == {"reached"}, found
        assert {found[number]["verdict"] for number in dropped} <= {"silent", "inconclusive"}, found
        silent |= {number for number in dropped if found[number]["verdict"] == "silent"}
        assert len(found) == 23
    assert silent == dropped, "one of them at least has the patience, however busy the machine"


@pytest.mark.night
def test_beside_a_program_that_has_nearly_all_errors_nothing_is_called_silent(tmp_path):
    (found,) = beside(tmp_path, 100, ANOTHER)
    assert len(found) == 5
    assert {each["verdict"] for each in found.values()} <= {"reached", "inconclusive"}
