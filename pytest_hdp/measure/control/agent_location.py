"""Whether the agent is where the target's address leads to: only what arrives, or does not, can tell.

That its host lacks the address says nothing: in most clouds a translator puts it on. But what the target answered and
the agent never saw was not answered by the agent's host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.stand_in import scouts_for

if TYPE_CHECKING:
    from pytest_hdp.measure.control.control import Control
    from pytest_hdp.measure.ledger.ledger import Ledger
    from pytest_hdp.measure.path.open_path import OpenPath


def agent_elsewhere(path: OpenPath, control: Control, ledger: Ledger) -> str | None:
    """Why the far end may not be the target's: one sentence, as long as nothing of ours came to it.

    Of a namespace that has the address there is no doubt.
    """
    far, target = path.far, path.name.target
    if far is None or (far.remote is None and far.bind is None):
        return None
    controls = [each for each in control.entries.values() if each.direction is Direction.FORWARD and not each.errno]
    probes = [each for train, sent in ledger.trains.items() if train.direction is Direction.FORWARD for each in sent]
    if any(each.arrived_at or each.delivered_at for each in controls):
        return None
    if any(each.arrived or each.delivered for each in probes):
        return None
    answered = sum(bool(each.replied_at) for each in controls)
    answered += sum(any(r.authenticated and r.source == target for r in each.icmp) for each in probes)
    owned = far.bind is None
    if answered:
        who = "which has this address too" if owned else "which does not have this address"
        return (
            f"{target} answered {answered} of our packets, and none of them came to the agent's host, {who}: "
            "log in at the host that it leads to"
        )
    if owned or not _tried(path, control, ledger):
        return None  # as with any path that nothing gets through
    return (
        f"nothing that was sent to {target} came to the agent's host, which does not have this address: "
        "is it the one that a translator leads it to?"
    )


def _tried(path: OpenPath, control: Control, ledger: Ledger) -> bool:
    """Whether it is known of other numbers, too, that nothing came: UDP and echoes are blocked on many a path."""
    if all(each in ledger.trains for each in scouts_for(Direction.FORWARD, path.family)):
        return True
    before = path.clock.monotonic() - control.patience - path.lag
    scouts = (each for each in control.entries.values() if each.stand_in is not None)
    return any(each.asked_at < before for each in scouts if each.direction is Direction.FORWARD)
