"""Ways of equal cost between which the kernel chooses by ports, or by an SPI: a number takes one and the same."""

from __future__ import annotations

import json
import sys

import pytest

# client - near - {live | dead} - server: near's kernel hashes ports and SPIs; UDP and echoes always go by the live one
TOPOLOGY = """
set -e
for n in client near live dead server; do ip netns add $n; ip -n $n link set lo up; done
link() { ip link add name $2 netns $1 type veth peer name $5 netns $4
  ip -n $1 addr add $3/24 dev $2; ip -n $4 addr add $6/24 dev $5
  ip -n $1 link set dev $2 up; ip -n $4 link set dev $5 up; }
link client c 192.0.2.2 near n 192.0.2.1
link near a 10.0.1.1 live n 10.0.1.2; link near b 10.0.2.1 dead n 10.0.2.2
link live s 198.51.100.1 server l 198.51.100.2
for n in near live dead; do ip netns exec $n sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
  for each in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$each; done'; done
ip netns exec near sh -c 'echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy'
ip -n client route add default via 192.0.2.1; ip -n server route add default via 198.51.100.1
ip -n near route add 198.51.100.0/24 nexthop via 10.0.1.2 nexthop via 10.0.2.2
for p in 1 17; do ip -n near rule add ipproto $p lookup 7; done
ip -n near route add 198.51.100.0/24 via 10.0.1.2 table 7
ip -n live route add 192.0.2.0/24 via 10.0.1.1
ip netns exec dead nft 'table ip t { chain c { type filter hook prerouting priority 0; ip saddr 192.0.2.2 drop; }; }'
"""
# the SPIs of those packets of AH that came, and then what is said of 51 at many times of day
PROGRAM = """
import json, socket, struct
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import BOTH_FORMS
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.control import control
from pytest_hdp.measure.path import sending
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.vantage.points import Namespace

client, server, target = Namespace("client"), Namespace("server"), "198.51.100.2"
told = sending.stamp

def sweep(later):
    "Verdicts, as of so many times 2^32 ns later than now."
    sending.stamp = control.stamp = lambda train, now: told(train, now + (later << 32))
    trains = tuple(sorted(Train(number, form=form) for number in (50, 51) for form in BOTH_FORMS))
    with path_specs.between(client, server, target, plan.Plan((), plan.LAB), None).open() as path:
        found = Measurement(path, plan.Plan(trains, plan.LAB, locate="none")).run()
    return [f"{train.protocol} {train.form} {each.verdict}" for train, each in found.items()]

with client.station() as near, server.station() as far:
    heard, sender = far.factory(socket.AF_INET, socket.SOCK_RAW, 51), near.factory(socket.AF_INET, socket.SOCK_RAW, 51)
    for spi in range(64):
        sender.sendto(struct.pack("!4xI", spi) + bytes(16), (target, 0))
    heard.settimeout(1)
    came = []
    try:
        while True:
            came.append(struct.unpack_from("!I", heard.recv(100), 24)[0])
    except TimeoutError:
        pass
print(json.dumps({"came": came, "said": [sweep(later) for later in range(8)]}))
"""


@pytest.mark.night
def test_ah_takes_the_same_way_at_any_time_of_day(in_namespaces) -> None:
    """The kernel takes the upper half of bare HDP's timestamp for AH's SPI, which goes up every 4.3 s."""
    done = in_namespaces(f"{TOPOLOGY}\n'{sys.executable}' -c \"$1\"", PROGRAM)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert 8 < len(found["came"]) < 56, "the kernel does not choose by the SPI, so that nothing is tested here"
    assert found["said"] == found["said"][:1] * 8
    assert {line.split()[2] for line in found["said"][0]} <= {"delivered", "lost"}
