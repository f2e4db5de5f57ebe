"""What is true of a train: computed from the world's parts, and from nothing that the engine saw or said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.measure.control.stand_in import scouts_for
from pytest_hdp.packet.family import family_of
from sim.elements import Effect, Mangle, Nat, Router, View
from sim.network import FORWARD, REVERSE
from sim.packet import EXTENSION_HEADERS, UDP
from sim.spent import are_copied, is_imitated

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from sim.world import World

V = Verdict
OF_A_TUNNEL = frozenset({4, 41, 47, 50, 51, 108, 137})  # whose handlers in a kernel say "port unreachable" too
WITH_A_PORT = frozenset({17, 136})
REFERRED = (253, 254, 200)  # numbers that no kernel handles
# Of what is lost by chance every claim that counts is true, if more is lost than of the control.
PARTLY = {
    "lossy": {V.LOSSY, V.LOST, V.FIRST_ONLY, V.DELIVERED, V.INCONCLUSIVE},
    "limited": {V.LOSSY, V.LOST, V.FIRST_ONLY, V.DELIVERED, V.INCONCLUSIVE},
    "first": {V.FIRST_ONLY},
    "first-lost": {V.LOSSY},
    "modify": {V.MODIFIED},
    "modify-some": {V.MODIFIED, V.DELIVERED},
}
ENOUGH = 16  # trains that lose the same packet, and controls beside them, none lost: 1e-9 by chance
CHANGED = ("modify", "modify-some")
PASSING = frozenset({"pass", "pass-translated", "translate", "leak", "opens", "answers", "shared", *PARTLY})


@dataclass(frozen=True, slots=True)
class Truth:
    """Verdicts that say nothing false. `nat`: the state that a record may name. `hop`: the last router that the train
    reaches, counted from its sender; None where it reaches the receiver. `why`: one line. `partly`: some of it
    gets through, or would. `hops`: the routers that it passes or dies at, in its order. `unheard`: errors about it do
    not come back. `arrives`: it comes to the receiver's interface, whatever happens there. `shares`: a limit with other
    numbers, so that what comes through depends on how fast these are asked: of the number itself that tells nothing.
    """

    verdicts: frozenset[Verdict]
    nat: str
    hop: int | None
    why: str
    partly: bool = False
    hops: tuple[str, ...] = ()
    unheard: bool = False
    arrives: bool = False
    shares: bool = False


@dataclass(slots=True)
class _Way:
    """How far the train was followed."""

    nat: str = "none"
    hops: list[str] = field(default_factory=list)
    muted: bool = False
    passed: set[Verdict] = field(default_factory=set)
    shares: bool = False


def truth_of(world: World, train: Train) -> Truth:
    """Follow the train through the world."""
    view = view_of(world, train)
    way = _Way()
    truth = _follow(world, train, view, way)
    elsewhere = world.blueprint.far_bind is not None or any(isinstance(each, Nat) for each in world.network.elements)
    nobody_knows = elsewhere and not _any_control(world, FORWARD)  # where that leads to
    if world.blueprint.agent and (nobody_knows or not _any_control(world, view.way)):
        truth = replace(truth, verdicts=truth.verdicts | {V.INCONCLUSIVE})
    unheard = way.muted or way.nat == "leaked"
    truth = replace(_with(truth, frozenset(way.passed)), hops=tuple(way.hops), unheard=unheard)
    if is_imitated(world, view):
        truth = replace(truth, verdicts=truth.verdicts | {V.INCONCLUSIVE})
    if not (way.shares or _meets_limit(world, view)):
        return truth
    return replace(truth, verdicts=truth.verdicts | {V.INCONCLUSIVE}, shares=True, partly=True)


def _meets_limit(world: World, view: View) -> bool:
    """Whether there is a limit for numbers like this on its way, dead or not: then who measures meets it."""
    return any(effect.kind == "shared" for _, effects, _ in _journey(world, view) for effect in effects)


def meets_chance(world: World, train: Train) -> bool:
    """Whether some of a number's packets are lost on its way, dead or not."""
    return any(effect.kind in PARTLY for _, effects, _ in _journey(world, view_of(world, train)) for effect in effects)


def _follow(world: World, train: Train, view: View, way: _Way) -> Truth:
    for element, effects, now in _journey(world, view):
        if isinstance(element, Router):
            way.hops.append(element.address)
        for effect in effects:
            stops = _passes(world, train, now, effect, way)
            if stops is not None:
                return _ended(world, view, stops, element, way)
        way.muted |= isinstance(element, Router) and element.mutes(now)
    if way.passed:
        return replace(_made(world, set(way.passed), way, None, "it is changed, or some get through"), partly=True)
    return _arrived(world, view, way)


def _passes(world: World, train: Train, view: View, effect: Effect, way: _Way) -> Effect | None:
    """Take note of what is done to a train that goes on; what stops it, if that does."""
    if effect.kind in ("translate", "answers") and not (effect.kind == "translate" and view.way == FORWARD):
        # what goes forward is never an answer: reverse comes after it
        if view.way == FORWARD or not _has_state(world, view, effect.owner) or _misses(world, train, effect):
            kind = effect.detail[0] if effect.kind == "answers" and effect.detail else "drop"
            return Effect(str(kind), (), f"{effect.where}, no state")
    elif effect.kind in ("translate", "pass-translated"):
        way.nat = "leaked" if way.nat == "leaked" else "translated"
    elif effect.kind == "leak":
        way.nat = "leaked"
    elif effect.kind == "shared":
        way.shares = True
    elif effect.kind in PARTLY:
        way.passed |= PARTLY[effect.kind]
        if effect.kind == "first-lost" and not _alike(world, train):
            way.passed |= {V.DELIVERED, V.INCONCLUSIVE}  # too few trains to see what they have in common
        if effect.kind.startswith("first") and (_twins(world, train) or world.blueprint.loss):
            way.passed |= {V.LOST, V.LOSSY}  # it counts packets of the number, whatever is inside or lost later
    return None if effect.kind in PASSING else effect


def _misses(world: World, train: Train, effect: Effect) -> bool:
    """Whether its packets go to another address than a translator's that they would be answers to, as they must where
    nothing of the number came through that would have told that."""
    if effect.kind != "translate" or not getattr(effect.owner, "pool", ""):
        return False
    forward = [each for each in world.blueprint.trains if each.direction is Direction.FORWARD]
    told = any(_gets_through(world, view_of(world, each)) for each in forward if each.protocol == train.protocol)
    entries = world.measurement.ledger.trains.get(train, ())
    sent_to = {fate.destination for fate in world.fates_by_payload({entry.data for entry in entries})}
    return not told and bool(sent_to) and effect.detail[0] not in sent_to


def _alike(world: World, train: Train) -> bool:
    """Whether this world has enough trains of which nothing else becomes, so that what all lose shows."""
    others = [each for each in world.blueprint.trains if each.direction is train.direction]
    return len(others) >= ENOUGH and world.blueprint.pace.control >= ENOUGH and len(world.families) == 1


def _with(truth: Truth, passed: frozenset[Verdict]) -> Truth:
    """What is true where some are lost, or changed, before they come to what ends the train."""
    if not passed or truth.partly:
        return truth
    if passed <= {V.MODIFIED, V.DELIVERED}:  # a quote with other bytes proves nothing: LOST is the less to be said
        more = passed & {V.MODIFIED} if truth.arrives else {V.LOST} if V.REJECTED in truth.verdicts else set()
        return replace(truth, verdicts=truth.verdicts | more, partly=True)
    more = passed if truth.arrives else passed - {V.MODIFIED}
    if V.MODIFIED in passed and V.REJECTED in truth.verdicts:
        more = more | {V.LOST}
    return replace(truth, verdicts=truth.verdicts | more | {V.INCONCLUSIVE}, partly=True)


def _twins(world: World, train: Train) -> bool:
    return any(
        each.protocol & 255 == train.protocol & 255 and each.direction is train.direction and each != train
        for each in world.blueprint.trains
    )


def view_of(world: World, train: Train) -> View:
    """The train as the world's parts are asked about it."""
    entries = world.measurement.ledger.trains.get(train, ())
    data = entries[0].data if entries else b""
    way = FORWARD if train.direction is Direction.FORWARD else REVERSE
    size = world.blueprint.header + len(data)
    return View(train.protocol & 255, train.form is Form.WELLFORMED, way, size, data)


def _journey(world: World, view: View) -> Iterator[tuple[object, list[Effect], View]]:
    """What a train passes, what each does to it, and as what it came there: a box may give it another number."""
    blueprint = world.blueprint
    forward = view.way == FORWARD
    if forward and view.number in blueprint.near_refusals:
        yield world.near, [Effect("no-socket", where="near")], view
    for rule in blueprint.near_output if forward else blueprint.far_output:
        yield world.near if forward else world.far, _listed(rule.effect(view)), view
    for part in _parts(world, view.way):
        for element in _along(part, view):
            if isinstance(element, Router):
                yield element, element.effects(view), view
                continue
            effect = element.effect(view)  # type: ignore[attr-defined]
            yield element, _listed(effect), view
            if isinstance(element, Mangle):
                view = element.after(view)
    for rule in blueprint.far_inputs if forward else blueprint.near_inputs:
        yield world.far if forward else world.near, _listed(rule.effect(view)), view
    if no_socket(world, view):
        yield world.far if forward else world.near, [Effect("no-eye", where="far" if forward else "near")], view


def no_socket(world: World, view: View) -> bool:
    """Whether somebody watches the receiver, and no socket there can listen to the number."""
    refused = view.way == REVERSE and view.number in world.blueprint.near_refusals
    return world.blueprint.agent and (view.number == 0 or refused)


def elements_of(world: World, view: View) -> Iterator[object]:
    """What a train passes on its way under one number, in its order; of a tunnel it sees nothing."""
    for part in _parts(world, view.way):
        for element in _along(part, view):
            yield element
            if isinstance(element, Mangle):
                view = replace(element.after(view), number=view.number)


def _parts(world: World, way: int) -> Sequence[object]:
    elements = [] if world.blueprint.tunnel else world.network.elements
    return elements if way == FORWARD else elements[::-1]


def _along(part: object, view: View) -> Sequence[object]:
    route = getattr(part, "route", None)
    return [part] if route is None else route(view)


def _listed(effect: Effect | None) -> list[Effect]:
    return [effect] if effect is not None else []


def _has_state(world: World, view: View, owner: object) -> bool:
    """Whether what goes the other way under this number comes to this box, and leaves a state that this finds."""
    icmp = world.blueprint.icmp
    if view.number == icmp and view.wellformed:
        return False  # an echo request is nobody's answer
    for train in world.blueprint.trains:
        other = view_of(world, train)
        if other.way == view.way or (view.number in {icmp, UDP} and other.wellformed is not view.wellformed):
            continue
        for effect, now in _until_it_dies(world, other):
            if effect.kind in ("translate", "opens") and effect.owner is owner and now.number == view.number:
                return True
    return False


def _until_it_dies(world: World, view: View) -> Iterator[tuple[Effect, View]]:
    """What is done to a train, one thing after the other, also within one router."""
    for _, effects, now in _journey(world, view):
        for effect in effects:
            yield effect, now
            if effect.kind not in PASSING or (effect.kind == "answers" and view.way == FORWARD):
                return  # what goes forward is never an answer


def _any_control(world: World, way: int) -> bool:
    """Whether anything at all gets through this way: only then is there a path of which something can be said."""
    trains = [view_of(world, train) for train in world.blueprint.trains]
    tried = scouts_for(way, family_of(world.blueprint.target))
    scouts = [View(each.protocol, each.form is Form.WELLFORMED, way, 100) for each in tried]
    others = (view for view in (*trains, *scouts) if view.way == way)
    return usual_control(world, way) or any(_gets_through(world, view) for view in others)


def usual_control(world: World, way: int) -> bool:
    """Whether UDP or echoes get through this way: else who leaked and who was translated nobody can tell."""
    return any(_gets_through(world, View(number, True, way, 100)) for number in (UDP, world.blueprint.icmp))


def _gets_through(world: World, view: View) -> bool:
    """Whether all of it comes to the receiver's interface."""
    for _, effects, now in _journey(world, view):
        for effect in effects:
            if effect.kind in {"held-by-receiver", "no-eye"}:
                return True
            if effect.kind not in PASSING - PARTLY.keys() or (effect.kind == "answers" and view.way == FORWARD):
                return False
            needs_state = effect.kind == "answers" or (effect.kind == "translate" and view.way == REVERSE)
            if needs_state and not (_has_state(world, now, effect.owner) or _control_opens(world, now)):
                return False
    return True


def _control_opens(world: World, view: View) -> bool:
    """Whether it is the control's UDP, and that gets through the other way, so that this is an answer to it."""
    other = replace(view, way=-view.way)
    return view.number == UDP and view.wellformed and view.way == REVERSE and _gets_through(world, other)


def _ended(world: World, view: View, effect: Effect, element: object, way: _Way) -> Truth:
    why = f"{effect.where}: {effect.kind}"
    lost = {V.LOST} if world.blueprint.agent else {V.SILENT}
    held = {V.REACHED if no_socket(world, view) else V.HELD_BY_RECEIVER}
    found: dict[str, set[Verdict]] = {
        "drop": lost,
        "no-socket": {V.REFUSED_AT_SOCKET},
        "no-eye": {V.REACHED},
        "refused-at-send": {V.REFUSED_AT_SEND},
        "held-by-sender": {V.HELD_BY_SENDER},
        "held-by-receiver": held,
    }
    if effect.kind == "handled":
        unheard = {V.SILENT} if way.muted or way.nat == "leaked" else set()
        return replace(_made(world, {V.INCONCLUSIVE} | unheard, way, None, why), arrives=True)
    if effect.kind in ("reject", "loop"):
        return _rejected(world, view, effect, element, way, why)
    at_receiver = effect.kind == "held-by-receiver" or element is (world.far if view.way == FORWARD else world.near)
    made = _made(world, found[effect.kind], way, None if at_receiver else len(way.hops), why)
    return replace(made, arrives=at_receiver)


def _rejected(world: World, view: View, effect: Effect, element: object, way: _Way, why: str) -> Truth:
    """Whoever rejects says so, if it speaks and the sender can hear it."""
    lost = V.LOST if world.blueprint.agent else V.SILENT
    at_host = element is world.far or element is world.near
    if at_host and world.blueprint.agent:
        lost = V.HELD_BY_RECEIVER
        if no_socket(world, view):
            return replace(_made(world, {V.REACHED}, way, None, why), arrives=True)
    speakers = effect.detail if effect.kind == "loop" else (element,)
    dumb = [isinstance(each, Router) and (not each.speaks or each.short) for each in speakers]
    unheard = (
        way.nat == "leaked"  # the error goes to an address that nobody routes to
        or way.muted
        or (view.number == world.blueprint.icmp and not view.wellformed)
        or all(dumb)
    )
    verdicts = {lost} if unheard else {V.REJECTED}
    if any(dumb):  # which of them it is in a loop hangs on the TTL
        verdicts.add(lost)
    if at_host and effect.detail == (3, 3) and not (unheard or world.blueprint.agent):
        verdicts = _port_unreachable(world, view)
    if world.blueprint.loss:
        verdicts.add(lost)
    made = _made(world, verdicts, way, None if effect.kind == "loop" or at_host else len(way.hops), why)
    return replace(made, arrives=at_host)


def _port_unreachable(world: World, view: View) -> set[Verdict]:
    """It is the firewall's word where numbers that no kernel handles bring it too, or where no kernel says so."""
    references = [_stopped(world, View(number, False, FORWARD, 130)) for number in REFERRED]
    rejected = [stop is not None and (stop.kind, stop.where) == ("reject", "far") for stop in references]
    if view.number in WITH_A_PORT:
        heard = all(rejected) and not any(_unheard_of(world, View(number, False, FORWARD, 130)) for number in REFERRED)
        return {V.INCONCLUSIVE} if heard else {V.INCONCLUSIVE, V.REACHED}
    return {V.REJECTED} if all(rejected) or view.number not in OF_A_TUNNEL else {V.REJECTED, V.INCONCLUSIVE}


def _stopped(world: World, view: View) -> Effect | None:
    """What stops a number on its way, if anything does."""
    return next((e for _, effects, _ in _journey(world, view) for e in effects if e.kind not in PASSING), None)


def _arrived(world: World, view: View, way: _Way) -> Truth:
    if world.blueprint.agent:
        return _made(world, {V.DELIVERED}, way, None, "nothing stands in its way")
    blueprint = world.blueprint
    if view.number == UDP:
        answered = view.wellformed and blueprint.answers
    elif view.number == blueprint.icmp:
        answered = view.wellformed and blueprint.echoes
    else:
        through = blueprint.six and view.wellformed and view.number in EXTENSION_HEADERS  # what is inside is unknown
        answered = blueprint.answers and (through or view.number not in blueprint.handled)
    if answered and way.nat != "leaked" and not way.muted:
        return _made(world, {V.REACHED}, way, None, "the target answers it")
    return _made(world, {V.SILENT}, way, None, "the target takes it without an answer")


def _made(world: World, verdicts: set[Verdict], way: _Way, hop: int | None, why: str) -> Truth:
    blueprint = world.blueprint
    mute = not (blueprint.agent or blueprint.answers)
    spent = not blueprint.agent and blueprint.target_bucket.each and (_unheard(world) or are_copied(world))
    if blueprint.excuses or blueprint.loss or mute or spent or (V.SILENT in verdicts and _unprovable(world)):
        verdicts = verdicts | {V.INCONCLUSIVE}
    return Truth(frozenset(verdicts), way.nat, hop, why)


def _unheard(world: World) -> bool:
    """Whether the target sends errors that nobody hears: they take from those that others are held against."""
    return any(_unheard_of(world, view_of(world, train)) for train in world.blueprint.trains)


def _unheard_of(world: World, view: View) -> bool:
    """Whether errors about a train do not come back from the target."""
    return any(
        (isinstance(element, Router) and element.mutes(now)) or "leak" in {effect.kind for effect in effects}
        for element, effects, now in _journey(world, view)
    )


def _unprovable(world: World) -> bool:
    """Whether silence may stay unproven: a router that rejects has few errors, or who measures got no time."""
    routers = [each for each in world.network.elements if isinstance(each, Router)]
    return bool(world.clock.stalled) or any(each.bucket.each and each.rules for each in routers)
