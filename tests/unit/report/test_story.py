"""What happened and where, in sentences and as nodes of a path."""

from dataclasses import replace

from pytest_hdp.judge.result import PathInfo
from pytest_hdp.report.path_picture import Ending, Node, picture_of
from pytest_hdp.report.story import story
from pytest_hdp.report.summary import surprises

HOPS = [{"ttl": 1, "address": "192.0.2.1"}, {"ttl": 2, "address": "100.64.0.1"}]


def lost(record, protocol, **more):
    return record(protocol, "lost", "failed", hops=HOPS, **more)


def test_all_got_through(record):
    told = story([record(6), record(47)])
    assert (told.headline, told.surprised) == ("All 2 protocol numbers got through.", False)


def test_where_they_died_by_the_one_that_climbed(record):
    one = lost(record, 47, last_hop={"ttl": 1, "address": "192.0.2.1"})
    told = story([record(6), one, lost(record, 50, climb={"with": 47})])
    assert told.headline == "1 of 3 protocol numbers got through; 2 lost on the path."
    assert told.lines == (
        "Forward, bare, 192.0.2.2 → 198.51.100.2: 1 of 3 got through (6); "
        "2 lost on the path, between 192.0.2.1 (hop 1) and 100.64.0.1 (hop 2).",
    )
    assert told.status == "2 of 3 not as expected: 47 (gre), 50"
    assert told.surprised
    course = picture_of([record(6), one, lost(record, 50, climb={"with": 47})])
    assert course.nodes == (
        Node("192.0.2.2", "source"),
        Node("192.0.2.1", "hop 1"),
        Node("100.64.0.1", "hop 2"),
        Node("198.51.100.2", "target"),
    )
    assert course.ends == (Ending("lost", 1.5, 2), Ending("delivered", 3, 1))


def test_what_nobody_looked_for_or_on_another_way_has_no_place_on_the_path(record):
    one = lost(record, 47, last_hop={"ttl": 1, "address": "192.0.2.1"})
    other_way = lost(record, 50, last_hop={"ttl": 2, "address": "172.16.0.1"})
    course = picture_of([record(6), one, other_way, lost(record, 51)])
    assert [node.name for node in course.nodes][1:-1] == ["192.0.2.1", "100.64.0.1"]
    assert course.ends == (Ending("lost", 1.5, 1), Ending("delivered", 3, 1), Ending("lost", None, 2))


def test_a_rejection_is_at_who_sent_it_if_that_is_proven(record):
    icmp = {"from": "100.64.0.1", "type": 3, "code": 13, "count": 1}
    proven = record(47, "rejected", "failed", hops=HOPS, icmp=[{**icmp, "authenticated": True}])
    doubtful = record(50, "rejected", "failed", hops=HOPS, icmp=[{**icmp, "authenticated": False}])
    course = picture_of([proven, doubtful])
    assert course.ends == (Ending("rejected", 2, 1), Ending("rejected", None, 1))


def test_unknown_hops_are_not_made_up(record):
    course = picture_of([record(47, "lost", "failed")])
    assert course.nodes[1] == Node("", "the path")
    assert course.ends == (Ending("lost", 1, 1),)
    assert "between" not in story([record(47, "lost", "failed")]).lines[0]


def test_a_loss_that_nobody_looked_for_is_at_no_hop(record):
    """Hops are known of this path, since others were looked for; of this train nothing is known but its end."""
    located = lost(record, 47, last_hop={"ttl": 1, "address": "192.0.2.1"})
    lossy = record(50, "lossy", "failed")
    assert Ending("lossy", None, 1) in picture_of([located, lossy]).ends
    [line] = story([located, lossy]).lines
    assert line.endswith("1 lost far more packets than the control.")
    never_asked = lost(record, 1)  # under 1 it reads as an ICMP error, and no router answers about one
    assert set(picture_of([located, never_asked]).ends) == {Ending("lost", 1.5, 1), Ending("lost", None, 1)}


def test_a_stranger_is_told_what_was_done_and_what_the_words_mean(record):
    back = record(47, "lost", "failed", direction="reverse", form="wellformed")
    told = story([record(6), record(47), record(256), back])
    assert "under 2 of these numbers through home-nat, a network emulated on one machine" in told.introduction
    assert "as a control" in told.introduction
    assert "Forward is from" in told.glossary
    assert "Bare:" in told.glossary
    assert "Wellformed:" in told.glossary
    within = PathInfo("loopback", "loopback", "127.0.0.1", "127.0.0.1", None)
    loop = replace(record(6, control={"sent": 0, "delivered": 0}), path=within)
    alone = story([loop])
    assert "under one of these numbers within one machine" in alone.introduction
    assert "control" not in alone.introduction
    assert "Forward" not in alone.glossary


def test_which_numbers_got_through_is_said_where_they_are_few(record):
    few = [record(n) for n in (6, 17)] + [record(n, "lost", "failed") for n in range(20, 30)]
    assert "2 of 12 got through (6, 17);" in story(few).lines[0]
    most = [record(n) for n in range(20, 30)] + [record(6, "lost", "failed")]
    assert "10 of 11 got through;" in story(most).lines[0]


def test_silence_is_not_called_a_failure_to_get_through(record):
    told = story([record(n, "silent", "skipped") for n in (47, 50)])
    assert told.headline == "What becomes of 2 of 2 protocol numbers is open; 2 brought no answer."
    assert "0 of 2 got through" not in "".join(told.lines)
    assert picture_of([record(47, "silent", "skipped")]).ends == (Ending("silent", None, 1),)


def test_numbers_that_no_header_holds_are_told_apart(record):
    told = story([record(6), record(47), record(263, "refused_at_socket", "xfailed")])
    assert told.headline == "All 2 protocol numbers got through."
    assert told.lines[0].endswith("; of 1 number that no header can hold, 1 refused by the sender's own kernel.")


def test_several_paths(record):
    there = record(6)
    path = replace(there.path, name="allowlist")
    others = [replace(record(number, "lost", "failed"), path=path) for number in (6, 47)]
    told = story([there, record(47), *others])
    assert told.headline == "Tcp, gre lost on the way to allowlist; home-nat: all through."
    assert [line.split(",")[0] for line in told.lines] == ["lab allowlist", "lab home-nat"]


def test_a_path_of_which_nothing_is_known_is_not_counted_as_lost(record):
    unknown = record(6, "silent", "skipped")
    told = story([record(6), replace(unknown, path=replace(unknown.path, name="allowlist"))])
    assert told.headline == "Allowlist: no answer; home-nat: all through."


def test_not_all_is_as_expected_where_something_could_not_be_measured(record):
    gone = [f"{name} could not be measured: no route" for name in ("h1", "h2", "h3", "h4")]
    told = story([record(6), record(47)], [*gone, "h9 could hardly be measured: 3 of 4"])
    assert told.headline == "All 2 protocol numbers got through; 4 paths not measured, h9 hardly measured."
    assert (told.status, told.surprised) == ("Not all was measured; nothing unexpected in what was", True)
    last = surprises([record(6)], whole=False)[-1]
    assert "".join(part for part, _ in last).startswith("Nothing unexpected in what was measured.")


def test_nothing_and_hostile_texts(record, hostile_result):
    assert story([]).headline == "No train was measured."
    told = story([hostile_result])
    assert (told.headline + "".join(told.lines) + told.status).isprintable()
