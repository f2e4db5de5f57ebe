"""Where numbers share a limit they are asked alone: nothing else is sent meanwhile, for no longer than is said."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from sim.blueprint import FarEnd, plain
from sim.elements import FirstLost, Limit, Lossy, NumberFilter, SharedLimit
from sim.families.registry import MS, SECOND
from sim.packet import Packet
from sim.world import World, build

from pytest_hdp.judge.crowd import rate_text
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import BOTH_FORMS, Direction, Verdict
from pytest_hdp.measure.plan import LAB
from pytest_hdp.measure.schedule.engine import Measurement

NUMBERS = tuple(range(60, 90))


def measured(
    *rules: object,
    back: tuple[int, ...] = (),
    trains: Sequence[Train] = (),
    plan: Mapping[str, object] | None = None,
    gone: int = 0,
) -> World:
    """Measure these numbers and 6 forward, and others in reverse, or some trains, through a router with some rules.

    `plan`: what is not as usual in it. `gone`: ns after which the far end's agent is.
    """
    blueprint = plain(3, agent=True)
    blueprint.pace = replace(LAB, control=44)
    usual = [*map(Train, (6, *NUMBERS)), *(Train(number, Direction.REVERSE) for number in back)]
    blueprint.trains = tuple(sorted(trains or usual))
    blueprint.far_end = FarEnd(MS) if gone else None
    blueprint.routers[0].rules += rules  # type: ignore[arg-type]
    world = build(blueprint, ("own",), trace=False, ties=None)
    if plan:
        world.measurement = Measurement(world.path, replace(world.measurement.plan, **plan))  # type: ignore[arg-type]
    if gone and world.agent:
        world.clock.after(gone, world.agent.die)
    world.run()
    return world


def sent(world: World, direction: Direction) -> list[float]:
    """When each probe was, in seconds."""
    sender = "near" if direction is Direction.FORWARD else "far"
    mine = {each.data for train, some in world.measurement.ledger.trains.items() for each in some}
    return [fate.at / 1e9 for fate in world.network.fates if fate.sender == sender and fate.payload in mine]


def verdicts(world: World) -> set[Verdict]:
    return {each.verdict for each in world.judgements.values()}


def test_the_other_way_waits_meanwhile() -> None:
    undecided = Lossy(frozenset({200}), 0.3, random.Random(1))
    world = measured(SharedLimit(20 * MS, 5, but=frozenset({1, 6, 17, 200})), undecided, back=(200,))
    assert {each.verdict for train, each in world.judgements.items() if train.protocol != 200} == {Verdict.DELIVERED}
    forward, back = sent(world, Direction.FORWARD), sent(world, Direction.REVERSE)
    begin, end = next((one, two) for one, two in pairwise(forward) if two - one > 0.9)
    last = forward[-1]
    assert end - begin < 1.5
    assert last > end + 30 * 7 * 0.02
    assert [at for at in back if at < begin]
    assert not [at for at in back if begin + 0.2 < at < last], "something came back while others were asked alone"
    assert [at for at in back if at > last]


def test_it_takes_the_time_that_it_says() -> None:
    world = measured(SharedLimit(100 * MS, 5))
    assert verdicts(world) == {Verdict.DELIVERED, Verdict.INCONCLUSIVE}
    assert world.clock.now / 1e9 < 14
    limit = next(each.shared_limit for each in world.judgements.values() if each.shared_limit is not None)
    assert 4 <= limit.rate <= 10.5  # after a second's rest no more than the burst is there
    assert limit.burst == 5
    assert limit.numbers == "60-89"


@pytest.mark.parametrize(
    "rule",
    [NumberFilter(frozenset(NUMBERS), frozenset({1, -1})), NumberFilter(frozenset({6}), frozenset({1}), only=True)],
    ids=["dropped", "all but one dropped"],
)
def test_where_nothing_came_nobody_rests(rule: NumberFilter) -> None:
    """A path that drops all takes half a second longer than one on which nothing is looked for, and no more."""
    world = measured(rule)
    assert {each.verdict for train, each in world.judgements.items() if train.protocol != 6} == {Verdict.LOST}
    forward = sent(world, Direction.FORWARD)
    assert max(two - one for one, two in pairwise(forward)) < 0.5


def test_where_a_limit_lets_nothing_but_dead_ones_through_a_few_others_tell() -> None:
    """One packet in 100 ms: those that are sent first of a round, and another box drops them."""
    everything = measured(NumberFilter(frozenset(NUMBERS), frozenset({1, -1})))
    probes = [
        each for train, some in everything.measurement.ledger.trains.items() if train.protocol != 6 for each in some
    ]
    order = sorted(probes, key=lambda each: each.index, reverse=True)
    dead = frozenset({each.round: each.train.protocol for each in order}.values())
    world = measured(SharedLimit(100 * MS, 1), NumberFilter(dead, frozenset({1, -1})))
    lost = {train.protocol for train, each in world.judgements.items() if each.verdict is Verdict.LOST}
    assert lost < dead
    assert verdicts(world) == {Verdict.DELIVERED, Verdict.INCONCLUSIVE, Verdict.LOST}


def test_nor_where_each_number_has_a_limit_of_its_own() -> None:
    world = measured(Limit(frozenset(NUMBERS), 200 * MS, 3))
    assert not any(each.shared_limit for each in world.judgements.values())
    assert verdicts(world) & {Verdict.LOSSY, Verdict.FIRST_ONLY}


@pytest.mark.parametrize("each", [MS // 5, MS // 2, MS])
def test_a_limit_that_fills_up_between_two_packets_of_a_round_is_told(each: int) -> None:
    """What came stands nowhere in its rounds, but each time behind a gap."""
    world = measured(SharedLimit(each, 1))
    assert verdicts(world) <= {Verdict.DELIVERED, Verdict.INCONCLUSIVE}
    assert any(judgement.shared_limit for judgement in world.judgements.values())


@pytest.mark.parametrize("each", [3, 5, 8])
def test_two_forms_of_a_number_share_no_limit_with_others(each: int) -> None:
    """The second one of each pair meets that number's own limit, wherever it stands."""
    pairs = [Train(number, form=form) for number in (47, 50, 51, 89, 112, 132) for form in BOTH_FORMS]
    world = measured(Limit(frozenset({47, 50, 51, 89, 112, 132}), each * MS, 3), trains=pairs)
    assert not any(judgement.shared_limit for judgement in world.judgements.values())


def test_what_each_number_loses_at_first_is_no_limit_s() -> None:
    """A few sent again alone fare better than in the sweep, and so do all of them."""
    world = measured(FirstLost(2, but=frozenset({6})), NumberFilter(frozenset(NUMBERS[:12]), frozenset({1, -1})))
    assert not any(judgement.shared_limit for judgement in world.judgements.values())
    assert {judgement.verdict for train, judgement in world.judgements.items() if train.protocol in NUMBERS[:12]} == {
        Verdict.LOST
    }


@dataclass(slots=True)
class Rejecting(SharedLimit):
    """Rejects what it does not let through."""

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        return "reject 3 13" if SharedLimit.judge(self, packet, way, now) else None


@dataclass(slots=True)
class ShutLater(SharedLimit):
    """Lets nothing through any more from a time on."""

    shut: int = 8 * SECOND

    def judge(self, packet: Packet, way: int, now: int) -> str | None:
        """As RouterRule."""
        said = SharedLimit.judge(self, packet, way, now)
        return "drop" if now > self.shut and packet.protocol not in self.but and packet.quote is None else said


def told(world: World) -> tuple[float, float, str]:
    """The rate and the most that are told of a limit, inf for unknown, and how."""
    limit = next(each.shared_limit for each in world.judgements.values() if each.shared_limit is not None)
    return limit.rate, limit.most if limit.most is not None else math.inf, rate_text(limit)


@pytest.mark.night(but=["1-3"])
@pytest.mark.parametrize("rate", [0.5, 1, 3, 10, 40, 120])
@pytest.mark.parametrize("burst", [1, 2, 5])
def test_neither_bound_of_a_rate_is_wrong(rate: float, burst: int) -> None:
    try:
        least, most, said = told(measured(SharedLimit(int(1000 * MS / rate), burst)))
    except StopIteration:  # nobody was sure of a limit
        assert rate < 3
        return
    assert least <= 1.001 * rate, said
    assert most >= 0.999 * rate, said
    assert "less than one" not in said or rate < 1


@pytest.mark.night(but=["900-10-15"])
@pytest.mark.parametrize(
    ("rate", "burst", "dead"), [(170, 3, 22), (300, 5, 8), (500, 1, 8), (900, 10, 8), (900, 10, 15)]
)
def test_what_dies_behind_a_limit_has_its_share_of_it(rate: int, burst: int, dead: int) -> None:
    """It is not seen, and so not known how many came through."""
    behind = NumberFilter(frozenset(NUMBERS[:dead]), frozenset({1, -1}))
    least, most, said = told(measured(SharedLimit(1000 * MS // rate, burst), behind))
    assert least <= 1.001 * rate, said
    assert most >= 0.999 * rate, said


@pytest.mark.night
@pytest.mark.parametrize("plan", [{"unhurried": True}, {"locate": "all"}], ids=str)
def test_nobody_asks_without_end_where_time_is_no_matter(plan: dict[str, object]) -> None:
    world = measured(ShutLater(100 * MS, 5), plan=plan)
    assert world.clock.now < 3600 * SECOND
    assert verdicts(world) == {Verdict.DELIVERED, Verdict.INCONCLUSIVE}


@pytest.mark.night(but=["none"])
@pytest.mark.parametrize("locate", ["groups", "none"])
def test_what_a_limit_rejects_is_not_rejected(locate: str) -> None:
    world = measured(Rejecting(20 * MS, 5), plan={"locate": locate})
    assert verdicts(world) <= {Verdict.DELIVERED, Verdict.INCONCLUSIVE}, world.judgements


@pytest.mark.night(but=["1", "4"])
@pytest.mark.parametrize("gone", [2, 4, 6, 8])
def test_nor_where_nobody_can_be_asked_any_more(gone: int) -> None:
    world = measured(Rejecting(20 * MS, 5), gone=gone * SECOND)
    assert world.path.gone, "the agent outlived it"
    assert any(each.shared_limit for each in world.judgements.values())
    assert Verdict.REJECTED not in verdicts(world)
