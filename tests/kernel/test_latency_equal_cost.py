"""The latency experiment over ways of equal cost between which the kernel itself chooses by ports; one is longer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pytest_hdp.judge.latency.differences import Level
from pytest_hdp.judge.latency.result import HDP, RAW_UDP, UDP, Gate
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.lab.wires import Delay
from pytest_hdp.measure.latency.sockets import FLOWS
from pytest_hdp.report import latencyfile

LONGER = 30_000  # microseconds: more than any scheduler adds for long
PAIRS = 160
ADDRESSES = [f"198.51.100.{number}" for number in (2, 3, 4)]  # of one target; HDP's only flow is hashed by them

# client - near - {quick | slow - wire} - far - server
TOPOLOGY = """
set -e
python=$1 folder=$2 relay=$3
for n in client near quick slow wire far server; do ip netns add $n; ip -n $n link set lo up; done
link() { ip link add name $2 netns $1 type veth peer name $5 netns $4
  [ $3 = - ] || ip -n $1 addr add $3/24 dev $2; [ $6 = - ] || ip -n $4 addr add $6/24 dev $5
  ip -n $1 link set dev $2 up; ip -n $4 link set dev $5 up; }
link client c 192.0.2.2 near n 192.0.2.1
link near q 10.0.1.1 quick n 10.0.1.2; link quick f 10.0.3.1 far q 10.0.3.2
link near s 10.0.2.1 slow n 10.0.2.2; link slow w 10.0.4.1 wire left -; link wire right - far w 10.0.4.2
link far s 198.51.100.1 server f 198.51.100.2
for k in 3 4; do ip -n server addr add 198.51.100.$k/24 dev f; done
for n in near quick slow far; do ip netns exec $n sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
  for each in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$each; done'; done
ip netns exec near sh -c 'echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy'
ip -n client route add default via 192.0.2.1; ip -n server route add default via 198.51.100.1
ip -n near route add 198.51.100.0/24 nexthop via 10.0.1.2 nexthop via 10.0.2.2
ip -n quick route add 198.51.100.0/24 via 10.0.3.2; ip -n quick route add 192.0.2.0/24 via 10.0.1.1
ip -n slow route add 198.51.100.0/24 via 10.0.4.2
ip -n far route add 192.0.2.0/24 via 10.0.3.1
ip netns exec client $python -c 'import socket; from pytest_hdp.lab.namespaces import checksum_in_software
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened: checksum_in_software(opened, "c")'
mkfifo $folder/said
echo go | ip netns exec wire $python -I -S pytest_hdp/lab/relay.py "$relay" >$folder/said & read _ <$folder/said
"""


@pytest.mark.night
@pytest.mark.long
def test_which_way_the_hash_of_addresses_and_ports_takes_is_no_protocols_doing(in_namespaces, tmp_path: Path):
    """Nothing depends on the protocol. To each address of the target HDP goes one way or the other, and UDP both."""
    behaviours = [Delay(us=LONGER).behaviour]
    relay = {"left": "left", "right": "right", "seed": "1", "behaviours": behaviours}
    targets = (f'[[target]]\nname = "{each}"\naddress = "{each}"\nagent = "netns=server"\n' for each in ADDRESSES)
    (tmp_path / "targets.toml").write_text("".join(targets))
    command = (
        "$python -mpytest -pno:cacheprovider -pno:hypothesispytest suites/internet/test_latency.py "
        "--hdp-source=netns=client --hdp-inventory=$folder/targets.toml --hdp-report=$folder "
        f"--hdp-latency-pairs={PAIRS} --hdp-latency-margin=100"
    )
    done = in_namespaces(f"{TOPOLOGY}\n{command}", sys.executable, str(tmp_path), json.dumps(relay), seconds=300)
    results, problems = latencyfile.read(tmp_path / "latency.json")
    assert not problems, done.stdout + done.stderr
    forward = {each.setup.path.target: each for each in results if each.setup.direction is Direction.FORWARD}
    assert list(forward) == ADDRESSES, done.stdout
    for result in forward.values():
        arrived = {side.label: side.arrived for side in result.sides}
        assert [arrived[label] for label in (HDP, UDP, RAW_UDP)] == [PAIRS] * 3
        found = result.against(RAW_UDP, Level.KERNEL)
        assert found.flows == FLOWS
        assert LONGER / 2 < found.spread < 2 * LONGER, result.sentence
        assert abs(found.median) < LONGER / 2, result.sentence
        assert found.covers_zero, result.sentence
        assert result.gate is Gate.UNDECIDED, result.sentence
        if result.valid:  # a machine so busy that it sends late makes no claim
            assert "not told apart in the network" in result.sentence
            assert "from the nearest of UDP's own flows, which differ by" in result.sentence
