"""Every way in which an agent can't be had, provoked: one line that says what to do, exit status 4, nothing sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from ssh_hosts import ASKED_USER, PLAIN_USER, SUDO_USER, TOP, Hosts, keygen

pytestmark = pytest.mark.long

# what stands in for a Python that this machine need not have, or for a host that allows less
PYTHONS = {
    "old": """exec /usr/bin/python3 -S -c '
import sys
sys.version_info = (3, 7, 17)
exec(sys.argv[3])
' "$@" """,
    "bounded": 'exec setpriv --inh-caps=-all --bounding-set=-all /usr/bin/python3 "$@"',
    "capable": 'exec setpriv --reuid=1 --inh-caps=+net_raw --ambient-caps=+net_raw /usr/bin/python3 "$@"',
    "noisy": 'echo welcome; exec /usr/bin/python3 "$@"',
    "hopeless": "exit 3",
}
READY = "ready, None"

CASES = {
    "wrong user or key": ("Permission denied (publickey)", "no key of yours"),
    "another host key": ("Host key verification failed", "not the known one"),
    "unknown host key": ("Host key verification failed", "log in by hand once"),
    "nobody listens": ("Connection refused", "can't be reached"),
    "no such host": ("198.51.100.77", "can't be reached"),
    "no such option": ("onsense",),
    "no python": ("there is no python4 there", "python=PATH"),
    "old python": ("Python 3.7 is too old there", "3.8 or later"),
    "no python at all": ("status 3",),
    "noisy": ("prints before the agent starts",),
    "no sudo": ("raw sockets need root there", "sudo: ", "password"),
    "sudo asks": ("raw sockets need root there", "sudo: ", "password"),
    "root without the privilege": ("not even by root",),
    "nothing to give up": ("only root can give up its privilege",),
    "capable": (READY,),
    "sudo": (READY,),
    "sudo, drop": (READY,),
    "root": (READY,),
}


@pytest.fixture(scope="module")
def said(hosts: Hosts) -> dict[str, str]:
    """What came of each case, all tried by one process at the client."""
    for name, script in PYTHONS.items():
        program = hosts.folder / f"python-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    python = {name: f"python={hosts.folder}/python-{name}" for name in PYTHONS}
    keygen("-q", "-t", "ed25519", "-N", "", "-f", str(hosts.folder / "other"))
    (hosts.folder / "other_hosts").write_text(f"{hosts.address} {(hosts.folder / 'other.pub').read_text()}")
    agents = {
        "wrong user or key": hosts.agent("nobody-here"),
        "another host key": hosts.agent(options=f"-o UserKnownHostsFile={hosts.folder}/other_hosts"),
        "unknown host key": hosts.agent(options="-o UserKnownHostsFile=/dev/null"),
        "nobody listens": hosts.agent(options="-p 2222"),
        "no such host": f"ssh=-F {hosts.folder}/ssh_config -o ConnectTimeout=2 root@198.51.100.77",
        "no such option": hosts.agent(options="-o Nonsense=yes"),
        "no python": hosts.agent(words="python=python4"),
        "old python": hosts.agent(words=python["old"]),
        "no python at all": hosts.agent(words=python["hopeless"]),
        "noisy": hosts.agent(words=python["noisy"]),
        "no sudo": hosts.agent(PLAIN_USER),
        "sudo asks": hosts.agent(ASKED_USER),
        "root without the privilege": hosts.agent(words=python["bounded"]),
        "nothing to give up": hosts.agent(words=f"drop {python['capable']}"),
        "capable": hosts.agent(words=python["capable"]),
        "sudo": hosts.agent(SUDO_USER),
        "sudo, drop": hosts.agent(SUDO_USER, "drop"),
        "root": hosts.agent(),
    }
    assert agents.keys() == CASES.keys()
    script = Path(__file__).with_name("connect.py")
    client = hosts.lab.namespace(hosts.lab.client)
    status, printed = client.run(["/usr/bin/env", f"PYTHONPATH={TOP}", sys.executable, str(script), *agents.values()])
    assert status == 0, printed
    found = json.loads(printed.splitlines()[-1])
    return {name: found[agent] for name, agent in agents.items()}


@pytest.mark.night("wrong user or key")
@pytest.mark.parametrize("case", CASES)
def test_one_line_says_what_is_wrong(said: dict[str, str], case: str):
    for each in CASES[case]:
        assert each in said[case]
    assert "\n" not in said[case]
    assert "Traceback" not in said[case]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night
def test_it_ends_the_run_before_anything_is_sent(hosts, workers):
    done = hosts.sweep(hosts.agent(options="-p 2222"), "--hdp-protocols=253,254", *workers)
    assert (done.status, done.records) == (4, {}), done.printed
    assert "can't be had: it can't be reached" in done.error


def test_who_asks_for_nothing_of_the_far_host_does_not_log_in(hosts):
    agent = hosts.agent(options="-p 2222")
    done = hosts.run(
        "suites/loopback/test_sweep.py", "suites/internet/test_sweep.py", "-k", "loopback",
        f"--hdp-target={hosts.address}", f"--hdp-agent={agent}", "--hdp-protocols=253",
    )  # fmt: skip
    assert done.status == 0, done.printed
