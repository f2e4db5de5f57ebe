"""Where a number died, where several may have, or went another way, or in a circle: a line of routers of our own."""

import json
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
# client 192.0.2.2 - r1 - r2 - r3 - server 198.51.100.2, and behind r1 a longer way: r1 - x1 - x2 - r3
LINE = """
set -e
link() { ip link add $2 netns $1 type veth peer name $5 netns $4
  ip -n $1 addr add $3/24 dev $2; ip -n $4 addr add $6/24 dev $5; ip -n $1 link set $2 up; ip -n $4 link set $5 up; }
for n in client r1 r2 r3 x1 x2 server; do ip netns add $n; ip -n $n link set lo up
  ip netns exec $n sh -c 'cd /proc/sys/net/ipv4; echo 1 >ip_forward; echo 0 >conf/all/rp_filter'; done
link client eth0 192.0.2.2 r1 near 192.0.2.1; link r1 far 10.0.12.1 r2 near 10.0.12.2
link r2 far 10.0.23.2 r3 near 10.0.23.3; link r3 far 198.51.100.1 server eth0 198.51.100.2
link r1 side 10.1.1.1 x1 near 10.1.1.2; link x1 far 10.1.2.1 x2 near 10.1.2.2; link x2 far 10.1.3.1 r3 side 10.1.3.2
ip -n client route add default via 192.0.2.1; ip -n server route add default via 198.51.100.1
ip -n r1 route add default via 10.0.12.2; ip -n r2 route add default via 10.0.23.3
ip -n r2 route add 192.0.2.0/24 via 10.0.12.1; ip -n r3 route add default via 10.0.23.2
ip -n r3 route add 10.1.0.0/16 via 10.1.3.1
ip -n x1 route add default via 10.1.2.2; ip -n x1 route add 192.0.2.0/24 via 10.1.1.1
ip -n x2 route add default via 10.1.3.2; ip -n x2 route add 192.0.2.0/24 via 10.1.2.1
drop() { ip netns exec $1 nft "add table ip t; add chain ip t f { type filter hook forward priority 0; }
  add rule ip t f ip protocol $2 drop"; }
"""
AGENT = "--hdp-agent=netns=server"


@pytest.fixture
def run(tmp_path: Path, in_namespaces):
    """Run a sweep over the line, all of it in namespaces (user, mount, network) that end with the process."""

    def start(rules: str, *arguments: str) -> tuple[dict[int, dict], str]:
        report = tmp_path / "report"
        pytest_command = f'{sys.executable} -m pytest -p no:cacheprovider --hdp-report={report} "$@"'
        ends = ("--hdp-source=netns=client", "--hdp-target=198.51.100.2", "suites/internet/test_sweep.py")
        done = in_namespaces(f"{LINE}\n{rules}\n{pytest_command}", *ends, *arguments)
        results = report / "results.jsonl"
        assert results.exists(), done.stdout + done.stderr
        records = [json.loads(line) for line in results.read_text().splitlines()]
        return {each["protocol"]: each for each in records if each["direction"] == "forward"}, done.stdout

    return start


def hop(record: dict) -> tuple[int, str] | None:
    last = record["last_hop"]
    return (last["ttl"], last["address"]) if last else None


def test_each_number_dies_at_its_own_router(run):
    found, _ = run("drop r1 47; drop r2 50; drop r3 89", AGENT, "--hdp-protocols=47,50,89,253")
    truth = {47: (1, "192.0.2.1"), 50: (2, "10.0.12.2"), 89: (3, "10.0.23.3"), 253: None}
    assert {number: hop(record) for number, record in found.items()} == truth
    assert found[50]["explanation"].endswith("; lost between 10.0.12.2 (hop 2) and 10.0.23.3 (hop 3).")


# the target's address is r1's to translate, so that all routers from there on speak in its name
TRANSLATED = """
ip -n server addr flush dev eth0; ip -n server addr add 198.51.100.7/24 dev eth0
ip -n server route add default via 198.51.100.1
ip netns exec r1 nft "add table ip n; add chain ip n c { type nat hook prerouting priority -100; }
  add rule ip n c ip daddr 198.51.100.2 dnat to 198.51.100.7"
"""


@pytest.mark.night
def test_routers_that_speak_in_the_targets_name_are_told_apart_by_their_hop(run):
    found, _ = run(f"{TRANSLATED}\ndrop r1 89; drop r2 50; drop r3 97", AGENT, "--hdp-protocols=50,89,97,253")
    assert {number: each["verdict"] for number, each in found.items() if number != 253} == dict.fromkeys(
        (50, 89, 97), "lost"
    )
    truth = {89: (1, "198.51.100.2"), 50: (2, "198.51.100.2"), 97: (3, "198.51.100.2"), 253: None}
    assert {number: hop(record) for number, record in found.items()} == truth


LONGER = "ip -n r1 route add default via 10.1.1.2 table 47; ip -n r1 rule add ipproto 47 iif near lookup 47"


@pytest.mark.night
@pytest.mark.parametrize("agent", [(AGENT,), ()], ids=["watched", "alone"])
def test_a_number_that_takes_a_longer_way_has_its_own_hops(run, agent):
    found, _ = run(f"{LONGER}\ndrop r3 47", *agent, "--hdp-protocols=47,253")
    assert found[47]["verdict"] == ("lost" if agent else "silent")
    assert hop(found[47]) == (4, "10.0.23.3")  # on the way of the control it is the third
    assert found[47]["explanation"].endswith("10.0.23.3 (hop 4), on another way than the control's.")
    assert [each["address"] for each in found[47]["hops"]] == ["192.0.2.1", "10.0.12.2", "10.0.23.3"]


@pytest.mark.night
def test_a_number_that_takes_a_longer_way_arrives(run):
    found, _ = run(LONGER, AGENT, "--hdp-protocols=47,253")
    assert {record["verdict"] for record in found.values()} == {"delivered"}


@pytest.mark.night
@pytest.mark.parametrize("agent", [(AGENT,), ()], ids=["watched", "alone"])
def test_a_loop_is_called_one(run, agent):
    back = "ip -n r2 route add default via 10.0.12.1 table 47; ip -n r2 rule add ipproto 253 iif near lookup 47"
    found, said = run(back, *agent, "--hdp-protocols=50,253")
    assert found[253]["verdict"] == "rejected", found[253]["explanation"]
    assert "a routing loop: 10.0.12.2 (hop 2) sends it back to 192.0.2.1 (hop 1)" in found[253]["explanation"]
    assert "a routing loop" in " ".join(said.split())
    assert found[50]["verdict"] in {"delivered", "reached"}
