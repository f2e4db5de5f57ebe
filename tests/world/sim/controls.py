"""The control's packets among all that were sent: by the tag in them, whatever the engine made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.packet import ICMP, UDP

if TYPE_CHECKING:
    from pytest_hdp.judge.verdict import Direction
    from sim.network import Fate
    from sim.world import World

RUN_ID = 12  # where the tag begins behind a UDP or echo header and before the MAC: HDP's header has 12 bytes
AT_SOCKET, AT_INTERFACE, ECHOES = "", "(UDP, none of which came to its socket)", "(ICMP echoes, since"


def controls_of(world: World, direction: Direction, said: str = "") -> list[Fate]:
    """The packets that were a control of a round in this direction; neither of the meeting nor of a climb.

    `said`: a sentence that tells which kind of them counts; datagrams, if it tells of no other.
    """
    echo = ECHOES in said
    rounds = {
        index for index, entry in world.measurement.know.control.entries.items()
        if entry.direction is direction and entry.round >= 0 and entry.echo is echo
    }  # fmt: skip
    start = 8 + RUN_ID
    return [
        fate
        for fate in world.network.fates
        if fate.protocol == (ICMP if echo else UDP)
        and not fate.died.startswith("refused")
        and fate.payload[start : start + 8] == world.network.run_id
        and int.from_bytes(fate.payload[start + 8 : start + 12], "big") in rounds
    ]


def came_through(fate: Fate, said: str) -> bool:
    """Whether it came to where the sentence says that the control was looked for."""
    elsewhere = ECHOES in said or AT_INTERFACE in said
    return bool(fate.arrived if elsewhere else fate.delivered)
