"""Containers of real engines, in a machine within this one."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from machine import Machine
from runs import Runs

PODMAN = "podman run -d --network none -v /usr:/usr:ro"
LXC = """
lxc.rootfs.path = dir:/run/rootfs
lxc.net.0.type = empty
lxc.mount.auto = proc:mixed sys:ro
lxc.mount.entry = /usr usr none bind,ro 0 0
lxc.init.cmd = /usr/bin/sleep 10000
lxc.apparmor.profile = unconfined
"""


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A machine of the tests' own."""
    if os.geteuid() != 0:
        pytest.skip("privilege: a machine within this one takes root")
    with Machine() as machine:
        yield machine


@pytest.fixture(scope="session")
def runs(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A path within it."""
    return Runs(machine, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def podman(machine: Machine) -> Machine:
    """With root's containers: one that may open raw sockets, one that may not, one that has ended."""
    _need("podman", "podman")
    _need("crun", "crun")
    machine.shell(_podman("/run/rootfs"))
    return machine


@pytest.fixture(scope="session")
def rootless(machine: Machine) -> Machine:
    """With an ordinary user's."""
    for program, package in (("podman", "podman"), ("crun", "crun"), ("newuidmap", "uidmap")):
        _need(program, package)
    machine.shell(_podman("/run/boxer/rootfs"), user=True)
    return machine


def _podman(root: str) -> str:
    return f"""
    cd /
    {PODMAN} --name box --cap-add NET_RAW --rootfs {root} sleep 10000
    {PODMAN} --name lacks --cap-drop NET_RAW --rootfs {root} sleep 10000
    {PODMAN} --name ended --rootfs {root} sleep 10000
    podman kill ended
    until [ "$(podman inspect -f '{{{{.State.Running}}}}' ended)" = false ]; do :; done
    """


@pytest.fixture(scope="session")
def docker(machine: Machine) -> Iterator[Machine]:
    """With a daemon of Docker's, whose rules of iptables are this machine's alone."""
    for program in ("dockerd", "containerd", "runc"):
        if shutil.which(program) is None:
            pytest.skip("optional docker: apt install docker.io")
    folders = "--data-root=/run/docker-data --exec-root=/run/docker-exec --pidfile=/run/docker.pid"
    parent = f"/hdp-{os.getpid()}"
    daemon = machine.start(
        "bash", "-c",
        f"exec dockerd {folders} -H $DOCKER_HOST --storage-driver=vfs --cgroup-parent={parent} >/run/docker.log 2>&1",
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while "Server Version" not in machine.run("docker", "info", fine=False):
        if daemon.poll() is not None or time.monotonic() > deadline:
            said = machine.run("tail", "-n", "3", "/run/docker.log", fine=False)
            pytest.skip(f"optional docker: its daemon does not run here: {said}")
        time.sleep(0.1)
    run = "docker run -d --network none -v /usr:/usr:ro"
    machine.shell(f"""
    tar -C /run/rootfs -c . | docker import - base
    {run} --name box base sleep 10000
    {run} --name lacks --cap-drop NET_RAW base sleep 10000
    {run} --name held base sleep 10000
    {run} --name ended base sleep 10000
    docker pause held
    docker kill ended
    """)
    yield machine
    machine.run("bash", "-c", "docker unpause held; docker rm -f box lacks held ended; kill $(cat /run/docker.pid)")
    daemon.communicate(timeout=60)
    _remove(set(_groups(parent.strip("/"))))


@pytest.fixture(scope="session")
def lxc(machine: Machine) -> Iterator[Machine]:
    """With containers of LXC's."""
    if shutil.which("lxc-attach") is None:
        pytest.skip("optional lxc: apt install lxc")
    before = set(_groups("lxc*"))
    for name, more in {"box": "", "lacks": "lxc.cap.drop = net_raw\n"}.items():
        file = f"/var/lib/lxc/{name}/config"
        config = f"lxc.uts.name = {name}{LXC}{more}"
        machine.run("bash", "-c", f'mkdir -p "$(dirname {file})"; echo "$1" >{file}', "sh", config)
        if said := machine.run("lxc-start", "-n", name, fine=False):
            pytest.skip(f"optional lxc: its containers do not start here: {said}")
    yield machine
    machine.shell("for each in box lacks; do lxc-stop -k -n $each; done")
    deadline = time.monotonic() + 5
    while (left := set(_groups("lxc*")) - before) and time.monotonic() < deadline:
        _remove(left)  # what ends a container does so in a group of its own, and ends after it


def _groups(pattern: str) -> list[Path]:
    """Control groups of this machine: containers have theirs among them."""
    return [each for top in ("", "*/") for each in Path("/sys/fs/cgroup").glob(f"{top}{pattern}")]


def _remove(groups: set[Path]) -> None:
    for group in groups:
        for each in [*sorted((each for each in group.rglob("*") if each.is_dir()), reverse=True), group]:
            with suppress(OSError):
                each.rmdir()


def _need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {package}: apt install {package}")
