"""What the observers at an end must not miss or make up: situations of real hosts, built with `ip` and `nft`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from routed_line import routed_line

from pytest_hdp.lab.trackers import checked_numbers

TOP = Path(__file__).parents[2]
TUN = pytest.mark.skipif(
    not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="/dev/net/tun: not there, or not for this user"
)
SWEEP = "suites/internet/test_sweep.py"
TARGET = "198.51.100.2"
WATCHED = ("--hdp-source=netns=client", "--hdp-agent=netns=server", f"--hdp-target={TARGET}")
ALONE = (WATCHED[0], WATCHED[2])

# client - router - server
LINE = routed_line(client="eth0", server="eth0", inside="in", outside="out")

Run = Callable[..., tuple[str, dict[tuple[int, str], dict[str, Any]]]]


@pytest.fixture
def run(tmp_path: Path, in_namespaces: Callable[..., Any]) -> Run:
    """Run pytest beside a topology, all of it in namespaces that end with the process: what it printed, and records."""

    def start(topology: str, *arguments: str) -> tuple[str, dict[tuple[int, str], dict[str, Any]]]:
        report = tmp_path / "report"
        command = f'{sys.executable} -m pytest -p no:cacheprovider {SWEEP} --hdp-report={report} "$@"'
        done = in_namespaces(f"{topology}\n{command}", *arguments, seconds=300)
        printed = done.stdout + done.stderr
        if lacking := [line for line in printed.splitlines() if " lacks " in line]:
            pytest.skip(f"kernel: {lacking[0]}")
        results = report / "results.jsonl"
        assert results.exists(), printed
        records = [json.loads(line) for line in results.read_text().splitlines()]
        return printed, {(each["protocol"], each["direction"]): each for each in records}

    return start


@pytest.mark.night
def test_what_an_ipsec_policy_refuses_is_held_by_the_receiver(run: Run) -> None:
    policy = "ip -n server xfrm policy add dir in src 192.0.2.2/32 dst 198.51.100.2/32 proto 50 action block"
    printed, records = run(
        LINE + policy + " || { echo the kernel lacks IPsec policies; exit 1; }", *WATCHED, "--hdp-protocols=50,253"
    )
    assert "overflow" not in printed
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == {(50, "forward"): "held_by_receiver"}, printed


def test_number_0_is_reached_where_it_is_seen_since_nobody_can_listen_to_it(run: Run) -> None:
    printed, records = run(LINE, *WATCHED, "--hdp-protocols=0,253")
    assert {key: each["verdict"] for key, each in records.items()} == {
        (0, "forward"): "reached", (0, "reverse"): "reached",
        (253, "forward"): "delivered", (253, "reverse"): "delivered",
    }, printed  # fmt: skip
    for way in ("forward", "reverse"):
        record = records[0, way]
        assert (record["sent"], record["left"], record["arrived"], record["delivered"]) == (7, 7, 7, 0)
        assert "arrived as sent at eth0" in record["explanation"]
        assert "where no socket listens to its number" in record["explanation"]
    answers = [(each["from"], each["type"], each["code"]) for each in records[0, "forward"]["icmp"]]
    assert answers == [(TARGET, 3, 2)], "the target's stack says that nobody listens, which rejects nothing"


@pytest.mark.night
def test_number_0_is_answered_without_an_agent_too(run: Run) -> None:
    printed, records = run(LINE, *ALONE, "--hdp-protocols=0,253")
    assert {key: each["verdict"] for key, each in records.items()} == {
        (0, "forward"): "reached",
        (253, "forward"): "reached",
    }, printed


FIREWALL = """
ip netns exec {host} nft 'table inet t {{ chain c {{ type filter hook {hook} priority 0; ip protocol 0 {word}; }}; }}'
"""


@pytest.mark.parametrize(
    ("host", "hook", "word", "verdicts"),
    [
        ("router", "forward", "drop", ("lost", "lost")),
        ("client", "output", "drop", ("refused_at_send", "reached")),
        ("server", "input", "drop", ("reached", "reached")),
        ("server", "input", "reject with icmp type admin-prohibited", ("reached", "reached")),
    ],
    ids=["a router", "the sender", "the target drops", "the target rejects"],
)
@pytest.mark.night
def test_what_firewalls_do_to_number_0_is_told(run: Run, host: str, hook: str, word: str, verdicts: Any) -> None:
    rules = FIREWALL.format(host=host, hook=hook, word=word)
    printed, records = run(LINE + rules, *WATCHED, "--hdp-protocols=0,253")
    assert (records[0, "forward"]["verdict"], records[0, "reverse"]["verdict"]) == verdicts, printed
    assert records[253, "forward"]["verdict"] == records[253, "reverse"]["verdict"] == "delivered"


# GRE and ESP leave by a second uplink, whose router drops GRE
TWO_UPLINKS = """
ip netns add second; ip -n second link set lo up
ip link add eth1 netns client type veth peer name in netns second
ip link add out netns second type veth peer name eth1 netns server
ip -n client addr add 192.0.2.130/25 dev eth1; ip -n client link set eth1 up
ip -n client addr del 192.0.2.2/24 dev eth0; ip -n client addr add 192.0.2.2/25 dev eth0
ip -n client route add default via 192.0.2.1
ip -n router addr del 192.0.2.1/24 dev in; ip -n router addr add 192.0.2.1/25 dev in
ip -n second addr add 192.0.2.129/25 dev in; ip -n second link set in up
ip -n second addr add 203.0.113.1/24 dev out; ip -n second link set out up
ip -n server addr add 203.0.113.2/24 dev eth1; ip -n server link set eth1 up
ip -n router route add 192.0.2.128/25 via 192.0.2.2; ip -n second route add 198.51.100.0/24 via 203.0.113.2
ip -n second route add 192.0.2.0/25 via 192.0.2.130; ip -n server route add 192.0.2.128/25 via 203.0.113.1
ip -n client route add default via 192.0.2.129 table 47
for n in 47 50; do ip -n client rule add ipproto $n lookup 47; done
for n in client router second server; do
  ip netns exec $n sh -c 'cd /proc/sys/net/ipv4; echo 1 >ip_forward; for f in conf/*/rp_filter; do echo 0 >$f; done'
done
ip netns exec second nft 'add table ip f; add chain ip f c { type filter hook forward priority 0; }
add rule ip f c ip protocol 47 drop'
"""


@pytest.mark.night
def test_what_leaves_by_another_interface_has_left(run: Run) -> None:
    printed, records = run(LINE + TWO_UPLINKS, *WATCHED, "--hdp-protocols=47,50,253")
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == {(47, "forward"): "lost"}, printed
    dead = records[47, "forward"]
    assert dead["left"] == dead["sent"] > 0
    assert "left eth1" in dead["explanation"]
    assert {record["nat"]["state"] for record in records.values()} == {"none"}, "its own second address is no NAT's"
    assert not any(record["duplicated"] for record in records.values())


@pytest.mark.night
def test_without_an_agent_it_is_silent(run: Run) -> None:
    printed, records = run(LINE + TWO_UPLINKS, *ALONE, "--hdp-protocols=47,50")
    assert {number: record["verdict"] for (number, _), record in records.items()} == {47: "silent", 50: "reached"}, (
        printed
    )


BRIDGED = """
ip -n client addr del 192.0.2.2/24 dev eth0
ip -n client link add br0 type bridge; ip -n client link set eth0 master br0; ip -n client link set br0 up
ip -n client addr add 192.0.2.2/24 dev br0; ip -n client route add default via 192.0.2.1
ip -n server addr del 198.51.100.2/24 dev eth0
ip -n server link add br0 type bridge; ip -n server link set eth0 master br0; ip -n server link set br0 up
ip -n server addr add 198.51.100.2/24 dev br0; ip -n server route add default via 198.51.100.1
"""
KEPT_AT_THE_PORT = """
ip netns exec client nft 'add table bridge f; add chain bridge f c { type filter hook output priority 0; }
add rule bridge f c ether type ip ip protocol 47 drop' || { echo the kernel lacks a filter for bridges; exit 1; }
"""


@pytest.mark.night
def test_a_bridge_and_its_port_show_one_packet(run: Run) -> None:
    printed, records = run(LINE + BRIDGED, *WATCHED, "--hdp-protocols=47,253")
    assert {record["verdict"] for record in records.values()} == {"delivered"}, printed
    assert not any(record["duplicated"] for record in records.values())
    assert "twice" not in printed


@pytest.mark.night
def test_what_a_bridge_keeps_from_its_port_has_not_left(run: Run) -> None:
    printed, records = run(LINE + BRIDGED + KEPT_AT_THE_PORT, *WATCHED, "--hdp-protocols=47,253")
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == {(47, "forward"): "held_by_sender"}, printed


@pytest.mark.night
def test_what_its_own_kernel_says_to_itself_is_no_rejection(run: Run) -> None:
    """The next hop of GRE does not answer: after three seconds the sender's own kernel says host unreachable."""
    nobody = """
ip -n client route add default via 192.0.2.99 table 47; ip -n client rule add ipproto 47 lookup 47
ip netns exec client sh -c 'cd /proc/sys/net/ipv4/neigh/eth0; echo 1 >mcast_solicit; echo 100 >retrans_time_ms'
"""
    printed, records = run(LINE + nobody, *WATCHED, "--hdp-protocols=47,253")
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == {(47, "forward"): "held_by_sender"}, printed


@pytest.mark.night
def test_what_may_have_left_in_other_packets_is_not_called_held(run: Run) -> None:
    """An IPsec policy leaves less room in a number's packets, and nothing is seen of these; here a route does both."""
    less = """
ip -n client route add default via 192.0.2.99 mtu lock 1400 table 47; ip -n client rule add ipproto 47 lookup 47
ip netns exec client sh -c 'cd /proc/sys/net/ipv4/neigh/eth0; echo 1 >mcast_solicit; echo 100 >retrans_time_ms'
"""
    printed, records = run(LINE + less, *WATCHED, "--hdp-protocols=47,253")
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == {(47, "forward"): "inconclusive"}, printed
    assert "by an IPsec policy it may put them into other packets" in records[47, "forward"]["explanation"]


@pytest.mark.night
def test_nor_is_it_what_the_kernel_says_from_another_address_of_its_own(run: Run) -> None:
    """What a host sends from its second address brings it the errors of its own kernel from its first one."""
    nobody = """
ip -n client addr add 192.0.2.3/24 dev eth0; ip -n client route replace default via 192.0.2.1 src 192.0.2.3
ip -n client route add default via 192.0.2.99 src 192.0.2.3 table 47; ip -n client rule add ipproto 47 lookup 47
ip netns exec client sh -c 'cd /proc/sys/net/ipv4/neigh/eth0; echo 1 >mcast_solicit; echo 100 >retrans_time_ms'
"""
    printed, records = run(LINE + nobody, *WATCHED, "--hdp-protocols=47,253")
    told = {error["from"] for error in records[47, "forward"]["icmp"]}
    assert told == {"192.0.2.2"}, "else this test says nothing"
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == {(47, "forward"): "held_by_sender"}, printed


@pytest.mark.night
def test_duplicates_of_all_packets_of_a_number_are_told(run: Run, tmp_path: Path) -> None:
    mirror = """
ip netns exec router nft 'add table ip m; add chain ip m c { type filter hook prerouting priority -300; }
add rule ip m c iifname "in" ip protocol 47 dup to 198.51.100.2 device "out"' || { echo the kernel lacks dup; exit 1; }
"""
    printed, records = run(LINE + mirror, *WATCHED, "--hdp-protocols=47,253")
    doubled = records[47, "forward"]
    assert (doubled["verdict"], doubled["duplicated"]) == ("delivered", doubled["delivered"]), printed
    assert "47 (GRE): packets came twice." in printed
    assert "253" not in next(line for line in printed.splitlines() if "twice" in line)
    table = (tmp_path / "report/results.md").read_text()
    assert f"{doubled['delivered']} of {doubled['sent']}, twice" in table
    assert "packets came twice" in (tmp_path / "report/report.html").read_text()


MASQUERADE = """
ip netns exec router nft 'add table ip n
add chain ip n c { type nat hook postrouting priority srcnat; }
add rule ip n c oifname "out" masquerade' || { echo the kernel lacks masquerade; exit 1; }
"""
NO_UDP_CHECKSUM = """
ip netns exec router nft 'add table ip z
add chain ip z c { type filter hook forward priority 0; }
add rule ip z c iifname "in" ip protocol 17 @th,48,16 set 0' || { echo the kernel lacks payload writes; exit 1; }
"""
WITH_CHECKSUMS = (1, 6, 17, 33, 132)


@pytest.mark.parametrize("rules", ["", MASQUERADE, NO_UDP_CHECKSUM], ids=["routers", "a NAT", "UDP without a checksum"])
@pytest.mark.night
def test_what_a_real_stack_finds_in_the_transport_checksum_is_told(run: Run, rules: str, tmp_path: Path) -> None:
    """DCCP's covers the addresses, and a NAT that does not know DCCP leaves it as it was (Linux since 6.17)."""
    asked = f"--hdp-protocols={','.join(map(str, WITH_CHECKSUMS))},50"
    printed, records = run(LINE + rules, *WATCHED, asked, "--hdp-form=wellformed", "--hdp-locate=none")
    expected = dict.fromkeys(WITH_CHECKSUMS, "right")
    if rules == MASQUERADE and 33 not in checked_numbers():
        expected[33] = "stale"
    if rules == NO_UDP_CHECKSUM:
        expected[17] = "none"
    found = {number: records[number, "forward"].get("transport_checksum") for number in (*WITH_CHECKSUMS, 50)}
    assert found == {**expected, 50: None}, printed
    for number, state in expected.items():
        record = records[number, "forward"]
        assert record["verdict"] == "delivered", printed
        assert ("a real stack would drop it" in record["explanation"]) is (state == "stale")
    stale, report = "stale" in expected.values(), tmp_path / "report"
    said = "33 (DCCP): transport checksum stale on arrival, so that a real stack would drop it"
    assert (said in " ".join(printed.split())) is stale, printed
    assert (said in (report / "report.html").read_text()) is stale
    assert ("7 of 7, checksum stale" in (report / "results.md").read_text()) is stale


# The near end begins when the far one listens: an ICMP error would end it.
TUNNEL = """
type socat >/dev/null || { echo the system lacks socat; exit 1; }
ip netns exec server socat UDP-LISTEN:5555 TUN:10.8.0.2/30,up & ends=$!
timeout 20 sh -c 'until ip netns exec server grep -q :15B3 /proc/net/udp; do sleep 0.05; done'
ip netns exec client socat UDP:198.51.100.2:5555 TUN:10.8.0.1/30,up & ends="$ends $!"
trap 'kill $ends' EXIT
timeout 20 sh -c 'until ip netns exec client ping -c1 -W1 10.8.0.2; do sleep 0.1; done' >/dev/null
"""


@pytest.mark.night
@TUN
@pytest.mark.needs("socat", "ping")
@pytest.mark.parametrize("broken", [False, True], ids=["whole", "its end is deaf"])
def test_a_tunnels_packets_are_no_copies_of_what_is_inside(run: Run, broken: bool) -> None:
    deaf = """
ip netns exec server nft 'add table ip f; add chain ip f c { type filter hook input priority 0; }
add rule ip f c udp dport 5555 @th,168,8 47 drop'
"""
    inside = ("--hdp-target=10.8.0.2", "--hdp-protocols=47,253")
    printed, records = run(LINE + TUNNEL + deaf * broken, *WATCHED[:2], *inside)
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == ({(47, "forward"): "lost"} if broken else {}), printed
    assert not any(record["duplicated"] for record in records.values())
    assert ("inside packets of 17 (" in records[47, "forward"]["explanation"]) is broken


@pytest.mark.parametrize(
    ("lab", "moved", "became"), [("cut-front", -4, None), ("insert-front", 8, None), ("renumber", None, 200)]
)
@pytest.mark.night("cut-front*", "renumber*")
def test_what_a_box_does_to_the_front_is_told(tmp_path: Path, lab: str, moved: int | None, became: int | None) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", SWEEP, f"--hdp-lab={lab}", "--hdp-form=both"]
    arguments = ["--hdp-protocols=17,47,132,200,253", f"--hdp-report={tmp_path}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
    done = subprocess.run(
        [*command, *arguments], cwd=TOP, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout
    for line in (tmp_path / "results.jsonl").read_text().splitlines():
        record = json.loads(line)
        spared = {17} if became is None else {17, 200}
        expected = (None, None) if record["protocol"] in spared else (moved, became)
        assert (record.get("moved"), record.get("changed_to")) == expected, record
