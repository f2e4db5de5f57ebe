"""Where the far end saw us, by the probes that came there: what tells where no control does. No I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_hdp.packet.view import PacketView

FOR_OWN = 4  # packets from our own address count as one from another


@dataclass(slots=True)
class Probed:
    """The source and destination addresses of packets that came forward as sent, and how often each."""

    _seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, packet: PacketView) -> None:
        """Count a packet."""
        self._seen[packet.source, packet.destination] += 1

    def likeliest(self, own: str) -> tuple[str, str] | None:
        """The pair that most came with; that from our `own` address, only if there are hardly any others.

        Our own tells of no translator, or of one that lets these numbers pass as they are: then the others' is better.
        """
        ranked = sorted(self._seen, key=lambda each: (-self._seen[each] * (1 if each[0] == own else FOR_OWN), each))
        return ranked[0] if ranked else None
