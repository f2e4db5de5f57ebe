"""What counts as a change between two results, and what is no evidence of one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_hdp.judge.compare import compare
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import RULES, Hop, IcmpCount, Judgement, Nat, PathInfo, Result, SharedLimit, Tool
from pytest_hdp.judge.verdict import Direction, Form, Outcome, Place, Verdict

PATH = PathInfo("netns", "tokyo", "192.0.2.2", "198.51.100.2", "ssh=root@198.51.100.2")


def result(verdict: Verdict = Verdict.DELIVERED, protocol: int = 47, path: PathInfo = PATH, **fields) -> Result:
    train = Train(protocol, fields.pop("direction", Direction.FORWARD), fields.pop("form", Form.BARE))
    judgement = Judgement(train, verdict, Place.PATH, "why", final=True, **fields)
    return Result("run", "2026-11-23T05:00:00Z", path, 4, "gre", judgement, None, Outcome.PASSED)


def prohibited(code: int, source: str = "203.0.113.1", *, authenticated: bool = True) -> tuple[IcmpCount, ...]:
    return (IcmpCount(source, 3, code, 1, authenticated),)


def test_lost_or_rejected_by_who_got_one_of_a_routers_few_errors_is_no_change():
    lost = result(Verdict.LOST, budget_spent="203.0.113.1")
    rejected = result(Verdict.REJECTED, icmp=prohibited(13))
    assert not compare([lost], [rejected]).differs(strict=True)
    assert not compare([rejected], [lost]).differs(strict=True)
    assert compare([rejected], [result(Verdict.LOST)]).differs()
    assert compare([rejected], [result(Verdict.LOST, budget_spent="203.0.113.9")]).differs()
    assert compare([lost], [result()]).differs()
    assert compare([lost], [result(Verdict.REJECTED, icmp=prohibited(13, authenticated=False))]).differs()


def test_nor_is_it_where_that_router_had_none_left_for_others_of_the_path():
    """A limit of six errors a minute gives some of ten numbers one in the first run, and none in the second."""
    before = [result(Verdict.LOST, 50, budget_spent="203.0.113.1"), result(Verdict.REJECTED, icmp=prohibited(13))]
    after = [result(Verdict.LOST, 50), result(Verdict.LOST)]
    assert not compare(before, after).differs(strict=True)
    assert not compare(after, before).differs(strict=True)
    another = [before[0], result(Verdict.REJECTED, icmp=prohibited(13, "203.0.113.9"))]
    assert compare(another, after).differs()
    here, beyond = Hop(2, "203.0.113.1"), Hop(3, "203.0.113.9")
    before[1] = result(Verdict.REJECTED, icmp=prohibited(13), last_hop=here)
    assert not compare(before, [after[0], result(Verdict.LOST, last_hop=here)]).differs(strict=True)
    assert compare(before, [after[0], result(Verdict.LOST, last_hop=beyond)]).differs()
    elsewhere = replace(PATH, target="198.51.100.9")
    assert compare([replace(before[0], path=elsewhere), before[1]], after).differs()


def test_what_a_shared_limit_left_open_in_one_run_is_no_evidence_of_a_change():
    limit = SharedLimit(9.9, 5, None, "2-5,47")
    there, opened = result(shared_limit=limit), result(Verdict.INCONCLUSIVE, shared_limit=limit)
    for before, after in ((there, opened), (opened, there), (opened, result(Verdict.LOST))):
        found = compare([before], [after])
        assert not found.differs()
        assert len(found.unclear) == 1
    assert not compare([there], [result()]).differs(strict=True)


def test_other_rules_are_told_and_are_no_change():
    old, now = result(), replace(result(), tool=Tool("9.9", RULES))
    found = compare([old, result(protocol=50)], [now, replace(result(Verdict.LOST, 50), tool=Tool("9.9", RULES))])
    assert found.rules == {(1, RULES): 2}
    assert (len(found.unchanged), len(found.changed)) == (1, 1)
    assert compare([now], [now]).rules == {}


def test_nothing_changed():
    found = compare([result(), result(Verdict.LOST, 50)], [result(Verdict.LOST, 50), result()])
    assert (len(found.unchanged), found.differs(), found.differs(strict=True)) == (2, False, False)


@pytest.mark.parametrize(
    ("before", "after", "what", "values"),
    [
        (result(), result(Verdict.LOST), "verdict", ("delivered", "lost")),
        (
            result(Verdict.REFUSED_AT_SOCKET, errno="EPERM"),
            result(Verdict.REFUSED_AT_SOCKET, errno="EINVAL"),
            "errno",
            ("EPERM", "EINVAL"),
        ),
        (
            result(Verdict.RENUMBERED, 300, wire_protocol=44),
            result(Verdict.RENUMBERED, 300, wire_protocol=0),
            "left as",
            ("44", "0"),
        ),
        (
            result(Verdict.REJECTED, icmp=prohibited(13)),
            result(Verdict.REJECTED, icmp=prohibited(2)),
            "rejection",
            ("ICMP 3/13", "ICMP 3/2"),
        ),
        (
            result(arrived=3, nat=Nat("leaked", "192.0.2.2")),
            result(arrived=3, nat=Nat("translated", "203.0.113.1")),
            "source address",
            ("leaked", "translated"),
        ),
        (
            result(Verdict.MODIFIED, modified=("payload",)),
            result(Verdict.MODIFIED, modified=("payload", "length")),
            "changed bytes",
            ("payload", "length, payload"),
        ),
    ],
)
def test_what_is_a_change(before, after, what, values):
    found = compare([before], [after])
    (pair,) = found.changed
    assert [(each.what, each.before, each.after) for each in pair.changes] == [(what, *values)]
    assert found.differs()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (result(sent=5, arrived=5), result(sent=9, arrived=8)),
        (
            result(Verdict.REJECTED, icmp=(*prohibited(13), *prohibited(2))),
            result(Verdict.REJECTED, icmp=prohibited(13, "203.0.113.9")),
        ),
        # nothing arrived at one side, so its source address was not seen there
        (result(Verdict.LOST), result(Verdict.LOST, arrived=1, nat=Nat("leaked", "192.0.2.2"))),
        (result(Verdict.SILENT), result(Verdict.SILENT)),
    ],
)
def test_what_is_none(before, after):
    found = compare([before], [after])
    assert (found.changed, found.unclear, len(found.unchanged)) == ((), (), 1)


def test_an_error_that_anybody_could_have_forged_is_none_of_the_routers():
    forged = result(Verdict.REJECTED, icmp=(*prohibited(13), *prohibited(2, authenticated=False)))
    (pair,) = compare([forged], [result(Verdict.REJECTED, icmp=prohibited(2))]).changed
    assert pair.changes[0].before == "ICMP 3/13"


@pytest.mark.parametrize("nothing", [Verdict.SILENT, Verdict.INCONCLUSIVE])
@pytest.mark.parametrize("known", [Verdict.DELIVERED, Verdict.REACHED, Verdict.LOST])
def test_silence_is_no_evidence_of_a_change(nothing, known):
    for before, after in [(result(nothing), result(known)), (result(known), result(nothing))]:
        found = compare([before], [after])
        assert (found.changed, len(found.unclear)) == ((), 1)
        assert (found.differs(), found.differs(strict=True)) == (False, True)


def test_inconclusive_twice_proves_nothing_either():
    found = compare([result(Verdict.INCONCLUSIVE)], [result(Verdict.INCONCLUSIVE)])
    assert (len(found.unclear), len(found.unchanged)) == (1, 0)


def test_trains_of_one_side_are_told_and_are_no_change():
    found = compare([result(), result(protocol=50)], [result(), result(protocol=51)])
    assert [each.judgement.train.protocol for each in (*found.only_before, *found.only_after)] == [50, 51]
    assert (found.differs(), found.differs(strict=True)) == (False, True)


@pytest.mark.parametrize(
    "other",
    [
        result(path=replace(PATH, name="osaka")),
        result(path=replace(PATH, target="198.51.100.3")),
        result(path=replace(PATH, agent=None)),
        result(path=replace(PATH, vantage="paris")),
        result(direction=Direction.REVERSE),
        result(form=Form.WELLFORMED),
        result(protocol=48),
        replace(result(), ip_version=6),
    ],
)
def test_another_path_direction_form_or_number_is_another_train(other):
    assert compare([result()], [other]).pairs == 0


def test_how_the_agent_was_reached_matters_and_as_whom_does_not():
    assert compare([result()], [result(path=replace(PATH, agent="ssh=hdp@tokyo"))]).pairs == 1
    assert compare([result()], [result(path=replace(PATH, agent="netns=tokyo"))]).pairs == 0


def test_a_host_that_got_another_address_is_told_and_compared():
    moved = replace(PATH, source="192.0.2.77")
    found = compare([result()], [result(Verdict.LOST, path=moved)])
    assert len(found.changed) == 1
    assert found.moved == ((PATH, moved),)


def test_two_hosts_of_one_run_are_never_taken_for_each_other():
    second = replace(PATH, source="192.0.2.3")
    found = compare([result(), result(Verdict.LOST, path=second)], [result(Verdict.LOST, path=second)])
    assert (len(found.unchanged), found.changed, len(found.only_before)) == (1, (), 1)


def test_of_a_train_measured_twice_the_later_counts():
    assert not compare([result(Verdict.LOST), result()], [result()]).differs()


def several(verdict: Verdict, *numbers: int, **fields) -> list[Result]:
    return [result(verdict, number, **fields) for number in numbers]


def test_evidence_is_gone_where_most_of_what_was_known_is_not_known_any_more():
    before = several(Verdict.DELIVERED, 1, 2, 3, 4) + several(Verdict.LOST, 1, 2, direction=Direction.REVERSE)
    after = several(Verdict.INCONCLUSIVE, 1, 2, 3) + several(Verdict.DELIVERED, 4)
    after += several(Verdict.LOST, 1, 2, direction=Direction.REVERSE)
    (gone,) = compare(before, after).gone
    assert (gone.path, gone.direction, gone.known, gone.missing, gone.absent) == (PATH, Direction.FORWARD, 4, 3, False)
    assert not compare(before, after).differs()
    assert compare(before, before).gone == compare(after, before).gone == ()


def test_half_of_it_is_no_outage_and_what_was_never_known_is_not_gone():
    before = several(Verdict.DELIVERED, 1, 2) + several(Verdict.SILENT, 3, 4)
    after = several(Verdict.DELIVERED, 1) + several(Verdict.INCONCLUSIVE, 2, 3, 4)
    assert compare(before, after).gone == ()
    assert compare(before, several(Verdict.SILENT, 1, 2, 3, 4)).gone


def test_a_path_that_is_not_there_any_more_is_gone_and_fewer_numbers_are_not():
    paris = replace(PATH, name="paris", target="198.51.100.3")
    before = [*several(Verdict.DELIVERED, 1, 2), *several(Verdict.LOST, 1, path=paris)]
    (gone,) = compare(before, several(Verdict.DELIVERED, 1)).gone
    assert (gone.path, gone.known, gone.missing, gone.absent) == (paris, 1, 1, True)
