"""At user level a packet also waits to be read, and whoever has lost more of its own kind waits in a shorter line.

Of what waits together one packet of each kind is read in turn (`LatencySockets.receive`). That is fair to kinds of
which as many wait: of one that loses half of its packets the few that are left are read before the others' second ones,
and look faster by tens of microseconds on a busy host, or behind a link that delivers in batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from pytest_hdp.judge.statistics import clearly_more

ALPHA = 0.01
"""How often kinds that lose alike are taken for unequal: then an interval is wider than it had to be."""


def unequal(came: Sequence[bool], others: Sequence[bool]) -> bool:
    """Whether one of two kinds lost clearly more than the other, and more than 1 in 100; each by round."""
    lost, others_lost = came.count(False), others.count(False)
    counts = (lost, len(came)), (others_lost, len(others))
    return any(clearly_more(*one, *other, ALPHA / 2, 1) for one, other in (counts, counts[::-1]))


def waited(kernel: Sequence[int | None], user: Sequence[int | None]) -> int:
    """For how long a packet waits to be read, ns: how much the median of what is not the network's is above its least.

    That least is sending and reading alone, with nobody before it.
    """
    own = [y - x for x, y in zip(kernel, user, strict=True) if x is not None and y is not None]
    return int(median(own)) - min(own) if own else 0
