"""A failure as one block of evidence: what was sent, what each eye saw, what follows, how to repeat it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import icmp_text
from pytest_hdp.report import fields
from pytest_hdp.report.letters import words
from pytest_hdp.report.lines import wrapped
from pytest_hdp.report.summary import expected_and_got
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.report.fields import Record

_LABEL = 11
"""Columns of the labels on the left."""

_EYES = {
    "left": "left the sender's interface",
    "arrived": "arrived at the receiver's interface",
    "delivered": "delivered to the receiver's socket",
}


def _rungs(record: Record) -> list[tuple[str, str]]:
    """Return a line for each place where somebody looked; only the first if nothing was sent."""
    sent = fields.observed(record, "sent")
    said = [("sent", f"{'?' if sent is None else sent} probes{_refusal(record)}")]
    if sent == 0:
        return said
    for eye, what in _EYES.items():
        seen = fields.observed(record, eye)
        share = "not observed" if seen is None else f"{seen} of {sent} {what}"
        said.append((eye, f"{share}{_remarks(record, eye)}"))
    return said


def _refusal(record: Record) -> str:
    errno = fields.word(record, "errno")
    return f" ({errno} at the {fields.word(record, 'place')})" if errno else ""


def _remarks(record: Record, eye: str) -> str:
    """Return what changed on the way, at the eye that shows it."""
    remarks = []
    wire = fields.number(record, "wire_protocol")
    if eye == "left" and wire not in {None, fields.protocol(record)}:
        remarks.append(f"as protocol {wire}")
    if eye == "delivered":
        remarks += [f"{n} {key}" for key in ("duplicated", "reordered") if (n := fields.number(record, key))]
        if changed := fields.words_in(record, "modified"):
            remarks.append(f"changed: {', '.join(changed)}")
        nat = fields.part(record, "nat")
        if nat.get("state") not in {None, "none"}:
            remarks.append(f"source {safe(nat.get('state'))}: {safe(nat.get('source'))}{fields.control_source(record)}")
    return f"; {', '.join(remarks)}" if remarks else ""


def _icmp(record: Record) -> str:
    """Return the ICMP errors, "5 x protocol unreachable (ICMP 3/2) from 198.51.100.2"."""
    said = []
    for error in fields.parts(record, "icmp"):
        kind, code = fields.number(error, "type"), fields.number(error, "code")
        who = safe(error.get("from"))
        what = "error of unknown type" if kind is None or code is None else icmp_text(who, kind, code)
        proof = "" if error.get("authenticated") else ", not authenticated"
        said.append(f"{safe(error.get('count'))} x {what} from {who}{proof}")
    return "; ".join(said) or "no error came back"


def _rest(record: Record) -> list[tuple[str, str]]:
    """Return ICMP, last hop, control and bound; nothing if nothing was sent."""
    control = fields.part(record, "control")
    sent, through = fields.number(control, "sent"), fields.number(control, "delivered")
    if fields.observed(record, "sent") == 0:
        return []
    said = [("ICMP", _icmp(record))]
    if hop := fields.part(record, "last_hop"):
        said.append(("last hop", f"{safe(hop.get('address'))} (hop {safe(hop.get('ttl'))})"))
    said.append(("control", f"{through} of {sent} came through" if sent else "none sent"))
    if bound := fields.word(record, "bound"):
        said.append(("bound", bound))
    return said


def failure_block(record: Record, command: str, width: int = 80) -> str:
    """Return everything known about one train, folded to `width` columns, without colour.

    `command` repeats just this one; it stands last, on a line of its own and never folded, to be copied.
    """
    where = f"{fields.path_title(record, unicode=False)}, {fields.course(record)}"
    rows = [("path", where), ("verdict", expected_and_got(record))]
    rows += [("place", words(fields.word(record, "place", "unknown"))), *_rungs(record), *_rest(record)]
    lines = wrapped(f"protocol {fields.subject(record)}: {fields.reason(record)}", width)
    lines.append("")
    for label, text in rows:
        lines += wrapped(f"  {label:<{_LABEL}}{text}", width, " " * (_LABEL + 2))
    return "\n".join([*lines, "", "  repeat just this one:", f"  {safe(command, limit=10_000)}"])
