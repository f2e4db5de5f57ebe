"""Where a train died, by what the open observers, and who rejected it, tell. No I/O."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from pytest_hdp.judge.distance import is_as_far
from pytest_hdp.judge.verdict import Place
from pytest_hdp.packet.icmp import Meaning

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import IcmpReport, Probe
    from pytest_hdp.judge.facts import Facts

_Told: TypeAlias = "list[tuple[Probe, IcmpReport]]"


def of_losses(facts: Facts) -> Place:
    """Return where most losses took place, as far as the open observers tell."""
    places = Counter(_place(facts, fate.probe) for fate in facts.fates if not fate.last)
    return min(places, key=lambda place: (-places[place], place), default=Place.UNKNOWN)


def _place(facts: Facts, probe: Probe) -> Place:
    observers = facts.circumstances.observers
    if probe.arrived:
        return Place.RECEIVER_KERNEL
    if observers.left and not probe.left:
        return Place.SENDER_KERNEL
    return Place.PATH if observers.left and observers.arrived else Place.UNKNOWN


def of_rejection(facts: Facts, told: _Told, nearer: _Told, crossed: int) -> Place:
    """Return where it was rejected. `told`: by these errors; `nearer`: those that seem to come from before the target.

    A box may speak in the target's name: an open tap there that saw nothing says that one did.
    """
    if all(report.meaning is Meaning.INCOMPLETE for _, report in told):
        return Place.PATH  # the fragment that never came died there
    if nearer == told and all(is_as_far(report.ttl, facts.circumstances.echo_ttls) for _, report in nearer):
        return Place.UNKNOWN
    its_own = [each for each in told if each not in nearer and facts.from_target(each[1].source)]
    return Place.TARGET if its_own and (crossed or not facts.circumstances.observers.arrived) else Place.HOP
