"""The way that a train's packets take, from the routers that let their TTL expire. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Hop


@dataclass(slots=True)
class Way:
    """What is known of one way, told rung by rung, the lowest TTL first.

    `last`: the last router that answered; `beyond`: the first place behind it where only the control was seen.
    `elsewhere`: that router is not the control's at its TTL, so that the control tells nothing of what follows.
    `circle`: who sends it back, and to whom. `stuck`: one router answers at two TTLs in a row, as where a box before it
    has set the TTL, whatever that was.
    """

    last: Hop | None = None
    beyond: Hop | None = None
    elsewhere: bool = False
    stuck: bool = False
    circle: tuple[Hop, Hop] | None = None
    _first: dict[str, Hop] = field(default_factory=dict)

    def answered(self, hop: Hop, control: Hop, *, known: bool) -> None:
        """Take an answer at a TTL. `control`: who answered the control, or the receiver; `known`: if either is."""
        if self.circle is not None:
            return
        if self.last is not None and hop.address == self.last.address:
            self.stuck = True
            self.beyond = self.beyond or control
        elif self.last is not None and hop.address in self._first:
            self.circle = self.last, self._first[hop.address]
            self.beyond = None
        else:
            self.last, self.beyond, self.stuck = hop, None, False
            self._first[hop.address] = hop
            if known:
                self.elsewhere = hop.address != control.address

    def unanswered(self, control: Hop) -> None:
        """Take note of a TTL at which only the control was seen."""
        if self.circle is None and not self.elsewhere:
            self.beyond = self.beyond or control
