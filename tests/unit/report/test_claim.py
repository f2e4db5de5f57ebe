"""What is claimed of a box: the numbers are exact, and nothing less than all of it is a proof."""

from dataclasses import replace

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement, PathInfo, Result, TwinCount
from pytest_hdp.judge.statistics import upper_bound
from pytest_hdp.judge.verdict import Containment, Direction, Form, Place, Verdict
from pytest_hdp.packet.carrier import carriers
from pytest_hdp.packet.family import IPV4, IPV6
from pytest_hdp.report.claim import claims, is_proven, verdict_line
from pytest_hdp.report.failure import failure_block
from pytest_hdp.report.github import commands
from pytest_hdp.report.markdown import markdown
from pytest_hdp.report.page.document import page
from pytest_hdp.report.story import story

PATH = PathInfo("netns", "a containment", "192.0.2.18", "198.51.100.2", "eye")


def record(
    protocol, word="contained", *, form="bare", version=4, sent=24, arrived=24, counted=24, refused=0, way="forward"
):
    found = Containment(word)
    judgement = Judgement(
        Train(protocol, Direction(way), Form(form)), Verdict.INCONCLUSIVE, Place.UNKNOWN,
        f"{protocol}: {word}: because",
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


def test_what_comes_in_has_a_sentence_of_its_own():
    into = [record(number, way="reverse") for number in (1, 2)]
    out, inward = claims([*map(record, (1, 2)), *into, record(6, "allowed", way="reverse")])
    assert out.startswith("IPv4 to 198.51.100.2, bare: 0 of 48 packets under 2 numbers left the box, while 48 of 48 of")
    assert inward == (
        "IPv4 from 198.51.100.2, bare, in: 0 of 48 packets under 2 numbers came to the box, while 48 of 48 came to its "
        "twin: each passes with a probability below 13 % at 95 %, all together below 6.5 %; 6 may come in, and did"
    )


def test_the_line_for_a_log_tells_both_ways():
    every = [
        record(number, form=form, way=way)
        for way in Direction
        for form, numbers in (("bare", range(256)), ("wellformed", carriers(IPV4)))
        for number in numbers
    ]
    ends = "by IPv4 to and from 198.51.100.2"
    proven = f"nothing got out of the box, and nothing got in unasked to the box {ends}"
    assert verdict_line(every) == f"PROVEN: {proven}; IPv6 was not tested"
    left = [each for each in every if each.judgement.train != Train(47, Direction.REVERSE)]
    assert verdict_line(left) == (
        f"PROVEN of what was asked: {proven}; by IPv4 47 was not asked, bare, in; IPv6 was not tested"
    )
    into = [each for each in every if each.judgement.train.direction is Direction.REVERSE]
    assert verdict_line(into) == (
        "PROVEN of what was asked: nothing got in unasked to the box by IPv4 from 198.51.100.2; by IPv4 what gets out "
        "was not asked; IPv6 was not tested"
    )
    faults = [*every, record(132, "leaked", way="reverse"), record(50, "leaked"), record(51, "unproven", way="reverse")]
    assert verdict_line(faults) == (
        f"NOT PROVEN: 1 got out, 1 got in, 1 unproven, of {len(faults)} trains {ends}; IPv6 was not tested"
    )
    assert "bare, in: not proven; got in: 132; unproven: 51; 256 stayed out of the box" in claims(faults)[1]


def test_every_view_tells_what_got_in_from_what_got_out():
    results = [record(132, "leaked", way="reverse"), record(50, way="reverse"), record(51)]
    views = [
        story(results).headline,
        markdown(results),
        "".join(commands(results)),
        failure_block(results[0], "pytest"),
    ]
    assert all("got in" in each and "got out" not in each for each in views), views
    assert "1 protocol number got in" in views[2]
    assert story(results).status == "It is not proven that nothing gets out or in"
    shown = page(results)
    assert "it came to the box's interface unasked, and may not" in shown
    assert "it stayed in the box, while what its twin sent came; in reverse: none came to the box's interface" in shown


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


def of(name, records, **path):
    """The same of another path."""
    return [replace(each, path=replace(PATH, name=f"{name} containment", **path)) for each in records]


def test_what_was_asked_of_another_box_proves_nothing_of_this_one():
    one, other = of("shut", whole(4), kind="lab"), of("tight", whole(4), kind="lab")
    assert verdict_line([*one, *other]).startswith("PROVEN: nothing got out of the boxes shut, tight by IPv4 to ")
    fewer = [each for each in other if each.judgement.train.protocol != 132]
    assert "; by IPv4 132 of tight was not asked, bare; by IPv4 132 of tight was not asked, wellformed; " in (
        line := verdict_line([*one, *fewer])
    )
    assert line.startswith("PROVEN of what was asked: nothing got out of the boxes shut, tight by IPv4 to ")
    halves = [*one[:9], *other[9:]]
    assert "of shut " in verdict_line(halves)
    assert "of tight " in verdict_line(halves)
    shaped = [*one, *other, *of("tight", [record(1, form="fragmented")], kind="lab")]
    assert "; by IPv4 0-255 of shut were not asked, fragmented" in verdict_line(shaped)


def test_nor_does_a_version_of_ip_that_another_box_was_asked_by():
    line = verdict_line([*of("shut", [*whole(4), *whole(6)], kind="lab"), *of("tight", whole(4), kind="lab")])
    assert line.startswith("PROVEN of what was asked: nothing got out of the boxes shut, tight by IPv4 and IPv6 to ")
    assert line.endswith("; IPv6 was not tested of tight")


def test_one_box_has_a_path_for_each_version_of_ip_and_one_from_each_vantage_point():
    both = [*of("198.51.100.2", whole(4)), *of("fd00::2", whole(6), target="fd00::2")]
    assert verdict_line(both) == "PROVEN: nothing got out of the box by IPv4 and IPv6 to 198.51.100.2 and fd00::2"
    apart = [*of("a", whole(4), vantage="h1"), *of("a", whole(4)[1:], vantage="h2")]
    assert "out of the boxes h1, h2 by IPv4" in verdict_line(apart)
    assert "; by IPv4 0 of h2 was not asked, bare" in verdict_line(apart)


def test_who_leaks_is_named_among_several():
    some = [*of("shut", [record(1)], kind="lab"), *of("tight", [record(1), record(2, "leaked")], kind="lab")]
    assert verdict_line(some).startswith("NOT PROVEN: 1 got out of tight, of 3 trains by IPv4 to ")
    assert [line.partition(",")[0] for line in claims(some)] == ["shut", "tight"]


def test_of_a_run_that_was_cut_short_nothing_is_proven_but_what_was_measured():
    rest = ["the rest of the run could not be measured: it was interrupted"]
    line = verdict_line(whole(4), rest)
    assert line.startswith("PROVEN of what was measured: nothing got out of the box by IPv4")
    assert line.endswith("; the rest of the run not measured")
    assert story(whole(4), rest).headline == f"{line}."
    assert commands(whole(4), rest)[0].startswith("::error title=containment::PROVEN of what was measured")


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
