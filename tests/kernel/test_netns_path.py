"""A topology that somebody else built, with plain `ip netns` and `nft`: what do the suites find there?"""

from pathlib import Path

import pytest
from routed_line import routed_line

TOP = Path(__file__).parents[2]
SWEEP = "suites/internet/test_sweep.py"

# a client and a server behind a router that drops GRE forward, rejects ESP, and lets no VRRP back
TOPOLOGY = (
    routed_line()
    + """
ip netns exec router nft -f - <<'END'
table inet t { chain f { type filter hook forward priority 0
  ip daddr 198.51.100.2 ip protocol 47 drop
  ip daddr 198.51.100.2 ip protocol 50 reject with icmp type admin-prohibited
  ip saddr 198.51.100.2 ip protocol 112 drop
}
}
END
"""
)


@pytest.fixture
def run(run_beside):
    return lambda *arguments, before="": run_beside(f"{TOPOLOGY}\n{before}", *arguments)


ENDS = ("--hdp-source=netns=client", "--hdp-agent=netns=server", "--hdp-target=198.51.100.2")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night(but=["serial"])
def test_finds_what_the_topology_does(run, workers):
    status, printed, records = run(SWEEP, *ENDS, *workers)
    assert status == 1, printed
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == {
        (47, "forward"): "lost", (50, "forward"): "rejected", (112, "reverse"): "lost",
        (0, "forward"): "reached", (0, "reverse"): "reached",
    }, printed  # fmt: skip
    assert len(records) == 512
    assert records[47, "forward"]["last_hop"] == {"ttl": 1, "address": "192.0.2.1"}
    assert records[112, "reverse"]["last_hop"] == {"ttl": 1, "address": "198.51.100.1"}
    assert "lost between 192.0.2.1 (hop 1) and 198.51.100.2 (hop 2)" in records[47, "forward"]["explanation"]
    (answer,) = records[50, "forward"]["icmp"]
    assert (answer["from"], answer["type"], answer["code"], answer["authenticated"]) == ("192.0.2.1", 3, 13, True)


@pytest.mark.night
def test_a_namespace_by_the_number_of_a_process_in_it(run):
    before = "ip netns exec client sleep 100 & p=$!; set -- \"${@/PID/$p}\"; trap 'kill $p' EXIT"
    arguments = ("--hdp-source=netns=pid:PID", *ENDS[1:], "--hdp-protocols=253")
    status, printed, records = run(SWEEP, *arguments, before=before)
    assert (status, len(records)) == (0, 2), printed


@pytest.mark.night(but=["arguments1*", "arguments3*"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--hdp-source=netns=cleint", *ENDS[1:]), "client"),
        (("--hdp-source=netns=pid:999999999", *ENDS[1:]), "999999999"),
        (ENDS[:2], "--hdp-target"),
        ((*ENDS, "--hdp-lab=home-nat"), "--hdp-lab"),
        ((*ENDS[:2], "--hdp-target=nowhere"), "nowhere"),
    ],
)
def test_bad_vantage_points_are_one_line(run, arguments, said):
    status, printed, records = run(SWEEP, *arguments)
    assert (status, records) == (4, {}), printed
    (line,) = [line for line in printed.splitlines() if line.startswith("ERROR")]
    assert said in line


def test_a_target_that_does_not_lead_to_the_agent_is_4_with_the_reason(run):
    status, printed, _ = run(SWEEP, *ENDS[:2], "--hdp-target=198.51.100.77", "--hdp-protocols=253", "-rs")
    assert status == 4, printed
    said = "came to the agent's host, which does not have this address"
    assert said in " ".join(printed.split())


FLOATING = """
    ip -n router addr add 192.0.2.80/32 dev rc
    ip netns exec router nft -f - <<'END'
table ip n { chain c { type nat hook prerouting priority -100; ip daddr 192.0.2.80 dnat to 198.51.100.2; }; }
END
    """
"""A floating address, a published port: a translator puts another destination on."""


@pytest.mark.night
def test_an_agent_need_not_own_the_address_that_leads_to_it(run):
    arguments = ("--hdp-target=192.0.2.80", "--hdp-protocols=47,50,253,254", "-rs")
    status, printed, records = run(SWEEP, *ENDS[:2], *arguments, before=FLOATING)
    assert status == 1, printed
    found = {key: record["verdict"] for key, record in records.items() if record["verdict"] != "delivered"}
    assert found == {(47, "forward"): "lost", (50, "forward"): "rejected"}, printed  # by the router's own rules
    assert len(records) == 8
    assert records[253, "forward"]["path"]["target"] == "192.0.2.80"


@pytest.mark.night
def test_a_translator_that_speaks_in_the_targets_name_is_not_the_targets_hop(run):
    control = "suites/internet/test_control.py"
    _, printed, _ = run(control, *ENDS[:2], "--hdp-target=192.0.2.80", before=FLOATING)
    assert "path to 192.0.2.80: 192.0.2.80 (a router in its name) - 192.0.2.80, 2 hops" in " ".join(printed.split())


@pytest.mark.night
def test_no_path_is_said_once_and_accuses_nobody(run):
    before = "ip -n router link set rs down"
    status, printed, records = run("suites/internet", *ENDS, "--hdp-protocols=47,253", "-rs", before=before)
    assert status == 1, printed
    assert "1 failed" in printed  # the control, whose one purpose that is
    assert "no path to 198.51.100.2" in printed
    assert {record["verdict"] for record in records.values()} <= {"inconclusive"}
