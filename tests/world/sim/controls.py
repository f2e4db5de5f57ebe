"""The control's packets among all that were sent: by the tag in them, whatever the engine made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.packet import UDP

if TYPE_CHECKING:
    from pytest_hdp.judge.verdict import Direction
    from sim.network import Fate
    from sim.world import World

RUN_ID = 12  # where the tag begins behind a UDP header and before the MAC: HDP's header has 12 bytes


def controls_of(world: World, direction: Direction) -> list[Fate]:
    """The datagrams that were a control of a round in this direction; neither of the meeting nor of a climb."""
    rounds = {
        index for index, entry in world.measurement.know.control.entries.items()
        if entry.direction is direction and entry.round >= 0 and not entry.echo
    }  # fmt: skip
    start = 8 + RUN_ID
    return [
        fate
        for fate in world.network.fates
        if fate.protocol == UDP
        and not fate.died.startswith("refused")
        and fate.payload[start : start + 8] == world.network.run_id
        and int.from_bytes(fate.payload[start + 8 : start + 12], "big") in rounds
    ]
