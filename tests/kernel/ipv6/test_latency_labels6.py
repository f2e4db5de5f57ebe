"""The latency experiment over IPv6 ways of equal cost, between which Linux by default chooses by the flow label."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from pytest_hdp.judge.latency.differences import Level
from pytest_hdp.judge.latency.result import HDP, RAW_UDP, Gate
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.lab.wires import Delay
from pytest_hdp.measure.latency.experiment import WARM_UP
from pytest_hdp.measure.latency.sockets import FLOWS
from pytest_hdp.report import latencyfile

LONGER = 30_000  # microseconds: more than any scheduler adds for long
PAIRS = 160
TARGET = "2001:db8:9::2"

# client - near - {quick | slow - wire} - far - server; nothing is hashed but addresses, label and number
TOPOLOGY = """
set -e
python=$1 folder=$2 relay=$3
for n in client near quick slow wire far server; do ip netns add $n; ip -n $n link set lo up
  ip netns exec $n sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'; done
link() { ip link add name $2 netns $1 type veth peer name $5 netns $4
  [ $3 = - ] || ip -n $1 addr add $3/64 dev $2 nodad; [ $6 = - ] || ip -n $4 addr add $6/64 dev $5 nodad
  ip -n $1 link set dev $2 up; ip -n $4 link set dev $5 up; }
link client c 2001:db8:1::2 near n 2001:db8:1::1
link near q 2001:db8:2::1 quick n 2001:db8:2::2; link quick f 2001:db8:3::1 far q 2001:db8:3::2
link near s 2001:db8:4::1 slow n 2001:db8:4::2
link slow w 2001:db8:5::1 wire left -; link wire right - far w 2001:db8:5::2
link far s 2001:db8:9::1 server f 2001:db8:9::2
ip netns exec wire sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
for n in near quick slow far; do ip netns exec $n sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'; done
[ "$(ip netns exec near cat /proc/sys/net/ipv6/fib_multipath_hash_policy)" = 0 ]
ip -n client route add default via 2001:db8:1::1; ip -n server route add default via 2001:db8:9::1
for n in quick slow; do ip netns exec $n nft 'table ip6 seen { chain c { type filter hook forward priority 0;
  ip6 daddr 2001:db8:9::2 ip6 nexthdr 253 ip6 flowlabel != 0 counter comment "253"
  ip6 daddr 2001:db8:9::2 udp sport > 1023 ip6 flowlabel != 0 counter comment "17"; }; }'; done
ip -n near route add 2001:db8:9::/64 nexthop via 2001:db8:2::2 nexthop via 2001:db8:4::2
ip -n quick route add 2001:db8:9::/64 via 2001:db8:3::2; ip -n quick route add 2001:db8:1::/64 via 2001:db8:2::1
ip -n slow route add 2001:db8:9::/64 via 2001:db8:5::2
ip -n far route add 2001:db8:1::/64 via 2001:db8:3::1
ip netns exec client $python -c 'import socket; from pytest_hdp.lab.namespaces import checksum_in_software
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened: checksum_in_software(opened, "c")'
mkfifo $folder/said
echo go | ip netns exec wire $python -I -S pytest_hdp/lab/relay.py "$relay" >$folder/said & read _ <$folder/said
"""


SEEN = re.compile(r'packets (\d+) .* comment "(\d+)"')


def _counted(found: tuple[str, str]) -> tuple[int, int]:
    packets, number = found
    return int(number), int(packets)


@pytest.mark.night
@pytest.mark.long
@pytest.mark.skipif(
    shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None,
    reason="needs nftables: apt install nftables",
)
def test_which_way_the_hash_of_addresses_and_label_takes_is_no_protocols_doing(in_namespaces, tmp_path: Path):
    """Nothing depends on the protocol. Without ports, HDP goes both ways, as UDP does, since each flow has a label."""
    behaviours = [Delay(us=LONGER).behaviour]
    relay = {"left": "left", "right": "right", "seed": "1", "behaviours": behaviours}
    command = (
        "$python -mpytest -pno:cacheprovider -pno:hypothesispytest suites/internet/test_latency.py "
        f"--hdp-source=netns=client --hdp-target={TARGET} --hdp-agent=netns=server --hdp-report=$folder "
        f"--hdp-latency-pairs={PAIRS} --hdp-latency-margin=100 || :\n"
        "for n in quick slow; do ip netns exec $n nft list table ip6 seen >$folder/$n; done"
    )
    done = in_namespaces(f"{TOPOLOGY}\n{command}", sys.executable, str(tmp_path), json.dumps(relay), seconds=300)
    results, problems = latencyfile.read(tmp_path / "latency.json")
    assert not problems, done.stdout + done.stderr
    (result,) = (each for each in results if each.setup.direction is Direction.FORWARD)
    went = {way: dict(map(_counted, SEEN.findall((tmp_path / way).read_text()))) for way in ("quick", "slow")}
    assert went["quick"][253] + went["slow"][253] == 2 * (PAIRS + WARM_UP)
    for number in (253, 17):
        assert went["quick"][number], f"{number} went the slow way only"
        assert went["slow"][number], f"{number} went the quick way only"
    if any(side.arrived < PAIRS for side in result.sides if side.label in {HDP, RAW_UDP}):
        return  # the relay was not let run for so long that this waited for it no longer: no times to speak of
    found = result.against(RAW_UDP, Level.KERNEL)
    assert (found.flows, found.of_a) == (FLOWS, FLOWS)
    assert LONGER / 2 < found.spread < 3 * LONGER, result.sentence
    assert abs(found.median) < LONGER / 2, result.sentence
    assert found.covers_zero, result.sentence
    assert result.gate is Gate.UNDECIDED, result.sentence
    if result.valid:  # a machine so busy that it sends late makes no claim
        assert "from the nearest of pairs of their flows, which differ by" in result.sentence
