"""What passes behind extension headers, as the page draws it: one table for each direction."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from pytest_hdp.packet.chain import CHAINS

SAMPLE = Path(__file__).parents[2] / "samples/allowlist/results.jsonl"
TRANSPORTS = (6, 17, 58, 253)
ASKED = ("hbh8", "dst8", "dst24", "dst64")


def records():
    """The control and four chains before four transports: TCP dies behind 24 bytes, and all do behind 64."""
    known = {(each["protocol"], each["direction"]): each for each in map(json.loads, SAMPLE.read_text().splitlines())}
    passed, died = known[6, "forward"], known[47, "forward"]
    made = []
    for chain in (None, *ASKED):
        for number in TRANSPORTS:
            usual = died if chain == "dst64" or (chain, number) == ("dst24", 6) else passed
            each = copy.deepcopy(usual) | {"ip_version": 6, "form": "wellformed", "protocol": number}
            if chain is not None:
                each |= {"protocol": CHAINS[chain].numbers[0], "chain": f"{chain}/{number}"}
            made.append(each)
    return made


def test_one_table_says_what_passed_and_where_the_others_died(shown):
    browser = shown(records())
    rows = browser.run(
        "[...document.querySelectorAll('.headers tr')].map(r => [...r.cells].map(c => c.innerText.trim()))"
    )
    assert rows[0] == [
        "extension headers",
        "bytes",
        "6\nTCP",
        "17\nUDP",
        "58\nIPv6-ICMP",
        "253\nexperimental-1",
        "where it died",
    ]
    place = "lost between 203.0.113.6 (hop 2) and 198.51.100.2 (target)"
    assert rows[1:] == [
        ["none: the control", ".", ".", ".", ".", ""],
        ["hop-by-hop options", "8", ".", ".", ".", ".", ""],
        ["destination options", "8", ".", ".", ".", ".", ""],
        ["24", rows[4][1], ".", ".", ".", f"TCP {place}"],
        ["64", *[rows[4][1]] * 4, place],
    ]
    assert rows[4][1] in {"l", "L"}
    assert browser.text(".course header span").startswith("2 of 4 kinds of extension headers got through, 1 in part;")
    assert browser.run("document.querySelectorAll('.grid').length") == 0, "the control is a row, and no grid"


def test_its_cells_are_walked_filtered_and_opened(shown):
    browser = shown(records())
    browser.click(".headers tr:nth-child(4) a.cell")
    assert "6 TCP behind dst24" in browser.text("#evidence h2")
    browser.key("Escape")
    browser.key("ArrowDown")
    assert browser.run("document.activeElement.getAttribute('aria-label')").startswith("6 TCP behind dst64: lost")
    browser.key("ArrowRight")
    assert browser.run("document.activeElement.getAttribute('aria-label')").startswith("17 UDP behind dst64: lost")
    browser.run("(() => { const find = document.getElementById('find'); find.value = 'dst64';"
                " find.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert browser.text("#shown") == "4 of 20"
