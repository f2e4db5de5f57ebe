"""The words for what became of a packet on its way: shifted, renumbered, inside a tunnel's packet, a stale checksum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge import explain
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.judge.facts import Facts


def change_text(moved: int | None, changed_to: int | None) -> str:
    """Return what a change was, where that is known: " (to 17 (udp); 4 bytes were put before the payload)"."""
    said = [f"to {explain.numbered(changed_to)}"] if changed_to is not None else []
    if moved is not None and moved > 0:
        said.append(f"{explain.counted(moved, 'byte')} put before the payload")
    elif moved is not None:
        said.append(f"{explain.counted(-moved, 'byte')} cut off its front")
    return f" ({'; '.join(said)})" if said else ""


def checksum_text(state: str | None) -> str:
    """Return what a stale transport checksum means: "" for any other state."""
    return "; its transport checksum was stale on arrival: a real stack would drop it" if state == "stale" else ""


def carried_text(facts: Facts) -> str:
    """Return what came to the receiver inside a tunnel's packets, and never out of the tunnel."""
    inside = [probe.carried[0] for probe in facts.accepted if probe.carried and not probe.arrived]
    if not inside:
        return ""
    numbers = " and ".join(map(explain.numbered, sorted(set(inside))))
    return f"; {len(inside)} came there inside packets of {numbers}, as in a tunnel, and not out of it"


def kept_text(facts: Facts) -> str:
    """Return what the receiver's kernel did with what came to none of its sockets: kept it, or sent it on."""
    onward = [probe.onward[0] for probe in facts.accepted if probe.onward]
    if not onward:
        return "the receiver's kernel or its firewall keeps it"
    interface, address = max(sorted(set(onward)), key=onward.count)
    return f"{len(onward)} left that host again by {plain(interface)}, to {plain(address)}: its kernel sends it on"


def local_firewall_text(facts: Facts) -> str:
    """Return what it means that the sender's own kernel refused some with EPERM, or all, while it took of others."""
    whose = ": the sender's local firewall or IPsec policy drops it on output"
    refused, tried = facts.circumstances.refusals
    if not tried:
        return whose
    return f"{whose}; in all it refused {refused} of {tried} of such numbers, as a limit that numbers share does"


def answers_text(facts: Facts) -> str:
    """Return where answers went, as the end of a sentence, where that is not where the control went."""
    names = facts.circumstances.names
    if "control_answers_to" not in names or not facts.accepted:
        return ""
    to, control = plain(names["answers_to"]), plain(names["control_answers_to"])
    return f"; sent to {to}, where its number came from, and the control to {control}"
