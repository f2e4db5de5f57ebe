"""What gets out of a box in fragments, where somebody on the way puts fragments together before anybody looks."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

BOXES = runpy.run_path(str(Path(__file__).with_name("test_containment.py")))
BOX_LETS = """
ip netns exec box nft 'table inet b {{ chain c {{
  type filter hook output priority 0; icmpv6 type nd-neighbor-solicit accept; {} drop; }}; }}'
"""
"""The policy is the box's own, so that whoever gathers fragments stands behind it."""
LATER = BOX_LETS.format("ip frag-off & 0x1fff != 0 accept; frag frag-off != 0 accept;")
SHUT = BOX_LETS.format("")
TRACKED = "ip netns exec router nft 'table inet t { chain c { type filter hook forward priority 0; ct state new; }; }'"
WITNESS = "--hdp-witness=netns=router"
BOTH = f"--hdp-target={BOXES['FAR']}", f"--hdp-target={BOXES['FAR6']}"


@pytest.fixture
def words(run_beside, tmp_path: Path):
    """The words, by version of IP, of what a box lets out in fragments; and what was printed, in one line."""

    def ask(policy: str, *arguments: str):
        status, printed, _ = run_beside(
            f"{BOXES['TOPOLOGY']}\n{policy}", BOXES["SUITE"], *BOXES["TWO"], *BOTH, "--hdp-protocols=17,253",
            "--hdp-form=fragmented", *arguments,
        )  # fmt: skip
        found: dict[int, set[str]] = {}
        for record in map(json.loads, (tmp_path / "report" / "results.jsonl").read_text().splitlines()):
            found.setdefault(record["ip_version"], set()).add(record["containment"])
        return status, found, BOXES["told"](printed)

    return ask


@pytest.mark.night
def test_later_fragments_that_a_tracker_swallowed_are_not_contained(words) -> None:
    """The twin's come, for it has the first ones as well: that shows nothing of a later one by itself."""
    status, found, printed = words(f"{LATER}\n{TRACKED}")
    assert (status, found) == (1, {4: {"unproven"}, 6: {"unproven"}}), printed
    assert "puts fragments together" in printed
    assert "--hdp-witness" in printed


@pytest.mark.night
def test_a_witness_before_the_tracker_sees_them(words) -> None:
    status, found, printed = words(f"{LATER}\n{TRACKED}", WITNESS)
    assert (status, found) == (1, {4: {"leaked"}, 6: {"leaked"}}), printed


@pytest.mark.night
def test_a_witness_before_the_tracker_proves_a_tight_box(words) -> None:
    status, found, printed = words(f"{SHUT}\n{TRACKED}", WITNESS)
    assert (status, found) == (0, {4: {"contained"}, 6: {"contained"}}), printed
    assert "network namespace router" in printed
    status, found, printed = words(f"{SHUT}\n{TRACKED}")
    assert (status, found) == (1, {4: {"unproven"}, 6: {"unproven"}}), printed


@pytest.mark.night
def test_a_tracker_of_the_box_s_own_gathers_nothing_that_a_raw_socket_sends(words) -> None:
    """Whoever may open one tells its kernel not to (IP_NODEFRAG): what the filter sees then is fragments."""
    own = "ip netns exec box nft 'table ip t { chain c { type filter hook output priority -100; ct state new; }; }'"
    status, found, printed = words(f"{LATER}\n{own}")
    assert (status, found[4]) == (1, {"leaked"}), printed


@pytest.mark.night
def test_where_nobody_tracks_the_far_end_proves_it(words) -> None:
    status, found, printed = words(SHUT)
    assert (status, found) == (0, {4: {"contained"}, 6: {"contained"}}), printed
    status, found, printed = words(LATER)
    assert (status, found) == (1, {4: {"leaked"}, 6: {"leaked"}}), printed
