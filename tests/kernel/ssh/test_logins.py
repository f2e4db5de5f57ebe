"""Many logins at a time, and hosts that do not let us in as asked: how long that takes, and what is said of it."""

from __future__ import annotations

import json
import select
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fleet import Fleet
from ssh_hosts import SWEEP, TOP, wait_until

NUMBERS = "--hdp-protocols=6,253"
SLOW = 3  # seconds that a slow host takes to let us in


@pytest.fixture(scope="module")
def fleet(fleet_of) -> Fleet:
    return fleet_of(4)


def connected(fleet: Fleet, *specs: str) -> dict[str, str]:
    """What came of these logins, all tried by one process of the controller."""
    script = Path(__file__).with_name("connect.py")
    status, printed = fleet.client.run(["/usr/bin/env", f"PYTHONPATH={TOP}", sys.executable, str(script), *specs])
    assert status == 0, printed
    return json.loads(printed.splitlines()[-1])


@pytest.mark.night
def test_a_slow_login_costs_its_own_time_and_a_hung_one_ends_alone(fleet: Fleet):
    """The slow ones wait side by side; what listens at h4 never says a word."""
    slow, log = fleet.folder / "slow-python", fleet.folder / "slow.log"
    slow.write_text(f'#!/bin/sh\necho begin >>{log}\nsleep {SLOW}\necho end >>{log}\nexec /usr/bin/python3 "$@"\n')
    slow.chmod(0o755)
    agents = {name: f"ssh=python={slow} {fleet.agent_at(name).removeprefix('ssh=')}" for name in ("h1", "h2", "h3")}
    deaf = fleet.hosts["h4"].open_socket(socket.AF_INET, socket.SOCK_STREAM)
    deaf.bind((fleet.addresses["h4"], 2222))
    deaf.listen()
    with deaf:
        inventory = fleet.inventory(**agents, h4=fleet.agent_at("h4").replace("root@", "-p 2222 root@"))
        done = fleet.run(SWEEP, NUMBERS, f"--hdp-inventory={inventory}", "--hdp-locate=none")
    assert done.status == 4, done.printed
    assert log.read_text().split() == ["begin"] * 3 + ["end"] * 3
    assert done.printed.count(" could not be measured") == 1
    assert "timed out" in " ".join(done.printed.split()).partition("h4 could not be measured")[2]
    assert set(done.verdicts.values()) == {"delivered"}
    assert "h4 not measured" in (fleet.folder / f"report{fleet.runs}" / "results.md").read_text()


@pytest.mark.night
def test_the_others_are_measured_while_one_is_still_logging_in(fleet: Fleet):
    """h1 is the first in the inventory, and lets us in when all that is known of the others is known."""
    waiting = fleet.folder / "waiting-python"
    waiting.write_text(
        f"#!/bin/sh\ntouch {fleet.folder}/asked\nfor i in $(seq 250); do\n"
        f'  [ -e {fleet.folder}/measured ] && exec /usr/bin/python3 "$@"\n  sleep 0.1\ndone\nexit 3\n'
    )
    waiting.chmod(0o755)
    agent = f"ssh=python={waiting} {fleet.agent_at('h1').removeprefix('ssh=')}"
    inventory = fleet.inventory(h1=agent)
    tap = fleet.hosts["h4"].open_socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with tap:
        _, wait = fleet.start(SWEEP, NUMBERS, f"--hdp-inventory={inventory}", "--hdp-locate=none")
        wait_until((fleet.folder / "asked").exists, 60)
        assert select.select([tap], (), (), 24)[0], "nothing was sent to the others"
        (fleet.folder / "measured").touch()
        done = wait()
    assert done.status == 0, done.printed


def test_a_host_that_has_too_many_logins_at_a_time_is_asked_again(fleet: Fleet):
    """Somebody holds the only place that its sshd has, until the first of ours has been turned away."""
    config = fleet.folder / "sshd_config_one"
    config.write_text((fleet.folder / "sshd_config").read_text().replace("MaxStartups 50", "MaxStartups 1"))
    fleet.serve_at("h1", "-f", str(config), "-o", "Port=2201")
    agent = fleet.agent_at("h1").replace("root@", "-p 2201 root@")
    log = fleet.folder / "sshd.log"
    held = fleet.client.open_socket(socket.AF_INET, socket.SOCK_STREAM)
    with held, ThreadPoolExecutor(1) as pool:
        held.setblocking(True)
        held.connect((fleet.addresses["h1"], 2201))
        said = pool.submit(connected, fleet, agent)
        wait_until(lambda: "MaxStartups" in log.read_text(), 20)
        held.close()
        assert said.result() == {agent: "ready, None"}


def test_what_is_forced_to_run_there_is_told_as_such(fleet: Fleet):
    """Something else runs than what we asked for, and prints, or ends; start-up files are told apart."""
    forced = {2211: "echo this account is restricted", 2212: "/bin/false", 2213: "internal-sftp"}
    for port, command in forced.items():
        fleet.serve_at("h2", "-o", f"Port={port}", "-o", f"ForceCommand={command}")
    agents = [fleet.agent_at("h2").replace("root@", f"-p {port} root@") for port in forced]
    for said in connected(fleet, *agents).values():
        assert "ForceCommand" in said
        assert "start-up files" not in said


@pytest.mark.night
def test_a_banner_is_not_taken_for_our_own_words(fleet: Fleet):
    banner = fleet.folder / "banner"
    banner.write_text("hdp: all is well here\nsudo: and here\nhdp: really\n")
    fleet.serve_at("h3", "-o", "Port=2221", "-o", f"Banner={banner}")
    agent = fleet.agent_at("h3").replace("root@", "-p 2221 root@")
    nobody = agent.replace("root@", "nobody-here@")
    no_python = agent.replace("ssh=", "ssh=python=python4 ")
    said = connected(fleet, agent, nobody, no_python)
    assert said[agent] == "ready, None"
    assert "no key of yours" in said[nobody]
    assert "there is no python4 there" in said[no_python]
