"""Hosts with a real sshd, where the tests may have one."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.vantage.netns.supervisor import NamespacesUnavailable, Supervisor
from pytest_hdp.vantage.remote import launcher
from pytest_hdp.vantage.remote.client import RemoteStation
from pytest_hdp.vantage.remote.launcher import Terms
from pytest_hdp.vantage.station import Station

sys.path.insert(0, str(Path(__file__).parent))  # as a script has it: tests/bench wants these hosts too

from agents import PROGRAM
from fleet import Fleet
from ssh_hosts import SSHD, Hosts


@pytest.fixture(scope="module")
def hosts_of() -> Iterator[Callable[..., Hosts]]:
    """Builds a lab with an sshd at its target, to stand as long as the module's tests run."""
    if os.geteuid() != 0:
        pytest.skip("privilege: sshd and its users take root")
    if not (Path(SSHD).exists() and shutil.which("ssh") and shutil.which("sudo")):
        pytest.skip("needs openssh-server, sudo: apt install openssh-server sudo")
    with ExitStack() as stack:

        def build(lab: Any, kind: Callable[[Path, Any], Hosts] = Hosts) -> Any:
            # not in pytest's own folders: other users read their keys here
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hdp-ssh-")))
            folder.chmod(0o755)
            try:
                return stack.enter_context(kind(folder, lab))
            except (LabUnavailable, NamespacesUnavailable) as error:
                pytest.skip(f"privilege: {error}")

        yield build


@pytest.fixture(scope="module")
def fleet_of(hosts_of) -> Callable[[int], Fleet]:
    """Builds so many hosts with an sshd each, beside a controller."""
    return lambda count: hosts_of(count, Fleet)


@pytest.fixture(scope="module")
def hosts(hosts_of) -> Hosts:
    """A client behind a home NAT, and a host with an sshd."""
    return hosts_of("home-nat")


@pytest.fixture
def space():
    """A fresh network namespace with loopback up."""
    try:
        supervisor = Supervisor()
    except NamespacesUnavailable as error:
        pytest.skip(f"privilege: {error}")
    with supervisor:
        namespace = supervisor.namespace()
        status, printed = namespace.run([shutil.which("ip") or "/sbin/ip", "link", "set", "lo", "up"])
        assert status == 0, printed
        yield namespace


@pytest.fixture
def enter(space) -> list[str]:
    """What a command there begins with."""
    enter = [f"--net=/proc/{os.getpid()}/fd/{space.descriptor}"]
    if space.supervisor.private:
        enter = [f"--user=/proc/{space.supervisor.pid}/ns/user", "--preserve-credentials", *enter]
    return ["nsenter", *enter]


@pytest.fixture
def start(enter):
    """Starts an agent there. The test is the controller."""
    started: list[RemoteStation] = []

    def launch(**terms: object) -> RemoteStation:
        command = [*enter, *launcher.loader(sys.executable)]
        started.append(launcher.start(command, "the agent", Terms(**terms)))
        return started[-1]

    yield launch
    for station in started:
        station.close()


@pytest.fixture
def beside(space):
    """A station of our own in the same namespace, with a tap for what the agent sends."""
    with Station(space.open_socket) as station:
        station.tap("lo", PROGRAM)
        yield station
