"""Situations that were met over IPv4, by IPv6: a number's packets twice, a second uplink, a tunnel between the ends."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

PATH6 = runpy.run_path(str(Path(__file__).with_name("test_path6.py")))
SWEEP, TOPOLOGY, ENDS = PATH6["SWEEP"], PATH6["TOPOLOGY"], PATH6["ENDS"]
TUN = pytest.mark.skipif(
    not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="/dev/net/tun: not there, or not for this user"
)
NEAR, FAR = "fd00:8::1", "fd00:8::2"  # the two ends of the tunnel


@pytest.mark.night
def test_all_packets_of_a_number_twice(run_beside) -> None:
    mirror = """
ip netns exec r2 nft 'add table ip6 m; add chain ip6 m c { type filter hook prerouting priority -300; }
add rule ip6 m c iifname "w" ip6 nexthdr 47 dup to 2001:db8:b::2 device "s"' || { echo the kernel lacks dup; exit 1; }
"""
    status, printed, records = run_beside(f"{TOPOLOGY}\n{mirror}", SWEEP, *ENDS, "--hdp-protocols=47,253")
    doubled = records[47, "forward"]
    assert (status, doubled["verdict"], doubled["duplicated"]) == (0, "delivered", doubled["delivered"]), printed
    assert records[253, "forward"]["duplicated"] == 0
    assert "47 (GRE): packets came twice." in printed


@pytest.mark.night
def test_a_number_that_leaves_by_another_uplink_and_dies_there_is_lost(run_beside) -> None:
    """It left, so it is not held by the sender; 50, by the same uplink, comes through, from an address of its own."""
    uplink = """
ip netns add other; ip -n other link set lo up
for n in client server other; do ip netns exec $n sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'; done
ip netns exec other sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
join client u 2001:db8:d::2 other u 2001:db8:d::1
join other s 2001:db8:e::1 server o 2001:db8:e::2
ip -n other -6 route add 2001:db8:b::/64 via 2001:db8:e::2
ip -n other -6 route add 2001:db8:a::/64 via 2001:db8:d::2
ip -n server -6 route add 2001:db8:d::/64 via 2001:db8:e::1
ip -n client -6 route add default via 2001:db8:d::1 table 47
for n in 47 50; do ip -n client -6 rule add ipproto $n lookup 47; done
# known, and not asked for: an answer that takes a second would make all of 50 come too late
known() { ip -n $1 neigh replace $2 lladdr $(ip -n $4 -br link show dev $5 | tr -s ' ' | cut -d' ' -f3) dev $3; }
known client 2001:db8:d::1 u other u; known other 2001:db8:e::2 s server o
ip netns exec other nft 'table ip6 f { chain c { type filter hook forward priority 0; ip6 nexthdr 47 drop; }; }'
"""
    _, printed, records = run_beside(f"{TOPOLOGY}\n{uplink}", SWEEP, *ENDS, "--hdp-protocols=47,50,253")
    assert {key: record["verdict"] for key, record in records.items()} == {
        (47, "forward"): "lost", (47, "reverse"): "delivered", (50, "forward"): "delivered",
        (50, "reverse"): "delivered", (253, "forward"): "delivered", (253, "reverse"): "delivered",
    }, printed  # fmt: skip
    assert records[47, "forward"]["left"] == records[47, "forward"]["sent"], printed


@pytest.mark.night
@TUN
@pytest.mark.needs("socat", "ping")
def test_a_tunnel_s_own_datagrams_are_nobody_s_control(run_beside) -> None:
    """IPv6 in UDP between the two ends, of which taps see both: reverse goes through the tunnel, and no NAT is told."""
    tunnel = f"""
ip netns exec server socat 'UDP6-LISTEN:5555,bind=[2001:db8:b::2]' TUN,tun-name=t,up &
sleep 0.5
ip netns exec client socat 'UDP6:[2001:db8:b::2]:5555' TUN,tun-name=t,up &
until ip -n client link show t >/run/t 2>&1 && ip -n server link show t >/run/t 2>&1; do :; done
ip -n client addr add {NEAR}/64 dev t nodad; ip -n server addr add {FAR}/64 dev t nodad
until ip netns exec client ping -6 -c1 -W1 {FAR} >/run/t; do :; done
ip netns exec client nft 'table ip6 f {{ chain c {{ type filter hook prerouting priority -400
  iifname "t" ip6 nexthdr 253 drop; }}; }}'
"""
    target = f"--hdp-target={FAR}"
    _, printed, records = run_beside(f"{TOPOLOGY}\n{tunnel}", SWEEP, *ENDS[:2], target, "--hdp-protocols=253,254")
    assert {(key, record["verdict"]) for key, record in records.items() if key[1] == "forward"} == {
        ((253, "forward"), "delivered"), ((254, "forward"), "delivered"),
    }, printed  # fmt: skip
    assert records[254, "reverse"]["verdict"] == "delivered", printed
    assert records[253, "reverse"]["verdict"] == "held_by_receiver", printed
    assert {record["nat"]["state"] for record in records.values()} == {"none"}, printed
