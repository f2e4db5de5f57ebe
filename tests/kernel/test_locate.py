"""The search for the hop, in labs whose routers have the budget for ICMP errors that Linux gives them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import AtTtl, Climb, Hop, IcmpCount
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.lab import catalogue
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.campaign.campaign import PathUnavailable
from pytest_hdp.measure.location.locate import Locator, ask_again
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.measure.path.waiting import drive
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.packet.view import view

LAB = "allowlist"
BURST = 6  # errors that a stock Linux host sends to one peer at once
LOST = Train(200)


@pytest.fixture(params=[LAB])
def path(request: pytest.FixtureRequest) -> Iterator[OpenPath]:
    context = path_specs.in_lab(catalogue.make(request.param), plan.Plan((), plan.LAB), None, expect_truth=True)[
        0
    ].open()
    try:
        opened = context.__enter__()
    except PathUnavailable as error:
        pytest.skip(f"privilege: {error}")
    yield opened
    context.__exit__(None, None, None)


def truth(train: Train) -> Hop | None:
    return catalogue.make(LAB).expected(train.protocol, train.direction, train.form).last_hop


def spend_budget(path: OpenPath) -> None:
    """Let more packets expire at each router than it sends errors for."""
    handle, _ = path.near.station.datagram(path.near.address)
    for ttl in (1, 2):
        path.near.station.set_ttl(handle, ttl)
        for _ in range(BURST + 2):
            assert path.near.station.send(handle, b"", path.name.target, 9) is None


@pytest.mark.night
def test_what_a_spent_budget_leaves_in_doubt_is_asked_again(path):
    locator = Locator(path, Direction.FORWARD, b"")

    def file(observer, observation):
        if not locator.control.observe(observer, observation, view(observation[3])) and observer.kind == "tap":
            locator.ledger.icmp_error(observation[1], view(observation[3]))

    path.subscribers.append(file)
    spend_budget(path)
    drive(path, locator.climb([LOST], path.name.target, path.controls[id(path.far)][1], 0.05))
    assert [rung.ttl for rung in locator.in_doubt()] == [1, 2]
    assert locator.way(LOST).last is None  # nothing is said of a hop that had no error left to send
    drive(path, ask_again([locator]))
    way = locator.way(LOST)
    assert (way.last, way.beyond) == (truth(LOST), Hop(3, path.name.target))


@pytest.mark.night
def test_more_trains_than_a_router_has_answers_for_at_once(path):
    trains = tuple(Train(number) for number in range(200, 203 + BURST))
    asked = replace(plan.Plan(trains, plan.LAB), locate="all")
    found = Measurement(path, asked).run()
    assert {judgement.verdict for judgement in found.values()} == {Verdict.LOST}
    assert {train: judgement.last_hop for train, judgement in found.items()} == {each: truth(each) for each in trains}


def expired(address: str) -> tuple[IcmpCount, ...]:
    return (IcmpCount(address, 11, 0, 1, authenticated=True),)


def test_a_judgement_tells_which_hop_answered_what(path):
    others = tuple(map(Train, range(201, 208)))
    asked = plan.Plan((LOST, *others, Train(6)), plan.LAB)
    found = Measurement(path, asked).run()
    climb = found[LOST].climb
    assert climb is not None
    assert [replace(each, control=min(each.control, 1)) for each in climb.rungs[:2]] == [
        AtTtl(1, climb.rungs[0].sent, expired("192.0.2.1"), 1, "192.0.2.1"),
        AtTtl(2, climb.rungs[1].sent, expired("203.0.113.6"), 1, "203.0.113.6"),
    ]
    [last] = climb.rungs[2:]
    assert (last.ttl, last.icmp, last.control, last.control_arrived) == (3, (), 0, 1)
    assert found[Train(201)].climb.by is None
    assert found[Train(207)].climb == Climb(by=LOST.protocol)
    assert found[Train(207)].last_hop is None
    assert found[Train(207)].explanation.endswith(
        "(hop 3), if it fares as 200 and 5 more did: it was not asked itself."
    )
    assert found[Train(6)].climb is None
    assert found[LOST].hops == found[Train(207)].hops == (Hop(1, "192.0.2.1"), Hop(2, "203.0.113.6"))


@pytest.mark.parametrize("path", ["reject"], indirect=True)
def test_a_rejection_by_the_next_hop_is_no_silence(path):
    found = Measurement(path, plan.Plan((LOST,), plan.LAB)).run()
    climb = found[LOST].climb
    assert climb is not None
    assert (climb.rungs[1].silent, climb.rungs[1].router) == (False, "203.0.113.6")
    assert {(each.source, each.type, each.code) for each in climb.rungs[1].icmp} == {("203.0.113.6", 3, 13)}


@pytest.mark.parametrize("path", ["home-nat"], indirect=True)
def test_what_no_router_answers_about_stands_for_nobody(path):
    """Bare HDP under 1 reads as an ICMP error. As the lowest number lost here it would climb for all others."""
    trains = tuple(Train(number, Direction.REVERSE) for number in (1, 6, 132))
    found = Measurement(path, plan.Plan(trains, plan.LAB)).run()
    assert {judgement.verdict for judgement in found.values()} == {Verdict.LOST}
    truths = [catalogue.make("home-nat").expected(each.protocol, each.direction, each.form) for each in trains]
    assert {each.last_hop for each in truths} == {Hop(1, "198.51.100.1")}
    assert found[trains[0]].climb is None
    assert "hop" not in found[trains[0]].explanation
    assert found[trains[1]].last_hop == Hop(1, "198.51.100.1")
    assert found[trains[1]].climb.rungs[1].silent
    assert found[trains[2]].last_hop == Hop(1, "198.51.100.1")
    assert "; the last to answer was 198.51.100.1 (hop 1), and to the control " in found[trains[2]].explanation


@pytest.mark.parametrize("path", ["three-firewalls"], indirect=True)
def test_what_three_firewalls_drop_is_told_apart_both_ways(path):
    trains = tuple(Train(number, direction) for number in (47, 50, 89, 253) for direction in Direction)
    found = Measurement(path, plan.Plan(trains, plan.LAB)).run()
    lab = catalogue.make("three-firewalls")
    stated = {each: lab.expected(each.protocol, each.direction, each.form) for each in trains}
    assert {train: each.verdict for train, each in found.items()} == {t: each.verdict for t, each in stated.items()}
    assert {train: each.last_hop for train, each in found.items()} == {t: each.last_hop for t, each in stated.items()}
    assert len({each.last_hop for each in found.values()}) == 6 + 1
