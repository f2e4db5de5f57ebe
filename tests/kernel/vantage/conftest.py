"""Namespaces of the tests' own, stations in them, and other users to be."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_hdp.vantage.netns.supervisor import Namespace, NamespacesUnavailable, Supervisor
from pytest_hdp.vantage.receiving import Observation
from pytest_hdp.vantage.station import Station

sys.path.insert(0, str(Path(__file__).parent))  # what several modules of tests here share

TOP = Path(__file__).parents[3]
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_REC, MS_PRIVATE = 1 << 14, 1 << 18
REFUSED = "no namespaces of our own"
AS_NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")


@pytest.fixture(autouse=True)
def one_processor() -> Iterator[None]:
    """Each processor has a queue of its own for loopback: who moves to another between two sends may reorder them."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[os.getpid() % len(allowed)]})
    yield
    os.sched_setaffinity(0, allowed)


@pytest.fixture(scope="session")
def supervisor() -> Iterator[Supervisor]:
    try:
        supervisor = Supervisor()
    except NamespacesUnavailable as error:
        pytest.skip(f"privilege: {error}")
    with supervisor:
        yield supervisor


@pytest.fixture
def space(supervisor: Supervisor) -> Namespace:
    """A fresh network namespace with loopback up."""
    namespace = supervisor.namespace()
    run(namespace, "ip", "link", "set", "lo", "up")
    return namespace


@pytest.fixture
def station(space: Namespace) -> Iterator[Station]:
    with Station(space.open_socket) as station:
        yield station


@pytest.fixture
def ip(space: Namespace) -> Callable[..., str]:
    """Runs lines of ip(8) in the space."""
    return lambda *lines: run(space, "ip", "-batch", "-", text="\n".join(lines))


@pytest.fixture
def rules(space: Namespace) -> Callable[[str], None]:
    """Loads nft rules, given hook and rule, into the space."""

    def load(hook: str, rule: str) -> None:
        chain = f"chain c {{\ntype filter hook {hook} priority 0\n{rule}\n}}"
        run(space, "nft", "-f", "-", text=f"table inet t {{\n{chain}\n}}\n")

    return load


@pytest.fixture
def gather() -> Callable[..., list[Observation]]:
    """Polls until what was seen satisfies a condition, or is so many; fails the test after five seconds."""

    def until(station: Station, enough: Callable[[list[Observation]], bool] | int) -> list[Observation]:
        seen: list[Observation] = []
        deadline = time.monotonic() + 5
        while not (len(seen) >= enough if isinstance(enough, int) else enough(seen)):
            left = deadline - time.monotonic()
            assert left > 0, f"after 5 seconds only {len(seen)} packets: {seen[:5]}"
            seen += station.poll(left)
        return seen

    return until


@pytest.fixture
def as_own_root() -> Callable[[Callable[[], None]], None]:
    """Calls a function in a forked child that is root of its own network, mount and, unless root, user namespace.

    /run is empty there, and loopback up. What fails there fails the test.
    """

    def call(body: Callable[[], None]) -> None:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # xdist has threads; the child leaves them alone
            child = os.fork()
        if not child:
            try:
                os.close(reading)
                _become_own_root()
                body()
            except BaseException:
                os.write(writing, traceback.format_exc().encode()[-60_000:])
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as told:
            failure = told.read()
        os.waitpid(child, 0)
        if failure.rstrip().endswith(REFUSED):
            pytest.skip("privilege: neither root nor user namespaces")
        assert not failure, failure

    return call


def _become_own_root() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNET | CLONE_NEWNS | (CLONE_NEWUSER if user else 0)
    if libc.unshare(flags) < 0:
        raise PermissionError(REFUSED)
    if user:
        for name, text in (("uid_map", f"0 {user} 1"), ("setgroups", "deny"), ("gid_map", f"0 {group} 1")):
            Path("/proc/self", name).write_text(text)
    assert libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
    assert libc.mount(b"none", b"/run", b"tmpfs", 0, None) == 0
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@pytest.fixture
def ordinary_user() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a Python script as a user without privilege; root becomes nobody for that."""

    def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
        environment = {"PYTHONPATH": str(TOP), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command, user = (python_of_everyone(), AS_NOBODY) if os.geteuid() == 0 else (sys.executable, {})
        return subprocess.Popen(
            [command, "-c", script, *arguments], env=environment, cwd="/", text=True, **pipes, **user
        )

    return start


def python_of_everyone() -> str:
    """A Python that runs this package and that users other than root may execute."""
    check = "import sys; sys.path.insert(0, sys.argv[1]); import pytest_hdp.vantage.points"
    for each in (sys.executable, *map(partial(shutil.which, path="/usr/local/bin:/usr/bin"), PYTHONS)):
        with contextlib.suppress(PermissionError, TypeError, subprocess.CalledProcessError):
            subprocess.run([each, "-c", check, TOP], capture_output=True, cwd="/", check=True, **AS_NOBODY)
            return each
    pytest.skip("no Python 3.11 here that another user than root may run")


def run(namespace: Namespace, *argv: str, text: str = "") -> str:
    program = shutil.which(argv[0], path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert program, f"{argv[0]} is missing"
    status, printed = namespace.run([program, *argv[1:]], text)
    assert status == 0, printed
    return printed


@pytest.fixture
def opened(space):
    """A station that also shows the sockets it has opened, in order."""
    sockets = []

    def factory(family, kind, protocol):
        sockets.append(space.open_socket(family, kind, protocol))
        return sockets[-1]

    with Station(factory) as station:
        yield station, sockets
