"""The way that a train's packets take, from the routers that let their TTL expire. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_hdp.judge.result import Hop


@dataclass(slots=True)
class Way:
    """What is known of one way, told rung by rung, the lowest TTL first.

    `last`: the last router that answered; `beyond`: the first place behind it where only the control was seen.
    `elsewhere`: that router is not the control's at its TTL, so that the control tells nothing of what follows.
    `circle`: who sends it back, and to whom: known once it went round twice. `stuck`: one router answers at two TTLs in
    a row, as where a box before it has set the TTL, whatever that was.
    """

    last: Hop | None = None
    beyond: Hop | None = None
    elsewhere: bool = False
    stuck: bool = False
    circle: tuple[Hop, Hop] | None = None
    _met: dict[int, str] = field(default_factory=dict)
    _apart: set[int] = field(default_factory=set)  # TTLs at which the control was not answered by the same address

    def answered(self, hop: Hop, control: Hop, *, known: bool, beside: bool) -> None:
        """Take an answer at a TTL. `control`: who answered the control, or the receiver; `known`: if either is.

        `beside`: the same address answered the control there. Several routers may have it, as those behind a translator
        whose errors bear the target's: while the control goes by them too, that is no circle, and nobody set the TTL.
        """
        if self.circle is not None:
            return
        self._met[hop.ttl] = hop.address
        if not beside:
            self._apart.add(hop.ttl)
        if not beside and hop.address == self._met.get(hop.ttl - 1):
            self.stuck = True
            self.beyond = self.beyond or control
            return
        self.last, self.beyond, self.stuck = hop, None, False
        if known:
            self.elsewhere = not beside
        periods = range(2, hop.ttl)
        self.circle = next(filter(None, (self._circle_of(period, hop.ttl) for period in periods)), None)

    def unanswered(self, control: Hop) -> None:
        """Take note of a TTL at which only the control was seen."""
        if self.circle is None and not self.elsewhere:
            self.beyond = self.beyond or control

    @property
    def again(self) -> Hop | None:
        """Where the last address had answered before: a circle that it did not go twice, or two routers of one name."""
        if self.last is None or self.circle is not None or self.stuck or self.last.ttl not in self._apart:
            return None
        before = [ttl for ttl, address in self._met.items() if address == self.last.address and ttl < self.last.ttl - 1]
        return Hop(min(before), self.last.address) if before else None

    def _circle_of(self, period: int, ttl: int) -> tuple[Hop, Hop] | None:
        """Who sends it back, and to whom, if it has gone round twice by this TTL, with so many routers in the circle.

        An address may be on a way twice, as in two private networks, and that is no circle. So all of them answered
        twice, in the same order, or, where some are silent, one of them three times.
        """
        round_, before = (range(ttl - period * each + 1, ttl - period * (each - 1) + 1) for each in (1, 2))
        pairs = [(self._met.get(now), self._met.get(then)) for now, then in zip(round_, before, strict=True)]
        if any(one != other for one, other in pairs if one is not None and other is not None):
            return None
        thrice = self._met.get(ttl) == self._met.get(ttl - period) == self._met.get(ttl - 2 * period)
        if not thrice and any(None in pair for pair in pairs):
            return None
        known = [each for each in (*[ttl - 2 * period] * thrice, *before) if each in self._met]
        if len({self._met[each] for each in known}) < 2 or self._apart.isdisjoint(round_):
            return None  # one address may be that of several, or of who meets every TTL that a box has set
        first = known[0]
        sends = max(each for each in known if each < first + period)
        return Hop(sends, self._met[sends]), Hop(first, self._met[first])
