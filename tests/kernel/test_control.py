"""The control where networks take it: another one tells, and what was measured beside it is said as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
TUN = pytest.mark.skipif(
    not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="/dev/net/tun: not there, or not for this user"
)
SUITE = ("suites/internet/test_sweep.py", "suites/internet/test_control.py")

# near 192.0.2.2 - one - two - far 198.51.100.2
LINE = """
set -e
for n in near one two far; do
  ip netns add $n; ip -n $n link set lo up; ip netns exec $n sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
done
link() { # namespace address, namespace address
  ip link add name to-$3 netns $1 type veth peer name to-$1 netns $3
  ip -n $1 addr add $2 dev to-$3; ip -n $1 link set to-$3 up; ip -n $3 addr add $4 dev to-$1; ip -n $3 link set to-$1 up
}
link near 192.0.2.2/24 one 192.0.2.1/24
link one 203.0.113.1/30 two 203.0.113.2/30
link two 198.51.100.1/24 far 198.51.100.2/24
ip -n near route add default via 192.0.2.1; ip -n far route add default via 198.51.100.1
ip -n one route add 198.51.100.0/24 via 203.0.113.2; ip -n two route add 192.0.2.0/24 via 203.0.113.1
rules() { # namespace, hook, rules
  ip netns exec $1 nft "table ip t { chain $2 { type filter hook $2 priority 0; $3; }; }"
}
"""
ENDS = ("--hdp-source=netns=near", "--hdp-agent=netns=far", "--hdp-target=198.51.100.2")
Run = Callable[..., tuple[int, str, dict[tuple[int, str], dict]]]


@pytest.fixture
def run(tmp_path: Path, in_namespaces: Callable[..., subprocess.CompletedProcess[str]]) -> Run:
    """Run pytest beside the line, with rules of the test's, all in namespaces that end with the process."""

    def start(rules: str, *arguments: str) -> tuple[int, str, dict[tuple[int, str], dict]]:
        report = tmp_path / "report"
        pytest_command = f'{sys.executable} -m pytest -p no:cacheprovider --hdp-report={report} "$@"'
        done = in_namespaces(f"{LINE}\n{rules}\n{pytest_command}", *SUITE, *_ends(arguments), *arguments)
        printed = done.stdout + done.stderr
        results = report / "results.jsonl"
        assert results.exists(), printed
        records = [json.loads(line) for line in results.read_text().splitlines()]
        return done.returncode, " ".join(printed.split()), {(r["protocol"], r["direction"]): r for r in records}

    return start


def _ends(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Source, agent and target, but for those that the arguments name."""
    named = {each.partition("=")[0] for each in arguments}
    return tuple(each for each in ENDS if each.partition("=")[0] not in named)


def verdicts(records: dict[tuple[int, str], dict]) -> dict[tuple[int, str], str]:
    """What did not get through, and as what."""
    return {key: each["verdict"] for key, each in records.items() if each["verdict"] != "delivered"}


@pytest.mark.night
def test_echoes_tell_where_a_router_drops_udp(run: Run) -> None:
    status, printed, records = run(
        "rules two forward 'iifname to-one ip protocol { 17, 47 } drop'", "--hdp-protocols=1,6,17,47,132,253"
    )
    assert verdicts(records) == {(17, "forward"): "lost", (47, "forward"): "lost"}, printed
    assert status == 1
    assert "no path" not in printed
    assert "no UDP came through; ICMP echoes did, 10 of 10" in printed
    said = records[47, "forward"]
    assert "(ICMP echoes, since none of its UDP came through)" in said["explanation"]
    assert "lost between 203.0.113.2 (hop 2) and 198.51.100.2 (hop 3)" in said["explanation"] or said["last_hop"]
    assert said["control"]["sent"] == said["control"]["delivered"] > 150


def test_the_senders_own_firewall_may_refuse_the_control(run: Run) -> None:
    rules = "rules near output 'ip protocol 17 drop'; rules two forward 'iifname to-one ip protocol 47 drop'"
    status, printed, records = run(rules, "--hdp-protocols=17,47,253")
    assert verdicts(records) == {(17, "forward"): "refused_at_send", (47, "forward"): "lost"}, printed
    assert status == 1
    assert "no path" not in printed
    assert "sendto() refused UDP with EPERM (the sender's local firewall or IPsec policy drops it on output)" in printed
    assert "ICMP echoes did, 10 of 10" in printed
    assert "since sendto() refused the control's UDP with EPERM" in records[47, "forward"]["explanation"]


@pytest.mark.night
def test_where_the_senders_firewall_refuses_everything_the_path_is_not_blamed(run: Run) -> None:
    status, printed, records = run("rules near output 'drop'", "--hdp-protocols=47,253", "-k", "forward or control")
    assert set(verdicts(records).values()) == {"refused_at_send"}, printed
    assert status == 1
    assert "no path" not in printed
    assert "nothing was sent to 198.51.100.2: sendto() refused UDP with EPERM" in printed


@pytest.mark.night
def test_another_number_stands_in_where_only_tcp_and_sctp_pass(run: Run) -> None:
    rules = "rules two forward 'ip protocol != { 6, 132 } drop'"
    status, printed, records = run(rules, "--hdp-protocols=1,6,17,47,132,253")
    lost = {(number, way): "lost" for number in (1, 17, 47, 253) for way in ("forward", "reverse")}
    assert verdicts(records) == lost, printed
    assert status == 1
    assert "no path" not in printed
    assert "no UDP and no ICMP echo came through; packets of 6 (tcp), wellformed did, 10 of 10" in printed
    said = records[253, "forward"]
    assert "(packets of 132 (sctp), since neither its UDP nor its echoes came through)" in said["explanation"]
    assert said["control"]["sent"] == said["control"]["delivered"] > 5 * 44 - 1


@pytest.mark.night
def test_one_number_that_is_dropped_where_only_another_passes(run: Run) -> None:
    """Nothing of what is asked about comes through: that there is a path at all something else has to tell."""
    status, printed, records = run("rules two forward 'ip protocol != 132 drop'", "--hdp-protocols=47")
    assert set(verdicts(records).values()) == {"lost"}, printed
    assert status == 1
    assert "no path" not in printed


@pytest.mark.night(but=["but echoes"])
@pytest.mark.parametrize("echo", ["ip protocol 1 accept; ", ""], ids=["but echoes", "and echoes"])
def test_what_the_targets_firewall_keeps_takes_no_control(run: Run, echo: str) -> None:
    rules = f"rules far input 'iifname lo accept; {echo}drop'"
    status, printed, records = run(rules, "--hdp-protocols=47,50,253", "-k", "forward or control")
    assert set(verdicts(records).items()) == {((n, "forward"), "held_by_receiver") for n in (47, 50, 253)}, printed
    assert status == 1
    assert "no path" not in printed
    for record in records.values():
        assert "none came to its socket, nor did the control's UDP" in record["explanation"]
        assert record["bound"] is not None


@pytest.mark.night
def test_who_says_no_to_the_control_is_named(run: Run) -> None:
    """Between the ends there is nothing at all: a router has no way on, and says so."""
    status, printed, records = run("ip -n one route del 198.51.100.0/24", "--hdp-protocols=47,253")
    assert set(verdicts(records).values()) <= {"inconclusive", "rejected"}, printed
    assert status == 1
    assert "no path to 198.51.100.2" in printed
    assert "192.0.2.1 answered" in printed
    assert "no control was sent" not in printed


@pytest.mark.night
def test_who_says_no_to_the_control_is_named_where_other_numbers_come_through(run: Run) -> None:
    rules = """rules two forward 'iifname to-one ip protocol 17 reject with icmp type admin-prohibited'
    ip netns exec two sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'"""
    _, printed, records = run(rules, "--hdp-protocols=253")
    assert not verdicts(records), printed
    said = " ".join(printed.split())
    assert "no UDP came through; ICMP echoes did, 10 of 10; 203.0.113.2 answered" in said
    assert "with communication administratively prohibited (ICMP 3/13)" in said


@pytest.mark.night
def test_an_agent_that_all_but_passes_by_is_not_at_the_target(run: Run) -> None:
    """A hypervisor or a gateway, with the target behind it: it keeps nothing, and is not asked in reverse."""
    status, printed, records = run("", "--hdp-agent=netns=two", "--hdp-protocols=47,253")
    assert set(verdicts(records).values()) == {"inconclusive"}, printed
    assert len(records) == 4
    assert status == 4
    said = "passed the agent's host, which does not have this address, and left it again by to-far"
    assert all(said in each["explanation"] for each in records.values()), printed
    assert "7 arrived at to-one of the agent's host" in records[47, "forward"]["explanation"]
    assert "keeps it" not in printed
    assert not any(each["sent"] for (_, way), each in records.items() if way == "reverse")


@pytest.mark.night
def test_what_the_targets_host_sends_on_it_does_not_keep(run: Run) -> None:
    """A published container, a host "in the DMZ": what comes for one number is translated to a third host's address."""
    behind = """
    ip netns add third; link far 192.168.7.1/24 third 192.168.7.2/24; rules third prerouting 'ip protocol 47 drop'
    ip netns exec far nft 'table ip n { chain c { type nat hook prerouting priority -100
      iifname to-two ip protocol 47 dnat to 192.168.7.2
    }; }'
    """
    _, printed, records = run(behind, "--hdp-protocols=47,253", "-k", "forward or control")
    assert verdicts(records) == {(47, "forward"): "held_by_receiver"}, printed
    said = records[47, "forward"]["explanation"]
    assert "7 left that host again by to-third, to 192.168.7.2: its kernel sends it on" in said


@pytest.mark.night
def test_an_end_that_lets_hardly_anything_pass_is_not_said_to_keep_one_number(run: Run) -> None:
    """A queue that is full, a firewall's limit: of twelve numbers nearly half would have no luck in seven packets."""
    hardly = """
    ip netns exec near nft 'table netdev q { chain c { type filter hook egress device to-one priority 0
      meta protocol ip numgen random mod 10 != 0 drop
    }; }'
    rules near input 'numgen random mod 10 != 0 drop'
    """
    _, printed, records = run(hardly, "--hdp-protocols=60-71")
    # of one in ten the first may well be the one that comes, of nine, in one of twenty-five trains
    assert set(verdicts(records).values()) <= {"inconclusive", "lossy", "first_only"}, printed
    assert "keeps it" not in printed


@pytest.mark.night
def test_a_limit_of_the_senders_own_firewall_refuses_no_number(run: Run) -> None:
    """Ten packets a second of all other protocols leave this host: a sweep's are refused, one alone would not be."""
    limited = "rules near output 'ip protocol { 1, 6, 17 } accept; limit rate 10/second burst 5 packets accept; drop'"
    _, printed, records = run(limited, "--hdp-protocols=60-79", "-k", "forward or control")
    assert set(verdicts(records).values()) <= {"inconclusive"}, printed
    assert "as a limit that numbers share does" in printed


@TUN
@pytest.mark.needs("socat", "ping")
def test_the_carrier_of_a_tunnel_is_nobodys_control(run: Run) -> None:
    """Each datagram of an IP-in-UDP tunnel holds a packet of ours: it is no control itself, and teaches no address."""
    tunnel = """
    trap 'kill $(jobs -p)' EXIT
    ip netns exec far socat UDP-LISTEN:5555,bind=198.51.100.2 TUN:10.8.0.2/24,up &
    until ip netns exec far sh -c 'grep -q :15B3 /proc/net/udp'; do :; done
    ip netns exec near socat UDP:198.51.100.2:5555 TUN:10.8.0.1/24,up &
    until ip netns exec near ping -c1 -W1 10.8.0.2 >/dev/null; do :; done
    ip netns exec near nft 'table ip t { chain p { type filter hook prerouting priority -400
      iifname "tun*" ip protocol 253 drop
    }; }'
    """
    status, printed, records = run(tunnel, "--hdp-protocols=253,254", "--hdp-target=10.8.0.2")
    assert verdicts(records) == {(253, "reverse"): "held_by_receiver"}, printed
    assert status == 1
    assert {each["nat"]["state"] for each in records.values()} == {"none"}
    assert {each["path"]["target"] for each in records.values()} == {"10.8.0.2"}


@pytest.mark.night
def test_two_ways_of_which_one_is_dead_are_told_alike_whichever_the_control_takes(tmp_path: Path) -> None:
    """The lab's way for UDP hangs on the port that its socket gets: odd ports die. Both must have come up."""
    if subprocess.run(["unshare", "-rnm", "true"], check=False).returncode:
        pytest.skip("privilege: neither root nor user namespaces")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
    found, controls = set(), set()
    for attempt in range(12):
        report = tmp_path / str(attempt)
        options = ("--hdp-lab=two-paths", "--hdp-protocols=6,47,50,132,253,254", "--hdp-expect=none")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", SUITE[0], *options, "-k", "forward"]
        done = subprocess.run(
            [*command, f"--hdp-report={report}"],
            cwd=TOP, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stdout
        records = [json.loads(line) for line in (report / "results.jsonl").read_text().splitlines()]
        found.add(frozenset((each["protocol"], each["verdict"]) for each in records))
        controls |= {"packets of" in each["explanation"] for each in records if each["verdict"] == "lost"}
        if attempt and len(controls) == 2:
            break
    assert controls == {True, False}
    (same,) = found
    assert {number for number, verdict in same if verdict == "lost"} == {47, 253}
    assert {verdict for _, verdict in same} == {"lost", "delivered"}
