"""A host's own firewall that lets in only what answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.elements import GENERIC_TIMEOUT, Effect, View, flow_key, looks_valid
from sim.packet import Packet

if TYPE_CHECKING:
    from sim.world import World

Says = Callable[[View], Effect | None]


@dataclass(slots=True, eq=False)
class HostState:
    """The states that packets leave, each for `timeout` ns. `exempt`: numbers that may come in any case.

    `now`: what tells the time, once the world is put together.
    """

    timeout: int = GENERIC_TIMEOUT
    exempt: frozenset[int] = frozenset()
    now: Callable[[], int] = lambda: 0
    _flows: dict[tuple[object, ...], int] = field(default_factory=dict)

    def tell_time(self, world: World) -> None:
        """Give it the world's time."""
        self.now = lambda: world.clock.now

    def out(self, packet: Packet) -> None:
        """Note what leaves."""
        if packet.quote is None and looks_valid(packet):
            self._flows[flow_key(packet, 1)] = self.now()

    def into(self, packet: Packet) -> str | None:
        """A firewall's word on what comes in."""
        if packet.quote is not None:
            about = packet.quote
            known = looks_valid(about) and flow_key(about, 1) in self._flows
            return None if about.protocol in self.exempt or known else "drop"
        if packet.protocol in self.exempt:
            return None
        key = flow_key(packet, -1)
        now = self.now()
        if not looks_valid(packet) or now - self._flows.get(key, -self.timeout - 1) > self.timeout:
            return "drop"
        self._flows[key] = now
        return None

    def opens(self, way: int) -> Says:
        """What `out` does to trains that go this way."""
        return lambda view: Effect("opens", owner=self) if view.way == way and view.valid else None

    def answers(self, way: int) -> Says:
        """What `into` does to trains that go this way."""

        def effect(view: View) -> Effect | None:
            if view.way != way or view.number in self.exempt:
                return None
            return Effect("answers", ("held-by-receiver",), owner=self) if view.valid else Effect("held-by-receiver")

        return effect
