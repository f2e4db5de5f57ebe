"""A failure as one block of evidence: what was sent, what each observer saw, what follows, how to repeat it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction
from pytest_hdp.report import fields
from pytest_hdp.report.expected import expected_and_got
from pytest_hdp.report.letters import words
from pytest_hdp.report.lines import wrapped
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Result

_LABEL = 11
"""Columns of the labels on the left."""


def _rungs(result: Result) -> list[tuple[str, str]]:
    """Return a line for each place where somebody looked; only the first if nothing was sent."""
    sent, left, arrived, delivered = fields.observed(result)
    said = [("sent", f"{sent} probes{_refusal(result)}")]
    if sent == 0:
        return said
    seen = (
        ("left", left, "left the sender's interface", _at_sender(result)),
        ("arrived", arrived, "arrived at the receiver's interface", ""),
        ("delivered", delivered, "delivered to the receiver's socket", _on_the_way(result)),
    )
    for observer, count, what, remarks in seen:
        said.append((observer, f"{'not observed' if count is None else f'{count} of {sent} {what}'}{remarks}"))
    return said


def _refusal(result: Result) -> str:
    errno = fields.word(result.judgement.errno)
    return f" ({errno} at the {result.judgement.place})" if errno else ""


def _at_sender(result: Result) -> str:
    wire = result.judgement.wire_protocol
    return f"; as protocol {wire}" if wire not in {None, result.judgement.train.protocol} else ""


def _on_the_way(result: Result) -> str:
    """Return what changed on the way, as the receiver's socket shows it."""
    judgement, nat = result.judgement, result.judgement.nat
    counts = (("duplicated", judgement.duplicated), ("reordered", judgement.reordered))
    remarks = [f"{count} {what}" for what, count in counts if count]
    if judgement.modified:
        remarks.append(f"changed: {', '.join(map(safe, judgement.modified))}")
    if nat.state != "none":
        remarks.append(f"source {nat.state}: {safe(nat.source)}{fields.control_source(result)}")
    return f"; {', '.join(remarks)}" if remarks else ""


def _rest(result: Result) -> list[tuple[str, str]]:
    """Return ICMP, last hop, control and bound; nothing if nothing was sent."""
    judgement = result.judgement
    if judgement.sent == 0:
        return []
    said = [("ICMP", "; ".join(map(fields.icmp_error, judgement.icmp)) or "no error came back")]
    if (hop := judgement.last_hop) is not None:
        said.append(("last hop", f"{safe(hop.address)} (hop {hop.ttl})"))
    through = f"{judgement.control_delivered} of {judgement.control_sent} came through"
    said.append(("control", through if judgement.control_sent else "none sent"))
    if bound := fields.word(judgement.bound):
        said.append(("bound", bound))
    return said


def _of_box(result: Result) -> list[tuple[str, str]]:
    """Return what became of the packets of the box's twin, and whose observer decides."""
    twin, observer = result.judgement.twin, fields.word(result.judgement.containment_eye)
    if result.judgement.containment is None:
        return []
    way = "in" if result.judgement.train.direction is Direction.REVERSE else "out"
    said = "none: give --hdp-twin=SPEC" if twin is None else f"{twin.arrived} of {twin.sent} came {way}"
    return [("its twin", said), *([("seen by", observer)] if observer else [])]


def failure_block(result: Result, command: str, width: int = 80) -> str:
    """Return everything known about one train, folded to `width` columns, without colour.

    `command` repeats just this one; it stands last, on a line of its own and never folded, to be copied.
    """
    rows = [("path", fields.course_title(result, unicode=False)), ("verdict", expected_and_got(result))]
    rows += [("place", words(result.judgement.place)), *_rungs(result), *_rest(result), *_of_box(result)]
    lines = wrapped(f"protocol {fields.subject(result)}: {fields.reason(result)}", width)
    lines.append("")
    for label, text in rows:
        lines += wrapped(f"  {label:<{_LABEL}}{text}", width, " " * (_LABEL + 2))
    return "\n".join([*lines, "", "  repeat just this one:", f"  {safe(command, limit=10_000)}"])
