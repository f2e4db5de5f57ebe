"""A limit that numbers share, of the kernel's own: what a sweep loses by it is nobody's loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from pytest_hdp.judge.crowd import rate_text
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.lab.boxes import Box, Router, Where, filter_chain
from pytest_hdp.lab.limits import RateLimited, SharedLimiter
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.packet.numbers import parse_protocols

OTHERS = [number for number in range(2, 256) if number not in (6, 17)]
ACCUSED = {Verdict.LOST, Verdict.FIRST_ONLY, Verdict.LOSSY, Verdict.HELD_BY_RECEIVER}
COMMON = "ip protocol { 1, 6, 17 } accept"


@dataclass(frozen=True, slots=True)
class Chain(Box):
    """Rules of a router, or, as `Input`, of the target's own firewall."""

    lines: tuple[str, ...] = ()
    hook: ClassVar[str] = "forward"
    name: ClassVar[str] = "chain"

    @property
    def description(self):
        return "; ".join(self.lines)

    @property
    def rules(self):
        return filter_chain(self.hook, *self.lines)


class Input(Chain):
    hook = "input"
    name = "input"
    where = Where.TARGET


@dataclass(frozen=True, slots=True)
class Table(Box):
    """A router that has room for the flows of so many numbers, which stay for as long as a run takes."""

    room: int = 8
    then: str = "drop"
    name: ClassVar[str] = "table"
    description: ClassVar[str] = "has room for so many numbers"

    @property
    def rules(self):
        return f"""table ip f {{
 set flows {{ type inet_proto; size {self.room}; flags dynamic,timeout; timeout 10m; }}
 chain c {{ type filter hook forward priority 0; policy accept;
  iifname "outside" ip protocol @flows accept
  {COMMON}
  update @flows {{ ip protocol }} accept
  {self.then}
 }}
}}"""


def measured(boxes, numbers=OTHERS, directions=tuple(Direction), **more):
    spec = LabSpec("own", "for this test", (Router(), *boxes, Router()))
    trains = tuple(Train(number, direction) for direction in directions for number in numbers)
    asked = plan.Plan(trains, plan.LAB, seed=5, **more)
    context = path_specs.in_lab(spec, asked, None, expect_truth=False)[0].open()
    try:
        path = context.__enter__()
    except PathUnavailable as error:
        pytest.skip(f"privilege: {error}")
    try:
        return Measurement(path, asked).run()
    finally:
        context.__exit__(None, None, None)


def verdicts(found, direction=None):
    return {each.verdict for train, each in found.items() if direction in (None, train.direction)}


def unlike(found, verdict):
    """What is said of those that have another verdict."""
    return {each.explanation for each in found.values() if each.verdict is not verdict}


def limits(found):
    return {each.shared_limit for each in found.values()} - {None}


@pytest.mark.night
def test_all_other_protocols_share_a_limit_and_all_are_delivered():
    # a tenth of what a busy machine sends; so few numbers that they are asked again in seconds
    found = measured((SharedLimiter(per_second=100, burst=20),), OTHERS[:60], locate="all")
    assert verdicts(found) == {Verdict.DELIVERED}, unlike(found, Verdict.DELIVERED)
    for direction in Direction:  # one was measured each way
        [limit] = limits({train: each for train, each in found.items() if train.direction is direction})
        # what came through of a crowd: a busy machine sends a thinner one, and then it is told as "at least"
        assert limit.rate <= 110, limit
        assert limit.rate >= 50 or "at least" in rate_text(limit), limit
        assert limit.most is None or limit.most >= 95, limit
        assert limit.burst >= 16, limit
        assert set(parse_protocols(limit.numbers)) <= set(OTHERS[:60])
        assert limit.interval >= 1 / 110
    some = [each for each in found.values() if each.shared_limit is not None]
    assert len(some) > 100
    assert all("share a limit of a" in each.explanation and each.sent > each.delivered for each in some)


@pytest.mark.night
def test_where_there_is_no_time_for_all_the_most_telling_are_asked_and_the_rest_is_open():
    found = measured((SharedLimiter(per_second=10, burst=5),), directions=(Direction.FORWARD,))
    assert verdicts(found) == {Verdict.DELIVERED, Verdict.INCONCLUSIVE}
    [limit] = limits(found)
    assert 8 <= limit.rate <= 11, limit
    assert 4 <= limit.burst <= 6, limit
    assert found[Train(253)].verdict is found[Train(254)].verdict is Verdict.DELIVERED
    rest = [each for each in found.values() if each.verdict is Verdict.INCONCLUSIVE]
    assert len(rest) > 200
    for each in rest:
        assert "a limit shared by numbers" in each.explanation
        assert "--hdp-rate=" in each.explanation
        assert each.bound is None
        assert each.shared_limit == limit


@pytest.mark.night
def test_where_time_is_no_matter_all_are_asked():
    found = measured(
        (SharedLimiter(per_second=40, burst=5),), OTHERS[:80], (Direction.FORWARD,), unhurried=True
    )  # 80 * 7 / (0.8 * 40) seconds
    assert verdicts(found) == {Verdict.DELIVERED}


@pytest.mark.night
def test_what_another_box_drops_is_lost_beside_a_limit():
    dead = (47, 132)
    drop = Chain((f"ip protocol {{ {', '.join(map(str, dead))} }} drop",))
    found = measured((SharedLimiter(per_second=100, burst=20), drop), OTHERS[:60], (Direction.FORWARD,))
    lost = {train.protocol for train, each in found.items() if each.verdict is Verdict.LOST}
    assert lost == set(dead) & set(OTHERS[:60])
    assert verdicts(found) == {Verdict.DELIVERED, Verdict.LOST}
    assert all(each.shared_limit is None for each in found.values() if each.verdict is Verdict.LOST)
    assert all(47 not in parse_protocols(limit.numbers) for limit in limits(found))


@pytest.mark.night
def test_a_limit_of_one_direction_tells_nothing_of_the_other():
    one_way = Chain((COMMON, 'iifname "inside" limit rate over 100/second burst 20 packets drop'))
    found = measured((one_way,), OTHERS[:60])
    assert verdicts(found) == {Verdict.DELIVERED}
    assert {train.direction for train, each in found.items() if each.shared_limit} == {Direction.FORWARD}


@pytest.mark.night
def test_a_limit_that_rejects_what_it_does_not_let_through_makes_nothing_lossy():
    limit = 'iifname "inside" limit rate over 20/second burst 10 packets reject with icmp type admin-prohibited'
    found = measured((Chain((COMMON, limit)),), range(40, 71), (Direction.FORWARD,))
    assert verdicts(found) <= {Verdict.DELIVERED, Verdict.INCONCLUSIVE}, [
        each.explanation for each in found.values() if each.verdict not in {Verdict.DELIVERED, Verdict.INCONCLUSIVE}
    ]
    assert limits(found)


@pytest.mark.parametrize(
    "then", ["drop", pytest.param("reject with icmp type admin-prohibited", marks=pytest.mark.night)]
)
def test_what_finds_a_table_full_of_those_asked_before_is_open(then):
    found = measured((Table(then=then),), OTHERS[38:70])
    forward = {train.protocol: each for train, each in found.items() if train.direction is Direction.FORWARD}
    through = {number for number, each in forward.items() if each.verdict is Verdict.DELIVERED}
    assert len(through) == 8
    for train, each in found.items():
        expected = Verdict.DELIVERED if train.protocol in through else Verdict.INCONCLUSIVE
        assert each.verdict is expected, each.explanation
        assert ("a table of flows is full" in each.explanation) is (expected is Verdict.INCONCLUSIVE)


def test_what_a_filter_drops_is_lost_whenever_it_was_asked():
    few = OTHERS[38:70]
    found = measured((Chain((f"ip protocol {{ {', '.join(map(str, few[8:]))} }} drop",)),), few, (Direction.FORWARD,))
    lost = {train.protocol for train, each in found.items() if each.verdict is Verdict.LOST}
    assert lost == set(few[8:])


@pytest.mark.night
def test_a_limit_of_the_targets_own_firewall_holds_nothing():
    found = measured(
        (Input((COMMON, "limit rate over 100/second burst 20 packets drop")),), OTHERS[:60], (Direction.FORWARD,)
    )
    assert verdicts(found) == {Verdict.DELIVERED}
    assert limits(found)


@pytest.mark.night(but=["all but four"])
@pytest.mark.parametrize(
    "box",
    [
        RateLimited(per_second=5, burst=3),
        Chain((COMMON, "ct original packets > 1 drop")),
        Chain(("ip protocol { 1, 6, 17, 47 } accept", "drop")),
    ],
    ids=["of each number", "first only", "all but four"],
)
def test_what_a_number_meets_by_itself_is_no_shared_limit(box):
    found = measured((box,), OTHERS[:24], (Direction.FORWARD,))
    assert not limits(found)
    passing = {47} if "47" in box.rules else set()
    accused = {train.protocol for train, each in found.items() if each.verdict in ACCUSED}
    assert accused | passing >= set(OTHERS[:24]) - {47} - ({58} if "ct" in box.rules else set())
