"""Vantage points that can't start, or die: they cost what they alone would have measured, and are told, a line each.

xdist ends a run with the first worker that it can't start or that dies. Under `--dist each` a worker is a vantage
point, and the others go on: those that can't be started are left out beforehand, and the end of one is kept from xdist.
"""

from __future__ import annotations

import os
import pwd
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_hdp.plugin.vantage_points import VANTAGE, raw, refused, unfit
from pytest_hdp.untrusted.text import safe

PATIENCE = 20.0  # seconds that a vantage point may take to say that its Python is there
_READY = "hdp-vantage-point-is-there"
_WATCHED = "-o BatchMode=yes -o ServerAliveInterval=5 -o ServerAliveCountMax=3 "
"""Options of ssh: nobody is asked anything, and a connection that hangs ends."""
_USUAL = "pyexecnetcache"
"""Where xdist puts its copy of pytest: below a user's home it would be root's under sudo, and root would run it."""
_LONGEST = 500
_OF_SSH = 255


@dataclass(frozen=True, slots=True)
class Lost:
    """A vantage point that did not measure all. `left`: the tests that did not run; None: not one did."""

    why: str
    left: tuple[str, ...] | None = None
    of: int = 0


@dataclass(eq=False, slots=True)
class _Absent:
    """Stands for a worker in the reports of the tests that it did not run."""

    gateway: SimpleNamespace
    workerinput: dict[str, str]


class VantagePoints:
    """Keeps a run going without those that are lost; lives in the process that the user started."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lost: dict[str, Lost] = {}
        self._tests: Sequence[str] = ()
        self._broken: dict[Any, str] = {}

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each vantage point that did not measure all that it was to."""
        return tuple(safe(_line(name, lost)) for name, lost in self._lost.items())

    def lose(self, name: str, lost: Lost) -> None:
        """Take note of a vantage point's end, and of why, unless that is known."""
        self._lost.setdefault(name, lost)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config, specs: list[Any]) -> None:
        """Leave out what can't be started. Raises UsageError if that is all of them."""
        for spec in specs:
            if spec.ssh:
                spec.ssh = _WATCHED + spec.ssh
                if spec.chdir == _USUAL and "sudo" in shlex.split(spec.python or ""):
                    spec.chdir = f"{pwd.getpwuid(0).pw_dir}/{_USUAL}"  # root's home there, as here
        tried = _tried(specs)
        for spec, why in tried:
            if why is not None:
                self.lose(str(spec.id), Lost(f"--tx={raw(spec)} can't be started: {why}"))
        if len(self._lost) == len(specs):
            raise pytest.UsageError("\n".join(self.lines))
        specs[:] = [spec for spec, why in tried if why is None]
        config.option.tx = [raw(spec) for spec in specs]  # xdist counts its workers by these
        dsession = config.pluginmanager.getplugin("dsession")
        for ending in ("worker_errordown", "worker_internal_error", "worker_workerfinished"):
            setattr(dsession, ending, partial(getattr(self, f"_{ending}"), dsession, getattr(dsession, ending)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        """Let what is sent to a worker that has ended be lost: of its end xdist hears next, and would break here."""
        usual = node.sendcommand

        def send(name: str, **what: Any) -> None:
            with suppress(OSError):
                usual(name, **what)

        node.sendcommand = send

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Keep what there is to run: those that never got so far would have run the same."""
        self._tests = max(self._tests, ids, key=len)

    def _worker_errordown(self, dsession: Any, usual: Any, node: Any, error: object) -> None:
        if error == "keyboard-interrupt":
            usual(node=node, error=error)
            return
        error = self._broken.get(node, error)
        ended = "pytest broke there" if node in self._broken else "its process ended, or the connection to it was lost"
        why = unfit(node, error) or f"{ended} ({_last(str(error))})"
        self._config.hook.pytest_testnodedown(node=node, error=why)
        sched = dsession.sched
        ids = sched.node2collection.get(node)
        left = None if ids is None else tuple(ids[index] for index in sched.node2pending.get(node, ()))
        sched.node2pending.pop(node, None)
        if left != ():
            self.lose(str(node.gateway.id), Lost(why, left, len(ids or ())))
        dsession._active_nodes.discard(node)
        _go_on(dsession, node)

    def _worker_internal_error(self, _dsession: Any, _usual: Any, node: Any, formatted_error: str) -> None:
        """Keep why pytest there broke; that it ended is told next."""
        self._broken[node] = formatted_error

    def _worker_workerfinished(self, dsession: Any, usual: Any, node: Any) -> None:
        why = refused(node) or unfit(node, self._broken.get(node))
        if why is None and node in self._broken:
            why = f"pytest broke there: {_last(self._broken[node])}"
        if why is not None:
            self.lose(str(node.gateway.id), Lost(why))
        usual(node=node)
        _go_on(dsession, node)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Have all that count tests (JUnit's file, other plugins) know of those that did not run."""
        if session.exitstatus == pytest.ExitCode.INTERRUPTED:
            return
        for name, lost in self._lost.items():
            self._report(name, lost, self._tests if lost.left is None else lost.left)
        if self._lost and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK  # the lines decide

    def _report(self, name: str, lost: Lost, tests: Iterable[str]) -> None:
        node = _Absent(SimpleNamespace(id=name, spec=name), {VANTAGE: name})
        for test in tests:
            file = test.partition("::")[0]
            for when, outcome, said in (
                ("setup", "skipped", (file, 0, f"Skipped: {safe(lost.why)}")),
                ("teardown", "passed", None),
            ):
                report = pytest.TestReport(test, (file, None, test), {}, outcome, said, when)  # type: ignore[arg-type]
                report.node = node  # type: ignore[attr-defined]
                self._config.hook.pytest_runtest_logreport(report=report)


def _last(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _line(name: str, lost: Lost) -> str:
    if lost.left is None:
        return f"{name} could not be measured from: {lost.why}"
    return f"{name} could not be measured from to the end: {lost.why}: {len(lost.left)} of {lost.of} tests did not run"


def _go_on(dsession: Any, node: Any) -> None:
    """Let the others begin if they waited for this one alone, and the run end if it was the last."""
    sched = dsession.sched
    if not sched.collection_is_completed and node not in sched.node2collection:
        sched.numnodes -= 1
        if sched.node2collection and len(sched.node2collection) >= sched.numnodes:
            sched.collection_is_completed = True
            sched.schedule()
    if not dsession._active_nodes:
        dsession.triggershutdown()


def _tried(specs: Sequence[Any]) -> list[tuple[Any, str | None]]:
    """Each with why it can't be started, or None; all are tried at the same time."""
    found: dict[int, str | None] = {}

    def attempt(number: int) -> None:
        found[number] = _why_not(specs[number])

    trying = [threading.Thread(target=attempt, args=(number,), daemon=True) for number in range(len(specs))]
    for each in trying:
        each.start()
    for each in trying:
        each.join()
    return [(spec, found[number]) for number, spec in enumerate(specs)]


def _why_not(spec: Any) -> str | None:
    """Why no Python answers there, in a line; None if one does, or if only xdist knows how to reach it."""
    from execnet.gateway_io import popen_args, ssh_args

    from pytest_hdp.vantage.remote.far_host import BUSY_PAUSES
    from pytest_hdp.vantage.remote.ssh import is_busy, refusal

    if spec.via or not (spec.popen or spec.ssh):
        return None
    command = ssh_args(spec) if spec.ssh else popen_args(spec)
    status, said, printed = _run(command)
    for pause in BUSY_PAUSES if spec.ssh else ():
        if status != _OF_SSH or not is_busy(printed):
            break
        time.sleep(pause)
        status, said, printed = _run(command)
    if said.strip() == _READY:
        return None
    if said.strip().endswith(_READY):
        return "something there prints before Python starts: keep the shell's start-up files quiet"
    lines = [" ".join(line.split()) for line in printed.splitlines() if line.strip()]
    reason = refusal(shlex.split(spec.ssh), lines) if spec.ssh and status == _OF_SSH else ""
    return (reason or (lines or [f"it ended with status {status}, and no Python was there"])[-1])[:_LONGEST]


def _run(command: Sequence[str]) -> tuple[int | None, str, str]:
    """The exit status of a command that is to start a Python, what that says when asked, and the standard error."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # no terminal to ask in
            env={**os.environ, "SSH_ASKPASS_REQUIRE": "never"},
        )
    except OSError as error:
        return None, "", f"{command[0]}: {error.strerror or error}"
    code = f"print({_READY!r})"
    try:
        out, err = process.communicate(f"{code!r}\n".encode(), PATIENCE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, "", f"nothing answered within {PATIENCE:g} s"
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
