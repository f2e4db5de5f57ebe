"""Targets that are good for one link, by the interface that they name; and addresses that are not in use yet."""

import sys
from collections import Counter

import pytest

from pytest_hdp.vantage import rtnetlink
from pytest_hdp.vantage.station import Station

SWEEP = "suites/internet/test_sweep.py"
# two links between the same hosts, on both of which the far one is fe80::1
TOPOLOGY = """
set -e
for n in client server; do
  ip netns add $n
  ip netns exec $n sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo >/proc/sys/net/ipv6/icmp/ratemask'
  ip -n $n link set lo up
done
join() {  # interface there interface-of-the-server address-here address-there
  ip link add $1 netns client type veth peer name $2 netns server
  ip -n client addr add $3/64 dev $1 nodad; ip -n server addr add $4/64 dev $2 nodad
  ip -n client link set $1 up; ip -n server link set $2 up
}
join c1 s1 fe80::21 fe80::1
join c2 s2 fe80::22 $SECOND
ip netns exec server nft -f - <<'END'
table ip6 t { chain i { type filter hook input priority 0
  iifname "s2" meta l4proto 50 drop
}
chain o { type filter hook output priority 0
  oifname "s2" meta l4proto 51 drop
}
}
END
"""
SOME = "--hdp-protocols=0,6,17,44,50,51,58,59,135,253"
FAR = f"--hdp-agent=command=ip netns exec server {sys.executable}"
AGENT = "--hdp-agent=netns=server"


@pytest.fixture
def run(run_beside):
    def start(*arguments, second="fe80::1", before=""):
        topology = TOPOLOGY.replace("$SECOND", second)
        status, printed, records = run_beside(f"{topology}\n{before}", SWEEP, "--hdp-source=netns=client", *arguments)
        return status, " ".join(printed.split()), records

    return start


@pytest.mark.parametrize("agent", [AGENT, FAR], ids=["netns", "command"])
@pytest.mark.parametrize("link", ["c1", "c2"])
@pytest.mark.night("c2*", "*command")
def test_with_an_agent_both_ways_by_the_interface_that_is_named(run, agent, link):
    target = {"c1": "fe80::1", "c2": "fe80::2"}[link]
    _, printed, records = run(agent, f"--hdp-target={target}%{link}", SOME, second="fe80::2")
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    expected = {(0, "forward"): "refused_at_socket", (0, "reverse"): "refused_at_socket"}
    if link == "c2":
        expected |= {(50, "forward"): "held_by_receiver", (51, "reverse"): "refused_at_send"}
    assert found == expected, printed
    assert len(records) == 20
    path = records[253, "forward"]["path"]
    assert (path["name"], path["target"]) == (f"{target}%{link}", target)
    assert path["source"].startswith("fe80::")


@pytest.mark.parametrize("link", ["c1", "c2"])
@pytest.mark.night
def test_with_no_agent_the_same_address_on_two_links_is_two_targets(run, link):
    _, printed, records = run(f"--hdp-target=fe80::1%{link}", SOME)
    verdicts = {number: record["verdict"] for (number, _), record in records.items()}
    assert (verdicts[253], verdicts[135]) == ("reached", "reached"), printed
    assert verdicts[50] == ("silent" if link == "c2" else "reached"), printed


@pytest.mark.night(but=["arguments1*"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([AGENT, "--hdp-target=fe80::1%c1"], "fe80::1 is on 2 interfaces there"),
        ([AGENT, "--hdp-target=fe80::9%c1"], "no interface there has fe80::9"),
        (["--hdp-target=fe80::1%nowhere"], "fe80::1%nowhere could not be measured: there is no interface nowhere at"),
        (["--hdp-target=2001:db8::1"], "would send from fe80::"),
    ],
)
def test_what_can_not_be_had_is_said_in_one_line(run, arguments, says):
    before = "ip -n client -6 route add 2001:db8::/64 dev c1"
    status, printed, records = run(*arguments, SOME, before=before)
    assert (status, records) == (4, {}), printed
    assert says in printed
    assert "Traceback" not in printed


DETECTION = """
ip netns exec {node} sh -c 'echo 1 >/proc/sys/net/ipv6/conf/{link}/accept_dad
  echo {times} >/proc/sys/net/ipv6/conf/{link}/dad_transmits'
ip -n {other} addr add 2001:db8::{its}/64 dev {others} nodad
ip -n {node} addr add 2001:db8::{own}/64 dev {link}
"""
HERE = {"node": "client", "link": "c1", "other": "server", "others": "s1", "own": 2, "its": 1}
THERE = {"node": "server", "link": "s1", "other": "client", "others": "c1", "own": 1, "its": 2}
GLOBAL = "--hdp-target=2001:db8::1"


@pytest.mark.night
@pytest.mark.parametrize(("where", "own"), [(HERE, "2001:db8::2"), (THERE, "2001:db8::1")], ids=["here", "there"])
def test_an_address_that_is_not_in_use_yet_is_told(run, where, own):
    status, printed, records = run(AGENT, GLOBAL, SOME, before=DETECTION.format(times=200, **where))
    assert (status, records) == (4, {}), printed
    assert f"{own} is not usable yet: duplicate address detection is under way" in printed


def test_an_address_that_is_in_use_soon_is_waited_for(wired, monkeypatch):
    monkeypatch.setattr(rtnetlink, "_PATIENCE", 60.0)
    near = f"{wired.near}/64"
    wired.run("client", "ip", "addr", "del", near, "dev", "eth0")
    wired.sysctls("client", **{"ipv6__conf__eth0__accept_dad": 1, "ipv6__conf__eth0__dad_transmits": 2000})
    wired.run("client", "ip", "addr", "add", near, "dev", "eth0")
    asked = Counter()
    telling = rtnetlink.unusable

    def unusable(*arguments, **named):
        asked["times"] += 1
        if asked["times"] == 3:
            wired.run("client", "ip", "addr", "del", near, "dev", "eth0")
            wired.run("client", "ip", "addr", "add", near, "dev", "eth0", "nodad")
        return telling(*arguments, **named)

    monkeypatch.setattr(rtnetlink, "unusable", unusable)
    with Station(wired.lab.socket_factory("client")) as station:
        handle, port = station.datagram(wired.near)
        assert (asked["times"], port > 0) == (3, True)
        station.discard(handle)


@pytest.mark.night
def test_an_address_that_another_host_has_is_told(run):
    before = DETECTION.format(times=1, **HERE | {"its": 2})
    before += "timeout 10 sh -c 'until ip -n client addr show dev c1 | grep -q dadfailed; do sleep 0.1; done'"
    status, printed, records = run(GLOBAL, SOME, before=before)
    assert (status, records) == (4, {}), printed
    assert "2001:db8::2 is not usable: duplicate address detection found another host's" in printed
