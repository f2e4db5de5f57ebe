"""What passes behind IPv6 extension headers, told by the headers and not by the numbers behind them."""

import json
import re
from dataclasses import replace

import pytest

from pytest_hdp.judge.evidence import behind
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.packet.chain import CHAINS
from pytest_hdp.report.markdown import markdown
from pytest_hdp.report.page.document import page
from pytest_hdp.report.story import story

TRANSPORTS = (6, 17, 58, 253)
DIED = {
    "last_hop": {"ttl": 1, "address": "192.0.2.1"},
    "hops": [{"ttl": 1, "address": "192.0.2.1"}, {"ttl": 2, "address": "192.0.2.9"}],
}


@pytest.fixture
def headed(record):
    def make(chain, transport, verdict="delivered", outcome="passed", way="forward", **said):
        result = record(60, verdict, outcome, form="wellformed", ip_version=6, direction=way, **said)
        train = behind(CHAINS[chain], transport, Direction(way))
        return replace(result, judgement=replace(result.judgement, train=train))

    return make


@pytest.fixture
def run(record, headed):
    """Destination options of 64 bytes stop all, those of 24 bytes stop TCP, forward; nothing stops in reverse."""
    lost = {("dst64", number) for number in TRANSPORTS} | {("dst24", 6)}
    controls = [record(number, form="wellformed", ip_version=6) for number in TRANSPORTS]
    there = [
        headed(
            chain,
            number,
            *(("lost", "failed") if (chain, number) in lost else ()),
            **DIED if (chain, number) in lost else {},
        )
        for chain in ("hbh8", "dst8", "dst24", "dst64")
        for number in TRANSPORTS
    ]
    back = [headed(chain, number, way="reverse") for chain in ("hbh8", "dst64") for number in TRANSPORTS]
    return [*controls, *there, *back]


def test_the_story_speaks_of_headers(run):
    told = story(run)
    assert told.headline == (
        "Forward, 2 of 4 kinds of extension headers got through, 1 in part; "
        "reverse, 2 of 2 kinds of extension headers got through."
    )
    place = "lost between 192.0.2.1 (hop 1) and 192.0.2.9 (hop 2)"
    assert told.lines == (
        "Forward, behind extension headers, 192.0.2.2 \u2192 198.51.100.2: "
        f"2 of 4 kinds of extension headers got through, 1 in part; dst24: TCP {place}; dst64: {place}.",
        "Reverse, behind extension headers, 198.51.100.2 \u2192 192.0.2.2: "
        "2 of 2 kinds of extension headers got through.",
    )
    assert told.status == "5 of 28 not as expected: dst24, dst64"
    assert (
        "under 4 of these numbers, by themselves and behind 4 kinds of IPv6 extension headers, through"
        in told.introduction
    )
    assert "hbh64 are hop-by-hop options of 64 bytes" in told.glossary
    assert told.advice == (
        "Ask who runs the network between 192.0.2.1 (hop 1) and 192.0.2.9 (hop 2) for a filter of extension headers.",
    )
    assert "protocol numbers got through" not in json.dumps([told.headline, *told.lines])


def test_numbers_that_are_no_control_of_headers_are_told_too(run, record):
    told = story([*run, record(47, "lost", "failed", form="wellformed", ip_version=6)])
    assert told.headline.startswith("4 of 5 protocol numbers got through; 1 lost on the path; forward, 2 of 4 kinds of")
    assert len(told.lines) == 3


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        (["delivered"] * 2, "64 bytes of destination options got through."),
        (["delivered", "lost"], "64 bytes of destination options got through in part."),
        (["lost"] * 2, "64 bytes of destination options did not get through."),
        (["silent"] * 2, "64 bytes of destination options undecided."),
    ],
)
def test_of_one_kind_its_name_is_told(headed, verdicts, says):
    run = [headed("dst64", number, verdict, "passed") for number, verdict in zip((6, 17), verdicts, strict=True)]
    assert story(run).headline == says


def test_of_several_paths_each_has_its_headers_told_once(run):
    other = [replace(each, path=replace(each.path, name="open")) for each in run if each.verdict == "delivered"]
    assert story([*run, *other]).headline == (
        "2 of 4 kinds of extension headers got through, 1 in part to home-nat; open: all through."
    )


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_has_one_table_for_each_direction(run):
    data = data_of(page(run))
    forward, reverse = data["headers"]
    assert [data["courses"][index]["chain"]["name"] for index in forward["courses"]] == [
        "hbh8",
        "dst8",
        "dst24",
        "dst64",
    ]
    assert [data["courses"][index]["course"] for index in forward["controls"]] == ["forward, wellformed, IPv6"]
    assert forward["alone"]
    assert (forward["title"], forward["counted"]) == (
        "Forward, behind extension headers, IPv6", "2 of 4 kinds of extension headers got through, 1 in part",
    )  # fmt: skip
    assert (reverse["controls"], len(reverse["courses"])) == ([], 2)
    rows = [data["courses"][index]["chain"] for index in forward["courses"]]
    assert [(row["kinds"], row["bytes"]) for row in rows[1:3]] == [
        ("destination options", 8),
        ("destination options", 24),
    ]
    assert [row["fates"] for row in rows] == [
        [], [], ["TCP lost between 192.0.2.1 (hop 1) and 192.0.2.9 (hop 2)"],
        ["lost between 192.0.2.1 (hop 1) and 192.0.2.9 (hop 2)"],
    ]  # fmt: skip
    assert data["differ"] == [], "by direction or form nothing fared differently but headers"


def test_results_md_has_one_table_for_each_direction(run):
    text = markdown(run)
    assert text.count("behind extension headers, IPv6\n") == 2
    assert "behind 64 bytes" not in "".join(line for line in text.splitlines() if line.startswith("#"))
    assert "| dst24 | L | . | . | . | TCP lost between 192.0.2.1 (hop 1) and 192.0.2.9 (hop 2) |" in text
    assert "| dst64/6 | TCP | lost |" in text
