"""The first few came and then none: is that order, or chance that lets a share pass?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge import statistics

if TYPE_CHECKING:
    from pytest_hdp.judge.facts import Facts

IN_FRONT = 0.01
"""Likelier than that, by chance of whatever share, the order of one train's packets does not tell."""


def no_front_by_chance(facts: Facts, came: int, lost: int) -> bool:
    """Say whether chance that lets a share pass hardly ever takes the first `came` and none of the `lost` after them.

    Whatever the share; and whatever it is of the trains beside this one that some come of, in any order. Trains that
    are alike in that count together: four of four hardly look so by chance. Where nearly all trains lost their packets
    in the same places, and none before them, the order is that of all.
    """
    there = {each.place for each in facts.circumstances.shared}
    after = [place for place, fate in enumerate(facts.fates) if not fate.crossed]
    if after and there.issuperset(after) and there.isdisjoint(range(came)):
        return True
    others = facts.circumstances.at_random
    chance = max(statistics.front_by_chance(came, lost), statistics.fronts_by_chance(came, lost, 1, others))
    for first, least, alike in facts.circumstances.fronts:
        if first == came and alike > 1:
            chance = min(chance, statistics.fronts_by_chance(came, min(lost, least), alike, others))
    return chance <= IN_FRONT
