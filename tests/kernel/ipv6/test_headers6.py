"""Extension headers through a topology that somebody else built: both ways with an agent, and what a target says."""

import re

import pytest
from test_path6 import ALONE, ENDS, MASQUERADE, SECOND, TARGET, TOPOLOGY

from pytest_hdp.packet.chain import CHAINS

SUITE = "suites/internet/test_extension_headers.py"
DROPS = """
ip netns exec r2 nft -f - <<'END'
table ip6 t { chain f { type filter hook forward priority 0
  ip6 daddr 2001:db8:b::2 exthdr hbh exists drop
  ip6 saddr 2001:db8:b::2 ip6 nexthdr 60 udp dport 420 drop
}
}
END
"""


def verdicts(printed: str) -> dict[str, str]:
    return dict(re.findall(r"\[(p\S+)-v6\] (?:PASSED|FAILED|SKIPPED|XFAIL) (\w+)", printed))


def test_what_is_filtered_by_its_header_fails_and_says_where(run_beside):
    _, printed, records = run_beside(
        f"{TOPOLOGY}\n{DROPS}", SUITE, *ENDS, "-v", "--hdp-extension-headers=hbh8,dst8,frag"
    )
    found = verdicts(printed)
    assert len(found) == 2 * 4 * (1 + 3), printed
    lost = {each for each, verdict in found.items() if verdict == "lost"}
    assert lost == {
        f"{name}-behind-hbh8-forward" for name in ("p006-tcp", "p017-udp", "p058-ipv6-icmp", "p253-experimental-1")
    } | {"p017-udp-behind-dst8-reverse"}, printed
    where = records[0, "forward"]["explanation"]
    assert f"between {SECOND} (hop 2) and {TARGET} (hop 3)" in where, "r2 drops it, and answers still"
    assert records[0, "forward"]["chain"].startswith("hbh8/")
    assert "delivered_under" not in records[0, "forward"]
    assert records[44, "forward"]["delivered_under"] == int(records[44, "forward"]["chain"].partition("/")[2])


@pytest.mark.night
def test_a_target_by_itself_answers_what_is_behind_headers(run_beside):
    status, printed, _ = run_beside(TOPOLOGY, SUITE, *ALONE, "-v")
    found = verdicts(printed)
    assert len(found) == 4 * (1 + len(CHAINS)), printed
    assert {each for each, verdict in found.items() if verdict != "reached"} == set(), printed
    assert status == 0


@pytest.mark.night
def test_behind_a_translator_headers_are_seen_through_and_fragments_put_together(run_beside):
    """Its tracker finds the transport behind any headers, and takes a fragment header off, wherever that stands.

    What answers nothing does not come back in: to the tracker a SYN after a reset and an echo request are none.
    """
    kinds = "--hdp-extension-headers=hbh8,dst64,rt8,frag"
    _, printed, records = run_beside(f"{TOPOLOGY}\n{MASQUERADE}", SUITE, *ENDS, "-v", kinds)
    found = verdicts(printed)
    lost = {each for each, verdict in found.items() if verdict == "lost"}
    assert lost == {each for each in found if each.endswith("-reverse") and each.startswith(("p006", "p058"))}, printed
    usual = {"modified": "frag8", "reached": "hbh8", "delivered": ""}
    for test, verdict in found.items():
        if test not in lost:
            assert usual[verdict] in test, (test, verdict)
            assert ("frag8" in test) == (verdict == "modified")
    states = {record["nat"]["state"] for (_, way), record in records.items() if way == "forward"}
    assert states <= {"translated", "none"}, "none of them leaves under the address of the inside"
    assert records[43, "forward"]["nat"]["state"] == "translated"
