"""Whether the agent is where the target's address leads to: only what arrives, or does not, can tell.

That its host lacks the address says nothing: in most clouds a translator puts it on. But what the target answered and
the agent never saw was not answered by the agent's host; and what left that host again was on its way to another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Means
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.stand_in import scouts_for
from pytest_hdp.untrusted.text import plain

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
    if is_passed(control) and not any(each.delivered for each in probes):
        return (
            f"what is sent to {target} passed the agent's host, which does not have this address, and left it again "
            f"by {plain(control.passed_by)}: log in at the host that it leads to"
        )
    seen = any(each.arrived_at or each.delivered_at for each in controls)
    if seen or any(each.arrived or each.delivered for each in probes):
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


def is_passed(control: Control) -> bool:
    """Whether the far end's host is but on the way: it sent echoes on, and no datagram came to its socket."""
    far = control.path.far
    on_the_way = far is not None and far.bind is not None and bool(control.passed_by)
    return on_the_way and control.means(Direction.FORWARD) is not Means.USUAL


def is_nowhere(control: Control) -> bool:
    """Whether no address is known to send to in reverse, between hosts, or from one that may not be the target's."""
    ends = [end for end in (control.path.near, control.path.far) if end is not None]
    unsure = any(end.remote is not None or end.bind is not None for end in ends)
    return (unsure and not control.source_seen) or is_passed(control)


def _tried(path: OpenPath, control: Control, ledger: Ledger) -> bool:
    """Whether it is known of other numbers, too, that nothing came: UDP and echoes are blocked on many a path."""
    if all(each in ledger.trains for each in scouts_for(Direction.FORWARD, path.family)):
        return True
    before = path.clock.monotonic() - control.patience - path.lag
    scouts = (each for each in control.entries.values() if each.stand_in is not None)
    return any(each.asked_at < before for each in scouts if each.direction is Direction.FORWARD)
