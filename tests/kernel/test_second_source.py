"""`--hdp-source` twice: two hosts of one network to one target, behind a translator, and behind a firewall."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

TOPOLOGY = """
set -e
for n in one two router server; do ip netns add $n; ip -n $n link set lo up; done
ip -n router link add name br type bridge; ip -n router link set dev br up; ip -n router addr add 192.168.7.1/24 dev br
i=2; for n in one two; do
  ip link add name eth0 netns $n type veth peer name to$n netns router; ip -n router link set dev to$n master br up
  ip -n $n addr add 192.168.7.$i/24 dev eth0; ip -n $n link set dev eth0 up; i=3
  ip -n $n route add default via 192.168.7.1
done
ip link add name eth0 netns server type veth peer name out netns router
ip -n router addr add 198.51.100.1/24 dev out; ip -n router link set dev out up
ip -n server addr add 198.51.100.2/24 dev eth0; ip -n server link set dev eth0 up
ip -n server route add default via 198.51.100.1
ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
"""
TRANSLATOR = """
ip netns exec router nft 'table ip t { chain p { type nat hook postrouting priority 100; oifname out masquerade; }; }'
"""
FIREWALL = """
ip netns exec router nft 'table ip t { chain f { type filter hook forward priority 0
  ct state established,related accept
  iifname out drop
}; }'
"""
ENDS = "--hdp-source=netns=one --hdp-source=netns=two --hdp-agent=netns=server --hdp-target=198.51.100.2"
TESTS = ("second_inside_host", "unsolicited_inbound", "source_address")  # in the order that is the worst of all
SUITE = " ".join(f"suites/internet/test_nat.py::test_{each}" for each in TESTS)
FIRST, UNASKED, SECOND = "198.51.100.2", "198.51.100.2 unsolicited", "198.51.100.2 second"

Records = dict[str, dict[int, dict[str, object]]]


@pytest.fixture
def runs(in_namespaces, tmp_path: Path):
    """Run the suite several times; of each run its records by path and number, and all that was printed."""

    def start(rules: str, *each: str) -> tuple[list[Records], str]:
        pytest_ = f"COLUMNS=400 {sys.executable} -mpytest -pno:cacheprovider -pno:hypothesispytest -pno:randomly"
        commands = [
            f"{pytest_} {ENDS} {SUITE} --hdp-report={tmp_path}/{n} {words} || true" for n, words in enumerate(each)
        ]
        state = f"export XDG_STATE_HOME={tmp_path}/state"
        done = in_namespaces("\n".join((TOPOLOGY, rules, state, *commands)), seconds=240)
        found = []
        for number in range(len(each)):
            records: Records = {}
            file = tmp_path / str(number) / "results.jsonl"
            assert file.exists(), done.stdout + done.stderr
            for record in map(json.loads, file.read_text().splitlines()):
                records.setdefault(record["path"]["name"], {})[record["protocol"]] = record
            found.append(records)
        return found, done.stdout

    return start


def verdicts(records: dict[int, dict[str, object]]) -> set[object]:
    return {record["verdict"] for record in records.values()}


@pytest.mark.night
@pytest.mark.long
def test_behind_a_translator_two_hosts_are_told_apart(runs):
    """A number without ports leaves it the address alone: the second host has no answer, nobody what is unasked."""
    (alone, all_), printed = runs(TRANSLATOR, "--hdp-protocols=99 -k unsolicited", "--hdp-protocols=47,253")
    assert list(alone) == [UNASKED], printed
    assert verdicts(alone[UNASKED]) == {"rejected"}, "by the translator's own stack"
    assert (alone[UNASKED][99]["solicited"], alone[UNASKED][99]["sent_to"]) == (False, "198.51.100.1")

    assert set(all_) == {FIRST, UNASKED, SECOND}, printed
    assert (verdicts(all_[FIRST]), verdicts(all_[SECOND])) == ({"delivered"}, {"lost"}), printed
    assert verdicts(all_[UNASKED]) == {"inconclusive"}, "the first host has asked for these"
    assert "the outside address of the first source too" in all_[UNASKED][47]["explanation"]
    sources = {name: {record["path"]["source"] for record in records.values()} for name, records in all_.items()}
    assert sources == {FIRST: {"192.168.7.2"}, UNASKED: {"192.168.7.3"}, SECOND: {"192.168.7.3"}}
    assert "needs a path on which nothing has been sent before" not in printed


@pytest.mark.long
@pytest.mark.parametrize("workers", ["", "-n 2"], ids=["serial", "2 workers"])
@pytest.mark.night
def test_behind_a_firewall_each_host_has_what_it_asked_for_itself(runs, workers):
    """In whatever order the tests come: what is unasked comes before the second host asks, and after the first did."""
    ((found,), printed) = runs(FIREWALL, f"--hdp-protocols=47,253 {workers}")
    assert set(found) == {FIRST, UNASKED, SECOND}, printed
    assert (verdicts(found[FIRST]), verdicts(found[SECOND])) == ({"delivered"}, {"delivered"}), printed
    assert verdicts(found[UNASKED]) == {"lost"}, printed
    assert not any(record["solicited"] for record in found[UNASKED].values())
    for name in (UNASKED, SECOND):
        assert f"({name})" in printed, "the path is named in the header"
