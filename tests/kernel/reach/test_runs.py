"""Whole runs from a container to another one: the truth of the path, and nothing left, however they end."""

from __future__ import annotations

import signal
import time

import pytest
from machine import Machine
from runs import SERVER, Runs

AT_ONCE = 5.0  # seconds; under one on an idle machine


@pytest.fixture(scope="module")
def boxes(runs: Runs, podman: Machine) -> Runs:
    """A container of root's at each end of the path."""
    for name, where in {"inside": "client", "outside": "server"}.items():
        podman.shell(
            f"podman run -d --name {name} --cap-add NET_RAW --network ns:/run/netns/{where} -v /usr:/usr:ro "
            "--rootfs /run/rootfs sleep 10000"
        )
    return runs


def all_gone(runs: Runs) -> None:
    began = time.monotonic()
    while left := runs.machine.processes("an agent needs 3.8"):
        assert time.monotonic() - began < AT_ONCE, left
        time.sleep(0.05)
    for name in ("client", "server"):
        assert runs.raw_sockets(name) == 0


@pytest.mark.parametrize("suite", ["internet", "cloud"])
@pytest.mark.night("internet")
def test_a_sweep_finds_what_is_dropped(boxes: Runs, suite: str):
    boxes.check_truth(boxes.sweep("podman=inside", "podman=outside", suite=suite))
    all_gone(boxes)


@pytest.mark.night
def test_a_source_in_a_container_and_no_agent(boxes: Runs):
    done = boxes.start(
        *boxes.swept("podman=inside", "popen")[:2], f"--hdp-target={SERVER}", "--hdp-protocols=253", "--hdp-locate=none"
    )[1]()
    assert done.records[253, "forward"]["verdict"] == "reached", done.printed
    assert done.records[253, "forward"]["path"]["source"] == "198.51.100.1"


@pytest.mark.night
def test_what_has_to_pass_between_two_containers(boxes: Runs):
    ends = ("--hdp-source=podman=inside", "--hdp-agent=podman://outside", f"--hdp-target={SERVER}")
    done = boxes.start("suites/cloud", "--hdp-needs=sctp,gre", *ends)[1]()
    assert done.status == 1, done.printed
    assert done.records[132, "forward"]["verdict"] == "delivered"
    assert done.records[47, "forward"]["verdict"] == "lost"


@pytest.mark.night
def test_an_inventory_names_containers(boxes: Runs, tmp_path):
    file = tmp_path / "hosts.toml"
    file.write_text(f'[[target]]\nname = "box"\naddress = "{SERVER}"\nagent = "podman=outside"\n')
    tests = boxes.swept("podman=inside", "")[0]
    done = boxes.start(tests, "--hdp-source=podman=inside", f"--hdp-inventory={file}", "--hdp-protocols=47,253")[1]()
    assert done.records[47, "forward"]["verdict"] == "lost", done.printed
    assert done.records[253, "reverse"]["verdict"] == "delivered"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
@pytest.mark.night
def test_nothing_is_left_when_a_run_is_ended(boxes: Runs, how: signal.Signals):
    boxes.machine.run("ip", "-n", "client", "neigh", "flush", "all")  # what a test before this one met
    arguments = boxes.swept("podman=inside", "podman=outside")
    _, wait = boxes.start(*arguments, "--hdp-count=10000", "--hdp-rate=300", "--hdp-timeout=1")
    began = time.monotonic()
    while len(boxes.machine.processes("an agent needs 3.8")) < 2 or "198.51.100" not in boxes.machine.run(
        "ip", "-n", "client", "neigh"
    ):
        assert time.monotonic() - began < 60, "it has not begun"
    (pytest_there,) = boxes.machine.processes("--hdp-count=10000")[-1:]
    boxes.machine.run("kill", f"-{how.name.removeprefix('SIG')}", str(pytest_there))
    done = wait()
    if how is signal.SIGINT:
        assert done.status == 2, done.printed
        assert "Traceback" not in done.printed
    all_gone(boxes)


@pytest.mark.night
def test_a_container_that_ends_amid_a_run(boxes: Runs, podman: Machine):
    podman.shell(
        "podman run -d --rm --name brief --cap-add NET_RAW --network ns:/run/netns/server -v /usr:/usr:ro "
        "--rootfs /run/rootfs sleep 10000"
    )
    arguments = boxes.swept("podman=inside", "podman=brief")
    _, wait = boxes.start(*arguments, "--hdp-count=10000", "--hdp-rate=300")
    began = time.monotonic()
    while len(boxes.machine.processes("an agent needs 3.8")) < 2:
        assert time.monotonic() - began < 60, "it has not begun"
    podman.run("podman", "kill", "brief")
    done = wait()
    assert done.status == 4, done.printed
    assert "podman=brief" in done.printed


def test_one_that_can_not_be_had_sends_nothing(boxes: Runs):
    def sent() -> str:
        """What IPv4 has counted; a link asks for IPv6 routers by itself."""
        return boxes.machine.run("ip", "netns", "exec", "client", "grep", "^Ip:", "/proc/net/snmp")

    before = sent()
    done = boxes.sweep("podman=inside", "podman=ended")
    assert (done.status, done.records) == (4, {}), done.printed
    assert "it is not running: podman start ended" in " ".join(done.printed.split())
    assert sent() == before
