"""A far end that means harm, as a process that stands in for ssh: no memory, one line, and status 4 or inconclusive.

Each runs in pid and network namespaces of its own, where only loopback is, with bounds on memory and files: without
them a flood can take the whole machine down.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest

HERE = Path(__file__)
TOP = HERE.parents[2]
SWEEP = TOP / "suites" / "cloud" / "test_sweep.py"
INSTALLED = any(point.value == "pytest_hdp.plugin" for point in entry_points(group="pytest11"))
USAGE_ERROR = 4
MOST_MEMORY = 200 << 10  # KiB: of the controller at its peak, pytest included
LONGEST_LINE = 1500
# A process of its own: of one that was forked, the kernel counts what its parent had too.
MEASURED = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as note:
    note.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""
LIMITS = "ulimit -v 4000000 && ulimit -f 2000000 && ip link set lo up && exec"

NO_AGENT = "what it sends makes no sense: it is no agent of ours"
SAYS_NONSENSE = "what it says makes no sense"
ALWAYS = {
    **dict.fromkeys(
        (
            "a list of 2000 million",
            "lists of 100 million",
            "a message of 2 GiB",
            "a message of less than nothing",
            "dictionaries",
            "empty lists",
            "one inside the other",
            "one inside the other, said",
            "another channel",
            "a request to run code",
            "noise",
        ),
        NO_AGENT,
    ),
    "an error of an agent's": "xxx",
    "the standard error": "it prints without end on its standard error",
}
FROM_THE_START = {**ALWAYS, "hangs up": "something else runs there than what was asked for"}
LATER = {
    **ALWAYS,
    "hangs up": "the connection ended",
    "no list": NO_AGENT,
    "an unknown word": SAYS_NONSENSE,
    "refusals without end": SAYS_NONSENSE,
    "answers without end": SAYS_NONSENSE,
    "a long text": r"\x1b[2J\nxxx",
}


@dataclass(frozen=True)
class Done:
    """`memory`: KiB that the largest of its processes had at its peak; `records`: the lines of results.jsonl."""

    status: int
    printed: str
    error: str
    memory: int
    records: list[dict[str, str]]
    written: int


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a sweep to a target whose agent is a hostile one."""
    before = ["unshare", "-n", "-p", "-f", "--kill-child"]
    if subprocess.run([*before, "ip", "link", "set", "lo", "up"], capture_output=True, check=False).returncode:
        pytest.skip("privilege: no namespaces")
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {sys.executable} -S {HERE.with_name("hostile_far_end.py")} "$@"\n')
    ssh.chmod(0o755)
    for variable in [name for name in os.environ if name.startswith(("HDP_", "PYTEST_"))]:
        monkeypatch.delenv(variable)

    def start(kind: str, after: int, command: list[str]) -> Done:
        report, printed, memory = (tmp_path / name for name in ("report", "printed", "memory"))
        environment = {
            **os.environ,
            "PYTHONPATH": str(TOP),
            "PATH": f"{ssh.parent}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "HOSTILE": kind,
            "HOSTILE_AFTER": str(after),
            "HOSTILE_PRINTED": str(printed),
        }
        with (tmp_path / "out").open("w+b") as out, (tmp_path / "err").open("w+b") as err:
            shell = ["sh", "-c", f'{LIMITS} "$@"', "sh", sys.executable, "-Sc", MEASURED, str(memory)]
            process = subprocess.run(
                [*before, *shell, sys.executable, *command],
                cwd=tmp_path,
                env=environment,
                stdout=out,
                stderr=err,
                check=False,
            )
        results = report / "results.jsonl"
        return Done(
            process.returncode,
            (tmp_path / "out").read_text(),
            (tmp_path / "err").read_text(),
            int(memory.read_text()),
            [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else [],
            int(printed.read_text()) if printed.exists() else 0,
        )

    yield start
    shutil.rmtree(tmp_path, ignore_errors=True)


def harmless(done: Done) -> None:
    """No memory, no traceback, nothing that a terminal obeys."""
    shown = done.printed + done.error
    assert done.memory < MOST_MEMORY, shown[-2000:]
    assert done.written < 100_000_000
    assert "Traceback" not in shown
    assert "INTERNALERROR" not in shown
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", shown)


def sweep(protocols: str) -> list[str]:
    own = [
        "-pno:cacheprovider", "-pno:hypothesispytest",
        "-p", "no:xdist", "--color=no", "--rootdir=.", "-c", os.devnull,
    ]  # fmt: skip
    loaded = [] if INSTALLED else ["-p", "pytest_hdp.plugin"]
    where = ["--hdp-target=127.0.0.1", "--hdp-agent=ssh=far", "--hdp-report=report", f"--hdp-protocols={protocols}"]
    return ["-m", "pytest", str(SWEEP), *loaded, *own, *where, "--hdp-rate=200"]


@pytest.fixture(params=["from the start", "later"])
def when(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.night(but=["from the start"])
def test_whatever_it_does_costs_little_and_ends_in_one_line(run, when):
    """One controller meets them all, one after the other."""
    expected, after = (FROM_THE_START, 0) if when == "from the start" else (LATER, 4)
    done = run("", after, [str(HERE.with_name("meet_far_ends.py")), *expected])
    harmless(done)
    assert done.status == 0, done.error
    said = json.loads(done.printed)
    assert said.keys() == expected.keys()
    for kind, line in said.items():
        assert expected[kind] in line, kind
        assert len(line) < LONGEST_LINE, kind
    assert done.memory < MOST_MEMORY


@pytest.mark.night(but=["the standard*"])
@pytest.mark.parametrize("kind", ["a list of 2000 million", "the standard error"])
def test_what_is_no_agent_is_one_line_and_status_4(run, kind):
    done = run(kind, 0, sweep("253"))
    harmless(done)
    (line,) = [line for line in done.error.splitlines() if line]
    assert (done.status, done.records) == (USAGE_ERROR, []), done.printed
    assert line == f"ERROR: the agent ssh=far can't be had: {FROM_THE_START[kind]}"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["a list of 2000 million", "one inside the other, said", "packets without end"])
@pytest.mark.night("a list*", "packets*")
def test_an_agent_that_turns_hostile_leaves_what_is_not_known_inconclusive(run, kind):
    done = run(kind, 30, sweep("1-40"))
    harmless(done)
    assert len(done.records) == 80, done.printed
    assert {record["verdict"] for record in done.records} <= {"inconclusive", "delivered"}
    unknown = [record["explanation"] for record in done.records if record["verdict"] == "inconclusive"]
    assert unknown, done.printed
    for explanation in unknown:
        assert f"the agent ssh=far is gone: {LATER.get(kind, '')}" in explanation
