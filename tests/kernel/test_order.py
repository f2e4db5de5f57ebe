"""What one measurement does to the states on its path must not be what the next one finds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from routed_line import routed_line

TOP = Path(__file__).parents[2]
SWEEP = "suites/internet/test_sweep.py"
NUMBERS = "--hdp-protocols=4,47,50,253"

TOPOLOGY = routed_line(inside="inside", outside="outside")
INWARD = """
ip netns exec router nft -f - <<'END'
table ip t { chain f { type filter hook forward priority 0
  ct state established,related accept
  ip protocol { icmp, udp } accept
  iifname "inside" counter drop
}
}
END
"""
LOSES = """
ip netns exec router nft -f - <<'END'
table ip t { chain f { type filter hook forward priority 0
  iifname "inside" numgen inc mod 20 < 17 drop
}
}
END
"""
LOSES_THE_FIRST = """
ip netns exec router nft -f - <<'END'
table ip t { set seen { type inet_proto; flags dynamic; size 256; }
  chain f { type filter hook forward priority 0
  iifname "outside" accept
  ip protocol { icmp, udp } accept
  ip protocol @seen accept
  add @seen { ip protocol } drop
}
}
END
"""
BURST_OF_FIVE = """
ip netns exec router nft -f - <<'END'
table ip t { set spent { type inet_proto; flags dynamic; size 256; }
  chain f { type filter hook forward priority 0
  iifname "outside" accept
  ip protocol { icmp, udp } accept
  add @spent { ip protocol limit rate over 3/hour burst 5 packets } drop
}
}
END
"""
ENDS = ("--hdp-source=netns=client", "--hdp-agent=netns=server", "--hdp-target=198.51.100.2")

Records = list[dict[str, object]]


@pytest.fixture
def runs(
    tmp_path: Path, in_namespaces: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[..., tuple[list[Records], str]]:
    """Run pytest several times through such a router, all in namespaces that end with the process."""

    def start(*each: tuple[str, ...], rules: str = INWARD) -> tuple[list[Records], str]:
        script = [TOPOLOGY, rules]
        for number, arguments in enumerate(each):
            report = tmp_path / str(number)
            words = " ".join(f"'{word}'" for word in (*ENDS, NUMBERS, *arguments, f"--hdp-report={report}"))
            script.append(f"{sys.executable} -m pytest -p no:cacheprovider {words} || true")
        done = in_namespaces("\n".join(script), seconds=180)
        printed = done.stdout + done.stderr
        files = [tmp_path / str(number) / "results.jsonl" for number in range(len(each))]
        assert all(file.exists() for file in files), printed
        return [[json.loads(line) for line in file.read_text().splitlines()] for file in files], printed

    start.folder = tmp_path  # type: ignore[attr-defined]
    return start


def verdicts(records: Records, direction: str) -> set[object]:
    return {record["verdict"] for record in records if record["direction"] == direction}


@pytest.mark.needs("ip", "nft")
def test_no_reverse_probe_opens_the_firewall_for_forward(runs):
    (records,), printed = runs((SWEEP, "--hdp-form=both"))
    assert verdicts(records, "forward") == {"lost"}, printed
    assert verdicts(records, "reverse") == {"delivered"}, printed
    assert {(r["direction"], r["solicited"], r["earlier_run"]) for r in records} == {
        ("forward", False, None),
        ("reverse", True, None),
    }


@pytest.mark.night
@pytest.mark.needs("ip", "nft")
def test_a_second_run_says_what_the_first_may_have_left_open(runs):
    (first, second), printed = runs((SWEEP,), (SWEEP, "-k", "forward"))
    assert verdicts(first, "forward") == {"lost"}, printed
    assert verdicts(second, "forward") == {"delivered"}, printed  # the states are there: nobody could know better
    assert all(0 <= record["earlier_run"] < 600 for record in second)
    assert all("a run over this path ended" in record["explanation"] for record in second)
    headers = [line for line in printed.splitlines() if line.startswith("hdp: ") and " to 198.51.100.2, " in line]
    assert ["a run over this path ended" in line for line in headers] == [False, True], printed


@pytest.mark.needs("ip", "nft")
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night
def test_latency_comes_after_the_sweep_in_whatever_order_the_suites_are_named(runs, workers):
    suites = ("suites/internet/test_latency.py", SWEEP, "--hdp-latency-pairs=100")
    (records,), printed = runs((*suites, "-p", "no:randomly", *workers))
    assert verdicts(records, "forward") == {"lost"}, printed
    assert not any(record["solicited"] for record in records if record["direction"] == "forward")
    assert "latency" in printed


@pytest.mark.night
@pytest.mark.needs("ip", "nft")
def test_a_path_that_loses_most_of_everything_is_not_as_expected(runs):
    (records,), printed = runs((SWEEP, "suites/internet/test_control.py"), rules=LOSES)
    forward = [record for record in records if record["direction"] == "forward"]
    # of the control 15 % come, no more and no less, so that a train passes by seven of seven alone: 7e-6 for all four
    assert {record["verdict"] for record in forward} == {"inconclusive"}, printed
    assert all("the path itself loses most" in str(record["explanation"]) for record in forward), printed
    assert (
        "control packets were lost on the way to 198.51.100.2: the path itself loses more than one in five" in printed
    )
    headline = (runs.folder / "0" / "results.md").read_text().splitlines()[0]
    assert re.search("and the path itself loses 8[3-7]", headline), headline


@pytest.mark.night
@pytest.mark.needs("ip", "nft")
def test_the_first_packet_of_each_number_is_not_lost_by_chance(runs):
    (records,), printed = runs((SWEEP, "--hdp-protocols=100-140", "-k", "forward"), rules=LOSES_THE_FIRST)
    assert verdicts(records, "forward") == {"lossy"}, printed  # all began together: the sentence says both readings
    first = "1 of 7 did not come through (the first), as of 41 of 41 trains at the same moment"
    assert all(first in str(record["explanation"]) for record in records), printed


@pytest.mark.night
@pytest.mark.needs("ip", "nft")
def test_a_limit_that_lets_five_packets_pass_is_seen_by_default(runs):
    (records,), printed = runs((SWEEP, "-k", "forward"), rules=BURST_OF_FIVE)
    assert verdicts(records, "forward") == {"first_only"}, printed
    assert all("the first 5 came through and none of the" in str(record["explanation"]) for record in records), printed
