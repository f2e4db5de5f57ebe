"""Where a train is said to have died, and what routers are said to stand on the path, against where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Form, Place, Verdict
from pytest_hdp.measure.location.ttl_rung import TRIES
from sim.elements import Router, View
from sim.network import FORWARD, REVERSE
from sim.packet import UDP
from sim.truth import elements_of, truth_of, view_of

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from sim.truth import Truth
    from sim.world import World

_BEYOND = re.compile(r"(?:between \S+ \(hop \d+\) and|between the sender and) \S+ \(hop (\d+)\)")
_LAST = re.compile(r"(?:between|beyond) (\S+) \(hop (\d+)\).*, if it fares as (\d+)")
_BESIDE = re.compile(r", if it fares as \d+")
_CIRCLE = re.compile(r"a routing loop: (\S+) \(hop (\d+)\) sends it back to (\S+) \(hop (\d+)\)")
DCCP = 33  # of which no simulated translator corrects the checksum, as few real ones do
PLACES = {
    Verdict.REFUSED_AT_SOCKET: {Place.SENDER_SOCKET},
    Verdict.REFUSED_AT_SEND: {Place.SENDER_SEND},
    Verdict.HELD_BY_SENDER: {Place.SENDER_KERNEL},
    Verdict.REJECTED: {Place.HOP, Place.TARGET, Place.UNKNOWN},  # in the target's name, perhaps
    Verdict.LOST: {Place.PATH},
    Verdict.HELD_BY_RECEIVER: {Place.RECEIVER_KERNEL},
    Verdict.MODIFIED: {Place.RECEIVER_SOCKET},
    Verdict.DELIVERED: {Place.RECEIVER_SOCKET},
    Verdict.REACHED: {Place.TARGET},
    Verdict.SILENT: {Place.UNKNOWN},
    Verdict.INCONCLUSIVE: {Place.UNKNOWN},
}


def places(world: World, judgement: Judgement, truth: Truth) -> Iterator[str]:
    """What is said wrongly of a place."""
    if judgement.place not in PLACES.get(judgement.verdict, {judgement.place}):
        yield f"{judgement.verdict} at {judgement.place}"
    yield from _last_hop(judgement, truth)
    yield from _beyond(judgement, truth)
    yield from _routers(world, judgement)
    yield from _known(world, judgement, truth)


def _last_hop(judgement: Judgement, truth: Truth) -> Iterator[str]:
    last = judgement.last_hop
    if last is None or "circle" in truth.why or "loop" in truth.why:
        return
    if last.ttl > len(truth.hops) or (truth.hop is not None and last.ttl > truth.hop):
        yield f"hop {last.ttl} answered last, and it gets to hop {truth.hop}: {judgement.explanation}"
    elif truth.hops[last.ttl - 1] != last.address:
        yield f"hop {last.ttl} is {truth.hops[last.ttl - 1]}: {judgement.explanation}"


def _beyond(judgement: Judgement, truth: Truth) -> Iterator[str]:
    beyond = _BEYOND.search(judgement.explanation)
    if beyond is None or _BESIDE.search(judgement.explanation) or "loop" in truth.why:
        return
    if truth.partly:
        return  # silence at a TTL may be the same chance
    if truth.hop is None and judgement.verdict in {Verdict.LOST, Verdict.REJECTED}:
        yield f"it has no hop to die at: {judgement.explanation}"
    if truth.hop is not None and int(beyond[1]) <= truth.hop:
        number = "D20: " if truth.unheard else ""
        yield f"{number}it is said to have died before hop {beyond[1]}, and it gets to hop {truth.hop}"


def _routers(world: World, judgement: Judgement) -> Iterator[str]:
    """The routers that the control found: those that stand there, at the TTL where they stand."""
    control = View(
        UDP if world.blueprint.agent else world.blueprint.icmp,
        True,
        FORWARD if judgement.train.direction == "forward" else REVERSE,
        128,
    )
    way = [each.address for each in elements_of(world, control) if isinstance(each, Router)]
    if any(hasattr(each, "route") for each in world.network.elements):
        return  # its ports may choose another way
    for hop in judgement.hops:
        if hop.ttl > len(way) or way[hop.ttl - 1] != hop.address:
            yield f"hop {hop.ttl} is said to be {hop.address}, and the way is {way}"


def _known(world: World, judgement: Judgement, truth: Truth) -> Iterator[str]:
    """What today's code is known to say, or not to say."""
    said = judgement.explanation
    if world.path.gone is not None or judgement.shared_limit is not None:
        return  # nobody looked for places then
    if "loop" in truth.why and judgement.verdict is Verdict.REJECTED and "loop" not in said:
        yield f"D20: a loop is not called one: {said}"
    dccp = judgement.train.protocol == DCCP and judgement.train.form is Form.WELLFORMED
    stale = dccp and truth.nat == "translated" and judgement.verdict is not Verdict.MODIFIED  # which says more
    if stale and judgement.arrived and "checksum" not in said:
        yield f"C17: its checksum is stale, and nobody says so: {said}"
    icmp = judgement.train.protocol == world.blueprint.icmp
    nobody = icmp and judgement.train.form is Form.BARE  # reads as an ICMP error
    if judgement.verdict not in {Verdict.LOST, Verdict.REJECTED} or nobody:
        return
    for address, ttl, number in _LAST.findall(said):
        other = truth_of(world, replace(judgement.train, protocol=int(number)))
        circle = "loop" in other.why  # its routers take turns, at TTLs beyond its hops
        if not circle and (int(ttl) > len(other.hops) or other.hops[int(ttl) - 1] != address):
            yield f"D20: {address} (hop {ttl}) is not on the way of {number}: {said}"
    if _was_cut_short(world, judgement):
        return
    if truth.hop and judgement.last_hop is None and not _BESIDE.search(said) and _all_speak(world, judgement, truth):
        yield f"D20: it dies at hop {truth.hop}, which nobody says: {said}"
    elif (
        truth.hop
        and judgement.last_hop is not None
        and _all_speak(world, judgement, truth)
        and judgement.last_hop.ttl != truth.hop
    ):
        yield f"D20: it dies at hop {truth.hop}, not {judgement.last_hop.ttl}: {said}"


def _was_cut_short(world: World, judgement: Judgement) -> bool:
    """Whether the search ended before each TTL was tried often enough, as it may where an end is far away.

    It takes ten seconds at most, and each question goes there and back through an agent's pipe.
    """
    rungs = judgement.climb.rungs if judgement.climb is not None else ()
    few = any(0 < each.sent < TRIES and not (each.icmp or each.control_arrived) for each in rungs)
    return few and any(end is not None and end.delay for end in (world.blueprint.far_end, world.blueprint.near_end))


def _all_speak(world: World, judgement: Judgement, truth: Truth) -> bool:
    """Whether each of its hops, and the one behind, answers whoever asks, and nothing else is in the way."""
    blueprint = world.blueprint
    if truth.unheard or truth.partly or blueprint.loss or blueprint.excuses or not blueprint.agent:
        return False
    routers = {each.address: each for each in all_routers(world)}
    way = [each.address for each in elements_of(world, view_of(world, judgement.train)) if isinstance(each, Router)]
    return all(
        routers[address].speaks and not routers[address].short and not routers[address].bucket.each
        for address in {*truth.hops, *way[: len(truth.hops) + 1]}
    )


def all_routers(world: World) -> Iterator[Router]:
    """Those of all ways."""
    for element in world.network.elements:
        for each in (element, *getattr(element, "parts", ())):
            if isinstance(each, Router):
                yield each
