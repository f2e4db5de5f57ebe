"""The search for the hop, in labs whose routers have the budget for ICMP errors that Linux gives them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Hop
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.lab import catalogue
from pytest_hdp.measure import plan, routes
from pytest_hdp.measure.campaign import PathUnavailable
from pytest_hdp.measure.engine import Measurement
from pytest_hdp.measure.locate import Locator, ask_again
from pytest_hdp.measure.path import OpenPath

LAB = "allowlist"
BURST = 6  # errors that a stock Linux host sends to one peer at once
LOST = Train(200)


@pytest.fixture
def path() -> Iterator[OpenPath]:
    context = routes.in_lab(catalogue.make(LAB), plan.Plan((), plan.LAB), None, expect_truth=True)[0].open()
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


def test_what_a_spent_budget_leaves_in_doubt_is_asked_again(path):
    locator = Locator(path, Direction.FORWARD, b"", look := looking(path))

    def file(eye, observation):
        if not locator.control.observe(eye, observation) and eye.kind == "tap":
            locator.ledger.icmp_error(observation[1], observation[3])

    path.subscribers.append(file)
    spend_budget(path)
    for _ in locator.climb([LOST], path.name.target, path.controls[id(path.far)][1], 0.05):
        pass
    assert [rung.ttl for rung in locator.in_doubt()] == [1, 2]
    assert locator.last_hop(LOST)[0] is None  # nothing is said of a hop that had no error left to send
    for _ in ask_again([locator], look):
        pass
    assert locator.last_hop(LOST) == (truth(LOST), Hop(3, path.name.target))


def looking(path):
    def look(seconds):
        path.look(seconds)
        yield

    return look


def test_more_trains_than_a_router_has_answers_for_at_once(path):
    trains = tuple(Train(number) for number in range(200, 203 + BURST))
    asked = replace(plan.Plan(trains, plan.LAB), locate="all")
    found = Measurement(path, asked).run()
    assert {judgement.verdict for judgement in found.values()} == {Verdict.LOST}
    assert {train: judgement.last_hop for train, judgement in found.items()} == {each: truth(each) for each in trains}
