"""Where may the far end send to? An address learnt from the network is a stranger's until something came back from it.

A packet's source is whatever somebody on the path makes of it, also that of a copy of our own. So what goes to such
an address is counted, over all that a run sends, until a packet of this run's that was sent there has arrived, byte
for byte, at the near end. No more may go there than `MOST_UNCONFIRMED` in
`vantage/remote/agent.py`: an agent, which trusts nobody who tells it what to send, keeps a count of its own. No I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from pytest_hdp.vantage.remote.agent import MOST_UNCONFIRMED
from pytest_hdp.vantage.remote.channel import Packet

HELD_BACK = "EAGAIN"  # an errno that says nothing of the number: of what is not sent since too much was already


class Numbered(Packet, Protocol):
    """A packet that is counted: its index is no other packet's of the path."""

    index: int


@dataclass(slots=True)
class Confirmed:
    """The addresses that the far end of a path may send to, and how many packets may still go to any other.

    `own`: those that the user or our own kernel named. `spent`: by learnt address, packets that went there and of which
    none has come back.
    """

    own: Collection[str]
    spent: Counter[str] = field(default_factory=Counter)
    _out: dict[int, str] = field(default_factory=dict)  # index and address of what was spent
    _confirmed: set[str] = field(default_factory=set)

    def renew(self, own: Collection[str]) -> None:
        """Count on for the same path, opened once more: what was spent stays so, and nothing is confirmed."""
        self.own = own
        self._out.clear()
        self._confirmed.clear()

    @property
    def left(self) -> int:
        """How many packets may still go to addresses that nobody has confirmed, all of them together."""
        return MOST_UNCONFIRMED - self.spent.total()

    def free(self, address: str) -> bool:
        """Whether any number of packets may go there."""
        return address in self.own or address in self._confirmed

    def tried(self, address: str) -> bool:
        """Whether any packet has gone to a learnt address."""
        return bool(self.spent[address]) or address in self._confirmed

    def take(self, address: str, index: int) -> bool:
        """Whether this packet may go there; it is counted then."""
        if self.free(address):
            return True
        if self.left <= 0:
            return False
        self.spent[address] += 1
        self._out[index] = address
        return True

    def came_back(self, index: int) -> str | None:
        """Take note that a packet of the far end's has arrived at the near one as sent: the address confirmed by it."""
        address = self._out.get(index)
        if address is None:
            return None
        self._confirmed.add(address)
        del self.spent[address]
        self._out = {each: to for each, to in self._out.items() if to != address}
        return address

    def refusal(self, address: str) -> str | None:
        """Why no more is sent there, in a sentence; None if it may be, or nobody has tried yet."""
        if self.free(address) or (self.left > 0 and not self.spent[address]):
            return None
        count, to = self.spent[address], f"{address}, the address that the far end saw"
        if not count:  # another one took all
            count, to = self.spent.total(), f"others, before the far end saw {address}"
        packets = "1 packet" if count == 1 else f"{count} packets"
        return f"nothing of {packets} sent to {to}, came back; no more are sent to an address that nobody has confirmed"
