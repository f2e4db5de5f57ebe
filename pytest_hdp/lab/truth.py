"""What a box, a path of boxes, does to a train: stated in advance, and composed along the path."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import lru_cache
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
# A train of which nothing gets through is no train of which something does, whatever was lost of it before.
_WORST = tuple(sorted(LADDER, key=lambda verdict: verdict not in _ENDS)).index
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
    Verdict.REACHED: Place.TARGET,
}
BY_CHANCE = "translated or leaked"


@dataclass(frozen=True, slots=True)
class Truth:
    """The verdict that is right, with an agent at the target, and what else is true of the train.

    `also`: verdicts that a careful measurement may come to instead, for want of evidence.
    `errno`: with a refusal. `icmp`: type and code of the error that the sender gets, `icmp_from` who sends it.
    `nat`: "translated", "leaked", "none", or `BY_CHANCE` where a train has packets of both; `nat_source`: the source
    address that the receiver sees, None where it may be either.
    `changed`: fields that differ on arrival, by the names of `judge.evidence.Sighting`.
    `recovers_after`: seconds of idling after which one more packet passes the box that lets the first one pass: it may
    be the one with which a hop is looked for, whose `last_hop` is then further away.
    `second_host`: the verdict for the same number from a second host behind the same NAT, while the first's
    mapping lives. `box`: who decided. `last_hop`: with `lost`, `rejected` and `first_only`, the last router that still
    answers when the train's TTL ends there (None: not one does). `gathered`: with `lost`, the box keeps it before it
    looks at the TTL.
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
    gathered: bool = False

    @property
    def place(self) -> Place:
        """The rung's place."""
        return _PLACES.get(self.verdict, Place.UNKNOWN)

    @property
    def ends(self) -> bool:
        """Whether no packet of the train gets beyond this box."""
        return self.verdict in _ENDS

    def without_socket(self) -> Truth:
        """Return what is true where no socket can listen to the number: what came to the interface was reached."""
        seen = {Verdict.DELIVERED: Verdict.REACHED, Verdict.HELD_BY_RECEIVER: Verdict.REACHED}
        verdict = seen.get(self.verdict, self.verdict)
        also = frozenset(seen.get(each, each) for each in self.also) - {verdict}
        second = seen.get(self.second_host, self.second_host) if self.second_host is not None else None
        return replace(self, verdict=verdict, also=also, second_host=second)

    def followed_by(self, further: Truth) -> Truth:
        """Compose the truth of what a train passed with that of the next box on its path.

        What ends it wins, then the higher rung; a packet once ended sees no further box, NAT and changes accumulate.
        """
        if self.ends or further == DELIVERED:
            return self
        return _in_turn(self, further)


DELIVERED = Truth()


@lru_cache(maxsize=4096)  # most of the 256 numbers meet the same truths on a path
def _in_turn(first: Truth, further: Truth) -> Truth:
    """Compose two of which the first does not end the train."""
    worse = _WORST(further.verdict) < _WORST(first.verdict)
    decisive = further if worse else first
    shut = first if first.verdict is Verdict.FIRST_ONLY else decisive  # what comes later, to find a hop, dies there
    leaks = "leaked" in (first.nat, further.nat)
    state = "leaked" if leaks else further.nat if further.nat != "none" else first.nat
    return replace(
        first,
        verdict=decisive.verdict,
        box=decisive.box,
        also=_either(first, further),
        errno=decisive.errno,
        icmp=decisive.icmp,
        icmp_from=decisive.icmp_from,
        last_hop=shut.last_hop,
        nat=state,
        nat_source=first.nat_source if leaks or further.nat_source is None else further.nat_source,
        changed=tuple(dict.fromkeys(first.changed + further.changed)),
        duplicates=first.duplicates or further.duplicates,
        reorders=first.reorders or further.reorders,
        delay_us=first.delay_us + further.delay_us,
        recovers_after=shut.recovers_after,
        second_host=_worst(first.second_host, further.second_host),
    )


def _either(first: Truth, further: Truth) -> frozenset[Verdict]:
    """What may be right instead, with the next box passed too: the worse one of every pair of possibilities."""
    ours, theirs = ({each.verdict, *each.also} for each in (first, further))
    found = {min(pair, key=_WORST) for pair in itertools.product(ours, theirs)}
    found |= {Verdict.INCONCLUSIVE} & (ours | theirs)
    if {Verdict.FIRST_ONLY, Verdict.INCONCLUSIVE} <= ours | theirs:
        # Where chance takes packets, it may take the one that passes, or the first ones before it.
        found |= {Verdict.LOST} if further.ends else {Verdict.LOST, Verdict.LOSSY}
    if further.verdict is Verdict.REJECTED and Verdict.MODIFIED in ours:
        found.add(Verdict.LOST)  # the error quotes what came there, in which nobody knows the packet again
    if further.verdict is Verdict.HELD_BY_RECEIVER:
        # Its damage may be why it is held; and of one that came and was held the rest tells more.
        found |= {Verdict.MODIFIED, Verdict.FIRST_ONLY} & ours
    return frozenset(found - {min(first.verdict, further.verdict, key=_WORST)})


def _worst(first: Verdict | None, second: Verdict | None) -> Verdict | None:
    known = [each for each in (first, second) if each is not None]
    return min(known, key=_WORST) if known else None
