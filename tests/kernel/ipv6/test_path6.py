"""IPv6 through a topology that somebody else built, with plain `ip netns` and `nft`: with an agent, and with none."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
SWEEP = "suites/internet/test_sweep.py"
TARGET, NEAR, SECOND = "2001:db8:b::2", "2001:db8:a::2", "2001:db8:c::2"

# two routers between them; addresses are usable at once, without duplicate address detection
TOPOLOGY = """
set -e
for n in client r1 r2 server; do
  ip netns add $n
  ip netns exec $n sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
  ip -n $n link set lo up
done
for n in r1 r2; do ip netns exec $n sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'; done
join() {  # ns link address ns link address
  ip link add $2 netns $1 type veth peer name $5 netns $4
  ip -n $1 addr add $3/64 dev $2 nodad; ip -n $4 addr add $6/64 dev $5 nodad
  ip -n $1 link set $2 up; ip -n $4 link set $5 up
}
join client c 2001:db8:a::2 r1 c 2001:db8:a::1
join r1 w 2001:db8:c::1 r2 w 2001:db8:c::2
join r2 s 2001:db8:b::1 server s 2001:db8:b::2
ip -n client -6 route add default via 2001:db8:a::1
ip -n r1 -6 route add 2001:db8:b::/64 via 2001:db8:c::2
ip -n r2 -6 route add 2001:db8:a::/64 via 2001:db8:c::1
ip -n server -6 route add default via 2001:db8:b::1
"""
LIFTED = """
for n in client r1 r2 server; do ip netns exec $n sh -c 'echo >/proc/sys/net/ipv6/icmp/ratemask'; done
"""
RULES = """
ip netns exec r2 nft -f - <<'END'
table ip6 t { chain f { type filter hook forward priority 0
  ip6 daddr 2001:db8:b::2 meta l4proto 253 drop
  ip6 daddr 2001:db8:b::2 meta l4proto 50 reject with icmpv6 type admin-prohibited
  ip6 saddr 2001:db8:b::2 meta l4proto 112 drop
}
}
END
"""
ENDS = ("--hdp-source=netns=client", "--hdp-agent=netns=server", f"--hdp-target={TARGET}")
ALONE = (ENDS[0], ENDS[2])


@pytest.fixture
def run(run_beside):
    return lambda *arguments, before="": run_beside(f"{TOPOLOGY}\n{before}", *arguments)


def but(records: dict, usual: str) -> dict:
    return {key: record["verdict"] for key, record in records.items() if record["verdict"] != usual}


@pytest.mark.night
def test_every_number_both_ways(run):
    status, printed, records = run(SWEEP, *ENDS)
    assert but(records, "delivered") == {
        (0, "forward"): "refused_at_socket", (0, "reverse"): "refused_at_socket",
    }, printed  # fmt: skip
    assert len(records) == 512
    assert status == 1, "0 is refused, and nobody said so before"
    sample = records[58, "forward"]
    assert (sample["ip_version"], sample["path"]["source"], sample["path"]["target"]) == (6, NEAR, TARGET)
    assert (sample["ttl"], sample["modified"], sample["nat"]["state"]) == (62, [], "none")


LABEL = """
ip netns exec r2 nft -f - <<'END'
table ip6 t { chain f { type filter hook forward priority 0
  ip6 daddr 2001:db8:b::2 ip6 nexthdr 253 ip6 flowlabel set 0x12345
}
}
END
"""
SOME = "--hdp-protocols=43,44,51,60,58,253"


def test_the_record_tells_what_only_ipv6_has(run):
    """The label on arrival; of bare extension headers, as what HDP's bytes are read: 420 is 0x01a4."""
    _, printed, records = run(SWEEP, *ENDS, SOME, before=LABEL)
    forward = {number: record for (number, way), record in records.items() if way == "forward"}
    read_as = {number: record.get("read_as") for number, record in forward.items()}
    assert read_as == {
        43: {"length": 1320, "next_header": 1}, 60: {"length": 1320, "next_header": 1},
        51: {"length": 664, "next_header": 1}, 44: {"length": 8, "next_header": 1}, 58: None, 253: None,
    }, printed  # fmt: skip
    assert {number: record["flow_label"] for number, record in forward.items()} == {
        number: 0x12345 if number == 253 else 0 for number in forward
    }
    assert "flow_label" in forward[253]["changed"]
    assert not any("extension_headers" in record for record in records.values())


@pytest.mark.night
def test_the_record_tells_with_which_extension_headers_it_arrived(run):
    _, printed, records = run(SWEEP, *ENDS, "--hdp-form=wellformed", "--hdp-protocols=0,43,44,60,58")
    found = {number: record.get("extension_headers") for (number, way), record in records.items() if way == "forward"}
    assert found == {0: [0], 43: [43], 44: [44], 60: [60], 58: None}, printed
    assert not any("read_as" in record for record in records.values())


@pytest.mark.night
@pytest.mark.parametrize(("form", "pointers"), [("bare", {253: 6, 135: 6}), ("wellformed", {43: 40, 60: 40})])
def test_the_record_tells_where_a_parameter_problem_is(run, form, pointers):
    numbers = ",".join(map(str, pointers))
    _, printed, records = run(SWEEP, *ALONE, f"--hdp-form={form}", f"--hdp-protocols={numbers}", before=LIFTED)
    found = {number: {each["pointer"] for each in record["icmp"]} for (number, _), record in records.items()}
    assert found == {number: {pointer} for number, pointer in pointers.items()}, printed


@pytest.mark.night
def test_finds_what_the_topology_does(run):
    _, printed, records = run(SWEEP, *ENDS, before=RULES)
    assert but(records, "delivered") == {
        (0, "forward"): "refused_at_socket", (0, "reverse"): "refused_at_socket",
        (253, "forward"): "lost", (50, "forward"): "rejected", (112, "reverse"): "lost",
    }, printed  # fmt: skip
    assert records[253, "forward"]["last_hop"] == {"ttl": 2, "address": SECOND}
    assert f"lost between {SECOND} (hop 2) and {TARGET} (hop 3)" in records[253, "forward"]["explanation"]
    assert records[112, "reverse"]["last_hop"] == {"ttl": 1, "address": "2001:db8:b::1"}
    (answer,) = records[50, "forward"]["icmp"]
    assert (answer["from"], answer["type"], answer["code"], answer["authenticated"]) == (SECOND, 1, 1, True)
    assert "communication administratively prohibited (ICMPv6 1/1)" in records[50, "forward"]["explanation"]


@pytest.mark.night
def test_a_stock_target_by_itself_reaches_246_numbers(run):
    """Sections 1 and 2 of what is known: bare 0, 6, 17, 43, 44, 58, 59, 60, 103 and 136 bring no answer."""
    _, printed, records = run(SWEEP, *ALONE, before=LIFTED)
    found = but(records, "reached")
    silent = {number for (number, _), verdict in found.items() if verdict == "silent"}
    assert silent == {6, 17, 43, 44, 58, 59, 60, 103, 136}, printed
    assert {number for number, _ in found} - silent == {0}
    assert "unrecognized Next Header (ICMPv6 4/1)" in records[253, "forward"]["explanation"]


@pytest.mark.parametrize("ms", [100, 250])
@pytest.mark.night
def test_a_target_that_limits_its_errors_is_asked_at_the_pace_that_it_shows(run, ms):
    """Kernels of 2026 give one each 100 ms, older ones by the prefix of the route back: 250 ms for a /64."""
    numbers = [*range(100, 136), *range(137, 160)]
    before = f"ip netns exec server sh -c 'echo {ms} >/proc/sys/net/ipv6/icmp/ratelimit'"
    began = time.monotonic()
    _, printed, records = run(SWEEP, *ALONE, "--hdp-protocols=100-135,137-159", before=before)
    assert {number: record["verdict"] for (number, _), record in records.items()} == {
        number: "silent" if number == 103 else "reached" for number in numbers
    }, printed
    assert time.monotonic() - began > (len(numbers) - 1 - 6) * ms / 1000, "no faster than it answers"


@pytest.mark.night(but=["2001*"])
@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("2001:db8:ffff::1", "no route to 2001:db8:ffff::1"),
        ("fe80::1%w", "there is no interface w at"),
    ],
)
def test_no_way_there_is_said_and_nothing_measured(run, target, says):
    before = "ip -n client -6 route del default"
    status, printed, records = run(SWEEP, ENDS[0], f"--hdp-target={target}", before=before)
    assert (status, records) == (4, {}), printed
    assert says in printed
    assert "Traceback" not in printed


HEADERS = {0: "reached", 43: "delivered", 44: "delivered", 58: "delivered", 59: "delivered", 60: "delivered"}


@pytest.mark.night
def test_wellformed_every_number_that_has_a_form_gets_through(run):
    status, printed, records = run(SWEEP, *ENDS, "--hdp-form=wellformed")
    assert status == 0, printed
    assert {number: records[number, "forward"]["verdict"] for number in HEADERS} == HEADERS, printed
    assert set(but(records, "delivered")) == {(0, "forward"), (0, "reverse")}
    assert not {1, 2, 55} & {number for number, _ in records}
    assert not any(record["modified"] or record.get("transport_checksum") == "stale" for record in records.values())


NO_OPTIONS = """
ip netns exec r2 nft -f - <<'END'
table ip6 t { chain f { type filter hook forward priority 0
  ip6 daddr 2001:db8:b::2 ip6 nexthdr 0 drop
}
}
END
"""


@pytest.mark.night
def test_options_for_hops_climb_in_a_header_of_our_own(run):
    _, printed, records = run(SWEEP, *ENDS, "--hdp-form=wellformed", "--hdp-protocols=0,59", before=NO_OPTIONS)
    verdicts = {number: records[number, "forward"]["verdict"] for number in (0, 59)}
    assert verdicts == {0: "lost", 59: "delivered"}, printed
    assert records[0, "forward"]["last_hop"] == {"ttl": 2, "address": SECOND}


@pytest.mark.night
def test_a_stock_target_answers_what_is_well_formed(run):
    _, printed, records = run(SWEEP, *ALONE, "--hdp-form=wellformed", before=LIFTED)
    found = {number: record["verdict"] for (number, _), record in records.items()}
    assert {number for number in found if found[number] == "silent"} == {59, 103}, printed
    assert set(found.values()) == {"silent", "reached"}, printed
    assert "an ICMPv6 echo reply, which holds our tag" in records[58, "forward"]["explanation"]
    assert "TCP RST" in records[6, "forward"]["explanation"]


FAR = f"--hdp-agent=command=ip netns exec server {sys.executable}"


@pytest.mark.night
def test_with_an_agent_at_a_far_host(run):
    """Packets are handed over to it, and what it sees comes back; as over SSH."""
    _, printed, records = run(SWEEP, ENDS[0], FAR, ENDS[2], before=RULES)
    bare = {key: record["verdict"] for key, record in records.items() if key[0] in {112, 50, 253, 58, 135, 0}}
    assert bare[253, "forward"] == "lost", printed
    assert bare[50, "forward"] == "rejected"
    assert {bare[number, "forward"] for number in (112, 58, 135)} == {"delivered"}, printed
    assert bare[0, "forward"] == bare[0, "reverse"] == "refused_at_socket"
    assert bare[112, "reverse"] == "lost"
    assert len([record for record in records.values() if record["verdict"] == "delivered"]) > 490


REJECTS = """
ip netns exec server nft -f - <<'END'
table ip6 t { chain i { type filter hook input priority 0
  icmpv6 type { 128, 129, 133-137 } accept
  reject
}
}
END
"""


@pytest.mark.night
def test_port_unreachable_to_all_that_is_summed_up_right_is_a_firewalls_word(run):
    """Of bare numbers it answers few; 253, which no kernel handles, only with a sum over the pseudo header."""
    _, printed, records = run(SWEEP, *ALONE, "--hdp-protocols=47,50,132", before=LIFTED + REJECTS)
    assert {number: record["verdict"] for (number, _), record in records.items()} == dict.fromkeys(
        (47, 50, 132), "rejected"
    ), printed


MASQUERADE = """
ip netns exec r1 nft -f - <<'END'
table ip6 nat { chain post { type nat hook postrouting priority 100; oifname "w" masquerade; }; }
END
"""


@pytest.mark.night
def test_what_a_translator_does_to_each_number(run):
    """Which are translated is what is known of Linux; the far end sees the router's address, or that of the inside."""
    untranslated = {1, 6, 17, 43, 51, 58, 59, 60, 132, 136}
    _, printed, records = run(SWEEP, *ENDS, before=MASQUERADE)
    found = {
        n: r["nat"]["state"] for (n, way), r in records.items() if way == "forward" and r["verdict"] == "delivered"
    }
    assert {number for number, state in found.items() if state == "leaked"} == untranslated, printed
    assert {number for number, state in found.items() if state == "translated"} == set(range(1, 256)) - untranslated - {
        44
    }
    assert records[44, "forward"]["verdict"] == "lost"


@pytest.mark.night
@pytest.mark.needs("tshark")
def test_a_capture_that_tshark_opens(run, tmp_path):
    run(SWEEP, *ENDS, "--hdp-protocols=253,47", before=RULES)
    done = subprocess.run(
        ["tshark", "-r", str(tmp_path / "report" / "capture.pcapng"), "-T", "fields", "-e", "ipv6.nxt"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    numbers = {word for line in done.stdout.split() for word in line.split(",")}
    assert {"253", "47", "17"} <= numbers, done.stderr
