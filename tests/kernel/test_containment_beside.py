"""What is beside a box, and is taken for none of its doing: a twin of its own address, a witness that passes on."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

BOXES = runpy.run_path(str(Path(__file__).with_name("test_containment.py")))
BOX, FAR = BOXES["BOX"], BOXES["FAR"]
# For the twin, whose TCP the router drops, it asks for a connection of its own, in the address that box and twin have.
ANEW = """
import socket, struct
seen = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
seen.bind(("twin", 0x0800))
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
seen.settimeout(60)
print("ready", flush=True)
for _ in range(2000):
    data, address = seen.recvfrom(4096)
    start = (data[0] & 15) * 4
    if address[2] == 4 or data[9] != 6 or len(data) < start + 20 or data[start + 13] & 0x12 != 2:
        continue
    tcp = data[start : start + 12] + b"\\x50\\x02" + data[start + 14 : start + 20]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, data[12:16], data[16:20])
    out.sendto(head + tcp, (socket.inet_ntoa(data[16:20]), 0))
"""
SAME = f"""
ip -n twin addr flush dev c scope global; ip -n router addr flush dev twin scope global
ip -n twin addr add {BOX}/28 dev c; ip -n router addr add 192.0.2.17/28 dev twin
ip -n twin route replace default via 192.0.2.17
for f in all default box twin; do sysctl router ipv4/conf/$f/rp_filter 0; done
policy 'iif box drop; iif twin meta l4proto tcp drop;'
coproc ip netns exec router python3 -c '{ANEW}'
read -r _ <&"${{COPROC[0]}}"
"""
FROM_ROUTER = ANEW.replace('"twin"', '"box"').replace("data[12:16],", 'socket.inet_aton("198.51.100.1"),')
# The box's UDP is dropped behind a stack that makes its connections anew, from its own address: slirp4netns's is such.
OTHER_NAME = f"""
policy 'iif box drop;'
coproc ip netns exec router python3 -c '{FROM_ROUTER}'
read -r _ <&"${{COPROC[0]}}"
"""
# a gate before the router, which lets echoes out alone
PASSED_ON = f"""
ip -n box link del c
ip netns add gate; ip -n gate link set lo up; sysctl gate ipv4/ip_forward 1
ip link add c netns box type veth peer name b netns gate; ip link add o netns gate type veth peer name box netns router
ip -n box addr add {BOX}/28 dev c; ip -n gate addr add 192.0.2.17/28 dev b
ip -n gate addr add 192.0.2.50/28 dev o; ip -n router addr add 192.0.2.49/28 dev box
for each in 'box c' 'gate b' 'gate o' 'router box'; do ip -n ${{each% *}} link set dev ${{each#* }} up; done
ip -n box route add default via 192.0.2.17; ip -n gate route add default via 192.0.2.49
ip -n router route add 192.0.2.16/28 via 192.0.2.50
ip netns exec gate nft 'table ip p {{ chain c {{ type filter hook forward priority 0
  iif b meta l4proto != icmp drop; }}; }}'
ip netns exec router nft 'table ip n {{ chain p {{ type nat hook prerouting priority -100
  ip daddr 198.51.100.77 dnat to {FAR}; }}; }}'
"""


@pytest.fixture
def ask(run_beside, tmp_path: Path):
    """Exit status, what was printed in one line, and the records."""

    def start(rules: str, *arguments: str):
        status, printed, _ = run_beside(f"{BOXES['TOPOLOGY']}\n{rules}", BOXES["SUITE"], *arguments)
        results = tmp_path / "report" / "results.jsonl"
        lines = results.read_text().splitlines() if results.exists() else []
        return status, " ".join(printed.split()), [json.loads(line) for line in lines]

    return start


@pytest.mark.night
def test_connections_of_a_twin_that_has_the_boxs_address_are_none_of_the_box(ask):
    status, printed, records = ask(SAME, *BOXES["TWO"], "--hdp-protocols=6,17,132,253")
    words = {(each["protocol"], each["form"]): each["containment"] for each in records}
    assert "leaked" not in words.values(), printed
    assert words[17, "wellformed"] == words[132, "bare"] == words[253, "bare"] == "contained", printed
    assert words[6, "wellformed"] == "unproven", printed  # the twin's own did not come either
    assert status == 1


@pytest.mark.night
def test_connections_from_any_address_while_the_box_sends_leave_tcp_unproven(ask):
    status, printed, records = ask(OTHER_NAME, *BOXES["TWO"], "--hdp-protocols=6,17,253")
    words = {(each["protocol"], each["form"]): each["containment"] for each in records}
    assert (status, words.pop((6, "wellformed")), set(words.values())) == (1, "unproven", {"contained"}), printed
    assert "saw somebody else ask for a connection to our port, from 198.51.100.1" in printed


@pytest.mark.night
def test_a_witness_that_passes_on_what_is_sent_is_not_the_agents_host(ask):
    ends = (*BOXES["TWO"], "--hdp-witness=netns=router", "--hdp-target=198.51.100.77")
    status, printed, records = ask(PASSED_ON, *ends, "--hdp-protocols=17,47,253")
    assert len(records) == 5, printed
    assert not [each["explanation"] for each in records if "passed the agent's host" in each["explanation"]]
    assert {each["containment"] for each in records} == {"contained"}, printed
    assert status == 0, printed
