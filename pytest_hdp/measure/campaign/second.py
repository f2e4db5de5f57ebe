"""What a second source is for: a host beside the first one, from which nothing has been sent yet.

What is behind a translator shares its outside address with others, and few protocols have ports by which to tell them
apart. Is a second host let through too? And what comes in that neither has asked for?
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.explain import subject
from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.campaign.spec import PathSpec
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.schedule.engine import Measurement

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.plan import Plan

UNSOLICITED = "unsolicited"
SECOND_HOST = "second"
_CAME = frozenset({Verdict.DELIVERED, Verdict.MODIFIED, Verdict.HELD_BY_RECEIVER, Verdict.INCONCLUSIVE})


def once(default: Plan, numbers: Iterable[int]) -> Plan:
    """A packet of each number."""
    return replace(
        default,
        trains=tuple(Train(number) for number in numbers),
        pace=replace(default.pace, rounds=1, most_rounds=1),
        locate="none",
    )


def from_second(usual: PathSpec, beside: Callable[[str], PathSpec], numbers: Iterable[int]) -> list[PathSpec]:
    """Paths to the same target from a second source. `beside`: makes one, given what is added to the target's name.

    What is unasked comes after all that the first source asks for, and before all that the second one does.
    """
    unsolicited, second = beside(UNSOLICITED), beside(SECOND_HOST)
    key = f"{usual.key}#{UNSOLICITED}"
    return [
        replace(unsolicited, key=key, after=(usual.key,), revise=unasked),
        replace(
            second,
            key=f"{usual.key}#{SECOND_HOST}",
            after=(usual.key, key),
            open=lambda: _after_the_first(usual, second, tuple(numbers)),
            reach=lambda: _reach(usual, second),
        ),
    ]


def _reach(*path_specs: PathSpec) -> None:
    for spec in path_specs:
        if spec.reach is not None:
            spec.reach()


@contextmanager
def _after_the_first(usual: PathSpec, second: PathSpec, numbers: tuple[int, ...]) -> Generator[OpenPath]:
    """From the second host, after the first one has sent a packet of each number."""
    with usual.open() as first:
        Measurement(first, once(usual.plan, numbers)).run()
        first.close_numbers()
        with second.open() as path:
            yield path


def unasked(judgement: Judgement, own: str, of_first: Callable[[Train], Judgement | None]) -> Judgement:
    """What does not come in to an outside address from where another host has asked for it may have come in there.

    `own`: the second source's address; `of_first`: what became of a train from the first one, None if it sent none.
    """
    outside = judgement.sent_to
    if judgement.verdict in _CAME or outside in {None, own}:  # without a translator nobody else has this address
        return judgement
    asked = None
    with suppress(PathUnavailable):
        asked = of_first(replace(judgement.train, direction=Direction.FORWARD))
    if asked is None or not asked.sent or asked.nat.source not in {None, outside}:
        return judgement
    said = (
        f"{subject(judgement.train)}: sent to {outside}, the outside address of the first source too, which has sent "
        "packets of this number in this run: what comes in is its answer. Ask for it alone: -k unsolicited."
    )
    unknown = replace(judgement, verdict=Verdict.INCONCLUSIVE, place=Place.UNKNOWN, explanation=said)
    return replace(unknown, bound=None, last_hop=None)
