"""What an `inconclusive` gives as its reason, against what the world has to say to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import BOTH_FORMS
from sim.controls import AT_INTERFACE, AT_SOCKET, ECHOES, came_through, controls_of, stands_in
from sim.elements import Branches, Router
from sim.packet import UDP
from sim.truth import meets_chance, truth_of

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from sim.truth import Truth
    from sim.world import World

_OVERFLOW = re.compile(r"the (\w+) at (\d+\.\d+\.\d+\.\d+) overflowed")
_USUAL = "since most of the usual ones were lost"
_NOTHING_LEFT = re.compile(r"no probe was seen leaving.*?; (\d+) of \d+ left")


def reasons(world: World, judgement: Judgement, truth: Truth) -> Iterator[str]:
    """What of the reason is not so."""
    said = judgement.explanation
    for kind, address in _OVERFLOW.findall(said):
        stations = [each for host in (world.near, world.far) if address in host.addresses for each in host.stations]
        if not any(each.overflowed for each in stations):
            yield f"no {kind} overflowed at {address}: {said}"
    if "eyes closed" in said and not any(f"is gone: {why}" in said for why in world.blueprint.gone):
        yield f"no agent has died of that: {said}"
    if "the control was lost too" in said and world.blueprint.agent and not world.clock.stalled:
        until = _last_sent(world, judgement)
        for kind in (said,) if stands_in(said) is not None else (AT_SOCKET, AT_INTERFACE, ECHOES):
            fates = [fate for fate in controls_of(world, judgement.train.direction, kind) if fate.at <= until]
            through = sum(came_through(fate, kind) for fate in fates)
            if through > len(fates) // 2 and not _spoiled(world):
                yield f"the control was not lost: {through} of {len(fates)} came {kind}: {said}"
    if "no control was sent" in said and any(
        controls_of(world, judgement.train.direction, kind) for kind in (AT_SOCKET, ECHOES)
    ):
        yield f"controls were sent: {said}"
    if "too few to tell" in said and not (truth.partly or _loses(world) or control_loses(world, judgement)):
        yield f"nothing is lost by chance here: {said}"
    if "no way out" in said and "no route" not in world.blueprint.excuses:
        yield f"the sender always had a route: {said}"
    if any(int(count) for count in _NOTHING_LEFT.findall(said)):
        yield f"B7: the sentence contradicts its counts: {said}"


def _last_sent(world: World, judgement: Judgement) -> int:
    """When the last of its packets was sent: what is said of it was said before the controls of later rounds."""
    entries = world.measurement.ledger.trains.get(judgement.train, ())
    return max((fate.at for fate in world.fates_by_payload({entry.data for entry in entries})), default=0)


def _spoiled(world: World) -> bool:
    return any(each.overflowed for host in (world.near, world.far) for each in host.stations)


def control_loses(world: World, judgement: Judgement) -> bool:
    """Whether some of the control, or of what stands in for it, is lost, by a rule that counts its packets, say.

    What stands in does so in later rounds alone; in those before, the usual control had to do.
    """
    number = stands_in(judgement.explanation)
    numbers = {UDP if number is None else number, *([UDP] if _USUAL in judgement.explanation else [])}
    trains = [replace(judgement.train, protocol=each, form=form) for each in numbers for form in BOTH_FORMS]
    return any(truth_of(world, train).partly or meets_chance(world, train) for train in trains)


def _loses(world: World) -> bool:
    """Whether anything is lost by chance, late, or for want of buffer or errors to send."""
    blueprint = world.blueprint
    if blueprint.loss or blueprint.excuses or world.clock.stalled or _spoiled(world):
        return True
    if blueprint.agent:
        return False
    if not blueprint.answers or blueprint.target_bucket.each:
        return True
    parts = (part for each in world.network.elements for part in (each, *getattr(each, "parts", ())))
    return any((isinstance(each, Router) and each.bucket.each) or isinstance(each, Branches) for each in parts)
