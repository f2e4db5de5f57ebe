"""Holds what was said of a world against what is true of it. Each finding is one line; none is right.

A finding that begins with one of `KNOWN` is of a kind that today's code is known to err in, by its number in the list
of known faults; such findings are left out unless they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.vantage.remote.agent import MOST_UNCONFIRMED
from sim.counts import counts, eyes_fail, too_few
from sim.elements import Nat
from sim.honesty import honest
from sim.network import FORWARD
from sim.packet import UDP
from sim.place import all_routers, places
from sim.reasons import control_loses, reasons
from sim.truth import Truth, truth_of, usual_control

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement
    from sim.network import Fate
    from sim.world import World

KNOWN = ("B7:",)
MOST_SECONDS = 20_000
_NOBODY = re.compile(r"packets sent to (\S+), the address that the far end saw, came back; no more are sent")


def wrong(world: World, *, known: bool = False) -> list[str]:
    """All that is not so. `known`: also what today's code is known to get wrong in any world."""
    found = [*_safety(world), *_order(world), *_bounds(world)]
    for train, judgement in world.judgements.items():
        truth = truth_of(world, train)
        said = [each for each in _train(world, judgement, truth) if known or not each.startswith(KNOWN)]
        found += [f"{train.protocol} {train.direction} {train.form}: {each}" for each in said]
    return found


def _safety(world: World) -> Iterator[str]:
    blueprint = world.blueprint
    mine = {*world.near.addresses, *world.far.addresses, blueprint.target, *blueprint.outside}
    inner = {each.outside for each in world.network.elements if isinstance(each, Nat)} - mine  # seen where it leaks
    for host in (world.near, world.far):
        for address, count in host.sent_to.items():
            few = host is world.far and address in inner and count <= MOST_UNCONFIRMED
            if address not in mine and not few:
                yield f"{host.name} sent {count} packets to {address}, a stranger"
    if world.agent is not None:
        strange = {address: count for address, count in world.agent.pipe.asked.items() if address not in mine}
        if sum(strange.values()) > MOST_UNCONFIRMED:
            yield f"the far end was asked to send to strangers: {strange}"


def _order(world: World) -> Iterator[str]:
    """Nothing goes forward under a number once something of it has left the far end; controls and answers aside."""
    sent = {each.data: train for train, some in world.measurement.ledger.trains.items() for each in some}
    opened: dict[int, int] = {}
    for fate in world.network.fates:
        train = sent.get(fate.payload)
        if fate.sender == "far":
            if train is not None and train.direction is Direction.REVERSE and not fate.died.startswith("refused"):
                opened.setdefault(fate.protocol, fate.at)
        elif fate.protocol in opened and (train is not None or fate.protocol not in (world.blueprint.icmp, UDP)):
            at, before = fate.at / 1e9, opened[fate.protocol] / 1e9
            yield f"{fate.protocol} goes forward after {at:.3f} s, and has gone back at {before:.3f} s"
            return


def _bounds(world: World) -> Iterator[str]:
    seconds = world.clock.now / 1e9
    if seconds > MOST_SECONDS:
        yield f"it took {seconds:.0f} s"
    missing = set(world.blueprint.trains) - set(world.judgements)
    if missing:
        yield f"nothing is said of {len(missing)} trains"


def _train(world: World, judgement: Judgement, truth: Truth) -> Iterator[str]:
    if world.agent is not None and world.agent.liar is not None:
        yield from honest(world, judgement, truth, fates_of(world, judgement.train))
        return
    if (
        judgement.verdict not in truth.verdicts
        and not _unheard(world, judgement, truth)
        and not _unconfirmed(world, judgement)
        and not _too_lossy(world, judgement)
    ):
        allowed = "/".join(sorted(truth.verdicts))
        yield f"{judgement.verdict} is not {allowed} ({truth.why}): {judgement.explanation}"
        return
    alone = truth.shares and judgement.shared_limit is not None  # by those that were sent at its pace
    if judgement.verdict is Verdict.DELIVERED and too_few(judgement) and not (eyes_fail(world) or alone):
        yield f"it may well get through less than once in five: {judgement.explanation}"
    yield from counts(world, judgement, truth, fates_of(world, judgement.train))
    if (
        judgement.nat.source is not None
        and judgement.verdict is not Verdict.MODIFIED
        and judgement.nat.state != truth.nat
        and not (truth.nat == "leaked" and _nobody_can_tell_a_leak(world))
    ):
        yield f"NAT {judgement.nat.state} is not {truth.nat}"
    yield from places(world, judgement, truth)
    if judgement.verdict is Verdict.INCONCLUSIVE:
        yield from reasons(world, judgement, truth)


def _nobody_can_tell_a_leak(world: World) -> bool:
    """Whether no usual control can show the address from outside, or most of it is lost."""
    return not usual_control(world, FORWARD) or bool(world.blueprint.heavy)


def _too_lossy(world: World, judgement: Judgement) -> bool:
    """Whether nothing but what loses most itself could stand beside it."""
    said = judgement.verdict is Verdict.INCONCLUSIVE and "too few to tell" in judgement.explanation
    return said and control_loses(world, judgement)


def _unconfirmed(world: World, judgement: Judgement) -> bool:
    """Whether no more is sent to an address, as is said, since really nothing that was sent there has come back."""
    if "so there is no address to send to" in judgement.explanation:
        return not any(fate.arrived for fate in world.network.fates if fate.sender == "near")
    found = _NOBODY.search(judgement.explanation)
    if found is None or judgement.verdict is not Verdict.INCONCLUSIVE:
        return False
    there = [fate for fate in world.network.fates if fate.sender == "far" and fate.destination == found[1]]
    return bool(there) and not any(fate.arrived for fate in there) and not any(_would_come_back(world, found[1]))


def _would_come_back(world: World, address: str) -> Iterator[bool]:
    """Of each number that was sent there, whether all of it comes through both ways: one would have been enough."""
    for train in world.blueprint.trains:
        if address not in {fate.destination for fate in fates_of(world, train)}:
            continue
        back = [replace(train, direction=each) for each in Direction]
        yield train.direction is Direction.REVERSE and all(
            truth.verdicts <= {Verdict.DELIVERED, Verdict.INCONCLUSIVE} and not truth.partly and truth.nat != "leaked"
            for truth in (truth_of(world, each) for each in back)
        )


def _unheard(world: World, judgement: Judgement, truth: Truth) -> bool:
    """Whether it is said to be lost, and that it may be rejected by who really rejects it.

    Or that one has few errors, and those that it sent found no room in the sender's own observer, or none came back of
    those about what was sent this way: a translator lets none through about what it does not translate.
    """
    if judgement.verdict is not Verdict.LOST or Verdict.REJECTED not in truth.verdicts:
        return False
    if truth.hop is None:  # a loop, of whose routers each may have few
        return "loop" in truth.why and judgement.budget_spent in {each.address for each in all_routers(world)}
    address = truth.hops[truth.hop - 1]
    sender = world.near if judgement.train.direction is Direction.FORWARD else world.far
    few = any(each.address == address and each.bucket.each for each in all_routers(world))
    if judgement.budget_spent == address or (few and any(each.overflowed for each in sender.stations)):
        return True
    expired = 3 if world.blueprint.six else 11
    errors = world.network.heard.items()
    told = [about for (source, type_, _), about in errors if source == address and type_ != expired]
    return few and not any(world.network.fates[number].sender == sender.name for about in told for number in about)


def fates_of(world: World, train: Train) -> list[Fate]:
    """What became of the train's own packets, the climb's not counted."""
    entries = world.measurement.ledger.trains.get(train, ())
    sender = "near" if train.direction is Direction.FORWARD else "far"
    payloads = {entry.data for entry in entries}
    return [fate for fate in world.fates_by_payload(payloads) if fate.sender == sender]
