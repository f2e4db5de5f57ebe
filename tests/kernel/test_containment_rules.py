"""Boxes as people have them: ufw as Debian ships it, denying what goes out, Docker's default bridge, a proxy."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("iptables", "ip6tables")
BOXES = runpy.run_path(str(Path(__file__).with_name("test_containment.py")))
FAR = BOXES["FAR"]
SOME = "--hdp-protocols=1,6,17,47,58,132,253"

# `ufw default deny outgoing; ufw enable`, version 0.36.2: what of before.rules and before6.rules is about going out
UFW = """
for each in iptables ip6tables; do
  ufw() { ip netns exec box $each -w "$@"; }
  ufw -P OUTPUT DROP
  ufw -A OUTPUT -o lo -j ACCEPT
  ufw -A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
done
for type in 1 2 3 4 128 129; do ufw -A OUTPUT -p icmpv6 --icmpv6-type $type -j ACCEPT; done
for type in 133 134 135 136; do ufw -A OUTPUT -p icmpv6 --icmpv6-type $type -m hl --hl-eq 255 -j ACCEPT; done
"""
DOCKED = "172.17.0.2"
# what dockerd does for its default bridge: one network for all containers, a masquerade, and a chain of the user's
DOCKER = f"""
set -e
for n in docked mate engine server; do ip netns add $n; ip -n $n link set lo up; done
ip -n engine link add docker0 type bridge; ip -n engine addr add 172.17.0.1/16 dev docker0
ip -n engine link set docker0 up
i=2
for n in docked mate; do
  ip link add eth0 netns $n type veth peer name v$i netns engine
  ip -n engine link set v$i master docker0; ip -n engine link set v$i up
  ip -n $n addr add 172.17.0.$i/16 dev eth0; ip -n $n link set eth0 up; ip -n $n route add default via 172.17.0.1
  i=$((i+1))
done
ip link add s netns server type veth peer name o netns engine
ip -n engine addr add 198.51.100.1/24 dev o; ip -n engine link set o up
for a in {FAR} 198.51.100.3; do ip -n server addr add $a/24 dev s; done
ip -n server link set s up; ip -n server route add default via 198.51.100.1
ip netns exec engine sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
rule() {{ ip netns exec engine iptables -w "$@"; }}
rule -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
rule -N DOCKER-USER; rule -P FORWARD DROP
rule -A FORWARD -j DOCKER-USER
rule -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
rule -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
rule -A FORWARD -i docker0 -o docker0 -j ACCEPT
"""
DOCKED_ENDS = "--hdp-source=netns=docked", "--hdp-twin=netns=mate", "--hdp-agent=netns=server"
USUAL = "--hdp-protocols=6,17,132,253", "--hdp-form=wellformed,bare"


@pytest.fixture
def ask(run_beside, tmp_path: Path):
    """Exit status, what was printed in one line, and each train's word."""

    def start(topology: str, *arguments: str):
        status, printed, _ = run_beside(topology, BOXES["SUITE"], *arguments)
        assert status != 4, printed
        lines = (tmp_path / "report" / "results.jsonl").read_text().splitlines()
        found = {
            (each["ip_version"], each["protocol"], each["form"]): each["containment"] for each in map(json.loads, lines)
        }
        return status, BOXES["told"](printed), found

    return start


@pytest.mark.night
def test_ufw_that_denies_what_goes_out_lets_pings_out_by_ipv6(ask) -> None:
    """Its rules for IPv6 let six kinds of ICMPv6 out, of which bare HDP's port reads as one; those for IPv4 none."""
    both = f"--hdp-target={FAR}", f"--hdp-target={BOXES['FAR6']}"
    status, printed, found = ask(f"{BOXES['TOPOLOGY']}\n{UFW}", *BOXES["TWO"], *both, SOME)
    leaked = {train for train, word in found.items() if word == "leaked"}
    assert (status, leaked) == (1, {(6, 58, "bare"), (6, 58, "wellformed")}), printed
    assert {word for train, word in found.items() if train not in leaked} == {"contained"}, printed


@pytest.mark.night
def test_docker_s_default_bridge_lets_out_what_a_translator_does(ask) -> None:
    status, printed, found = ask(DOCKER, *DOCKED_ENDS, f"--hdp-target={FAR}", *USUAL)
    assert (status, set(found.values())) == (1, {"leaked"}), printed


@pytest.mark.night
def test_behind_docker_s_masquerade_a_closed_container_takes_two_addresses_to_be_proven(ask) -> None:
    """The twin's numbers without ports are translated: behind one translator silence is no proof."""
    closed = f"{DOCKER}\nrule -A DOCKER-USER -s {DOCKED} -j DROP"
    status, printed, found = ask(closed, *DOCKED_ENDS, f"--hdp-target={FAR}", *USUAL)
    assert (status, found[4, 253, "bare"]) == (1, "unproven"), printed
    status, printed, found = ask(closed, *DOCKED_ENDS, f"--hdp-target={FAR}", "--hdp-target=198.51.100.3", *USUAL)
    assert (status, set(found.values())) == (0, {"contained"}), printed


@pytest.mark.night
def test_a_user_s_rule_for_docker_that_forgets_sctp_is_found(ask) -> None:
    rules = f"""{DOCKER}
    rule -A DOCKER-USER -s {DOCKED} -p tcp -j DROP; rule -A DOCKER-USER -s {DOCKED} -p udp -j DROP
    rule -A DOCKER-USER -s {DOCKED} -p icmp -j DROP"""
    two = f"--hdp-target={FAR}", "--hdp-target=198.51.100.3"
    status, printed, found = ask(rules, *DOCKED_ENDS, *two, *USUAL)
    leaked = {number for (_, number, _), word in found.items() if word == "leaked"}
    assert (status, leaked) == (1, {132, 253}), printed


@pytest.mark.night
def test_a_proxy_that_accepts_connections_is_no_proof_for_tcp(ask) -> None:
    """It would carry on what a program in the box says, in a connection of its own: of that nobody has our bytes."""
    proxy = f"""
    policy 'ip saddr {BOXES["BOX"]} drop;'
    ip netns exec router nft 'table ip n {{ chain p {{ type nat hook prerouting priority -100
      ip saddr {BOXES["BOX"]} tcp dport 420 redirect to :8420; }}; }}'
    ip netns exec router python3 -c 'import socket, time
s = socket.socket(); s.bind(("", 8420)); s.listen(64); open("/run/proxy", "w"); time.sleep(600)' &
    until [ -e /run/proxy ]; do :; done
    """
    status, printed, words = ask(f"{BOXES['TOPOLOGY']}\n{proxy}", *BOXES["TWO"], SOME, f"--hdp-target={FAR}")
    assert (status, words.pop((4, 6, "wellformed"))) == (1, "unproven"), printed
    assert set(words.values()) == {"contained"}, printed
    assert "somebody accepted the connection in the target's name" in printed
