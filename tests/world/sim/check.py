"""Holds what was said of a world against what is true of it. Each finding is one line; none is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Verdict
from sim.truth import Truth, truth_of

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from sim.network import Fate
    from sim.world import World

_LEFT = re.compile(r"(\d+) of (\d+) left ")
_BEYOND = re.compile(r"the control passed \S+ \(hop (\d+)\)")
_BESIDE = re.compile(r"asked with \d+")
MOST_SECONDS = 20_000
MOST_PACKETS = 60_000


def wrong(world: World) -> list[str]:
    """All that is not so."""
    found = [*_safety(world), *_bounds(world)]
    for train, judgement in world.judgements.items():
        truth = truth_of(world, train)
        found += [
            f"{train.protocol} {train.direction} {train.form}: {each}" for each in _train(world, judgement, truth)
        ]
    return found


def _safety(world: World) -> Iterator[str]:
    mine = set(world.near.addresses) | set(world.far.addresses) | {world.path.name.target}
    outside = {getattr(each, "outside", None) for each in world.network.elements} - {None}
    for host in (world.near, world.far):
        for address, count in host.sent_to.items():
            if address not in mine | outside:
                yield f"{host.name} sent {count} packets to {address}, a stranger"


def _bounds(world: World) -> Iterator[str]:
    seconds = world.clock.now / 1e9
    if seconds > MOST_SECONDS:
        yield f"it took {seconds:.0f} s"
    if len(world.network.fates) > MOST_PACKETS:
        yield f"it sent {len(world.network.fates)} packets"
    missing = set(world.blueprint.trains) - set(world.judgements)
    if missing:
        yield f"nothing is said of {len(missing)} trains"


def _train(world: World, judgement: Judgement, truth: Truth) -> Iterator[str]:
    if judgement.verdict not in truth.verdicts:
        allowed = "/".join(sorted(truth.verdicts))
        yield f"{judgement.verdict} is not {allowed} ({truth.why}): {judgement.explanation}"
        return
    fates = _fates(world, judgement.train)
    yield from _counts(judgement, fates)
    if judgement.arrived and judgement.verdict is not Verdict.MODIFIED and judgement.nat.state != truth.nat:
        yield f"NAT {judgement.nat.state} is not {truth.nat}"
    yield from _place(judgement, truth)


def _fates(world: World, train: Train) -> list[Fate]:
    """What became of the train's own packets, the climb's not counted."""
    entries = world.measurement.ledger.trains.get(train, ())
    sender = "near" if train.direction is Direction.FORWARD else "far"
    payloads = {entry.data for entry in entries}
    return [fate for fate in world.network.fates if fate.sender == sender and fate.payload in payloads]


def _counts(judgement: Judgement, fates: list[Fate]) -> Iterator[str]:
    taken = [fate for fate in fates if not fate.died.startswith("refused")]
    left = [fate for fate in taken if not fate.died.startswith("held")]
    arrived = sum(fate.arrived > 0 for fate in left)
    delivered = sum(fate.delivered > 0 for fate in left)
    for name, said, true in (
        ("sent", judgement.sent, len(taken)),
        ("left", judgement.left, len(left)),
        ("arrived", judgement.arrived, arrived),
        ("delivered", judgement.delivered, delivered),
    ):
        if said > true:
            yield f"{name} {said}, and really {true}"
    if judgement.verdict is Verdict.LOST and arrived:
        yield f"lost, and {arrived} arrived: {judgement.explanation}"
    surplus = sum(max(fate.arrived, 1) - 1 for fate in left)
    if judgement.duplicated > surplus:
        yield f"duplicated {judgement.duplicated}, and really {surplus}"
    for said_left, said_sent in _LEFT.findall(judgement.explanation):
        if (int(said_left), int(said_sent)) != (judgement.left, judgement.sent):
            yield f"the sentence and the record count differently: {judgement.explanation}"


def _place(judgement: Judgement, truth: Truth) -> Iterator[str]:
    if judgement.last_hop is not None and truth.hop is not None and judgement.last_hop.ttl > truth.hop:
        yield f"hop {judgement.last_hop.ttl} answered last, and it gets to hop {truth.hop}: {judgement.explanation}"
    beyond = _BEYOND.search(judgement.explanation)
    if beyond is None or _BESIDE.search(judgement.explanation):
        return
    if truth.partly or truth.nat == "leaked":
        return  # silence at a TTL may be the same chance; and errors about what is not translated do not come back
    if truth.hop is None and judgement.verdict in {Verdict.LOST, Verdict.REJECTED}:
        yield f"it has no hop to die at: {judgement.explanation}"
    if truth.hop is not None and int(beyond[1]) <= truth.hop:
        yield f"only the control is said to have passed hop {beyond[1]}, and it gets to hop {truth.hop}"
