"""The latency experiment with an agent over SSH that dies: one line, status 4, and nothing is claimed."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

import pytest
from ssh_hosts import Hosts, wait_until

LATENCY = "suites/internet/test_latency.py"
LONG = ("--hdp-latency-pairs=3000", "-rs")


@pytest.fixture
def arrived(hosts: Hosts):
    """How many packets of number 253 have come to the agent's host since."""
    tap = hosts.lab.socket_factory(hosts.lab.target)(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    tap.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    tap.bind(("eth0", 3))  # ETH_P_ALL
    seen = 0

    def count() -> int:
        nonlocal seen
        while True:
            try:
                data, (_, kind, _, *_) = tap.recvfrom(2048)
            except BlockingIOError:
                return seen
            seen += kind == 0x0800 and data[9] == 253

    with tap:
        yield count


def killed(hosts: Hosts, wait: Callable[[], object], by: signal.Signals = signal.SIGKILL) -> str:
    (agent,) = hosts.agents()
    os.kill(agent, by)
    try:
        done = wait()
    finally:
        if by is not signal.SIGKILL:
            os.kill(agent, signal.SIGKILL)
    assert done.status == 4, done.printed
    assert "Traceback" not in done.printed
    printed = " ".join(done.printed.split())
    assert f"no latency: the agent ssh=root@{hosts.address} is gone" in printed
    assert "lost" not in printed
    assert "faster" not in printed
    assert not list(hosts.folder.glob("report*/latency.json"))
    return printed


@pytest.mark.night
def test_an_agent_that_dies_during_the_experiment(hosts, arrived):
    _, wait = hosts.start(LATENCY, f"--hdp-target={hosts.address}", f"--hdp-agent={hosts.agent()}", *LONG)
    wait_until(lambda: arrived() > 100, 60)
    killed(hosts, wait)


@pytest.mark.long
@pytest.mark.night
def test_an_agent_that_hangs_during_the_experiment_is_no_loss_of_the_path(hosts, arrived):
    """Its connection stands, and nothing more comes: that is said, and not to send slower."""
    few = ("--hdp-latency-pairs=120", "-rs")
    _, wait = hosts.start(LATENCY, f"--hdp-target={hosts.address}", f"--hdp-agent={hosts.agent()}", *few)
    wait_until(lambda: arrived() > 100, 60)
    printed = killed(hosts, wait, signal.SIGSTOP)
    assert "it has not answered for 15 s" in printed
    assert "slower" not in printed


BETWEEN = """
import os, signal
import pytest
pytestmark = pytest.mark.hdp(path="target", eyes=True, variant="latency")

def test_between(hdp_latency, hdp_path):
    open(os.environ["READY"], "w").close()
    while hdp_path.open.gone is None:
        hdp_path.open.look(0.1)
    hdp_latency().check()
"""


@pytest.mark.night
def test_an_agent_that_dies_between_sweep_and_experiment(hosts, tmp_path):
    mine, ready = tmp_path / "test_between.py", tmp_path / "ready"
    mine.write_text(BETWEEN)
    _, wait = hosts.start(
        "suites/internet/test_sweep.py", str(mine), f"--hdp-target={hosts.address}", f"--hdp-agent={hosts.agent()}",
        "--hdp-protocols=253", "-rs", env={"READY": str(ready)},
    )  # fmt: skip
    wait_until(ready.exists, 60)
    printed = killed(hosts, wait)
    assert "the latency of" in printed
    assert "could not be measured" in printed
