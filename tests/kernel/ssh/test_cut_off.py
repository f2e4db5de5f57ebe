"""A run over SSH that is interrupted, and one whose network vanishes without a close."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from typing import Any

import pytest
from managed import Managed, run
from ssh_hosts import SWEEP, Hosts, processes, wait_until

from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.limits import RateLimited
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.plugin.unmeasured import OUTAGE
from pytest_hdp.vantage.netns.supervisor import Namespace
from pytest_hdp.vantage.remote.client import PATIENCE
from pytest_hdp.vantage.remote.launcher import BEAT, SILENCE

# Eight of 253 and 254 pass, so they stay undecided for long after the others are settled.
STINGY = LabSpec("stingy", "eight, then one a second", (Router(), RateLimited(1, 8), Router()))
NUMBERS = "--hdp-protocols=1,6,17,253,254"
CAPTURE_AND_REPORT = 10.0  # seconds for which a busy machine may write
AT_ONCE = 3.0  # seconds; 0.2 on an idle machine
VANISHED = """
table netdev t { chain c { type filter hook ingress device inside priority 0; ether type ip drop; }; }
table ip t { chain c { type filter hook output priority 0; oifname inside drop; }; }
"""


@pytest.fixture(scope="module")
def managed(hosts_of) -> Managed:
    return hosts_of(STINGY, Managed)


@pytest.fixture
def started(managed: Managed):
    """A run through the jump host that has settled something, and what waits for its end."""
    _, wait = managed.start(
        SWEEP, f"--hdp-target={managed.address}", f"--hdp-agent={managed.through()}", NUMBERS, "--hdp-rate=500"
    )
    managed.wait_for_results()
    yield managed, wait
    end_all(managed)
    wait()


def controllers(hosts: Hosts) -> list[int]:
    return processes(f"--hdp-report={hosts.folder}/")


def ssh_clients(hosts: Hosts) -> list[int]:
    return processes(f"{hosts.folder}/ssh_config")


def end_all(hosts: Hosts) -> None:
    for each in controllers(hosts):
        os.kill(each, signal.SIGKILL)


def packets_left(where: Namespace) -> int:
    """How many left eth0: the second number of the last line."""
    return int(run(where, "ip -s link show eth0 | tail -1").split()[1])


def status_of(records: Iterable[dict[str, Any]]) -> int:
    """What a run ends with by what it says: a test has failed; else most, or all, of one direction is unknown.

    How far a run was when its agent went is the machine's matter.
    """
    kept = list(records)
    if any(each["outcome"] == "failed" for each in kept):
        return 1
    directions = [[each["verdict"] for each in kept if each["direction"] == way] for way in ("forward", "reverse")]
    unknown = [(each.count("inconclusive"), len(each)) for each in directions]
    outage = any(lost >= max(OUTAGE, trains // 2 + 1) or 0 < lost == trains for lost, trains in unknown)
    return 4 if outage else 0


@pytest.mark.night
def test_ctrl_c_keeps_what_is_known_and_leaves_nothing(managed: Managed):
    """In the middle of the rounds for everyone, of which only some are known in full by then; reverse is to come."""
    agent = f"--hdp-agent={managed.through()}"
    _, wait = managed.start(
        SWEEP, f"--hdp-target={managed.address}", agent, "--hdp-protocols=1,6,17", "--hdp-rate=500", "--hdp-count=10000"
    )
    client = managed.lab.namespace(managed.lab.client)
    before = packets_left(client)
    wait_until(lambda: packets_left(client) > before + 3000, 60)
    (controller,) = controllers(managed)
    os.kill(controller, signal.SIGINT)
    wait_until(lambda: not managed.agents() and not managed.raw_sockets(), AT_ONCE)
    done = wait()
    assert done.status == 2, done.printed
    assert {done.verdicts[number, "forward"] for number in (1, 6, 17)} == {"delivered"}
    assert not {each for each in done.verdicts if each[1] == "reverse" and done.verdicts[each] != "inconclusive"}
    assert "IP protocol numbers" in done.printed
    assert "KeyboardInterrupt" in done.printed
    assert "Traceback" not in done.printed
    assert not ssh_clients(managed)


def test_ctrl_c_during_the_login_leaves_nothing(managed: Managed):
    """Two processes of ssh: one waits for the other, which waits for the jump host."""
    run(managed.jump, f"nft '{VANISHED}'")
    try:
        agent = f"--hdp-agent={managed.through()}"
        _, wait = managed.start(SWEEP, f"--hdp-target={managed.address}", agent, NUMBERS)
        wait_until(lambda: len(ssh_clients(managed)) > len(controllers(managed)) + 1, 20)
        (controller,) = controllers(managed)
        os.kill(controller, signal.SIGINT)
        done = wait()
        wait_until(lambda: not ssh_clients(managed), 5)
    finally:
        run(managed.jump, "nft flush ruleset")
    assert (done.status, done.records) == (2, {}), done.printed
    assert "Traceback" not in done.printed


@pytest.mark.night
@pytest.mark.long
def test_the_way_of_ssh_vanishes(started):
    """Nothing is closed and nothing refused: no packet comes through any more. The probes' own way is as it was."""
    managed, wait = started
    run(managed.jump, f"nft '{VANISHED}'")
    vanished = time.monotonic()
    done = wait()
    assert time.monotonic() - vanished < PATIENCE + BEAT + CAPTURE_AND_REPORT
    assert done.status == status_of(done.records.values()), done.printed
    assert {done.verdicts[number, "forward"] for number in (1, 6, 17)} == {"delivered"}
    undecided = [each for each in done.records.values() if each["verdict"] == "inconclusive"]
    assert undecided, done.printed
    for record in undecided:
        assert f"the agent ssh=root@{managed.login} is gone: " in record["explanation"]
    assert not ssh_clients(managed)
    wait_until(lambda: not managed.agents() and not managed.raw_sockets(), vanished + SILENCE + 2 - time.monotonic())


@pytest.mark.long
@pytest.mark.night
def test_the_clients_own_link_goes_down(hosts_of):
    """What can't be sent then, as the control can't, says nothing of its number."""
    hosts = hosts_of("transparent")
    _, wait = hosts.start(SWEEP, f"--hdp-target={hosts.address}", f"--hdp-agent={hosts.agent()}", "--hdp-rate=50")
    wait_until(lambda: hosts.agents() and hosts.raw_sockets() > 250, 40)
    client = hosts.lab.namespace(hosts.lab.client)
    before = packets_left(client)
    wait_until(lambda: packets_left(client) > before + 100, 20)
    run(client, "ip link set eth0 down")
    vanished = time.monotonic()
    done = wait()
    assert time.monotonic() - vanished < 2 * PATIENCE + CAPTURE_AND_REPORT
    assert done.status == 4, done.printed
    assert len(done.records) == 512
    assert set(done.verdicts.values()) == {"inconclusive"}
    assert any("is gone" in record["explanation"] for record in done.records.values())
