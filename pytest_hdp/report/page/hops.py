"""Which hops answered packets whose TTL ended there: a train's own, those sent in its place, and the control.

Nobody sees an ordinary probe pass a router. What is known of hops comes from packets with a TTL too short for the way,
sent when a train had died; and of a train that did not die only the control's are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.evidence import meaning_of
from pytest_hdp.judge.explain import icmp_text
from pytest_hdp.packet.icmp import Meaning
from pytest_hdp.report import fields
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.report.fields import Record

Row = list[Any]
"""[TTL, own words, own mark, control's words, control's mark]; a mark is "seen", "unseen" or "open"."""

MOST = 64
_NOT_ASKED = ["not asked", "open"]


def of_courses(groups: Iterable[Sequence[Record]]) -> list[list[Row]]:
    """Return, for each course, a row for each hop that the control found there, whichever trains it was beside.

    The trains of another form found the same hops: each record is read once, however many courses there are.
    """
    found: dict[str, dict[int, str]] = {}
    ways: list[str] = []
    for group in groups:
        path, direction = fields.part(group[0], "path"), fields.word(group[0], "direction")
        ways.append(str((direction, sorted(map(str, path.items())))))
        hops = found.setdefault(ways[-1], {})
        hops.update(hop for record in group for hop in _control(record))
    rows = {
        way: [[ttl, *_NOT_ASKED, f"answered by {hops[ttl]}", "seen"] for ttl in sorted(hops)][:MOST]
        for way, hops in found.items()
    }
    return [rows[way] for way in ways]


def of_train(record: Record, course: Iterable[Row]) -> dict[str, Any] | None:
    """Return {"rows"} if the train's own packets were sent, {"by": the number that was sent in its place}, or None."""
    climb = fields.part(record, "climb")
    if (by := fields.number(climb, "with")) is not None:
        return {"by": by}
    asked = {ttl: _row(ttl, each) for each in fields.parts(climb, "ttls") if (ttl := fields.number(each, "ttl"))}
    if not asked:
        return None
    rows = {row[0]: row for row in course} | asked
    return {"rows": [rows[ttl] for ttl in sorted(rows)][:MOST]}


def _control(record: Record) -> Iterable[tuple[int, str]]:
    for hop in fields.parts(record, "hops"):
        if (ttl := fields.number(hop, "ttl")) is not None:
            yield ttl, safe(hop.get("address"))


def _row(ttl: int, asked: Record) -> Row:
    control = fields.part(asked, "control")
    arrived, answered = fields.number(control, "arrived"), fields.number(control, "answered")
    return [ttl, *_own(asked, arrived=bool(arrived)), *_of_control(control, arrived, answered)]


def _own(asked: Record, *, arrived: bool) -> tuple[str, str]:
    sent = fields.number(asked, "sent") or 0
    for error in fields.parts(asked, "icmp"):
        source, kind, code = safe(error.get("from")), fields.number(error, "type"), fields.number(error, "code")
        if not error.get("authenticated"):
            return f"an answer from {source}, not authenticated", "open"
        if kind is not None and meaning_of((source, kind, code or 0)) is Meaning.EXPIRED:
            return f"answered by {source}", "seen"
        what = "an error of unknown type" if kind is None or code is None else icmp_text(source, kind, code)
        return f"{source} answered {what} instead", "unseen"
    if asked.get("silent") is True:
        return f"no answer to {sent}", "unseen"
    if arrived:
        return f"nothing came back of {sent} sent; no hop had to answer", "open"
    return (f"no answer to {sent}, which may be chance" if sent else "not sent"), "open"


def _of_control(control: Record, arrived: int | None, answered: int | None) -> tuple[str, str]:
    if arrived:
        return "came through", "seen"
    if answered:
        times = f" {answered} times" if answered > 1 else ""
        return f"answered{times} by {fields.word(control, 'from', '?')}", "seen"
    return "no answer", "open"
