"""Every number that a record or its sentence holds, against what really happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from math import comb
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import BOTH_FORMS, Direction, Verdict
from sim.controls import came_through, controls_of, stands_in
from sim.elements import Replayer
from sim.truth import truth_of

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from sim.network import Fate
    from sim.truth import Truth
    from sim.world import World

_LEFT = re.compile(r"(\d+) of (\d+) left ")
_ARRIVED = re.compile(r"left [^,;]*, (\d+) arrived at")
_CAME = re.compile(r", (\d+) came to its socket")
_NO_FEWER = re.compile(r"(\d+) of (\d+) arrived as sent")
_CONTROL = re.compile(r"the control lost (\d+) of (\d+)")
_ALL_CAME = re.compile(r"all (\d+) control packets arrived")
_ANSWERED = re.compile(r"([\da-f]+[.:][\da-f.:]+) answered (\d+) with [^()]*\(ICMP(?:v6)? (\d+)/(\d+)\)")
_REFUSED = re.compile(r"sendto\(\) refused (\d+) of (\d+)")
_BOUND = re.compile(r"(\d+) of (\d+) arrived: delivery probability below ([\d.]+) % at 95 %")
_AFTER = re.compile(r"the first(?: (\d+))? came through and none of the (\d+) after")
_GONE = re.compile(r"(\d+) of (\d+) did not come through")


def counts(world: World, judgement: Judgement, truth: Truth, fates: list[Fate]) -> Iterator[str]:
    """What is counted wrongly."""
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
    behind = world.blueprint.far_end or world.blueprint.near_end  # more is sent while what was becomes known
    if world.blueprint.agent and not behind and judgement.sent != len(taken):
        yield f"sent {judgement.sent}, and really {len(taken)}"
    later = any(isinstance(each, Replayer) for each in world.network.elements)  # a copy may get through, that is
    if judgement.verdict is Verdict.LOST and arrived and not (world.blueprint.loss or truth.partly or later):
        yield f"lost, and {arrived} arrived: {judgement.explanation}"
    surplus = sum(max(fate.arrived, 1) - 1 for fate in left)
    if judgement.duplicated > surplus:
        yield f"duplicated {judgement.duplicated}, and really {surplus}"
    yield from _sentence(judgement, len(left), arrived)
    yield from _control(world, judgement)
    yield from answers(world, judgement, fates)
    yield from _bound(judgement)


def _sentence(judgement: Judgement, left: int, arrived: int) -> Iterator[str]:
    said, most = judgement.explanation, max(arrived, judgement.delivered)
    if any(tuple(map(int, each)) != (judgement.left, judgement.sent) for each in _LEFT.findall(said)):
        yield f"the sentence and the record count differently: {said}"
    if any(int(each) != judgement.arrived for each in _ARRIVED.findall(said)):
        yield f"the sentence and the record count differently: {said}"
    if any(int(each) < judgement.delivered for each in _CAME.findall(said)):
        yield f"fewer came to the socket than were delivered: {said}"
    for counted, sent in _numbers(_NO_FEWER, said):
        if counted > arrived + (judgement.left < judgement.sent) * judgement.sent or sent != judgement.sent:
            yield f"{counted} of {sent} as sent, and really {arrived} arrived: {said}"
    for first, after in _numbers(_AFTER, said):
        if max(first, 1) + after > judgement.sent or max(first, 1) > most:
            yield f"more came first, and none after, than were sent: {said}"
    for gone, tried in _numbers(_GONE, said):
        if tried > judgement.sent or tried - gone > most:
            yield f"{gone} of {tried} did not come through, and really {arrived} of {left} did: {said}"


def _numbers(pattern: re.Pattern[str], said: str) -> list[tuple[int, ...]]:
    """What a sentence counts; what is left out is 0."""
    return [tuple(int(number or 0) for number in found) for found in pattern.findall(said)]


def _control(world: World, judgement: Judgement) -> Iterator[str]:
    """The control's loss, as far as it had been sent when the sentence was made."""
    claims = _CONTROL.findall(judgement.explanation)
    claims += [("0", sent) for sent in _ALL_CAME.findall(judgement.explanation)]
    if not claims or not world.blueprint.agent:
        return
    fates = controls_of(world, judgement.train.direction, judgement.explanation)
    lost = sum(not came_through(fate, judgement.explanation) for fate in fates)
    unknown = eyes_fail(world) or _is_changed(world, judgement)
    for said_lost, said_sent in claims:
        gone, sent = int(said_lost), int(said_sent)
        if sent > len(fates) or sent - gone > len(fates) - lost or (gone > lost and not unknown):
            yield f"the control lost {gone} of {sent}, and really {lost} of {len(fates)}: {judgement.explanation}"


def _is_changed(world: World, judgement: Judgement) -> bool:
    """Whether what stands in for the control is changed on its way at times: then it is none."""
    number = stands_in(judgement.explanation)
    trains = [] if number is None else [replace(judgement.train, protocol=number, form=form) for form in BOTH_FORMS]
    return any(Verdict.MODIFIED in truth_of(world, train).verdicts for train in trains)


def eyes_fail(world: World) -> bool:
    """Whether what came may not have been seen: late, or for want of buffer."""
    slow = ("held", "later")  # of a link, and of who sends again what it saw
    late = bool(world.clock.stalled) or any(getattr(each, how, 0) for each in world.network.elements for how in slow)
    return late or any(station.overflowed for host in (world.near, world.far) for station in host.stations)


def answers(world: World, judgement: Judgement, fates: list[Fate]) -> Iterator[str]:
    """Whoever is said to have answered has, so often at least."""
    mine = {fate.number for fate in fates}
    blueprint, errors = world.blueprint, world.network.errors
    inside = {blueprint.target: blueprint.far_address}  # whose errors a translator gives another address
    for address, count, kind, code in _ANSWERED.findall(judgement.explanation):
        true = len(errors.get((inside.get(address, address), int(kind), int(code)), set()) & mine)
        if int(count) > true:
            yield f"{address} answered {true} with {kind}/{code}: {judgement.explanation}"
    for each in judgement.icmp:
        true = len(errors.get((inside.get(each.source, each.source), each.type, each.code), set()) & mine)
        if each.authenticated and not true:
            yield f"{each.source} never said {each.type}/{each.code}"
    refused = sum(fate.died.startswith("refused") for fate in fates)
    for count, _ in _REFUSED.findall(judgement.explanation):
        if int(count) > refused and "no route" not in blueprint.excuses:
            yield f"{refused} were refused: {judgement.explanation}"


def _bound(judgement: Judgement) -> Iterator[str]:
    """The exact one-sided bound, made anew."""
    for text in filter(None, (judgement.bound, judgement.explanation)):
        for came, sent, percent in _BOUND.findall(text):
            if int(sent) > judgement.sent:
                yield f"a bound from {sent}, of {judgement.sent} that were sent: {text}"
            exact = 100 * upper(int(came), int(sent))
            if not exact - 1e-6 <= float(percent) <= exact + 1.0:
                yield f"{came} of {sent} leaves {exact:.2f} %: {text}"
    if judgement.bound is None and judgement.verdict is Verdict.LOST and judgement.train.direction is Direction.FORWARD:
        yield "lost without a bound"


def too_few(judgement: Judgement) -> bool:
    """Whether so few came that the delivery probability may well be below a fifth."""
    came = max(judgement.arrived, judgement.delivered)  # an interface may be another one than the tap's
    return 100 - 100 * upper(judgement.sent - came, judgement.sent) < 20


def upper(came: int, sent: int) -> float:
    """The probability below which so few came with 5 %: by sums of the binomial, halving."""
    if came >= sent:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        tail = sum(comb(sent, k) * middle**k * (1 - middle) ** (sent - k) for k in range(came + 1))
        low, high = (middle, high) if tail > 0.05 else (low, middle)
    return high
