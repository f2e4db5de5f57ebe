"""Boxes that somebody else built, with plain `ip netns` and `nft`: what does suites/containment prove of them?"""

from pathlib import Path

import pytest

SUITE = str(Path(__file__).parents[2] / "suites" / "containment")
BOX, TWIN, FAR = "192.0.2.18", "192.0.2.34", "198.51.100.2"
BOX6, FAR6 = "2001:db8:1::2", "2001:db8:9::2"

# a box and its twin behind one router, and the far end
TOPOLOGY = f"""
set -e
for n in box twin router server; do ip netns add $n; ip -n $n link set lo up; done
sysctl() {{ ip netns exec $1 sh -c "echo $3 >/proc/sys/net/$2"; }}  # the program is procps's
for n in box twin router server; do
  sysctl $n ipv6/conf/all/accept_dad 0; sysctl $n ipv6/conf/default/accept_dad 0
done
i=1
for n in box twin; do
  ip link add c netns $n type veth peer name $n netns router
  ip -n $n addr add 192.0.2.$((i*16+2))/28 dev c; ip -n $n addr add 2001:db8:$i::2/64 dev c
  ip -n router addr add 192.0.2.$((i*16+1))/28 dev $n; ip -n router addr add 2001:db8:$i::1/64 dev $n
  ip -n $n link set c up; ip -n router link set $n up
  ip -n $n route add default via 192.0.2.$((i*16+1)); ip -n $n route add default via 2001:db8:$i::1
  i=$((i+1))
done
ip link add s netns server type veth peer name rs netns router
ip -n router addr add 198.51.100.1/24 dev rs; ip -n router addr add 2001:db8:9::1/64 dev rs; ip -n router link set rs up
ip -n server addr add {FAR}/24 dev s; ip -n server addr add 198.51.100.3/24 dev s; ip -n server addr add {FAR6}/64 dev s
ip -n server link set s up
ip -n server route add default via 198.51.100.1; ip -n server route add default via 2001:db8:9::1
sysctl router ipv4/ip_forward 1; sysctl router ipv6/conf/all/forwarding 1
policy() {{ ip netns exec router nft "table inet p {{ chain c {{ type filter hook forward priority 0; $1 }}; }}"; }}
"""
ENDS = ("--hdp-source=netns=box", "--hdp-agent=netns=server")
TWO = (*ENDS, "--hdp-twin=netns=twin")
SOME = "--hdp-protocols=6,17,47,132,253"
ALLOW = "--hdp-allow=tcp,udp"
NOT_THEM = "meta l4proto != { tcp, udp } drop"
TCP_UDP = f"policy 'ip saddr {BOX} {NOT_THEM}; ip6 saddr {BOX6} {NOT_THEM};'"
SCTP_TOO = f"policy 'ip saddr {BOX} meta l4proto != {{ tcp, udp, sctp }} drop;'"
NAT = (
    "ip netns exec router nft 'table ip n { chain p { type nat hook postrouting priority 100; oif rs masquerade; }; }'"
)
CLOSED = f"policy 'ip saddr {BOX} drop; ip6 saddr {BOX6} drop;'"


@pytest.fixture
def run(run_beside, tmp_path):
    def start(policy, *arguments):
        status, printed, _ = run_beside(f"{TOPOLOGY}\n{policy}", SUITE, *arguments)
        results = tmp_path / "report" / "results.jsonl"
        import json

        records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return status, printed, records

    return start


def told(printed):
    """What was printed, as if the terminal were wide."""
    return " ".join(printed.split())


def found(records, *numbers):
    """The words of all trains, or of those of these numbers."""
    return {each["containment"] for each in records if not numbers or each["protocol"] in numbers}


@pytest.mark.night
def test_a_box_that_lets_out_tcp_and_udp_alone_is_proven(run):
    status, printed, records = run(TCP_UDP, *TWO, ALLOW)
    assert status == 0, printed
    assert found(records, 6, 17) == {"allowed"}
    assert found([each for each in records if each["protocol"] not in (6, 17)]) == {"contained"}
    assert len(records) == 276
    assert {each["containment_eye"] for each in records} == {"network namespace server"}
    assert (
        "PROVEN: nothing but 6, 17, which may, got out of the box by IPv4 to 198.51.100.2; IPv6 was not tested"
        in told(printed)
    )
    bare = "bare: 0 of 8128 packets under 254 numbers left the box, while 8128 of 8128 of its twin's came"
    assert f"IPv4 to {FAR}, {bare}" in told(printed), printed


@pytest.mark.parametrize(
    ("policy", "arguments", "out"),
    [
        (TCP_UDP, (), {6, 17}),
        (f"policy 'ip saddr {BOX} meta l4proto != sctp drop;'", (), {132}),
        ("policy 'ip saddr 192.0.2.99 drop;'", (ALLOW,), {47, 132, 253}),
        (":", (), {6, 17, 47, 132, 253}),
    ],
    ids=["tcp and udp", "sctp", "never armed", "no filter"],
)
@pytest.mark.night(but=["sctp"])
def test_what_gets_out_is_told(run, policy, arguments, out):
    status, printed, records = run(policy, *TWO, SOME, *arguments)
    assert status == 1, printed
    assert {each["protocol"] for each in records if each["containment"] == "leaked"} == out, printed
    assert "NOT PROVEN" in told(printed)
    assert f"from {BOX}" in told(printed)


@pytest.mark.night
def test_open_by_ipv6_alone(run):
    targets = f"--hdp-target={FAR}", f"--hdp-target={FAR6}"
    status, printed, records = run(f"policy 'ip saddr {BOX} drop;'", *TWO, *targets, SOME)
    assert status == 1, printed
    assert found(each for each in records if each["ip_version"] == 4) == {"contained"}, printed
    assert found(each for each in records if each["ip_version"] == 6) == {"leaked"}, printed


def test_closed_by_both(run):
    targets = f"--hdp-target={FAR}", f"--hdp-target={FAR6}"
    status, printed, records = run(CLOSED, *TWO, *targets, SOME)
    assert (status, found(records)) == (0, {"contained"}), printed
    assert f"got out of the box by IPv4 and IPv6 to {FAR} and {FAR6}" in told(printed)


@pytest.mark.night
def test_what_is_left_out_is_not_claimed(run):
    """SCTP is open, and who asks for all but SCTP is told so."""
    status, printed, _ = run(SCTP_TOO, *TWO, ALLOW, "-k", "not p132")
    assert status == 0, printed
    assert "PROVEN of what was asked: nothing but 6, 17, which may" in told(printed)
    assert "by IPv4 132 was not asked, bare; by IPv4 132 was not asked, wellformed" in told(printed)


@pytest.mark.night
def test_a_leak_that_a_profile_expects_is_no_proof(run, tmp_path):
    profile = tmp_path / "known.toml"
    expected = 'protocols = "132"\nverdict = "delivered"\ncontainment = "leaked"\nreason = "known"\n'
    profile.write_text(f'[profile]\nname = "known"\n[[expect]]\n{expected}')
    status, printed, _ = run(SCTP_TOO, *TWO, SOME, ALLOW, f"--hdp-expect={profile}")
    assert "2 xfailed" in printed, printed
    assert "box to its agent's address (agent containment), 9 trains" in told(printed)
    assert "NOT PROVEN: 2 got out" in told(printed)
    assert status == 1, printed


def test_without_a_twin_nothing_is_proven(run):
    status, printed, records = run(CLOSED, *ENDS, f"--hdp-target={FAR}", SOME)
    assert (status, found(records)) == (1, {"unproven"}), printed
    assert "no twin (--hdp-twin)" in told(printed)


def test_where_nothing_could_ever_arrive_nothing_is_proven(run):
    status, printed, records = run("policy 'drop;'", *TWO, SOME)
    assert (status, found(records)) == (1, {"unproven"}), printed


@pytest.mark.parametrize("policy", [CLOSED, ":"], ids=["closed", "open"])
@pytest.mark.night
def test_behind_one_translator_a_box_is_proven_only_by_two_addresses(run, policy):
    status, printed, records = run(f"{policy}\n{NAT}", *TWO, SOME)
    assert status == 1, printed
    # without ports that it knows a translator takes these for nothing to translate, and has no state of them
    assert found(records, 253) == ({"unproven"} if policy == CLOSED else {"leaked"}), printed
    assert found(each for each in records if each["form"] == "wellformed") == found(records, 253), printed
    assert ("--hdp-witness" in printed) is (policy == CLOSED), printed
    two = f"--hdp-target={FAR}", "--hdp-target=198.51.100.3"
    status, printed, records = run(f"{policy}\n{NAT}", *TWO, *two, SOME)
    assert (status, found(records)) == ((0, {"contained"}) if policy == CLOSED else (1, {"leaked"})), printed


@pytest.mark.night
def test_what_comes_in_a_name_that_both_share_proves_nothing_of_tcp(run):
    """Its UDP comes from an address that is not its own: whoever speaks there may speak TCP without our bytes, too."""
    policy = f"policy 'ip saddr {BOX} meta l4proto != udp drop;'\n{NAT}"
    two = f"--hdp-target={FAR}", "--hdp-target=198.51.100.3", "--hdp-allow=udp"
    status, printed, records = run(policy, *TWO, *two, "--hdp-protocols=6,17,132")
    words = {each["protocol"]: each["containment"] for each in records if each["form"] == "wellformed"}
    assert (status, words) == (1, {6: "unproven", 17: "allowed", 132: "contained"}), printed


@pytest.mark.night
def test_before_the_translator_a_witness_proves_it(run):
    """The policy is the box's own: what its router sees is beyond it."""
    policy = "ip netns exec box nft 'table inet p { chain c { type filter hook output priority 0; drop; }; }'"
    status, printed, records = run(f"{policy}\n{NAT}", *TWO, SOME, "--hdp-witness=netns=router")
    assert (status, found(records)) == (0, {"contained"}), printed
    assert {each["containment_eye"] for each in records} == {"network namespace router"}


@pytest.mark.night
def test_a_witness_sees_what_the_far_end_does_not(run):
    """It got out, and somebody else's filter took it."""
    policy = f"policy 'oif rs ip saddr {BOX} drop;'"
    status, printed, records = run(policy, *TWO, SOME, "--hdp-witness=netns=router")
    assert (status, found(records)) == (1, {"leaked"}), printed
    assert {each["containment_eye"] for each in records} == {"network namespace router"}


@pytest.mark.night
def test_what_allowed_traffic_opens_is_found(run):
    """The filter remembers a pair that spoke UDP, and lets all of it pass from then on."""
    policy = f"""ip netns exec router nft '
    table ip p {{
      set known {{ type ipv4_addr . ipv4_addr; flags dynamic, timeout; timeout 1m; size 65535; }}
      chain c {{
        type filter hook forward priority 0
        ip saddr != {BOX} accept
        meta l4proto udp update @known {{ ip saddr . ip daddr }} accept
        ip saddr . ip daddr @known accept
        drop
      }}
    }}'"""
    status, printed, records = run(policy, *TWO, SOME, "--hdp-allow=udp")
    assert status == 1, printed
    assert (found(records, 17), found(records, 6, 47, 132, 253)) == ({"allowed"}, {"leaked"}), printed
    assert "none of those before allowed traffic of the same pair did, so that opened the way" in told(printed), printed


@pytest.mark.night
def test_what_allowed_traffic_opens_to_other_ports_alone_is_found(run):
    """None but the box's own controls get out, after SCTP did: they were tried before, too."""
    policy = f"""ip netns exec router nft '
    table ip p {{
      set known {{ type ipv4_addr . ipv4_addr; flags dynamic, timeout; timeout 1m; size 65535; }}
      chain c {{
        type filter hook forward priority 0
        ip saddr != {BOX} accept
        meta l4proto sctp update @known {{ ip saddr . ip daddr }} accept
        udp dport != 420 ip saddr . ip daddr @known accept
        drop
      }}
    }}'"""
    status, printed, records = run(policy, *TWO, "--hdp-protocols=17,132,253", "--hdp-allow=sctp")
    words = {(each["protocol"], each["form"]): each for each in records}
    assert status == 1, printed
    assert {words[253, "bare"]["containment"], words[17, "bare"]["containment"]} == {"contained"}, printed
    leaked = words[17, "wellformed"]
    assert leaked["containment"] == "leaked", printed
    assert "of its controls came out" in leaked["explanation"]
    assert "none of those before allowed traffic of the same pair did, so that opened the way" in leaked["explanation"]


@pytest.mark.night
def test_what_may_leave_and_does_not_is_blocked(run):
    status, printed, records = run(CLOSED, *TWO, SOME, "--hdp-allow=sctp")
    assert status == 1, printed
    assert (found(records, 132), found(records, 6, 17, 47, 253)) == ({"contained", "blocked"}, {"contained"}), printed


@pytest.mark.night
def test_by_one_version_allowed_by_the_other_not(run):
    targets = f"--hdp-target={FAR}", f"--hdp-target={FAR6}"
    status, printed, records = run(TCP_UDP, *TWO, *targets, SOME, "--hdp-allow=tcp/4,udp")
    assert status == 1, printed
    leaked = {(each["protocol"], each["ip_version"]) for each in records if each["containment"] == "leaked"}
    assert leaked == {(6, 6)}, printed


@pytest.mark.parametrize(
    "lacks", ["ip -n box route del default", "ip -n box link del c", "ip -n box link set lo down; ip -n box link del c"]
)
@pytest.mark.night
def test_a_box_without_a_way_out_is_contained(run, lacks):
    status, printed, records = run(lacks, *TWO, SOME)
    assert (status, found(records)) == (0, {"contained"}), printed
    assert "refuse" in told(printed)


LACKS = "command=ip netns exec box setpriv --inh-caps=-net_raw --bounding-set=-net_raw python3"
LACKING = f"--hdp-source={LACKS}", "--hdp-twin=netns=twin", "--hdp-agent=netns=server", f"--hdp-target={FAR}"


@pytest.mark.parametrize("policy", [CLOSED, ":"], ids=["closed", "open"])
@pytest.mark.night
def test_a_box_that_may_open_no_raw_socket_is_asked_what_it_can_send(run, policy):
    """Its kernel refuses the numbers, and ordinary sockets send UDP. What others send as well is told to be untried."""
    status, printed, records = run(policy, *LACKING, "--hdp-protocols=17,47,253")
    words = {(each["protocol"], each["form"]): each["containment"] for each in records}
    assert status == (0 if policy == CLOSED else 1), printed
    assert words.pop((17, "wellformed")) == ("contained" if policy == CLOSED else "leaked"), printed
    assert set(words.values()) == {"contained"}, printed
    said = {each["form"]: each["explanation"] for each in records if each["protocol"] == 47}
    assert all(
        "EPERM: no right to raw sockets, CAP_NET_RAW, and that is what holds it" in each for each in said.values()
    ), said


@pytest.mark.night
def test_what_an_ordinary_socket_sends_and_nobody_tried_is_not_proven(run):
    status, printed, records = run(
        CLOSED, *LACKING, "--hdp-protocols=1,2,6,17,33,115,132,136", "--hdp-form=wellformed,options"
    )
    words = {(each["protocol"], each["form"]): each["containment"] for each in records}
    assert words.pop((17, "wellformed")) == "contained", printed
    assert (status, set(words.values())) == (1, {"unproven"}), printed
    said = {each["protocol"]: each["explanation"] for each in records}
    assert "an ordinary TCP socket sends it, which was not tried" in said[6], printed


@pytest.mark.night
def test_junit_bears_the_claim(run, tmp_path):
    status, printed, _ = run(CLOSED, *TWO, "--hdp-protocols=253", f"--junitxml={tmp_path / 'junit.xml'}", "-n2")
    assert status == 0, printed
    junit = (tmp_path / "junit.xml").read_text()
    assert (
        'name="hdp_containment" value="PROVEN of what was asked: nothing got out of the box by IPv4 to 198.51.100.2; '
        "by IPv4 0-252, 254-255 were not asked, bare; by IPv4 "
    ) in junit
    assert "0 of 32 packets under 1 number left the box, while 32 of 32 of its twin&apos;s came" in junit.replace(
        "'", "&apos;"
    )


@pytest.mark.night
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--hdp-source=SPEC --hdp-twin=SPEC --hdp-agent=SPEC"),
        (("--hdp-source=netns=box", "--hdp-twin=netns=twin"), "--hdp-agent=SPEC"),
        ((*ENDS, "--hdp-twin=netns=box"), "the box itself"),
        ((*ENDS, "--hdp-twin=netns=server"), "the far end"),
        ((*TWO, "--hdp-witness=netns=box"), "the box itself"),
        ((*TWO, "--hdp-allow=tpc"), "tpc"),
        ((*TWO, "--hdp-allow=tcp/5"), "tcp/4"),
        ((*TWO, "--hdp-lab=home-nat"), "--hdp-lab"),
        (("--hdp-lab=home-nat", "--hdp-allow=tcp"), "no lab that is named has one"),
        ((*TWO, "--hdp-bound=2%", "--hdp-count=9"), "--hdp-count"),
        ((*TWO, "--hdp-bound=2"), "2%"),
        ((*TWO, "--hdp-unmeasured=skip"), "nobody could measure"),
        ((*ENDS, "--hdp-twin=netns=twn"), "twn"),
        ((*TWO, *[f"--hdp-target=198.51.100.{last}" for last in (2, 3, 4)]), "one for its twin"),
    ],
)
def test_what_means_nothing_is_one_line(run, arguments, said):
    status, printed, records = run(":", *arguments)
    assert (status, records) == (4, []), printed
    (line,) = [line for line in printed.splitlines() if line.startswith("ERROR")]
    assert said in line


def test_an_agent_without_a_default_route_needs_the_target_named(run):
    status, printed, _ = run("ip -n server route del default", *TWO, SOME)
    assert status == 4, printed
    assert "give --hdp-target=ADDR, the IPv4 address of network namespace server" in told(printed)


@pytest.mark.night
def test_what_leaves_by_other_ports_alone_is_a_leak(run):
    """The filter knows the ports of the trains, and lets the box's own controls out."""
    policy = f"policy 'ip saddr != {BOX} accept; udp dport != 420 accept; drop;'"
    status, printed, records = run(policy, *TWO, "--hdp-protocols=17,253")
    words = {(each["protocol"], each["form"]): each["containment"] for each in records}
    assert (status, words[17, "wellformed"], words[253, "bare"]) == (1, "leaked", "contained"), printed
