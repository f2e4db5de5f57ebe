"""What is claimed of a box: the numbers are exact, and nothing less than all of it is a proof."""

from dataclasses import replace

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement, PathInfo, Result, TwinCount
from pytest_hdp.judge.statistics import upper_bound
from pytest_hdp.judge.verdict import Containment, Form, Place, Verdict
from pytest_hdp.packet.carrier import carriers
from pytest_hdp.packet.family import IPV4, IPV6
from pytest_hdp.report.claim import claims, is_proven, verdict_line
from pytest_hdp.report.failure import failure_block
from pytest_hdp.report.github import commands
from pytest_hdp.report.markdown import markdown
from pytest_hdp.report.page.document import page
from pytest_hdp.report.story import story

PATH = PathInfo("netns", "a containment", "192.0.2.18", "198.51.100.2", "eye")


def record(protocol, word="contained", *, form="bare", version=4, sent=24, arrived=24, counted=24, refused=0):
    found = Containment(word)
    judgement = Judgement(
        Train(protocol, form=Form(form)), Verdict.INCONCLUSIVE, Place.UNKNOWN, f"{protocol}: {word}: because",
        final=True, sent=24, containment=found, containment_eye="eye", twin=TwinCount(sent, arrived, counted, refused),
    )  # fmt: skip
    return Result("run", "2026-01-01T00:00:00", PATH, version, "", judgement, None, found.outcome)


def test_a_proof_in_numbers():
    (line,) = claims([*map(record, range(1, 5)), record(6, "allowed")])
    assert line == (
        "IPv4 to 198.51.100.2, bare: 0 of 96 packets under 4 numbers left the box, while 96 of 96 of its twin's "
        "came to eye: each passes with a probability below 13 % at 95 %, all together below 3.2 %; 6 may leave, and did"
    )
    assert 0.117 < upper_bound(0, 24) / 0.969 < 0.122


@pytest.mark.parametrize(("counted", "below"), [(149, "2 %"), (286, "1.1 %"), (24, "12 %")])
def test_more_packets_exclude_less(counted, below):
    """Of 149 packets none: below 2 % at 95 %."""
    (line,) = claims([record(47, counted=counted, sent=100_000, arrived=100_000)])
    assert f"it passes with a probability below {below} at 95 %" in line


def test_what_the_way_loses_is_no_proof():
    (line,) = claims([record(47, counted=149, sent=1000, arrived=500)])
    assert "below 4.3 %" in line


def test_where_the_own_kernel_refuses_nothing_is_left_to_chance():
    (line,) = claims([record(47, counted=0, refused=24), record(50, counted=0, refused=24)])
    assert line == (
        "IPv4 to 198.51.100.2, bare: the box's own kernel refuses 2 numbers, while 48 of 48 of its twin's came to eye"
    )
    (line,) = claims([record(47, counted=0, refused=24), record(50)])
    assert "0 of 24 packets under 2 numbers (1 of them refused by its own kernel) left the box" in line
    assert "it passes with a probability below 13 %" in line


@pytest.mark.parametrize("word", ["leaked", "unproven", "blocked"])
def test_one_that_is_not_contained_and_there_is_no_proof(word):
    records = [record(1), record(2, word), record(3, form="wellformed")]
    assert not is_proven(records)
    assert verdict_line(records).startswith("NOT PROVEN: 1 ")
    assert "got out: 2" in claims(records)[0] or word in claims(records)[0]
    assert [each for each in commands(records, ()) if each.startswith("::error title=containment::NOT PROVEN")]


def whole(version):
    """All that can be asked by a version of IP."""
    family = IPV4 if version == 4 else IPV6
    bare = [record(number, version=version) for number in range(256)]
    return [*bare, *(record(number, form="wellformed", version=version) for number in carriers(family))]


def test_versions_that_nobody_asked_are_named():
    assert verdict_line(whole(4)) == "PROVEN: nothing got out of the box by IPv4 to 198.51.100.2; IPv6 was not tested"
    assert verdict_line(whole(6)).endswith("by IPv6 to 198.51.100.2; IPv4 was not tested")
    assert verdict_line([*whole(4), *whole(6)]) == "PROVEN: nothing got out of the box by IPv4 and IPv6 to 198.51.100.2"


def test_numbers_that_nobody_asked_are_named():
    """A choice of tests proves nothing of those that it leaves out."""
    some = [each for each in whole(4) if each.judgement.train.protocol != 132]
    assert verdict_line(some) == (
        "PROVEN of what was asked: nothing got out of the box by IPv4 to 198.51.100.2; by IPv4 132 was not asked, "
        "bare; by IPv4 132 was not asked, wellformed; IPv6 was not tested"
    )
    few = [*whole(4), *(record(number, version=6) for number in range(1, 256))]
    assert "; by IPv6 0 was not asked, bare; by IPv6 0, 4, 6, 17, 33, " in verdict_line(few)


def test_nobody_claims_what_nobody_asked():
    plain = replace(record(1), judgement=replace(record(1).judgement, containment=None))
    assert claims([plain]) == []
    assert commands([plain], ()) == []


def test_the_page_and_the_table_begin_with_it():
    records = [record(1), record(2, "leaked")]
    told = story(records)
    assert told.headline.startswith("NOT PROVEN: 1 got out, of 2 trains by IPv4 to 198.51.100.2")
    assert told.surprised
    assert "got out: 2" in page(records)
    assert "NOT PROVEN" in markdown(records)
    assert not story([record(1)]).surprised
    assert story([record(1)], ["b could not be measured: gone"]).surprised


def test_a_failure_shows_what_became_of_the_twin():
    block = failure_block(record(2, "leaked"), "pytest ...")
    assert "its twin   24 of 24 came out" in block
    assert "seen by    eye" in block
    assert "--hdp-twin=SPEC" in failure_block(
        replace(record(2), judgement=replace(record(2, "unproven").judgement, twin=None)), "pytest ..."
    )
