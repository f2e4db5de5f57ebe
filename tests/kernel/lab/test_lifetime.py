"""Nothing of a lab outlives its owner: killed at any instant, interrupted, or done."""

from __future__ import annotations

import os
import random
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_hdp.lab.catalogue import LABS, make
from pytest_hdp.lab.namespaces import FORWARDING, SYSCTLS
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab

INSTANTS = 4 if os.environ.get("TESTS_PROFILE") == "brief" else 20
LONGEST = 0.6  # seconds into the owner's run: it builds, runs and takes down labs all the time
PATIENCE = 10.0
MARK = "LIFETIME_TEST"
OWNER = """
import sys
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.topology import Lab
print("ready", flush=True)
while True:
    for name in ("home-nat-loss-5", "reject", "sender-firewall"):
        with Lab(make(name)) as lab:
            left = lab.namespace("client").start(["/bin/sleep", "1000"])
            lab.run("client", ["sh", "-c", "(setsid sleep 1000 &) ; ping -c 1 $HDP_TARGET > /dev/null"])
"""


@pytest.fixture(autouse=True)
def _able() -> None:
    try:
        with Lab(make("transparent")):
            pass
    except LabUnavailable as error:
        if "needs network namespaces" not in str(error):
            raise
        pytest.skip(f"privilege: {error}")


def owned(mark: str) -> dict[int, int]:
    """Processes with our mark in their environment, each with a pidfd, which the caller closes."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            marked = entry.name.isdecimal() and mark.encode() in (entry / "environ").read_bytes()
            if marked:
                found[int(entry.name)] = os.pidfd_open(int(entry.name))
        except OSError:  # gone meanwhile, or not ours to look at
            continue
    return found


def namespaces_of(processes: dict[int, int]) -> set[str]:
    """Network namespaces that these processes are in or hold open, but for our own."""
    found = {link for number in processes for link in held_by(Path("/proc") / str(number))}
    return {each for each in found if each.startswith("net:")} - {str(Path("/proc/self/ns/net").readlink())}


def held_by(process: Path) -> Iterator[str]:
    """What a process has open, and its network namespace."""
    try:
        for each in [*(process / "fd").iterdir(), process / "ns" / "net"]:
            yield str(each.readlink())
    except OSError:  # gone meanwhile, or not ours to look at
        return


def host_state() -> tuple[list[str], dict[str, str]]:
    """Links of labs in the host's namespace, and every sysctl of the host that a lab sets in its own namespaces."""
    addresses = [each / "address" for each in Path("/sys/class/net").iterdir()]
    links = [str(each) for each in addresses if each.exists() and each.read_text().startswith("02:00:00:")]
    names = {*SYSCTLS, *FORWARDING, *(name for spec in LABS.values() for box in spec.boxes for name in box.sysctls)}
    values = {}
    for name in names:
        path = Path("/proc/sys/net") / name
        if path.exists():
            values[name] = path.read_text()
    return links, values


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_until_gone(mark: str) -> None:
    """Wait for the end of every process with the mark, those too that were being made when we looked."""
    deadline = time.monotonic() + PATIENCE
    while processes := owned(mark):
        waiting = select.poll()
        for pidfd in processes.values():
            waiting.register(pidfd, select.POLLIN)
        ended = waiting.poll(max(0, deadline - time.monotonic()) * 1000)
        for pidfd in processes.values():
            os.close(pidfd)
        assert ended, f"still running: {[command_line(number) for number in processes]}"


def command_line(number: int) -> str:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "gone"


def start_owner(mark: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, MARK: mark, "PYTHONPATH": os.pathsep.join(sys.path)}
    owner = subprocess.Popen([sys.executable, "-c", OWNER], env=environment, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    return owner


@pytest.mark.parametrize("number", range(INSTANTS))
@pytest.mark.night("[1-46-9]", "1[1-46-9]")
def test_kill_9_leaves_nothing(number: int):
    mark = f"{MARK}={uuid.uuid4()}"
    _, sysctls = host_state()
    owner = start_owner(mark.partition("=")[2])
    time.sleep(random.Random(number).uniform(0, LONGEST))
    processes = owned(mark)
    namespaces = namespaces_of(processes)
    for pidfd in processes.values():
        os.close(pidfd)
    owner.kill()
    owner.wait()
    assert owner.stdout is not None
    owner.stdout.close()
    wait_until_gone(mark)
    assert not namespaces & set(held_by(Path("/proc/self")))  # of others' a number may be ours, used again
    assert host_state() == ([], sysctls)


def test_the_instants_above_hit_labs_that_stand():
    """Else the test above would show nothing: within its longest time, processes and namespaces are there."""
    mark = f"{MARK}={uuid.uuid4()}"
    owner = start_owner(mark.partition("=")[2])
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            processes = owned(mark)
            commands = {command_line(number) for number in processes}
            namespaces = namespaces_of(processes)
            for pidfd in processes.values():
                os.close(pidfd)
            if len(namespaces) >= 4 and any("relay.py" in each for each in commands):
                break
            assert time.monotonic() < deadline, (namespaces, commands)
    finally:
        owner.kill()
        owner.wait()
        assert owner.stdout is not None
        owner.stdout.close()
        wait_until_gone(mark)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT])
def test_any_other_end_leaves_nothing_either(number: signal.Signals):
    mark = f"{MARK}={uuid.uuid4()}"
    owner = start_owner(mark.partition("=")[2])
    time.sleep(0.2)
    owner.send_signal(number)
    assert owner.stdout is not None
    owner.stdout.read()
    owner.stdout.close()
    owner.wait()
    wait_until_gone(mark)


def test_closing_waits_until_nothing_runs():
    with Lab(make("home-nat-loss-5"), seed=3) as lab:
        started = lab.namespace("client").start(["/bin/sleep", "1000"])
        processes = _descendants(lab.pid)
        assert len(processes) >= 4  # supervisor, process 1, relay, sleep
        pidfds = [os.pidfd_open(each) for each in processes]
    for pidfd in pidfds:
        assert select.select([pidfd], (), (), 0)[0]
        os.close(pidfd)
    assert started.wait() == -9


def test_a_lab_can_be_closed_twice_and_opened_again():
    lab = Lab(make("transparent"))
    for _ in range(2):
        with lab:
            assert lab.run("client", ["true"]) == 0
        lab.close()


def test_an_error_while_building_leaves_nothing(monkeypatch: pytest.MonkeyPatch):
    before, running = open_descriptors(), set(_descendants(os.getpid()))
    lab = Lab(make("reject"))
    monkeypatch.setattr("pytest_hdp.lab.batch.settings", lambda *_: (_ for _ in ()).throw(RuntimeError("now")))
    with pytest.raises(RuntimeError, match="now"):
        lab.__enter__()
    assert open_descriptors() == before
    assert set(_descendants(os.getpid())) <= running  # a browser of other tests, say


def test_labs_leak_no_descriptor():
    counts = []
    for _ in range(3):
        with Lab(make("home-nat-loss-5")):
            pass
        counts.append(open_descriptors())
    assert len(set(counts)) == 1


@pytest.mark.needs("ping")
def test_two_labs_side_by_side_know_nothing_of_each_other():
    with Lab(make("transparent")) as one, Lab(make("allowlist")) as other:
        assert one.namespace_path("client") != other.namespace_path("client")
        assert [lab.run("client", ["sh", "-c", "ping -c 1 $HDP_TARGET > /dev/null"]) for lab in (one, other)] == [0, 0]


def _descendants(number: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = re.search(r"^PPid:\s+(\d+)$", (entry / "status").read_text(), re.MULTILINE)
            except OSError:
                continue
            if parent:
                children.setdefault(int(parent[1]), []).append(int(entry.name))
    found, todo = [], [number]
    while todo:
        each = todo.pop()
        found.append(each)
        todo += children.get(each, [])
    return found[1:] if number == os.getpid() else found
