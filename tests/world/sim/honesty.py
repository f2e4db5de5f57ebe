"""What holds whatever a far end says: what the near end saw itself, and what nobody can claim who was not there.

Forward, that is what was sent and left, who rejected it, and that no more arrived than really did: a copy of a probe
holds a keyed MAC, which only who received it can show. That a probe came, to the socket, changed, or when, is the far
end's word, and that it did not come, too: so `lost`, `lossy` and `first_only` hang on it, and of what did come
`delivered`, `modified` and `held_by_receiver`, and NAT. In reverse it is the other way round: what came is seen at the
near end, and what was sent and left, and who rejected it, is the far end's word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Verdict
from sim.counts import answers

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from sim.network import Fate
    from sim.truth import Truth
    from sim.world import World

V = Verdict
CAME = {V.DELIVERED, V.MODIFIED, V.HELD_BY_RECEIVER}
ITS_WORD = {
    Direction.FORWARD: {V.INCONCLUSIVE, V.LOST, V.LOSSY, V.FIRST_ONLY, V.REJECTED},  # by whom is held against who did
    Direction.REVERSE: {
        V.INCONCLUSIVE, V.LOST, V.LOSSY, V.FIRST_ONLY,
        V.REJECTED, V.REFUSED_AT_SEND, V.REFUSED_AT_SOCKET, V.HELD_BY_SENDER, V.RENUMBERED,
    },
}  # fmt: skip
"""What may be said because a far end lies."""


def honest(world: World, judgement: Judgement, truth: Truth, fates: list[Fate]) -> Iterator[str]:
    """What was said wrongly although the far end's word was not needed for it."""
    way = judgement.train.direction
    taken = [fate for fate in fates if not fate.died.startswith("refused")]
    arrived = sum(fate.arrived > 0 for fate in taken)
    allowed = truth.verdicts | ITS_WORD[way] | (CAME if arrived else set())
    if judgement.verdict not in allowed:
        yield f"a liar made it {judgement.verdict}, and {arrived} of {len(taken)} arrived: {judgement.explanation}"
    for name, said, true in (
        ("sent", judgement.sent, len(taken) if way is Direction.FORWARD else judgement.sent),
        ("left", judgement.left, len(taken) if way is Direction.FORWARD else judgement.left),
        ("arrived", judgement.arrived, arrived),
        ("delivered", judgement.delivered, arrived),
    ):
        if said > true:
            yield f"a liar made {name} {said}, and really {true}: {judgement.explanation}"
    if way is Direction.REVERSE:
        return
    yield from answers(world, judgement, fates)
    circles = "loop" in truth.why  # whose second router is on no other way
    if judgement.last_hop is not None and judgement.last_hop.address not in truth.hops and not circles:
        yield f"a liar made {judgement.last_hop.address} a router: {judgement.explanation}"
