"""What a box, a path of boxes, does to a train: stated in advance, and composed along the path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Place, Verdict

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Hop

LADDER = tuple(Verdict)
_ENDS = frozenset(
    {
        Verdict.REFUSED_AT_SOCKET,
        Verdict.REFUSED_AT_SEND,
        Verdict.HELD_BY_SENDER,
        Verdict.REJECTED,
        Verdict.LOST,
        Verdict.HELD_BY_RECEIVER,
    }
)
_PLACES = {
    Verdict.REFUSED_AT_SOCKET: Place.SENDER_SOCKET,
    Verdict.REFUSED_AT_SEND: Place.SENDER_SEND,
    Verdict.HELD_BY_SENDER: Place.SENDER_KERNEL,
    Verdict.RENUMBERED: Place.SENDER_KERNEL,
    Verdict.REJECTED: Place.HOP,
    Verdict.LOST: Place.PATH,
    Verdict.FIRST_ONLY: Place.PATH,
    Verdict.LOSSY: Place.PATH,
    Verdict.HELD_BY_RECEIVER: Place.RECEIVER_KERNEL,
    Verdict.MODIFIED: Place.RECEIVER_SOCKET,
    Verdict.DELIVERED: Place.RECEIVER_SOCKET,
}


@dataclass(frozen=True, slots=True)
class Truth:
    """The verdict that is right, with an agent at the target, and what else is true of the train.

    `also`: verdicts that a careful measurement may come to instead, for want of evidence.
    `errno`: with a refusal. `icmp`: type and code of the error that the sender gets, `icmp_from` who sends it.
    `nat`: "translated", "leaked" or "none"; `nat_source`: the source address that the receiver sees.
    `changed`: fields that differ on arrival, by the names of `judge.evidence.Sighting`.
    `recovers_after`: seconds of idling after which a train that ended `first_only` passes once more.
    `second_host`: the verdict for the same number from a second host behind the same NAT, while the first's
    mapping lives. `box`: who decided. `last_hop`: with `lost`, `rejected` and `first_only`, the last router that still
    answers when the train's TTL ends there (None: not one does).
    """

    verdict: Verdict = Verdict.DELIVERED
    also: frozenset[Verdict] = frozenset()
    errno: str | None = None
    icmp: tuple[int, int] | None = None
    icmp_from: str | None = None
    nat: str = "none"
    nat_source: str | None = None
    changed: tuple[str, ...] = ()
    duplicates: bool = False
    reorders: bool = False
    delay_us: float = 0.0
    recovers_after: float | None = None
    second_host: Verdict | None = None
    box: str = ""
    last_hop: Hop | None = None

    @property
    def place(self) -> Place:
        """The rung's place."""
        return _PLACES.get(self.verdict, Place.UNKNOWN)

    @property
    def ends(self) -> bool:
        """Whether no packet of the train gets beyond this box."""
        return self.verdict in _ENDS

    def followed_by(self, further: Truth) -> Truth:
        """Compose the truth of what a train passed with that of the next box on its path.

        The higher rung wins, a packet once ended sees no further box, NAT and changes accumulate.
        """
        if self.ends:
            return self
        worse = LADDER.index(further.verdict) < LADDER.index(self.verdict)
        decisive = further if worse else self
        leaks = "leaked" in (self.nat, further.nat)
        state = "leaked" if leaks else further.nat if further.nat != "none" else self.nat
        return replace(
            self,
            verdict=decisive.verdict,
            box=decisive.box,
            also=self.also | further.also,
            errno=decisive.errno,
            icmp=decisive.icmp,
            icmp_from=decisive.icmp_from,
            last_hop=decisive.last_hop,
            nat=state,
            nat_source=self.nat_source if leaks or further.nat_source is None else further.nat_source,
            changed=tuple(dict.fromkeys(self.changed + further.changed)),
            duplicates=self.duplicates or further.duplicates,
            reorders=self.reorders or further.reorders,
            delay_us=self.delay_us + further.delay_us,
            recovers_after=decisive.recovers_after,
            second_host=_worst(self.second_host, further.second_host),
        )


DELIVERED = Truth()


def _worst(first: Verdict | None, second: Verdict | None) -> Verdict | None:
    known = [each for each in (first, second) if each is not None]
    return min(known, key=LADDER.index) if known else None
