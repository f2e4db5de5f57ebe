"""What all trains of one direction share when they are judged: control, observers, names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Circumstances, Observers
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.control.agent_location import agent_elsewhere, is_nowhere
from pytest_hdp.measure.control.counting import reference, rounds
from pytest_hdp.measure.control.ways_out import inner

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.control.control import Control
    from pytest_hdp.measure.control.stand_in import Chosen
    from pytest_hdp.measure.ledger.ledger import Ledger
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.plan import Plan


def shared_by(
    path: OpenPath,
    control: Control,
    ledger: Ledger,
    plan: Plan,
    train: Train,
    spoiled: dict[int, tuple[str, ...]],
    *,
    more_rounds: bool,
    chosen: Chosen | None = None,
) -> Circumstances:
    """The circumstances of this train, and of all of its direction that are sent to the same address.

    `spoiled`: by round, what spoiled it for them; `chosen`: what stands in for the control beside them.
    """
    direction, address = train.direction, control.address_of(train)
    stand_in = (chosen.train, chosen.since) if chosen is not None else (None, 0)
    receiver = path.receiver_end(direction)
    sender = path.sender_end(direction)
    names = {
        "sender_interface": sender.interface or "the sender's interface",
        "receiver_interface": (receiver.interface if receiver else None) or "the receiver's interface",
        "source": sender.address,
        "target": address,
    }
    if direction is Direction.REVERSE and address != path.near.address:
        names["answers_to"] = address
        names |= {"control_answers_to": usual} if (usual := control.address(direction)) != address else {}
    if (seen := control.source_seen.get(direction)) is not None:
        names["control_source"] = seen[0]
    if (why := _withheld(control, direction, address)) is not None:
        names["withheld"] = why
    if direction is Direction.REVERSE and (why := path.confirmed.refusal(address)) is not None:
        names["unconfirmed"] = why
    if (told := agent_elsewhere(path, control, ledger)) is not None:
        names["elsewhere"] = names["withheld"] = told
    return Circumstances(
        control=rounds(control, direction, spoiled, *stand_in),
        observers=Observers(left=sender.raw is not False, arrived=receiver is not None, delivered=receiver is not None),
        trains=len(plan.trains),
        error_rate=plan.error_rate,
        least_share=plan.least_share,
        more_rounds=more_rounds,
        minimum_count=plan.pace.rounds,
        names=names,
        agent_gone=path.gone,
        reference=reference(control, direction, stand_in[0]),
        inner=inner(control, ledger, direction),
        refusals=ledger.refusals(direction),
        outside=path.traffic.outside if direction is Direction.FORWARD else frozenset(),
        echo_ttls=frozenset() if receiver else frozenset(e.reply_ttl for e in control.entries.values() if e.replied_at),
    )


def _withheld(control: Control, direction: Direction, address: str) -> str | None:
    """Why nothing may be sent to an address in a direction, if nothing may."""
    if direction is Direction.FORWARD:
        return None
    if is_nowhere(control):
        return "nothing came from there, so there is no address to send to"
    confirmed = control.path.confirmed
    if confirmed.free(address):
        return None
    return confirmed.refusal(address) or f"nobody has confirmed {address}, the address that it saw"


def spoilers_of(by_protocol: dict[int | None, set[str]], protocol: int) -> tuple[str, ...]:
    """What spoiled a round for a protocol number: what spoiled it for all, and for it alone."""
    return tuple(sorted(by_protocol.get(None, set()) | by_protocol.get(protocol, set())))
