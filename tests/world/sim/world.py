"""From one seed a whole world: built, measured by the real engine, with all that really happened in it."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement, PathInfo
from pytest_hdp.measure.path.endpoints import Endpoint
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.measure.plan import Plan
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.vantage.remote.client import RemoteStation
from sim.agent import Pipe, SimAgent
from sim.blueprint import Blueprint, FarEnd, plain
from sim.clock import SimClock
from sim.families import DEFAULT, FAMILIES
from sim.host import Host, Rule
from sim.liar import Liar
from sim.network import FORWARD, REVERSE, Network
from sim.station import SimStation

if TYPE_CHECKING:
    from sim.network import Fate
    from sim.packet import Packet

MOST_AT_ONCE = 3
BESIDE = 0.1


@dataclass(slots=True)
class World:
    """A world put together. `families`: what it was drawn from. `agent`: at the far end of a pipe, if there is one."""

    blueprint: Blueprint
    families: tuple[str, ...]
    clock: SimClock
    network: Network
    near: Host
    far: Host
    path: OpenPath
    measurement: Measurement
    agent: SimAgent | None = None
    judgements: dict[Train, Judgement] = field(default_factory=dict)
    _by_payload: dict[bytes, list[Fate]] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The seed that it was drawn from."""
        return self.blueprint.seed

    def fates_by_payload(self, payloads: Collection[bytes]) -> list[Fate]:
        """What became of the packets with these payloads; of all is listed once what is asked for each train."""
        if len(self._by_payload) == 0:
            for fate in self.network.fates:
                self._by_payload.setdefault(fate.payload, []).append(fate)
        return [fate for payload in payloads for fate in self._by_payload.get(payload, ())]

    def run(self) -> dict[Train, Judgement]:
        """Measure all of its trains."""
        self.judgements = self.measurement.run()
        return self.judgements


def draw(seed: int, families: Sequence[str] | None = None, *, trace: bool = False, ties: int | None = None) -> World:
    """The world of a seed: of some of the families, by default of those in which today's code should never err; of
    a few that are named, of all of them."""
    chance = random.Random(f"families {seed}")
    few = families is not None and len(families) <= MOST_AT_ONCE
    chosen = tuple(families or ()) if few else _some(chance, sorted(DEFAULT if families is None else families), seed)
    needs = {FAMILIES[each].agent for each in chosen} - {None}
    blueprint = plain(seed, agent=needs.pop() if len(needs) == 1 else None if not needs else True)
    for name in chosen:
        FAMILIES[name].add(blueprint)
    return build(blueprint, chosen, trace=trace, ties=ties)


def _some(chance: random.Random, families: Sequence[str], seed: int) -> tuple[str, ...]:
    chosen: list[str] = []
    pool = [each for each in families if not FAMILIES[each].beside]
    drawn = chance.sample(pool, min(len(pool), chance.choice((0, 1, 1, 2, 2, MOST_AT_ONCE))))
    beside = [each for each in families if each not in pool and random.Random(f"{each} {seed}").random() < BESIDE]
    for name in (*drawn, *beside):
        if all(FAMILIES[name].goes_with(FAMILIES[each]) for each in chosen):
            chosen.append(name)
    return tuple(chosen)


def build(blueprint: Blueprint, families: tuple[str, ...], *, trace: bool, ties: int | None) -> World:
    """Put a blueprint together, up to the first packet."""
    clock = SimClock(random.Random(ties) if ties is not None else None)
    network = Network(clock, _chain(blueprint), notes=[] if trace else None)
    near = Host("near", [blueprint.near_address], network, FORWARD, output=_one(blueprint.near_output))
    near.inputs = [each.rule for each in blueprint.near_inputs]
    far = Host("far", [blueprint.far_address], network, REVERSE, output=_one(blueprint.far_output))
    blueprint.far_inputs.sort(key=lambda each: each.handler)
    far.inputs = [each.rule for each in blueprint.far_inputs]
    far.handled, far.answers, far.echoes, far.bucket = (
        blueprint.handled, blueprint.answers, blueprint.echoes, blueprint.target_bucket,
    )  # fmt: skip
    network.hosts = {FORWARD: far, REVERSE: near}
    tokens = random.Random(f"tokens {blueprint.seed}")
    for prepare in blueprint.prepare:
        prepare(near, far)
    agent = "netns=far" if blueprint.agent else None
    name = PathInfo("netns", blueprint.target, blueprint.near_address, blueprint.target, agent)
    there = blueprint.near_end
    if there is not None:
        there.terms = replace(there.terms, peers=(blueprint.target,))
    near_station, _ = _at(there, near, _station(blueprint, near), f"near pipe {blueprint.seed}")
    near_end = Endpoint(near_station, blueprint.near_address, blueprint.near_tap)
    far_end, agent = _far_end(blueprint, far) if blueprint.agent else (None, None)
    path = OpenPath(name, near_end, far_end, clock=clock, token=tokens.randbytes)
    near.stations[0].refusals |= blueprint.near_refusals
    network.run_id = path.run_id
    plan = Plan(blueprint.trains, blueprint.pace, seed=blueprint.seed)
    measuring = Measurement(path, plan)
    world = World(blueprint, families, clock, network, near, far, path, measuring, agent)
    for event in blueprint.events:
        event(world)
    return world


def _far_end(blueprint: Blueprint, far: Host) -> tuple[Endpoint, SimAgent | None]:
    tap, there = blueprint.far_tap, blueprint.far_end
    station, agent = _at(there, far, _station(blueprint, far), f"pipe {blueprint.seed}")
    if there is not None and agent is not None:
        tap = None if tap == far.interface else tap
        if there.lies:
            agent.liar = Liar(agent, random.Random(f"lies {blueprint.seed}"), there.lies, there.often)
    return Endpoint(station, blueprint.far_address, tap, blueprint.far_bind), agent


def _at(
    there: FarEnd | None, host: Host, station: SimStation, seed: str
) -> tuple[SimStation | RemoteStation, SimAgent | None]:
    """A host's station, or the controller's side of it behind a pipe, and the agent there."""
    if there is None:
        return station, None
    clock = host.network.clock
    agent = SimAgent(Pipe(clock, there.delay, there.jitter, random.Random(seed)), station, there.terms)
    return RemoteStation(agent.pipe, f"the agent ssh={host.name}", agent.pipe.close, agent.pipe.why, clock), agent


def _station(blueprint: Blueprint, host: Host) -> SimStation:
    station = SimStation(host, room=blueprint.room, tap_room=blueprint.tap_room)
    if host.way == REVERSE:
        station.ahead = blueprint.far_ahead
    return station


def _chain(blueprint: Blueprint) -> list[object]:
    """Link, router, link, router ... link; `extra` stand before the element that their number counts to."""
    chain: list[object] = []
    for number, link in enumerate(blueprint.links):
        chain.append(link)
        chain += blueprint.routers[number : number + 1]
    for at, element in sorted(blueprint.extra, key=lambda each: -each[0]):
        chain.insert(at, element)
    return chain


def _one(rules: Sequence[object]) -> Rule | None:
    if not rules:
        return None

    def judge(packet: Packet) -> str | None:
        return next((said for each in rules if (said := each.rule(packet)) is not None), None)  # type: ignore[attr-defined]

    return judge
