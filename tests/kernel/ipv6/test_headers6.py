"""Extension headers through a topology that somebody else built: both ways with an agent, and what a target says."""

import re

from test_path6 import ALONE, ENDS, SECOND, TARGET, TOPOLOGY

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


def test_a_target_by_itself_answers_what_is_behind_headers(run_beside):
    status, printed, _ = run_beside(TOPOLOGY, SUITE, *ALONE, "-v")
    found = verdicts(printed)
    assert len(found) == 4 * (1 + len(CHAINS)), printed
    assert {each for each, verdict in found.items() if verdict != "reached"} == set(), printed
    assert status == 0
