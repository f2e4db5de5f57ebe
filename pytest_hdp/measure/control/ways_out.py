"""Which interfaces of the sender are no way out: those that what is sent passes on its way to another one.

A tap on all interfaces sees a packet once at a bridge, a bond, a VLAN or a tunnel that shows it, and again at what that
hands it on to. What a bridge's own filter keeps was seen at the bridge, and has not left.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.control.control import Control
    from pytest_hdp.measure.ledger.ledger import Ledger


def inner(control: Control, ledger: Ledger, direction: Direction) -> frozenset[str]:
    """Interfaces of this direction's sender at which no packet ends its way out.

    An interface is one if most packets of one train, or most controls, were seen at another one after it.
    """
    groups = [[entry.left_by for entry in control.entries.values() if entry.direction is direction]]
    for train, entries in ledger.trains.items():
        if train.direction is direction:
            groups.append([[(copy.packet.hop_limit, copy.interface) for copy in entry.left] for entry in entries])
    return frozenset(name for group in groups for name in _passed(group))


def _passed(ways: Sequence[Sequence[tuple[int, str]]]) -> list[str]:
    """The interfaces that most of these packets, and no fewer than two, have passed.

    What has a lower TTL than the first copy had come back from the path, and was forwarded here.
    """
    if all(len(way) < 2 for way in ways):
        return []
    ended, went_on = Counter[str](), Counter[str]()
    for way in ways:
        if names := [name for ttl, name in way if ttl == way[0][0]]:
            ended[names[-1]] += 1
            went_on.update(set(names) - {names[-1]})
    return [name for name, count in went_on.items() if count > 1 and count > ended[name]]
