"""What a train lost as nearly all others did (`pattern`): how that weighs in its judgement, and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge import explain
from pytest_hdp.judge.pattern import first_lost, order_text

if TYPE_CHECKING:
    from pytest_hdp.judge.facts import Facts
    from pytest_hdp.judge.pattern import SharedLoss


SEVERAL = 3
"""At so many moments not one outage after the other has met all but the control."""


def shared(facts: Facts, *, apart: bool = False) -> list[SharedLoss]:
    """Return the places in which this train lost a packet as nearly all others did, and the control did not.

    `apart`: only those of which it is known that it was the place, not the moment.
    """
    lost = {place for place, fate in enumerate(facts.fates) if not fate.crossed}
    return [each for each in facts.circumstances.shared if each.place in lost and each.apart >= apart]


def hinders(facts: Facts) -> bool:
    """Say whether such losses are no mere moment: the place was it, or several were, or the first packets (caches)."""
    first, found = first_lost([fate.crossed for fate in facts.fates]), shared(facts)
    return len(found) >= SEVERAL or any(each.apart or each.place < first for each in found)


def only_first(facts: Facts) -> bool:
    """Say whether it has lost nothing but its first packets, at a moment of all: no further round tells of these."""
    came = [fate.crossed for fate in facts.fates]
    return first_lost(came) == len(came) - sum(came) == len(shared(facts))


def text(facts: Facts) -> str:
    """Return what a train lost as others did: "1 of 7 did not come through (the first), as of 248 of 249 trains"."""
    came = [fate.crossed for fate in facts.fates]
    most = max(shared(facts), key=lambda each: (each.apart, each.lost, -each.place))
    then = "" if most.apart else " at the same moment" + "s" * (len(shared(facts)) > 1)
    said = (
        f"{len(came) - sum(came)} of {len(came)} did not come through{order_text(came)}, as of {most.lost} of "
        f"{most.trains} trains{then}, while {explain.control_text(facts)}: something counts the packets of a number"
    )
    return said if most.apart else f"{said}, or nearly all but the control was lost just then"
