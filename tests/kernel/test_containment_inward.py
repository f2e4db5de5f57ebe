"""Boxes of plain `ip netns` and `nft`, asked with --hdp-direction=both: what comes in to them unasked?"""

import json

import pytest

from tests.kernel.test_containment import (
    ALLOW,
    BOX,
    BOX6,
    CLOSED,
    ENDS,
    FAR,
    FAR6,
    LACKING,
    SUITE,
    TOPOLOGY,
    TWO,
    found,
    told,
)

BOTH = "--hdp-direction=both"
SOME = "--hdp-protocols=6,17,132,253"
MOST_UNCONFIRMED = 64
ALLOWED_OUT = f"ip saddr {BOX} meta l4proto {{ tcp, udp }} accept; ip saddr {BOX} drop"
ANSWERS_ONLY = f"policy 'ct state established accept; {ALLOWED_OUT}; ip daddr {BOX} drop;'"
SCTP_IN = f"policy 'ip saddr {BOX} drop; ip daddr {BOX} meta l4proto != sctp drop;'"
SEALED = f"policy 'ip saddr {BOX} drop; ip daddr {BOX} drop;'"


@pytest.fixture
def run(run_beside, tmp_path):
    def start(policy, *arguments):
        status, printed, _ = run_beside(f"{TOPOLOGY}\n{policy}", SUITE, *arguments)
        results = tmp_path / "report" / "results.jsonl"
        records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return status, printed, records

    return start


def way(records, direction):
    return [each for each in records if each["direction"] == direction]


def test_a_box_that_lets_in_only_what_it_asked_for_is_proven(run, tmp_path):
    """What answers it would come: nothing has gone out before. TCP and UDP may leave, and need not come in."""
    status, printed, records = run(ANSWERS_ONLY, *TWO, SOME, ALLOW, BOTH, "-v", f"--junitxml={tmp_path / 'junit.xml'}")
    into = way(records, "reverse")
    assert (status, found(into), found(way(records, "forward"), 6, 17)) == (0, {"contained"}, {"allowed"}), printed
    assert len(into) == len(way(records, "forward")) == 7, printed
    assert {each["containment_eye"] for each in into} == {"network namespace box"}
    assert not any(each["solicited"] for each in into), printed
    assert "test_stays_in[p132-sctp-reverse-bare]" in printed
    claim = f"containment: IPv4 from {FAR}, bare, in: 0 of 128 packets under 4 numbers came to the box"
    assert f"{claim}, while 128 of 128 came to its twin: each passes with a probability below" in told(printed)
    proven = "nothing but 6, 17, which may, got out of the box, and nothing got in unasked to the box by IPv4"
    assert f"PROVEN of what was asked: {proven} to and from {FAR}; by IPv4 0-5" in told(printed)
    assert "132 (SCTP)" not in told(printed).partition("containment:")[2], "all of these were asked"
    junit = (tmp_path / "junit.xml").read_text()
    assert proven in junit
    assert 'name="hdp_direction" value="reverse"' in junit


@pytest.mark.night
def test_a_box_that_lets_sctp_in_is_told_and_not_proven(run):
    status, printed, records = run(SCTP_IN, *TWO, SOME, BOTH)
    assert status == 1, printed
    assert found(way(records, "forward")) == {"contained"}, printed
    assert (found(way(records, "reverse"), 132), found(way(records, "reverse"), 6, 17, 253)) == (
        {"leaked"},
        {"contained"},
    ), printed
    assert f"got in: 32 of 32 came in unasked, seen by network namespace box, from {FAR}" in told(printed)
    assert "FAILED got in suites/" in printed
    assert "got out" not in printed
    assert f"IPv4 from {FAR}, bare, in: not proven; got in: 132 (SCTP); 3 stayed out of the box" in told(printed)
    assert "NOT PROVEN: 2 got in, of 14 trains by IPv4 to and from" in told(printed)


@pytest.mark.night
def test_what_may_leave_may_come_in(run):
    policy = f"policy 'ip saddr {BOX} meta l4proto != sctp drop; ip daddr {BOX} meta l4proto != sctp drop;'"
    status, printed, records = run(policy, *TWO, SOME, BOTH, "--hdp-allow=sctp")
    assert status == 0, printed
    assert (found(records, 132), found(records, 6, 17, 253)) == ({"allowed"}, {"contained"}), printed
    assert "nothing but 132, which may, got in unasked to the box" in told(printed)


@pytest.mark.night
def test_what_answers_what_came_in_is_told_to(run):
    """Nothing gets out of this box by itself, and its filter takes for answers what leaves after something came in."""
    status, printed, records = run(f"policy 'ct state established accept; ip saddr {BOX} drop;'", *TWO, SOME, BOTH)
    assert (status, found(records, 253), found(way(records, "reverse"))) == (1, {"leaked"}, {"leaked"}), printed
    assert "packets of this number had come the other way before, which may have opened the way for it" in told(printed)


@pytest.mark.night
def test_by_ipv6_alone_it_comes_in(run):
    targets = f"--hdp-target={FAR}", f"--hdp-target={FAR6}"
    policy = f"policy 'ip saddr {BOX} drop; ip6 saddr {BOX6} drop; ip daddr {BOX} drop;'"
    status, printed, records = run(policy, *TWO, *targets, "--hdp-protocols=132", BOTH)
    words = {(each["ip_version"], each["direction"]): each["containment"] for each in records}
    assert status == 1, printed
    assert words.pop((6, "reverse")) == "leaked", printed
    assert set(words.values()) == {"contained"}, printed


@pytest.mark.parametrize(
    ("policy", "ends", "said"),
    [
        (SEALED, (*ENDS, f"--hdp-target={FAR}"), "nothing came in, and no twin (--hdp-twin) shows"),
        (f"{CLOSED}\npolicy 'iif rs drop;'", TWO, "nothing that was sent to network namespace twin came there either"),
        ("ip -n box route del default", TWO, f"the box has no route to {FAR}"),
        (SEALED, LACKING, "nobody could look: no right to raw sockets (CAP_NET_RAW) in the box"),
    ],
    ids=["no twin", "nothing could come", "no route", "no tap"],
)
@pytest.mark.night
def test_what_shows_nothing_is_unproven(run, policy, ends, said):
    status, printed, records = run(policy, *ends, SOME, BOTH)
    into = way(records, "reverse")
    assert (status, found(into)) == (1, {"unproven"}), printed
    assert {said in each["explanation"] for each in into} == {True}, [each["explanation"] for each in into]
    assert sum(each["left"] for each in into) <= (MOST_UNCONFIRMED if "twin" in said else 0 if "route" in said else 999)


@pytest.mark.parametrize("numbers", ["253", "200-230"])
@pytest.mark.night
def test_an_address_that_only_the_box_names_gets_few_packets(run, numbers):
    """Its agent is at the other end of a pipe, and may say anything. Few packets are enough for one number."""
    ends = [f"--hdp-{end}=command=ip netns exec {end.replace('source', 'box')} python3" for end in ("source", "twin")]
    asks = (
        *ends,
        "--hdp-agent=netns=server",
        f"--hdp-target={FAR}",
        f"--hdp-protocols={numbers}",
        "--hdp-form=bare",
        "--hdp-rate=5000",
    )
    status, printed, records = run(SEALED, *asks, BOTH)
    into = way(records, "reverse")
    assert sum(each["left"] for each in into) <= MOST_UNCONFIRMED, printed
    assert found(way(records, "forward")) == {"contained"}, printed
    assert (status, found(into)) == ((0, {"contained"}) if numbers == "253" else (1, {"unproven"})), printed
    assert ("no more than 64 packets go to addresses from which nothing came back" in told(printed)) is bool(status)


@pytest.mark.night
def test_what_comes_in_is_asked_alone(run):
    status, printed, records = run(SEALED, *TWO, SOME, BOTH, "-k", "reverse")
    assert (status, found(records)) == (0, {"contained"}), printed
    assert {each["direction"] for each in records} == {"reverse"}
    proof = f"PROVEN of what was asked: nothing got in unasked to the box by IPv4 from {FAR}"
    assert f"{proof}; by IPv4 what gets out was not asked" in told(printed)


@pytest.mark.parametrize("asks", [(), ("--hdp-direction=forward",)], ids=["as ever", "forward"])
@pytest.mark.night
def test_without_it_nothing_goes_in(run, asks):
    status, printed, records = run(SCTP_IN, *TWO, "--hdp-protocols=132", *asks, "-v")
    assert (status, [each["direction"] for each in records]) == (0, ["forward"] * 2), printed
    assert "test_stays_in[p132-sctp-bare]" in printed
    assert " in:" not in printed
    assert "reverse" not in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*TWO, "--hdp-direction=reverse"), "--hdp-direction: 'reverse' is not one of forward, both"),
        ((BOTH,), "who watches outside? --hdp-agent=SPEC"),
        (("--hdp-lab=home-nat", BOTH), "--hdp-direction is about a box, and no lab that is named has one"),
    ],
)
def test_what_means_nothing_is_one_line(run, arguments, said):
    status, printed, records = run(":", *arguments)
    assert (status, records) == (4, []), printed
    (line,) = [line for line in printed.splitlines() if line.startswith("ERROR")]
    assert said in line
