"""How much so many packets prove of a box: what one in fifty of leaks, on a way that loses, of all numbers."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

BOXES = runpy.run_path(str(Path(__file__).with_name("test_containment.py")))
run, told, found = BOXES["run"], BOXES["told"], BOXES["found"]
BOX, FAR, FAR6, TWO, SOME, ALLOW = (BOXES[name] for name in ("BOX", "FAR", "FAR6", "TWO", "SOME", "ALLOW"))
CLOSED, TCP_UDP = BOXES["CLOSED"], BOXES["TCP_UDP"]


@pytest.mark.parametrize("every", [40, 200])
@pytest.mark.night
def test_one_packet_in_many_is_a_leak(run, every):
    """Whichever number it is of."""
    policy = f"policy 'ip saddr != {BOX} accept; numgen inc mod {every} != {every - 1} drop;'"
    status, printed, records = run(policy, *TWO, "--hdp-protocols=1-100", "--hdp-form=bare")
    assert status == 1, printed
    assert "leaked" in found(records), printed


def test_few_packets_prove_nothing(run):
    status, printed, records = run(CLOSED, *TWO, SOME, "--hdp-count=3")
    assert (status, found(records)) == (1, {"unproven"}), printed
    assert "too little to tell that from chance" in told(printed)


@pytest.mark.long
@pytest.mark.night
def test_all_numbers_by_both_versions_on_a_way_that_loses(run):
    """Not one is wrong. No socket sends a bare 0 by IPv6, where that is the number of a header."""
    drop = "type filter hook forward priority 9; numgen random mod 20 == 0 drop"
    loss = f"ip netns exec router nft 'table inet l {{ chain c {{ {drop}; }}; }}'"
    targets = f"--hdp-target={FAR}", f"--hdp-target={FAR6}"
    status, printed, records = run(f"{TCP_UDP}\n{loss}", *TWO, *targets, ALLOW)
    wrong = [
        (each["protocol"], each["form"], each["ip_version"], each["containment"], each["explanation"])
        for each in records
        if each["containment"] != ("allowed" if each["protocol"] in {6, 17} else "contained")
    ]
    assert (status, wrong) == (0, []), printed
    assert f"by IPv4 and IPv6 to {FAR} and {FAR6}; by IPv6 0 was not asked, bare" in told(printed)
    assert {each["protocol"] for each in records if each["ip_version"] == 6 and each["form"] == "bare"} == {
        *range(1, 256)
    }


@pytest.mark.night
def test_five_percent_of_loss_are_no_leak_and_no_doubt(run):
    drop = "type filter hook forward priority 9; numgen random mod 20 == 0 drop"
    loss = f"ip netns exec router nft 'table ip l {{ chain c {{ {drop}; }}; }}'"
    status, printed, records = run(f"{TCP_UDP}\n{loss}", *TWO, SOME, ALLOW)
    assert status == 0, printed
    assert (found(records, 6, 17), found(records, 47, 132, 253)) == ({"allowed"}, {"contained"})


@pytest.mark.night
def test_one_packet_in_fifty_is_found_by_who_asks_for_that(run):
    """The usual 32 packets do not see it, and their claim does not say so."""
    policy = f"policy 'ip saddr != {BOX} accept; ip protocol 253 numgen inc mod 50 == 49 accept; drop;'"
    status, printed, records = run(policy, *TWO, "--hdp-protocols=253")
    assert (status, found(records)) == (0, {"contained"}), printed
    assert "it passes with a probability below 9.9 % at 95 %" in told(printed), printed
    status, printed, records = run(policy, *TWO, "--hdp-protocols=253", "--hdp-bound=2%")
    assert (status, found(records)) == (1, {"leaked"}), printed
    assert "165 rounds" in told(printed)


@pytest.mark.night
def test_a_bound_that_is_reached_is_claimed(run):
    status, printed, records = run(CLOSED, *TWO, "--hdp-protocols=253", "--hdp-bound=2%")
    assert (status, found(records)) == (0, {"contained"}), printed
    assert "it passes with a probability below 1.9 % at 95 %" in told(printed), printed
