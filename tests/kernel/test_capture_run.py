"""`--hdp-report` writes `capture.pcapng`: as a user starts it, on loopback and through a lab, whole or interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SWEEP = str(TOP / "suites" / "loopback" / "test_sweep.py")
LAB_SWEEP = str(TOP / "suites" / "internet" / "test_sweep.py")
OUTGOING, INCOMING = "0x00000002", "0x00000001"

pytestmark = pytest.mark.needs("tshark")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch):
    """The command of a pytest in a network namespace of its own, where nobody else's packets are."""
    if subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("privilege: neither root nor user namespaces")
    for variable in [name for name in os.environ if name.startswith(("HDP_", "PYTEST_"))]:
        monkeypatch.delenv(variable)

    def build(*arguments: str) -> list[str]:
        script = 'ip link set lo up && exec "$@"'
        pytest_command = [sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest", *arguments]
        return ["unshare", "-rn", "sh", "-c", script, "sh", *pytest_command]

    return build


def report(folder: Path) -> str:
    return f"--hdp-report={folder / 'report'}"


def rows(folder: Path) -> list[tuple[str, ...]]:
    """Interface, direction, protocol number of the outer header, and comment of each packet; no complaint allowed."""
    names = ("frame.interface_name", "frame.packet_flags_direction", "ip.proto", "frame.comment")
    fields = [argument for name in names for argument in ("-e", name)]
    read = ["tshark", "-r", str(folder / "report" / "capture.pcapng"), "-T", "fields", "-E", "separator=|", *fields]
    done = subprocess.run(read, capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if line.strip() and "Running as user" not in line]
    assert (done.returncode, complaints) == (0, [])
    return [tuple(line.split("|")) for line in done.stdout.splitlines()]


def is_a(role: str, comment: str) -> bool:
    return re.search(rf"(: |, )({role}), index \d+", comment) is not None and "ICMP" not in comment


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "report" / "results.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night("2 workers")
def test_it_holds_what_the_results_count(command, tmp_path, workers):
    done = subprocess.run(
        command(SWEEP, report(tmp_path), *workers), capture_output=True, text=True, timeout=120, check=False, cwd=TOP
    )
    assert done.returncode == 0, done.stdout + done.stderr
    packets = rows(tmp_path)
    assert {packet[0] for packet in packets} == {"loopback"}
    assert all(packet[3].startswith("pytest-hdp: ") for packet in packets)
    seen: Counter[tuple[str, str]] = Counter()
    for _, direction, _, comment in packets:
        if is_a("probe", comment):
            test, verdict = comment.split("test_sweep[p")[1].split("]: ")
            seen[test, verdict.split(",")[0], direction] += 1
    expected: Counter[tuple[str, str]] = Counter()
    for record in records(tmp_path):
        for count, direction in (("left", OUTGOING), ("arrived", INCOMING)):
            if record[count]:
                number = f"{record['protocol']:03d}"
                (test,) = {key[0] for key in seen if key[0].startswith(f"{number}-")}
                expected[test, record["verdict"], direction] += record[count]
    assert seen == expected
    assert sum(is_a("control", packet[3]) for packet in packets) > 10
    assert sum("ICMP error about: probe" in packet[3] for packet in packets) > 0


@pytest.mark.night
def test_a_lab_has_an_interface_for_each_end(command, tmp_path):
    arguments = (
        LAB_SWEEP,
        "--hdp-lab=home-nat",
        "--hdp-lab=transparent",
        "--hdp-protocols=132,253",
        "--hdp-locate=all",
    )
    done = subprocess.run(
        command(*arguments, report(tmp_path)), capture_output=True, text=True, timeout=120, check=False, cwd=TOP
    )
    assert done.returncode == 0, done.stdout + done.stderr
    packets = rows(tmp_path)
    assert {packet[0] for packet in packets} == {
        f"lab {name} {end}" for name in ("home-nat", "transparent") for end in ("near", "far")
    }
    for record in records(tmp_path):
        if record["direction"] == "reverse":
            continue
        name, number = record["path"]["name"], f", protocol {record['protocol']}, forward"
        ours = [each for each in packets if number in each[3] and is_a("probe", each[3]) and f"lab {name} " in each[0]]
        directions = Counter((each[0].split()[-1], each[1]) for each in ours)
        assert directions["near", OUTGOING] == record["left"] > 0
        assert directions["far", INCOMING] == record["arrived"]


@pytest.mark.night
def test_each_vantage_point_has_its_packets_in_it(command, tmp_path):
    places = [argument for name in ("paris", "rome") for argument in ("--tx", f"popen//id={name}")]
    arguments = (LAB_SWEEP, "--hdp-lab=reject", "--hdp-protocols=6,47", "--dist", "each", *places)
    done = subprocess.run(
        command(*arguments, report(tmp_path)), capture_output=True, text=True, timeout=180, check=False, cwd=TOP
    )
    assert done.returncode == 0, done.stdout + done.stderr
    packets = rows(tmp_path)
    assert {each[0] for each in packets} == {
        f"lab reject from {place} {end}" for place in ("paris", "rome") for end in ("near", "far")
    }
    for record in records(tmp_path):
        number = f"protocol {record['protocol']}, {record['direction']}"
        end = "near" if record["direction"] == "forward" else "far"
        tap = f"lab reject from {record['path']['vantage']} {end}"
        left = [
            each[3] for each in packets if each[:2] == (tap, OUTGOING) and number in each[3] and is_a("probe", each[3])
        ]
        assert len(left) == record["left"] > 0
        assert all(f": {record['verdict']}, probe" in comment for comment in left)


@pytest.mark.night
def test_without_a_report_nothing_is_kept(command, tmp_path, monkeypatch):
    (tmp_path / "spy.py").write_text(
        "import pytest_hdp.measure.path.capture as capture\n"
        "def refuse(*_):\n"
        "    raise AssertionError('nobody asked for a capture')\n"
        "capture.Watcher.__init__ = capture.Capture.__init__ = refuse\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    arguments = ("-p", "spy", SWEEP, "--hdp-protocols=253")
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, check=False, cwd=TOP)
    assert done.returncode == 0, done.stdout + done.stderr
    refused = subprocess.run(
        command(*arguments, report(tmp_path)), capture_output=True, timeout=60, check=False, cwd=TOP
    )
    assert refused.returncode != 0, "the spy sees nothing"


def wait_for_packets(process: int, count: int) -> None:
    """Wait until so many packets went through the loopback interface of a process's own namespace."""
    own = Path("/proc/self/ns/net").readlink()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if Path(f"/proc/{process}/ns/net").readlink() == own:
            continue
        lines = Path(f"/proc/{process}/net/dev").read_text().splitlines()
        counts = [line.split(":")[1].split() for line in lines if line.strip().startswith("lo:")]
        if counts and int(counts[0][1]) >= count:
            return
        time.sleep(0.02)
    raise AssertionError("nothing was sent")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night
def test_ctrl_c_leaves_what_was_seen_by_then(command, tmp_path, workers):
    slow = ("--hdp-count=200", "--hdp-rate=500", "--hdp-protocols=1-20")
    started = command(SWEEP, report(tmp_path), *slow, *workers)
    with subprocess.Popen(
        started, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TOP, start_new_session=True
    ) as running:
        wait_for_packets(running.pid, 1000)
        os.killpg(running.pid, signal.SIGINT)
        printed, _ = running.communicate(timeout=60)
    assert running.returncode == 2, printed
    packets = rows(tmp_path)
    assert sum(is_a("probe", packet[3]) for packet in packets) > 20
    assert all("test_sweep[p" in packet[3] for packet in packets if is_a("probe", packet[3]))
    found = {record["protocol"]: record["verdict"] for record in records(tmp_path)}
    assert set(found.values()) == {"delivered"}, printed
    told = {packet[3] for packet in packets if ": delivered, probe" in packet[3]}
    assert {int(comment.split("[p")[1][:3]) for comment in told} == set(found)
