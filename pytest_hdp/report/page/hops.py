"""Which hops answered packets whose TTL ended there: a train's own, those sent in its place, and the control.

Nobody sees an ordinary probe pass a router. What is known of hops comes from packets with a TTL too short for the way,
sent when a train had died; and of a train that did not die only the control's are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.explain import icmp_text
from pytest_hdp.packet.icmp import Meaning
from pytest_hdp.report.path_picture import hops_of_control
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.judge.details import AtTtl
    from pytest_hdp.judge.result import PathInfo, Result
    from pytest_hdp.judge.verdict import Direction

Row = list[Any]
"""[TTL, own words, own mark, control's words, control's mark]; a mark is "seen", "unseen" or "open"."""

MOST = 64
_NOT_ASKED = ["not asked", "open"]


def of_courses(groups: Iterable[Sequence[Result]]) -> list[list[Row]]:
    """Return, for each course, a row for each hop that the control found there, whichever trains it was beside.

    The trains of another form found the same hops: each result is read once, however many courses there are.
    """
    found: dict[tuple[PathInfo, Direction], dict[int, str]] = {}
    ways: list[tuple[PathInfo, Direction]] = []
    for group in groups:
        ways.append((group[0].path, group[0].judgement.train.direction))
        found.setdefault(ways[-1], {}).update(hops_of_control(group))
    rows = {
        way: [[ttl, *_NOT_ASKED, f"answered by {hops[ttl]}", "seen"] for ttl in sorted(hops)][:MOST]
        for way, hops in found.items()
    }
    return [rows[way] for way in ways]


def of_train(result: Result, course: Iterable[Row]) -> dict[str, Any] | None:
    """Return {"rows"} if the train's own packets were sent, {"by": the number that was sent in its place}, or None."""
    climb = result.judgement.climb
    if climb is None:
        return None
    if climb.by is not None:
        return {"by": climb.by}
    asked = {each.ttl: _row(each) for each in climb.rungs if each.ttl}
    if not asked:
        return None
    rows = {row[0]: row for row in course} | asked
    return {"rows": [rows[ttl] for ttl in sorted(rows)][:MOST]}


def _row(asked: AtTtl) -> Row:
    return [asked.ttl, *_own(asked), *_of_control(asked)]


def _own(asked: AtTtl) -> tuple[str, str]:
    if asked.icmp:
        error = asked.icmp[0]
        source = safe(error.source)
        if not error.authenticated:
            return f"an answer from {source}, not authenticated", "open"
        if error.meaning is Meaning.EXPIRED:
            return f"answered by {source}", "seen"
        return f"{source} answered {icmp_text(error.source, error.type, error.code)} instead", "unseen"
    if asked.silent:
        return f"no answer to {asked.sent}", "unseen"
    if asked.control_arrived:
        return f"nothing came back of {asked.sent} sent; no hop had to answer", "open"
    return (f"no answer to {asked.sent}, which may be chance" if asked.sent else "not sent"), "open"


def _of_control(asked: AtTtl) -> tuple[str, str]:
    if asked.control_arrived:
        return "came through", "seen"
    if asked.control:
        times = f" {asked.control} times" if asked.control > 1 else ""
        return f"answered{times} by {safe(asked.router or '?')}", "seen"
    return "no answer", "open"
