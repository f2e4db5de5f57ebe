"""SSH goes another way than the packets: through a jump host, to an address of the target's own."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest
from managed import JUMP, MANAGEMENT, Managed, run
from ssh_hosts import SSH_CONFIG, SWEEP, Done

from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.lab.boxes import Traffic

IPV4 = 0x0800
NUMBERS = "--hdp-protocols=1,6,17,47,132,250-254"


@pytest.fixture(scope="module")
def managed(hosts_of) -> Managed:
    return hosts_of("home-nat", Managed)


@pytest.fixture
def clean(managed: Managed):
    """Undoes at the target what a test adds there."""
    yield managed
    target = managed.lab.namespace(managed.lab.target)
    run(target, "ip addr del 198.51.100.3/24 dev eth0 || true; ip route del 203.0.113.0/24 || true")


def seen_at(tap: socket.socket) -> list[bytes]:
    packets = []
    while True:
        try:
            data, (_, ethertype, *_) = tap.recvfrom(2048)
        except BlockingIOError:
            break
        if ethertype == IPV4:
            packets.append(data)
    (_, dropped) = struct.unpack("II", tap.getsockopt(263, 6, 8))  # SOL_PACKET, PACKET_STATISTICS
    assert dropped == 0
    return packets


def true_verdicts(managed: Managed, done: Done) -> dict[tuple[int, str], str]:
    """What the lab states of these trains. Reverse ones are answers."""
    told = Traffic(solicited=True)
    return {
        (number, direction): str(managed.lab.expected(number, Direction(direction), Form.BARE, told).verdict)
        for number, direction in done.records
    }


def sweep(managed: Managed, agent: str, *arguments: str) -> Done:
    done = managed.sweep(agent, NUMBERS, *arguments)
    assert len(done.records) == 20, done.printed
    return done


def by_option(managed: Managed) -> str:
    return managed.through()


def by_configuration(managed: Managed) -> str:
    jumping = f"Host behind\n  HostName {MANAGEMENT}\n  User root\n  ProxyJump root@{JUMP}\n"
    (managed.folder / "jump_config").write_text(jumping + SSH_CONFIG.format(folder=managed.folder))
    return f"ssh=-F {managed.folder}/jump_config behind"


@pytest.mark.parametrize("agent", [by_option, by_configuration])
@pytest.mark.night
def test_a_jump_host(managed: Managed, agent: Callable[[Managed], str]):
    client = managed.lab.namespace(managed.lab.client)
    ssh = f"ssh -F {managed.folder}/ssh_config -o ConnectTimeout=3"
    for address in (MANAGEMENT, managed.address):
        status, _ = client.run(["/bin/sh", "-c", f"{ssh} root@{address} true"])
        assert status == 255, "only the jump host reaches the target's sshd"
    with managed.tap_at_jump() as tap:
        done = sweep(managed, agent(managed))
        passed = seen_at(tap)
    assert done.verdicts == true_verdicts(managed, done), done.printed
    assert passed, "ssh came this way"
    assert {packet[9] for packet in passed} == {socket.IPPROTO_TCP}, "probes go from the client to the target"
    record = done.records[253, "reverse"]
    assert record["path"]["target"] == managed.address
    assert record["path"]["agent"] in {f"ssh=root@{MANAGEMENT}", "ssh=behind"}
    assert record["nat"] == {"state": "none", "source": managed.address}


def refused(managed: Managed, agent: str) -> str:
    done = managed.sweep(agent, "--hdp-protocols=253")
    assert (done.status, done.records) == (4, {}), done.printed
    return done.error


@pytest.mark.night
def test_what_is_wrong_at_the_jump_host_is_told_of_the_jump_host(managed: Managed):
    assert f"no-such@{JUMP}: Permission denied" in refused(managed, managed.agent(options=f"-J no-such@{JUMP}"))
    assert f"connect to host {JUMP} port 2222" in refused(managed, managed.agent(options=f"-J {JUMP}:2222"))
    hosts = (managed.folder / "known_hosts").read_text()
    (managed.folder / "known_hosts").write_text(hosts.replace(f",{JUMP}", ""))
    try:
        said = refused(managed, managed.through())
    finally:
        (managed.folder / "known_hosts").write_text(hosts)
    assert f"host key is known for {JUMP}" in said
    assert (
        f"log in by hand once, and check it: ssh -F {managed.folder}/ssh_config -J root@{JUMP} root@{MANAGEMENT}"
        in said
    )


@pytest.mark.night
def test_nobody_is_asked_in_a_window_either(managed: Managed):
    """The ssh that goes to a jump host does not get our BatchMode."""
    asking = managed.folder / "ask"
    asking.write_text(f"#!/bin/sh\ntouch {managed.folder}/asked\nexit 1\n")
    asking.chmod(0o755)
    config = SSH_CONFIG.format(folder=managed.folder).replace(f"{managed.folder}/known_hosts", "/dev/null")
    (managed.folder / "asking_config").write_text(config.replace("Checking yes", "Checking ask"))
    done = managed.run(
        SWEEP,
        f"--hdp-target={managed.address}",
        f"--hdp-agent={managed.through().replace('ssh_config', 'asking_config')}",
        "--hdp-protocols=253",
        env={"DISPLAY": ":77", "SSH_ASKPASS": str(asking)},
    )
    assert done.status == 4, done.printed
    assert "a host key is not known" in done.error
    assert not (managed.folder / "asked").exists()


@pytest.mark.night
def test_answers_come_from_the_address_that_was_asked(clean: Managed):
    """The host prefers another address of its own: a NAT would not take what comes from that for an answer."""
    target = clean.lab.namespace(clean.lab.target)
    run(target, f"ip route replace 203.0.113.0/24 via 198.51.100.1 dev eth0 src {MANAGEMENT}")
    done = sweep(clean, clean.through())
    assert done.verdicts == true_verdicts(clean, done), done.printed
    assert done.records[253, "reverse"]["nat"]["source"] == clean.address


@pytest.mark.night
def test_a_second_address_of_the_target(clean: Managed):
    run(clean.lab.namespace(clean.lab.target), "ip addr add 198.51.100.3/24 dev eth0")
    done = clean.run(SWEEP, "--hdp-target=198.51.100.3", f"--hdp-agent={clean.through()}", NUMBERS, "--hdp-form=both")
    found = {number: verdict for (number, way), verdict in done.verdicts.items() if way == "reverse"}
    assert found[253] == found[17] == "delivered", done.printed
    assert done.records[253, "reverse"]["nat"] == {"state": "none", "source": "198.51.100.3"}


CLOUD = """
table ip cloud {
  chain in { type filter hook prerouting priority -350
    iifname "inside" ip daddr 198.51.100.2 ip daddr set 10.9.9.9 notrack
    iifname "outside" ip saddr 10.9.9.9 ip saddr set 198.51.100.2 notrack
  }
}
"""


@pytest.mark.night
def test_a_cloud_leads_to_one_of_several_private_addresses(hosts_of):
    """Neither the first one, nor the one from which the host would send by itself."""
    managed = hosts_of("transparent", Managed)
    target, router = managed.lab.namespace("target"), managed.lab.namespace("router2")
    mac = run(target, "ip -br link show eth0").split()[2]
    run(
        target,
        "ip addr add 10.9.9.8/32 dev eth0; ip addr add 10.9.9.9/32 dev eth0; ip addr del 198.51.100.2/24 dev eth0;"
        "ip route replace default via 198.51.100.1 dev eth0 onlink src 10.9.9.8",
    )
    run(router, f"ip route add 10.9.9.9/32 dev outside; ip neigh add 10.9.9.9 lladdr {mac} dev outside; nft '{CLOUD}'")
    done = managed.sweep(managed.through(), "--hdp-protocols=17,47,253,254", "--hdp-form=both")
    assert set(done.verdicts.values()) == {"delivered"}, done.printed
    assert done.records[253, "reverse"]["nat"] == {"state": "translated", "source": "198.51.100.2"}
    assert done.records[253, "forward"]["changed"] == ["destination"]


def explanations(done: Done) -> set[str]:
    assert set(done.verdicts.values()) == {"inconclusive"}, done.printed
    return {record["explanation"].split(": ", 1)[1] for record in done.records.values()}


@pytest.mark.night
def test_an_agent_at_another_host_is_told_so(managed: Managed):
    """It has not the address, and no translator leads there; the true target answers all the same."""
    agent = f"ssh=-F {managed.folder}/ssh_config root@{JUMP}"
    said = explanations(sweep(managed, agent))
    for each in said:
        assert f"{managed.address} answered" in each
        assert "none of them came to the agent's host, which does not have this address: log in at the host" in each
    target = managed.lab.namespace(managed.lab.target)
    run(target, "nft 'table ip quiet { chain c { type filter hook input priority 0; iifname eth0 drop; }; }'")
    try:
        said = explanations(sweep(managed, agent))
    finally:
        run(target, "nft delete table ip quiet")
    for each in said:
        assert "came to the agent's host, which does not have this address: is it the one that a translator" in each
