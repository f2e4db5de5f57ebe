"""The control's packets among all that were sent: by the tag in them, whatever the engine made of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sim.packet import UDP

if TYPE_CHECKING:
    from pytest_hdp.judge.verdict import Direction
    from sim.network import Fate
    from sim.world import World

RUN_ID = 12  # where the tag begins behind a UDP or echo header and before the MAC: HDP's header has 12 bytes
AT_SOCKET, AT_INTERFACE, ECHOES = "", "(UDP, none of which came to its socket)", "(ICMP echoes, since"
_STAND_IN = re.compile(r"\(packets of (\d+) ")


def stands_in(said: str) -> int | None:
    """The number of which a sentence says that its packets stood in for the control."""
    found = _STAND_IN.search(said)
    return int(found[1]) if found else None


def controls_of(world: World, direction: Direction, said: str = "") -> list[Fate]:
    """The packets that were a control of a round in this direction; neither of the meeting nor of a climb.

    `said`: a sentence that tells which kind of them counts; datagrams, if it tells of no other.
    """
    stand_in = stands_in(said)
    number = stand_in if stand_in is not None else world.blueprint.icmp if ECHOES in said else UDP
    indices = {
        index for index, entry in world.measurement.know.control.entries.items()
        if entry.direction is direction and entry.round >= 0 and entry.protocol == number
        and (entry.stand_in is not None) is (stand_in is not None)
    }  # fmt: skip
    return [
        fate
        for fate in world.network.fates
        if fate.protocol == number and not fate.died.startswith("refused") and _index(world, fate) in indices
    ]


def _index(world: World, fate: Fate) -> int | None:
    """What stands behind the run id, wherever in its payload that is."""
    at = fate.payload.find(world.network.run_id)
    return int.from_bytes(fate.payload[at + 8 : at + 12], "big") if at >= RUN_ID else None


def came_through(fate: Fate, said: str) -> bool:
    """Whether it came to where the sentence says that the control was looked for."""
    elsewhere = ECHOES in said or AT_INTERFACE in said or _STAND_IN.search(said)
    return bool(fate.arrived if elsewhere else fate.delivered)
