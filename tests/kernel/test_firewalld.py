"""A host with firewalld as Debian ships it: the daemon itself, in namespaces of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
HOST = """
set -e
mount --make-rprivate /
mount -t tmpfs none /run
mount -t tmpfs none /var/log
mkdir -p /run/dbus /run/netns /run/upper /run/work
mount -t overlay none -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
for n in sender host; do ip netns add $n; ip -n $n link set lo up; done
ip link add e netns sender type veth peer name eth0 netns host
ip -n sender addr add 192.0.2.1/24 dev e; ip -n sender link set e up
ip -n host addr add 192.0.2.2/24 dev eth0; ip -n host link set eth0 up
dbus-daemon --system --fork
ip netns exec host firewalld --nofork --nopid >/run/log 2>&1 &
for i in $(seq 300); do
  state=$(ip netns exec host firewall-cmd --state 2>&1) && break || sleep 0.1
done
[ "$state" = running ] || { cat /run/log; exit 99; }
ip netns exec host firewall-cmd --quiet --zone=public --change-interface=eth0
[ -z "$4" ] || ip netns exec host firewall-cmd --quiet --zone=public --add-protocol="$4"
cd "$1"
ip netns exec sender "$2" -mpytest -pno:cacheprovider -pno:hypothesispytest -q suites/internet/test_sweep.py \
  --hdp-target=192.0.2.2 --hdp-agent=netns=host --hdp-expect=none --hdp-report="$3"
"""

pytestmark = [
    pytest.mark.night,
    pytest.mark.needs("ip", "firewalld", "firewall-cmd", "dbus-daemon"),
    pytest.mark.skipif(os.geteuid() != 0, reason="privilege: only root can run such a daemon"),
]


@pytest.mark.parametrize("opened", ["", "gre"])
def test_what_it_keeps_is_its_hosts_and_what_it_answers_gets_out(tmp_path: Path, opened: str):
    """Its public zone takes SSH and echoes, rejects aloud what it can check, and keeps all the rest."""
    words = ["bash", "-c", HOST, "bash", str(TOP), sys.executable, str(tmp_path / "report"), opened]
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
    done = subprocess.run(
        ["unshare", "-nmpf", "--kill-child", "--mount-proc", *words],
        check=False,
        env={**usual, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    printed = done.stdout + done.stderr
    assert (tmp_path / "report").exists(), printed
    lines = (tmp_path / "report" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    found = {(each["protocol"], each["direction"]): each["verdict"] for each in map(json.loads, lines)}
    forward = {number: verdict for (number, way), verdict in found.items() if way == "forward" and number}
    passed = {47} if opened else set()
    assert {number for number, verdict in forward.items() if verdict == "delivered"} == passed, printed
    assert {forward[number] for number in set(forward) - passed} <= {"held_by_receiver", "rejected"}, printed
    assert len(forward) == 255
    assert {found[number, "reverse"] for number in range(1, 256)} == {"delivered"}, printed
