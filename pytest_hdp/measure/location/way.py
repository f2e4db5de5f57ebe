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

    def answered(self, hop: Hop, control: Hop, *, known: bool, beside: bool) -> None:
        """Take an answer at a TTL. `control`: who answered the control, or the receiver; `known`: if either is.

        `beside`: the same address answered the control there. Several routers may have it, as those behind a translator
        whose errors bear the target's: while the control goes by them too, that is no circle, and nobody set the TTL.
        """
        if self.circle is not None:
            return
        again = hop.address in self._first and not beside
        if self.last is not None and again and hop.address == self.last.address:
            self.stuck = True
            self.beyond = self.beyond or control
        elif self.last is not None and again:
            self.circle = self.last, self._first[hop.address]
            self.beyond = None
        else:
            self.last, self.beyond, self.stuck = hop, None, False
            self._first.setdefault(hop.address, hop)
            if known:
                self.elsewhere = not beside

    def unanswered(self, control: Hop) -> None:
        """Take note of a TTL at which only the control was seen."""
        if self.circle is None and not self.elsewhere:
            self.beyond = self.beyond or control
