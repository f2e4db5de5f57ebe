"""What stops at one end: whether the control, of which some may stop there too, explains that none of a train got on.

A queue of the sender's that is full, or a limit of the receiver's firewall, takes from all that comes by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge import statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hdp.judge.evidence import Probe, RoundControl
    from pytest_hdp.judge.facts import Facts


def at_send(facts: Facts, refused: Sequence[Probe]) -> bool:
    """Say whether that all of these were refused is more than chance, by what was refused of others at times."""
    return _is_more_than_chance(facts, refused, *facts.circumstances.refusals)


def at_sender(facts: Facts, watched: Sequence[Probe]) -> bool:
    """Say whether that none of these left is more than chance, by what of the control did not leave either."""
    beside = _beside(facts, watched)
    taken = sum(each.sent if each.taken is None else each.taken for each in beside)
    return _is_more_than_chance(facts, watched, taken - sum(each.left for each in beside), taken)


def at_receiver(facts: Facts, came: Sequence[Probe]) -> bool:
    """Say whether that none of these came to a socket is more than chance, by what of the control did not either."""
    beside = _beside(facts, came)
    arrived, at_socket = sum(each.arrived for each in beside), sum(each.at_socket for each in beside)
    if not at_socket:
        return True  # its port may be closed to all, which says nothing of other numbers
    return _is_more_than_chance(facts, came, arrived - at_socket, arrived)


def _beside(facts: Facts, probes: Sequence[Probe]) -> list[RoundControl]:
    mine = {probe.round for probe in probes}
    return [each for each in facts.clean_control if each.round in mine]


def _is_more_than_chance(facts: Facts, probes: Sequence[Probe], lost: int, sent: int) -> bool:
    """A control that gets on but for a few explains nothing there, however few were sent."""
    if lost <= 2 * statistics.LOSS_FLOOR * sent:
        return True
    return statistics.all_lost_refutes(len({probe.round for probe in probes}), lost, sent, facts.alpha, facts.look)
