"""Containers of real engines: each gives an agent, or one line that says why not and what to do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from machine import Machine

from pytest_hdp.vantage.remote.launcher import SILENCE

READY = ("ready, None",)
NO_PYTHON = ("there is no python4 in it", "python=PATH", "netns=pid:$(")
NO_RAW = ("raw sockets may not be opened in it, it lacks NET_RAW", "netns=pid:$(")
LIKE_DOCKER = {
    "{}=box": READY,
    "{}://box": READY,
    "{}=drop box": READY,
    'command={} exec -i box python3': READY,
    "{}=python=python4 box": NO_PYTHON,
    "{}=python=/opt/python4 box": ("there is no /opt/python4 in it",),
    "{}=nobox": ("there is no such container", "{} ps -a"),
    "{}=ended": ("it is not running: {} start ended",),
    "{}=lacks": (*NO_RAW, "--cap-add=NET_RAW"),
    "command={} exec --privileged -i -u 0 lacks python3": READY,
    "command={} exec -i lacks python3": ("the command's Python has to be root there, with NET_RAW",),
    "command={} exec -i box python4": ("there is no Python 3.8+ at its end",),
    "command={} exec -i nobox python3": ("no Python answered", "no such container"),
}  # fmt: skip
LXC = {
    "lxc=box": READY,
    "lxc://box": READY,
    "lxc=drop box": READY,
    "command=lxc-attach -n box -- python3": READY,
    "lxc=python=python4 box": NO_PYTHON,
    "lxc=nobox": ("it is not running, or there is none",),
    "lxc=lacks": (*NO_RAW, "lxc.cap.drop"),
}


def asked(machine: Machine, cases: dict[str, tuple[str, ...]], engine: str, *, user: bool = False) -> None:
    """Try all of them at the same time."""
    wanted = {spec.format(engine): [part.format(engine) for part in parts] for spec, parts in cases.items()}
    said = machine.connected(*wanted, user=user)
    for spec, parts in wanted.items():
        for part in parts:
            assert part.lower() in said[spec].lower(), (spec, said[spec])
        assert "\n" not in said[spec]
        assert "Traceback" not in said[spec]


def all_capabilities() -> bool:
    """Whether this machine has every one: Docker's "privileged" takes them all."""
    (held,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "CapBnd" in line)
    return int(held, 16) == (1 << (int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1)) - 1


@pytest.mark.night
def test_containers_of_podman_as_root(podman: Machine):
    asked(podman, LIKE_DOCKER, "podman")


def test_containers_of_podman_as_an_ordinary_user(rootless: Machine):
    """It has containers of the same names; of root's it knows nothing."""
    asked(rootless, LIKE_DOCKER, "podman", user=True)


def test_containers_of_docker(docker: Machine):
    cases = {**LIKE_DOCKER, "{}=held": ("it is paused: {} unpause held",)}
    if not all_capabilities():
        cases["command={} exec --privileged -i -u 0 lacks python3"] = ("unable to apply caps",)
    asked(docker, cases, "docker")
    (said,) = docker.connected("docker=box", DOCKER_HOST="unix:///run/nowhere").values()
    assert "its daemon can't be reached: is it running?" in said


def test_containers_of_lxc(lxc: Machine):
    asked(lxc, LXC, "lxc")


@pytest.mark.parametrize("engine", ["podman", "docker", "lxc"])
def test_nothing_is_left_in_a_container(request: pytest.FixtureRequest, engine: str):
    machine: Machine = request.getfixturevalue(engine)
    assert machine.connected(f"{engine}=box") == {f"{engine}=box": "ready, None"}
    deadline = time.monotonic() + SILENCE + 30  # of a test before it, one whose client vanished
    while (left := machine.processes("an agent needs 3.8")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
