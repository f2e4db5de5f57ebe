"""A router drops all fragments but the first, as many firewalls do: what came in part is nowhere called arrived."""

from __future__ import annotations

import sys

import pytest

TOPOLOGY = """
set -e
for n in client r server; do ip netns add $n; ip -n $n link set lo up; done
ip link add eth0 netns client type veth peer name near netns r
ip link add eth0 netns server type veth peer name far netns r
ip -n client addr add 192.0.2.2/24 dev eth0; ip -n r addr add 192.0.2.1/24 dev near
ip -n server addr add 198.51.100.2/24 dev eth0; ip -n r addr add 198.51.100.1/24 dev far
for end in "client eth0" "r near" "r far" "server eth0"; do set -- $end; ip -n $1 link set $2 up; done
ip -n client route add default via 192.0.2.1; ip -n server route add default via 198.51.100.1
ip netns exec r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip netns exec r nft "add table ip t; add chain ip t f { type filter hook forward priority 0; }
  add rule ip t f ip frag-off & 0x1fff != 0 drop"
"""
MINE = """
import pytest

@pytest.mark.hdp(path="target")
def test_mine(hdp_path):
    large = hdp_path.probe(253, content=b"y" * 1600, count=3)
    assert (large.verdict, large.result.judgement.arrived, large.result.judgement.delivered) == ("inconclusive", 3, 0)
    assert "only first fragments came to 198.51.100.2" in large.explanation
    assert hdp_path.probe(253, content=b"y" * 100, count=3).verdict == "delivered"
"""


@pytest.mark.night
def test_what_came_in_part_is_not_called_arrived(in_namespaces, tmp_path):
    (tmp_path / "test_mine.py").write_text(MINE)
    command = f"{sys.executable} -m pytest -p no:cacheprovider {tmp_path}/test_mine.py"
    ends = "--hdp-source=netns=client --hdp-target=198.51.100.2 --hdp-agent=netns=server"
    done = in_namespaces(f"{TOPOLOGY}\n{command} {ends}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
