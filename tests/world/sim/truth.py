"""What is true of a train: computed from the world's parts, and from nothing that the engine saw or said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from sim.elements import Effect, Router, View
from sim.network import FORWARD, REVERSE
from sim.packet import ICMP, UDP

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from sim.world import World

V = Verdict
# Of what is lost by chance every claim that counts is true, if more is lost than of the control.
PARTLY = {
    "lossy": {V.LOSSY, V.LOST, V.FIRST_ONLY, V.DELIVERED, V.INCONCLUSIVE},
    "limited": {V.LOSSY, V.LOST, V.FIRST_ONLY, V.DELIVERED, V.INCONCLUSIVE},
    "first": {V.FIRST_ONLY},
    "modify": {V.MODIFIED},
}


@dataclass(frozen=True, slots=True)
class Truth:
    """Verdicts that say nothing false. `nat`: the state that a record may name. `hop`: the last router that the train
    reaches, counted from its sender; None where it reaches the receiver. `why`: one line. `partly`: some of it
    gets through, or would.
    """

    verdicts: frozenset[Verdict]
    nat: str
    hop: int | None
    why: str
    partly: bool = False


def truth_of(world: World, train: Train) -> Truth:
    """Follow the train through the world."""
    view = view_of(world, train)
    nat, hop, passed = "none", 0, frozenset[Verdict]()
    for element, effects in _journey(world, view):
        hop += isinstance(element, Router)
        for effect in effects:
            if effect.kind == "translate":
                if view.way == REVERSE and not _has_state(world, view, element):
                    return _with(_gone(world, nat, hop, f"{effect.where} has no state for it"), passed)
                nat = "translated" if view.way == FORWARD else nat
            elif effect.kind == "leak":
                nat = "leaked"
            elif effect.kind in PARTLY:
                passed |= PARTLY[effect.kind]
                if effect.kind == "first" and (_twins(world, train) or world.blueprint.loss):
                    passed |= {V.LOST, V.LOSSY}  # it counts packets of the number, whatever is inside or lost later
            elif effect.kind != "pass":
                return _with(_ended(world, view, effect, element, nat, hop), passed)
    if passed:
        return replace(_with_excuses(world, set(passed), nat, None, "it is changed, or some get through"), partly=True)
    return _arrived(world, view, nat)


def _with(truth: Truth, passed: frozenset[Verdict]) -> Truth:
    """What is true where some are lost, or changed, before they come to what ends the train."""
    if not passed:
        return truth
    if passed == {V.MODIFIED}:  # a quote with other bytes proves nothing: LOST is the less that can be said
        more = passed if truth.hop is None else {V.LOST} if V.REJECTED in truth.verdicts else set()
        return replace(truth, verdicts=truth.verdicts | more, partly=True)
    return replace(truth, verdicts=truth.verdicts | (passed - {V.MODIFIED}) | {V.INCONCLUSIVE}, partly=True)


def _twins(world: World, train: Train) -> bool:
    return any(
        each.protocol & 255 == train.protocol & 255 and each.direction is train.direction and each != train
        for each in world.blueprint.trains
    )


def view_of(world: World, train: Train) -> View:
    """The train as the world's parts are asked about it."""
    entries = world.measurement.ledger.trains.get(train, ())
    size = 20 + (len(entries[0].data) if entries else 0)
    way = FORWARD if train.direction is Direction.FORWARD else REVERSE
    return View(train.protocol & 255, train.form is Form.WELLFORMED, way, size)


def _journey(world: World, view: View) -> Iterator[tuple[object, list[Effect]]]:
    blueprint = world.blueprint
    forward = view.way == FORWARD
    for rule in blueprint.near_output if forward else blueprint.far_output:
        yield world.near if forward else world.far, _listed(rule.effect(view))
    elements = world.network.elements
    for element in elements if forward else reversed(elements):
        yield element, element.effects(view) if isinstance(element, Router) else _listed(element.effect(view))  # type: ignore[attr-defined]
    for rule in blueprint.far_inputs if forward else blueprint.near_inputs:
        yield world.far if forward else world.near, _listed(rule.effect(view))


def _listed(effect: Effect | None) -> list[Effect]:
    return [effect] if effect is not None else []


def _has_state(world: World, view: View, element: object) -> bool:
    """Whether what goes forward under this number comes to this translator, and leaves a state that this finds."""
    if view.number == ICMP and view.wellformed:
        return False  # an echo request is nobody's answer
    for train in world.blueprint.trains:
        if train.protocol & 255 != view.number or train.direction is not Direction.FORWARD:
            continue
        other = view_of(world, train)
        if view.number in {ICMP, UDP} and other.wellformed is not view.wellformed:
            continue
        for each, effects in _journey(world, other):
            kinds = {effect.kind for effect in effects}
            if each is element:
                if "translate" in kinds:
                    return True
                break
            if not kinds <= {"pass", "translate", "leak", *PARTLY}:
                break
    return False


def _gone(world: World, nat: str, hop: int, why: str) -> Truth:
    return _with_excuses(world, {V.LOST} if world.blueprint.agent else {V.SILENT}, nat, hop, why)


def _ended(world: World, view: View, effect: Effect, element: object, nat: str, hop: int) -> Truth:
    why = f"{effect.where}: {effect.kind}"
    lost = {V.LOST} if world.blueprint.agent else {V.SILENT}
    found: dict[str, set[Verdict]] = {
        "drop": lost,
        "refused-at-send": {V.REFUSED_AT_SEND},
        "held-by-sender": {V.HELD_BY_SENDER},
        "held-by-receiver": {V.HELD_BY_RECEIVER},
        "renumber": {V.RENUMBERED, V.MODIFIED},
    }
    if effect.kind == "reject":
        return _rejected(world, view, element, nat, hop, why)
    verdicts = found[effect.kind]
    arrives = effect.kind in {"held-by-receiver", "renumber"}
    return _with_excuses(world, verdicts, nat, None if arrives else hop, why)


def _rejected(world: World, view: View, element: object, nat: str, hop: int, why: str) -> Truth:
    lost = V.LOST if world.blueprint.agent else V.SILENT
    unheard = (
        nat == "leaked"  # the error goes to an address that nobody routes to
        or (view.number == ICMP and not view.wellformed)
        or (isinstance(element, Router) and (not element.speaks or element.short))
    )
    verdicts = {lost} if unheard else {V.REJECTED}
    if world.blueprint.loss:
        verdicts.add(lost)
    return _with_excuses(world, verdicts, nat, hop, why)


def _arrived(world: World, view: View, nat: str) -> Truth:
    if world.blueprint.agent:
        return _with_excuses(world, {V.DELIVERED}, nat, None, "nothing stands in its way")
    blueprint = world.blueprint
    if view.number == UDP:
        answered = view.wellformed and blueprint.answers
    elif view.number == ICMP:
        answered = view.wellformed and blueprint.echoes
    else:
        answered = blueprint.answers and view.number not in blueprint.handled
    if answered and nat != "leaked":
        return _with_excuses(world, {V.REACHED}, nat, None, "the target answers it")
    return _with_excuses(world, {V.SILENT}, nat, None, "the target takes it without an answer")


def _with_excuses(world: World, verdicts: set[Verdict], nat: str, hop: int | None, why: str) -> Truth:
    blueprint = world.blueprint
    mute = not (blueprint.agent or blueprint.answers)
    if blueprint.excuses or blueprint.loss or mute:
        verdicts = verdicts | {V.INCONCLUSIVE}
    return Truth(frozenset(verdicts), nat, hop, why)
