"""A run that is interrupted or killed ends readably, keeps what it knew, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab

TOP = Path(__file__).parents[2]
LOOPBACK = "suites/loopback/test_sweep.py"
INTERNET = "suites/internet/test_sweep.py"
INTERRUPTED, WORKER_DIED = 2, 1
INSTANTS, AT_ONCE = 4 if os.environ.get("TESTS_PROFILE") == "brief" else 12, 4
STAGES = (1, 2, 3, 4)  # network namespaces that stand; with four a lab is whole, or nearly
LONGEST = 0.6  # seconds after that
PATIENCE = 60.0
MARK = "KILL_TEST"
LOOK = "pytest_hdp.measure.path.open_path:OpenPath.look"
SEND = "pytest_hdp.measure.path.open_path:OpenPath.send"  # once for each packet, however busy the machine is


@dataclass
class Run:
    """A pytest process, started in a session of its own, and everything that carries its mark."""

    process: subprocess.Popen[bytes]
    mark: str
    report: Path
    heard: bytes = b""

    def hear(self, pattern: bytes) -> None:
        """Wait until it has printed this."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.heard):
            assert select.select([self.process.stdout], (), (), deadline - time.monotonic())[0], self.heard.decode()
            said = os.read(self.process.stdout.fileno(), 65536)
            assert said, self.heard.decode()
            self.heard += said

    def end(self) -> tuple[int, str]:
        """Wait for its end. Returns its exit status and all it printed."""
        rest, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, (self.heard + rest).decode()

    def records(self) -> dict[int, dict]:
        lines = (self.report / "results.jsonl").read_text().splitlines()
        return {each["protocol"]: each for each in map(json.loads, lines)}

    def processes(self, command: str = "") -> dict[int, str]:
        """Living processes of this run, by number, with their commands, if this is in them.

        They are known by the session, and by a mark in the environment; the kernel gives a namespace's number
        to the next one as soon as it is free, so that on a busy machine it is no name to look for.
        """
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and self._is_ours(entry):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return {number: each for number, each in found.items() if command in each}

    def _is_ours(self, entry: Path) -> bool:
        state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        if state == "Z":
            return False
        if int(session) == self.process.pid:
            return True
        try:
            return self.mark.encode() in (entry / "environ").read_bytes()
        except PermissionError:
            return False

    def find(self, command: str) -> int:
        """Wait for a process with this in its command."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := self.processes(command):
                return min(found)
            assert self.process.poll() is None, self.end()
        raise AssertionError(f"no process with {command!r}")

    def gone(self) -> None:
        """Wait, bounded, for the end of every process with our mark, those too that are being made now."""
        deadline = time.monotonic() + PATIENCE
        while living := self.processes():
            for number in living:
                with contextlib.suppress(ProcessLookupError):
                    pidfd = os.pidfd_open(number)
                    try:
                        ended = select.select([pidfd], (), (), max(0, deadline - time.monotonic()))[0]
                    finally:
                        os.close(pidfd)
                    assert ended, f"still there: {living}"


def namespaces_of(processes: Iterable[int]) -> set[str]:
    """Network namespaces that these processes are in, or hold open, but for the one that we are in."""
    found = set()
    for number in processes:
        with contextlib.suppress(OSError):
            found.add(str(Path(f"/proc/{number}/ns/net").readlink()))
            found |= {str(each.readlink()) for each in Path(f"/proc/{number}/fd").iterdir()}
    return {each for each in found if each.startswith("net:")} - {str(Path("/proc/self/ns/net").readlink())}


def host() -> dict[str, object]:
    """What of the host a lab could change: links, addresses, routes, rules, settings, mounted namespaces."""
    commands = (["ip", "-o", "link"], ["ip", "route", "show", "table", "all"], ["nft", "list", "ruleset"])
    state: dict[str, object] = {
        " ".join(each): subprocess.run(each, capture_output=True, check=False).stdout for each in commands
    }
    for name in ("ipv4/ip_forward", "ipv4/conf/all/rp_filter", "ipv6/conf/all/disable_ipv6", "ipv4/icmp_ratelimit"):
        with contextlib.suppress(OSError):
            state[name] = (Path("/proc/sys/net") / name).read_text()
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return state | {"nsfs": [each for each in mounts if " nsfs " in each]}


@pytest.fixture
def start(tmp_path: Path) -> Iterator:
    """Start `pytest` in the background; whatever is left of it at the end is killed, by its number."""
    runs: list[Run] = []

    def begin(*arguments: str, before: tuple[str, ...] = ()) -> Run:
        mark = f"{MARK}={uuid.uuid4()}"
        report = tmp_path / f"report{len(runs)}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        environment |= {"PYTHONPATH": str(TOP), "PYTHONUNBUFFERED": "1", MARK: mark.partition("=")[2]}
        command = [
            *before, sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest",
            f"--hdp-report={report}",
        ]  # fmt: skip
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=TOP,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        runs.append(Run(process, mark, report))
        return runs[-1]

    yield begin
    for run in runs:
        for number in run.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        run.process.wait()
        if run.process.stdout is not None:
            run.process.stdout.close()


@pytest.fixture
def lab_allowed() -> None:
    try:
        with Lab(make("transparent")):
            pass
    except LabUnavailable as error:
        if "needs network namespaces" not in str(error):
            raise
        pytest.skip(f"privilege: {error}")


def interrupting(folder: Path, where: str, call: int, *, everybody: bool = False) -> tuple[str, ...]:
    """Arguments that press Ctrl-C at the so manieth call of this function, "module:Class.name".

    `everybody`: all processes of the run get the signal, as from a terminal, and not only the one that is there.
    """
    signalled = "os.killpg(0, signal.SIGINT)" if everybody else "signal.raise_signal(signal.SIGINT)"
    (folder / "ctrl_c.py").write_text(f"""
import importlib, itertools, os, signal
module, _, name = "{where}".partition(":")
owner = importlib.import_module(module)
*path, last = name.split(".")
for each in path:
    owner = getattr(owner, each)
usual, calls = getattr(owner, last), itertools.count(1)
def interrupted(*given, **named):
    if next(calls) == {call}:
        {signalled}
    return usual(*given, **named)
setattr(owner, last, interrupted)
""")
    return ("env", f"PYTHONPATH={TOP}:{folder}")


def interrupted(run: Run) -> str:
    """What an interrupted run printed: readable, and gone with all that it had started."""
    status, printed = run.end()
    assert status == INTERRUPTED, printed
    assert "KeyboardInterrupt" in printed
    assert "Traceback" not in printed
    assert "INTERNALERROR" not in printed
    run.gone()
    return printed


SWEEP = (LOOPBACK, "--hdp-protocols=0-48,256", "-p", "ctrl_c")
SENT_SLOWLY = "--hdp-rate=2000", "--hdp-count=9"  # a few packets between two looks; the 400th is one of the sixth round
WORKERS = "-n", "2"


@pytest.mark.parametrize("call", [1, 2, 50])
@pytest.mark.night("2", "50")
def test_ctrl_c_between_tests_keeps_every_record_so_far(start, tmp_path, call):
    run = start(*SWEEP, before=interrupting(tmp_path, "pytest_hdp.plugin.outcome:Observed.check", call))
    printed = interrupted(run)
    # The first is number 0, known when socket() refused it; the second one's test measured all others.
    known = {0} if call == 1 else {*range(49), 256}
    assert set(run.records()) == known
    assert {each["outcome"] for each in run.records().values()} <= {"passed", "xfailed"}
    assert "1 refused at socket (expected)" in printed
    rows = re.findall(r"^\| (\d+) \| ", (run.report / "results.md").read_text(), re.MULTILINE)
    assert set(map(int, rows)) == known


@pytest.mark.parametrize(
    ("where", "call", "known"),
    [(LOOK, 1, False), (SEND, 150, False), (SEND, 400, True)],
    ids=["1st look", "150th packet", "400th packet"],
)
@pytest.mark.night("150th packet", "1st look")
def test_ctrl_c_while_measuring_keeps_what_is_known_by_then(start, tmp_path, where, call, known):
    """Two packets of each, as there are at the 150th, prove of none that it gets through."""
    run = start(*SWEEP, *SENT_SLOWLY, before=interrupting(tmp_path, where, call))
    printed = interrupted(run)
    verdicts = {number: each["verdict"] for number, each in run.records().items()}
    assert verdicts.pop(0) == "refused_at_socket"
    assert set(verdicts.items()) <= {*((number, "delivered") for number in range(1, 49)), (256, "renumbered")}
    assert bool(verdicts.keys() - {256}) == known, printed  # one packet that left is enough for that one
    assert all(each["sent"] for number, each in run.records().items() if number)
    assert "IP protocol numbers" in printed


@pytest.mark.parametrize(
    ("where", "call"),
    [
        ("pytest_hdp.vantage.netns.supervisor:Supervisor.__init__", 1),
        ("pytest_hdp.vantage.netns.supervisor:Supervisor.ask", 9),
        ("pytest_hdp.lab.topology:Lab.close", 1),
        ("pytest_hdp.measure.path.open_path:OpenPath.look", 30),
    ],
)
@pytest.mark.usefixtures("lab_allowed")
@pytest.mark.night
def test_ctrl_c_in_a_lab_leaves_nothing(start, tmp_path, where, call):
    before = host()
    lab = ("--hdp-lab=home-nat-loss-5", "--hdp-protocols=47,253", "-p", "ctrl_c")
    run = start(INTERNET, *lab, before=interrupting(tmp_path, where, call))
    interrupted(run)
    assert host() == before


@pytest.mark.night
@pytest.mark.usefixtures("lab_allowed")
def test_ctrl_c_to_all_processes_of_the_terminal(start):
    run = start(INTERNET, "--hdp-lab=loss-5", "--hdp-protocols=1-100", "-n", "2")
    run.find("relay.py")
    os.killpg(run.process.pid, signal.SIGINT)
    interrupted(run)


@pytest.mark.night
def test_ctrl_c_while_a_worker_measures_keeps_what_is_known_by_then(start, tmp_path):
    run = start(*SWEEP, *SENT_SLOWLY, *WORKERS, before=interrupting(tmp_path, SEND, 400, everybody=True))
    printed = interrupted(run)
    verdicts = {number: each["verdict"] for number, each in run.records().items()}
    assert verdicts.pop(0) == "refused_at_socket"
    assert verdicts, printed
    assert set(verdicts.items()) <= {*((number, "delivered") for number in range(1, 49)), (256, "renumbered")}
    assert "IP protocol numbers" in printed
    rows = re.findall(r"^\| (\d+) \| ", (run.report / "results.md").read_text(), re.MULTILINE)
    assert set(map(int, rows)) == {0, *verdicts}


@pytest.mark.parametrize("everybody", [True, False], ids=["terminal", "kill -INT"])
@pytest.mark.night
def test_ctrl_c_between_the_workers_tests_keeps_what_was_measured(start, everybody):
    run = start(LOOPBACK, "--hdp-protocols=0-255", "-v", *WORKERS)
    run.hear(rb"(?s)(PASSED delivered.*){5}")  # measured for all, and most tests are to come
    (os.killpg if everybody else os.kill)(run.process.pid, signal.SIGINT)
    printed = interrupted(run)
    assert set(run.records()) == set(range(256)), printed
    assert "256 trains: 1 refused at socket (expected), 255 delivered" in " ".join(printed.split())


@pytest.mark.night
def test_ctrl_c_before_anything_was_measured_leaves_no_results(start, tmp_path):
    at = interrupting(tmp_path, "pytest_hdp.measure.campaign.campaign:Campaign.result", 1, everybody=True)
    run = start(*SWEEP, *WORKERS, before=at)
    interrupted(run)
    assert not (run.report / "results.jsonl").exists()


@pytest.mark.parametrize("batch", range(INSTANTS // AT_ONCE))
@pytest.mark.usefixtures("lab_allowed")
@pytest.mark.night("1", "2")
def test_kill_9_at_any_instant_leaves_nothing(start, batch):
    dice = random.Random(batch)
    before = host()
    runs = [
        start(INTERNET, f"--hdp-lab={lab}", "--hdp-protocols=1-100")
        for lab in ("home-nat-loss-5", "reject", "rate-limited", "forger-allowlist")
    ]
    stages = [(number, stage, dice.uniform(0, LONGEST)) for number, stage in enumerate(dice.sample(STAGES, AT_ONCE))]
    killed = [0] * AT_ONCE

    def kill(number: int, stage: int, later: float) -> None:
        """Wait until so many namespaces stand, which is sooner on one machine than on another, and a little more."""
        run, until = runs[number], time.monotonic() + PATIENCE
        while (found := len(namespaces_of(run.processes()))) < stage and run.process.poll() is None:
            assert time.monotonic() < until, f"{found} namespaces, {stage} awaited"
            time.sleep(0.03)
        time.sleep(later)  # a random instant is what is tested
        killed[number] = found
        run.process.kill()

    with ThreadPoolExecutor(AT_ONCE) as killers:
        list(killers.map(lambda each: kill(*each), stages))
    for run in runs:
        assert run.end()[0] in {-signal.SIGKILL, 0}  # 0: it was done before
        run.gone()
    assert max(killed) >= 4  # labs stood
    assert host() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("lab_allowed")
@pytest.mark.night
def test_any_other_signal_leaves_nothing_either(start, number):
    run = start(INTERNET, "--hdp-lab=home-nat-loss-5", "--hdp-protocols=1-100")
    run.find("relay.py")
    run.process.send_signal(number)
    assert run.end()[0] == -number
    run.gone()


@pytest.mark.parametrize("arguments", [(LOOPBACK,), (INTERNET, "--hdp-lab=transparent")], ids=["loopback", "lab"])
@pytest.mark.usefixtures("lab_allowed")
@pytest.mark.night
def test_a_worker_killed_in_mid_measurement_is_replaced_and_its_lock_with_it(start, tmp_path, arguments):
    """The worker that measures dies once, at its 20th look; another one measures, and every other verdict is right."""
    (tmp_path / "dies_once.py").write_text(f"""
import itertools, os, signal
from pytest_hdp.measure.path.open_path import OpenPath
usual, calls = OpenPath.look, itertools.count(1)
def look(self, timeout):
    if next(calls) == 20:
        try:
            os.close(os.open({str(tmp_path / "dead")!r}, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return usual(self, timeout)
OpenPath.look = look
""")
    slowly = "--hdp-protocols=1-60", "--hdp-rate=2000", "-n", "2", "-p", "dies_once"
    run = start(*arguments, *slowly, before=("env", f"PYTHONPATH={TOP}:{tmp_path}"))
    status, printed = run.end()
    assert status == WORKER_DIED, printed
    assert (tmp_path / "dead").exists()
    assert re.search(r"worker 'gw\d+' crashed while running .*test_sweep\[p", printed)
    assert "INTERNALERROR" not in printed
    assert {each["verdict"] for each in run.records().values()} == {"delivered"}, printed
    assert len(run.records()) >= 59
    run.gone()


@pytest.mark.night
@pytest.mark.usefixtures("lab_allowed")
def test_a_supervisor_killed_in_mid_measurement_hangs_nothing(start):
    run = start(INTERNET, "--hdp-lab=home-nat", "--hdp-protocols=1-100", "--hdp-locate=all", "--tb=line")
    run.hear(rb"trains")  # what tries whether namespaces may be had at all is over by then
    os.kill(run.find("supervisor_main"), signal.SIGKILL)
    status, printed = run.end()
    assert status in {0, 1, 4}, printed  # 4: nothing of that lab could be measured
    run.gone()
