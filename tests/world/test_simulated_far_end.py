"""The simulated far end: as honest as a station here, or a liar whose lies are seen through."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sim import check, world
from sim.agent import Pipe
from sim.blueprint import Blueprint, FarEnd
from sim.clock import SimClock
from sim.liar import KINDS
from small_worlds import MS, SECOND, world_of

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Hop
from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.plan import REMOTE
from pytest_hdp.vantage.remote.client import RemoteStation
from pytest_hdp.vantage.remote.pipes import NO_AGENT

# --- far ends behind a pipe


def far_world(change: Callable[[FarEnd], None] = lambda _: None, *trains: Train) -> world.World:
    """A small world whose far end is an agent's, measured."""

    def put(print_: Blueprint) -> None:
        print_.far_end = FarEnd(5 * MS, 2 * MS)
        print_.pace = replace(REMOTE, control=12)
        change(print_.far_end)

    return world_of(put, *trains)


BOTH = (Train(50), Train(253), Train(50, Direction.REVERSE))


def test_an_honest_far_end_tells_what_a_station_here_would() -> None:
    made = far_world(lambda _: None, *BOTH)
    assert made.path.far is not None
    assert isinstance(made.path.far.station, RemoteStation)
    assert {each.verdict for each in made.judgements.values()} == {Verdict.DELIVERED}
    assert not check.wrong(made, known=True)
    assert made.path.lag >= 10 * MS / SECOND


def test_a_pipe_keeps_the_order_and_takes_its_time() -> None:
    clock, came = SimClock(), []
    pipe = Pipe(clock, 5 * MS, 20 * MS, random.Random(1))
    pipe.setcallback(lambda value, cost: came.append((value, cost > 0, clock.now)))
    for number in range(20):
        pipe.say([("answer", number)])
    pipe.end()
    clock.spend(SECOND)
    assert [value for value, _, _ in came[:-1]] == [[("answer", number)] for number in range(20)]
    assert came[-1][0] is None
    assert all(5 * MS <= now <= 25 * MS for _, _, now in came)
    assert pipe.why() == "the connection ended (status 255)"
    with pytest.raises(BrokenPipeError):
        pipe.send([])


def test_bytes_that_no_agent_says_end_the_connection() -> None:
    clock, came = SimClock(), []
    pipe = Pipe(clock, 0, 0, random.Random(1))
    pipe.setcallback(lambda value, _cost: came.append(value))
    pipe.say_bytes(b"no message")
    clock.spend(SECOND)
    assert came == [None]
    assert pipe.why() == NO_AGENT


@pytest.mark.parametrize("kind", KINDS)
def test_a_liar_tells_lies_of_each_kind_and_gets_away_with_none_that_can_be_seen_through(kind: str) -> None:
    def lie(far: FarEnd) -> None:
        far.lies = (kind,)

    made = far_world(lie, *BOTH)
    honest = far_world(lambda _: None, *BOTH)
    assert made.agent is not None
    assert made.agent.pipe.said != honest.agent.pipe.said  # type: ignore[union-attr]
    assert not check.wrong(made, known=True)


LIED: dict[str, tuple[dict[str, Any], str]] = {
    "arrived": ({"arrived": 40}, "a liar made arrived 40, and really 7"),
    "delivered": ({"delivered": 40}, "a liar made delivered 40, and really 7"),
    "sent": ({"sent": 40}, "a liar made sent 40, and really 7"),
    "left": ({"left": 40}, "a liar made left 40, and really 7"),
    "verdict": ({"verdict": Verdict.REFUSED_AT_SEND}, "a liar made it refused_at_send"),
    "who answered": ({"explanation": "9.9.9.9 answered 1 with that (ICMP 3/13)"}, "9.9.9.9 answered 0 with 3/13"),
    "hop": ({"last_hop": Hop(1, "9.9.9.9")}, "a liar made 9.9.9.9 a router"),
}


@pytest.mark.parametrize("name", LIED)
def test_what_a_liar_must_not_bring_about_is_found(name: str) -> None:
    def lie(far: FarEnd) -> None:
        far.lies, far.often = ("doubles",), 0.4

    made = far_world(lie, *BOTH)
    changed, says = LIED[name]
    made.judgements[Train(50)] = replace(made.judgements[Train(50)], **changed)
    assert any(says in each for each in check.wrong(made)), check.wrong(made)


def test_packets_that_a_far_end_is_asked_to_send_to_strangers_are_found() -> None:
    made = far_world()
    assert made.agent is not None
    made.agent.pipe.asked["8.8.8.8"] = 65
    assert any("to strangers" in each for each in check.wrong(made))


def test_a_death_that_the_world_knows_nothing_of_is_found() -> None:
    made = far_world()
    made.blueprint.excuses.add("any")
    gone = "the far end's eyes closed: the agent ssh=far is gone: its budget of 9 packets is spent"
    said = replace(made.judgements[Train(50)], verdict=Verdict.INCONCLUSIVE, explanation=gone, place=Place.UNKNOWN)
    made.judgements[Train(50)] = said
    assert any("no agent has died of that" in each for each in check.wrong(made))
    made.blueprint.gone = ("its budget of",)
    assert not check.wrong(made)
