"""What strangers and boxes on the path make a target's few ICMP errors go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.elements import Double, Imitator, Replayer

if TYPE_CHECKING:
    from sim.elements import View
    from sim.world import World


def are_copied(world: World) -> bool:
    """Whether copies of what is asked take from the target's errors, those that it would answer with, too."""
    elements = world.network.elements
    return any(isinstance(each, Replayer | Double) or getattr(each, "doubled", 0) for each in elements)


def is_imitated(world: World, view: View) -> bool:
    """Whether a stranger's packet goes beside each of it, of which the target may send the last error that it has."""
    beside = any(isinstance(each, Imitator) and view.number in each.numbers for each in world.network.elements)
    return beside and not world.blueprint.agent
