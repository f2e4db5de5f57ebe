"""What an agent over SSH finds is what one in the namespace finds; and what it does, and leaves, at its host."""

from __future__ import annotations

import os
import signal
import socket
import struct
from pathlib import Path

import pytest
from ssh_hosts import SUDO_USER, SWEEP, Hosts, processes, wait_until

from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.limits import RateLimited
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.vantage.remote.launcher import SILENCE

OUTGOING = 4
STINGY = RateLimited(per_second=1, burst=8)
SSH_PORT = 22


@pytest.fixture
def watched(hosts: Hosts):
    """All that leaves the agent's host while a test runs: a function that returns it, from the IP header on."""
    tap = hosts.lab.socket_factory(hosts.lab.target)(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    tap.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE: read at the end
    tap.bind(("eth0", 3))  # ETH_P_ALL: what goes out is shown to no other

    def left() -> list[bytes]:
        packets = []
        while True:
            try:
                data, (_, kind, direction, *_) = tap.recvfrom(2048)
            except BlockingIOError:
                break
            if direction == OUTGOING and kind == 0x0800:
                packets.append(data)
        (_, dropped) = struct.unpack("II", tap.getsockopt(263, 6, 8))  # SOL_PACKET, PACKET_STATISTICS
        assert dropped == 0
        return packets

    with tap:
        yield left


def is_ssh(packet: bytes) -> bool:
    header = (packet[0] & 15) * 4
    return packet[9] == 6 and packet[header : header + 2] == struct.pack("!H", SSH_PORT)


def is_answer(packet: bytes) -> bool:
    """What the host's kernel sends by itself: echo replies and ICMP errors."""
    return packet[9] == 1 and packet[(packet[0] & 15) * 4] in (0, 3)


def essence(record: dict) -> tuple:
    hop = record["last_hop"]
    return record["verdict"], record["nat"]["state"], record["ttl"], hop and hop["address"], tuple(record["changed"])


@pytest.mark.long
@pytest.mark.night
def test_finds_what_an_agent_in_the_namespace_finds(hosts, watched):
    done = hosts.sweep(hosts.agent(SUDO_USER, "drop"))
    assert len(done.records) == 512, done.printed
    peer = socket.inet_aton(hosts.lab.outside_address)
    left = watched()
    assert len(left) > 256 * 5
    assert {packet[16:20] for packet in left} == {peer}, "the agent's host sent to somebody else"
    assert {(r["path"]["kind"], r["path"]["agent"]) for r in done.records.values()} == {
        ("internet", f"ssh={SUDO_USER}@{hosts.address}")
    }
    ends = [f"netns={hosts.lab.namespace_path(node)}" for node in (hosts.lab.client, hosts.lab.target)]
    beside = hosts.run(
        SWEEP, f"--hdp-target={hosts.address}", f"--hdp-source={ends[0]}", f"--hdp-agent={ends[1]}", "--hdp-seed=1"
    )
    assert {key: essence(r) for key, r in done.records.items()} == {
        key: essence(r) for key, r in beside.records.items()
    }
    forward = done.records[253, "forward"]
    assert forward["nat"] == {"state": "translated", "source": hosts.lab.outside_address}
    assert (forward["ttl"], forward["changed"]) == (62, ["source"])
    leaked = {"state": "leaked", "source": hosts.lab.client_address, "control": hosts.lab.outside_address}
    assert done.records[1, "forward"]["nat"] == leaked
    assert {key for key, verdict in done.verdicts.items() if verdict != "delivered"} == {
        (0, "forward"),
        *((number, "reverse") for number in (0, 1, 6, 17, 47, 58, 132, 136)),
    }
    assert done.records[0, "forward"]["verdict"] == done.records[0, "reverse"]["verdict"] == "reached"


@pytest.mark.night
def test_workers_measure_once(hosts):
    done = hosts.sweep(hosts.agent(), "--hdp-protocols=250-254", "-n", "2")
    assert (done.status, set(done.verdicts.values()), len(done.records)) == (0, {"delivered"}, 10), done.printed
    wait_until(lambda: not hosts.agents(), 5)


@pytest.mark.night
@pytest.mark.long
def test_all_suites(hosts):
    done = hosts.run(
        "suites/internet", "suites/cloud", f"--hdp-target={hosts.address}", f"--hdp-agent={hosts.agent()}",
        "--hdp-protocols=253", "--hdp-form=both", "--hdp-latency-pairs=100",
    )  # fmt: skip
    assert done.status == 0, done.printed
    assert set(done.verdicts.values()) == {"delivered"}


ENDLESS = ("-k", "reverse", "--hdp-protocols=253,254", "--hdp-count=10000", "--hdp-rate=500")


@pytest.fixture
def running(hosts: Hosts, watched):
    """A sweep that goes on for long, with its agent at work: it has sent a probe."""
    _, wait = hosts.start(SWEEP, f"--hdp-target={hosts.address}", f"--hdp-agent={hosts.agent(words='drop')}", *ENDLESS)
    wait_until(lambda: any(packet[9] in (253, 254) for packet in watched()), 40)
    yield wait
    for each in processes(f"--hdp-report={hosts.folder}/"):
        os.kill(each, signal.SIGKILL)
    wait()


@pytest.mark.night
def test_the_controller_is_killed(hosts, running):
    (controller,) = processes(f"--hdp-report={hosts.folder}/")
    os.kill(controller, signal.SIGKILL)
    taps_of_the_test = 1
    took = wait_until(lambda: not hosts.agents() and hosts.raw_sockets() == taps_of_the_test, 10)
    assert took < SILENCE / 5, "not by its own silence"


def test_no_privilege_is_left(hosts, running):
    (agent,) = hosts.agents()
    found = status_of(agent)
    assert found["NoNewPrivs"] == "1"
    assert found["Uid"].split() == found["Gid"].split() == ["65534"] * 4
    assert (found["Groups"], int(found["CapEff"], 16), int(found["CapPrm"], 16)) == ("", 0, 0)


def status_of(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_agent_is_killed(hosts, running):
    (agent,) = hosts.agents()
    os.kill(agent, signal.SIGKILL)
    done = running()
    assert done.status == 4, done.printed
    assert set(done.verdicts.values()) == {"inconclusive"}
    for record in done.records.values():
        assert f"the agent ssh=root@{hosts.address} is gone" in record["explanation"]


@pytest.mark.night
def test_what_was_measured_by_then_keeps_its_verdict(hosts_of):
    """A box lets eight of 253 and 254 pass, so some stay undecided for long after the others are settled."""
    hosts = hosts_of(LabSpec("stingy", "four each way, then one a second", (Router(), STINGY, Router())))
    _, wait = hosts.start(
        SWEEP, f"--hdp-target={hosts.address}", f"--hdp-agent={hosts.agent()}", "--hdp-protocols=1,6,17,253,254",
        "--hdp-rate=500",
    )  # fmt: skip
    hosts.wait_for_results()
    for agent in hosts.agents():
        os.kill(agent, signal.SIGKILL)
    done = wait()
    assert {done.verdicts[number, "forward"] for number in (1, 6, 17)} == {"delivered"}
    back = {verdict for (_, direction), verdict in done.verdicts.items() if direction == "reverse"}
    assert done.status in ({4} if back == {"inconclusive"} else {0, 1}), done.printed
    undecided = [each for each in done.records.values() if each["verdict"] == "inconclusive"]
    assert undecided, done.printed
    assert all("is gone" in each["explanation"] for each in undecided)


@pytest.mark.night
@pytest.mark.parametrize(
    ("words", "why"),
    [("budget=300", "its budget of 300 packets is spent"), ("lifetime=3", "its lifetime of 3 s is over")],
)
def test_an_agent_has_a_budget_and_a_lifetime(hosts, watched, words, why):
    done = hosts.sweep(hosts.agent(words=words), "-k", "reverse", "--hdp-protocols=253,254", "--hdp-count=10000")
    assert done.status == 4, done.printed
    assert set(done.verdicts.values()) == {"inconclusive"}
    assert why in done.records[253, "reverse"]["explanation"]
    sent = [packet for packet in watched() if not (is_ssh(packet) or is_answer(packet))]
    if "budget" in words:
        assert len(sent) == 300
    assert not hosts.agents()


@pytest.mark.night
def test_probes_may_start_there(hosts_of):
    """The other way round: from the host behind SSH to this one, with and without observers here."""
    hosts = hosts_of("transparent")
    there = (SWEEP, f"--hdp-target={hosts.lab.client_address}", f"--hdp-source={hosts.agent()}", "--hdp-protocols=253")
    watched = hosts.run(*there, "--hdp-agent=popen")
    assert watched.verdicts == {(253, "forward"): "delivered", (253, "reverse"): "delivered"}, watched.printed
    alone = hosts.run(*there)
    assert alone.verdicts == {(253, "forward"): "reached"}, alone.printed


CLOUD = """
table ip cloud {
  chain in { type filter hook prerouting priority -350
    iifname "inside" ip daddr 198.51.100.2 ip daddr set 10.9.9.9 notrack
    iifname "outside" ip saddr 10.9.9.9 ip saddr set 198.51.100.2 notrack
  }
}
"""


@pytest.mark.night
def test_a_host_that_does_not_own_the_address(hosts_of):
    """As in most clouds: the virtual machine has a private address, and a translator the public one."""
    hosts = hosts_of("transparent")
    target, router = hosts.lab.namespace("target"), hosts.lab.namespace("router2")
    for line in (
        "ip address add 10.9.9.9/32 dev eth0",
        "ip address del 198.51.100.2/24 dev eth0",
        "ip route replace default via 198.51.100.1 dev eth0 onlink src 10.9.9.9",
    ):
        status, printed = target.run(["/bin/sh", "-c", line])
        assert status == 0, printed
    _, printed = router.run(["/bin/sh", "-c", "ip -br link; ip neigh"])
    mac = next(
        line.split()[line.split().index("lladdr") + 1] for line in printed.splitlines() if "198.51.100.2 " in line
    )
    for line in (
        "ip route add 10.9.9.9/32 dev outside",
        f"ip neigh add 10.9.9.9 lladdr {mac} dev outside nud permanent",
        f"nft '{CLOUD}'",
    ):
        status, printed = router.run(["/bin/sh", "-c", f"PATH=$PATH:/usr/sbin:/sbin; {line}"])
        assert status == 0, printed
    done = hosts.sweep(hosts.agent(), "--hdp-protocols=17,47,253,254", "--hdp-form=both")
    assert set(done.verdicts.values()) == {"delivered"}, done.printed
    assert done.records[253, "reverse"]["nat"] == {"state": "translated", "source": "198.51.100.2"}
    assert done.records[253, "forward"]["changed"] == ["destination"]
