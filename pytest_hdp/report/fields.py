"""Reads one result record (a line of `results.jsonl`) for showing: who, where, how many.

A record may come from a file that somebody else wrote, so a missing or misshapen field reads as unknown
here and never raises; and every string that leaves this module has been through `safe`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from pytest_hdp.untrusted.text import safe

Record = Mapping[str, Any]

UNMEASURED = "unmeasured"
"""In how a run was made: its paths that could not be measured, a line each."""

COUNTS = ("sent", "left", "arrived", "delivered")
"""The eyes along the path, in order."""

MOST_LOST = 0.2
"""A path that loses more than this of everything is told of first of all."""

_FAR_EYES = ("arrived", "delivered")
_SUBJECT = re.compile(r"^-?\d+( \([^()]*\))?(, [a-z0-9 -]+){0,3}: ")


def word(record: Record, key: str, default: str = "") -> str:
    """Return a string field, harmless to show; `default` if it is missing or null."""
    value = record.get(key)
    return default if value is None else safe(value)


def part(record: Record, key: str) -> Record:
    """Return a field that is an object (`path`, `control`, `nat`), or an empty one."""
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def parts(record: Record, key: str) -> list[Record]:
    """Return a field that is a list of objects (`icmp`), leaving out what is none."""
    value = record.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def words_in(record: Record, key: str) -> list[str]:
    """Return a field that is a list of strings (`modified`)."""
    value = record.get(key)
    return [safe(item) for item in value] if isinstance(value, list | tuple) else []


def number(record: Record, key: str) -> int | None:
    """Return an integer field, None if it is missing, null or no integer."""
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def protocol(record: Record) -> int:
    """Return the protocol number that was asked for; -2 where the record has none."""
    found = number(record, "protocol")
    return -2 if found is None else found


def observed(record: Record, eye: str) -> int | None:
    """Return how many probes an eye of `COUNTS` saw, None where no such eye was open.

    Without an agent nobody looks at the far end of a real path: there a 0 would be a guess.
    """
    path = part(record, "path")
    if eye in _FAR_EYES and path.get("agent") is None and path.get("kind") not in {None, "loopback"}:
        return None
    return number(record, eye)


def subject(record: Record) -> str:
    """Return the number with its keyword: "132 (sctp)"."""
    keyword = word(record, "keyword")
    return f"{protocol(record)} ({keyword})" if keyword else str(protocol(record))


def reason(record: Record) -> str:
    """Return the explanation without the "132 (sctp), forward: " that it may begin with."""
    return _SUBJECT.sub("", word(record, "explanation", "no explanation recorded"))


def control_loss(records: Iterable[Record]) -> str:
    """Return "the path itself loses 80 % of the control", of the course that loses most; "" for no more than a fifth.

    Of a course whose control was all lost other words say more.
    """
    worst = 0.0
    for record in records:
        control = part(record, "control")
        sent, came = number(control, "sent") or 0, number(control, "delivered") or 0
        if 0 < came < sent:
            worst = max(worst, 1 - came / sent)
    return f"the path itself loses {100 * worst:.0f} % of the control" if worst > MOST_LOST else ""


def path_title(record: Record, *, unicode: bool = True) -> str:
    """Return where the train ran: "lab home-nat, 192.0.2.2 -> 198.51.100.2", in the direction it ran."""
    path = part(record, "path")
    kind, name = (safe(path.get(key) or "", unicode=unicode) for key in ("kind", "name"))
    ends = [safe(path.get(key) or "?", unicode=unicode) for key in ("source", "target")]
    if record.get("direction") == "reverse":
        ends.reverse()
    arrow = "\u2192" if unicode else "->"
    label = kind if name in {"", kind} else f"{kind} {name}"
    if path.get("vantage") is not None:
        label = f"{label} from {safe(path['vantage'], unicode=unicode)}"
    return f"{label + ', ' if label else ''}{ends[0]} {arrow} {ends[1]}"


def control_source(record: Record) -> str:
    """Return ", the control's 10.77.2.1" where the receiver saw the control come from another address."""
    control = part(record, "nat").get("control")
    return f", the control's {safe(control)}" if isinstance(control, str) else ""


def course(record: Record) -> str:
    """Return "forward, bare" (and "IPv6" where it is)."""
    said = [word(record, "direction", "forward"), word(record, "form", "bare")]
    return ", ".join([*said, "IPv6"] if record.get("ip_version") == 6 else said)


def course_key(record: Record) -> tuple[str, ...]:
    """Return what trains of one course have in common: path, IP version, form and direction."""
    path = part(record, "path")
    where = (safe(path.get(k)) for k in ("vantage", "kind", "name", "source", "target", "agent"))
    return (*where, word(record, "ip_version"), word(record, "form"), word(record, "direction"))


def by_course(records: Iterable[Record]) -> list[list[Record]]:
    """Return the records grouped by path, direction, form and IP version, groups and numbers in order."""
    ordered = sorted(records, key=lambda record: (course_key(record), protocol(record)))
    return [list(group) for _, group in groupby(ordered, course_key)]


def folded(numbers: Iterable[int]) -> str:
    """Return numbers as people write them: `[50, 47, 51]` as "47, 50-51". Negative ones are never folded."""
    spans: list[list[int]] = []
    for value in sorted(set(numbers)):
        if spans and spans[-1][1] == value - 1 and spans[-1][0] >= 0:
            spans[-1][1] = value
        else:
            spans.append([value, value])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def subjects(records: Sequence[Record]) -> str:
    """Return the numbers of several records: with keywords if there are up to four, else folded."""
    one_each = {protocol(record): subject(record) for record in records}
    if len(one_each) <= 4:
        return ", ".join(one_each[key] for key in sorted(one_each))
    return folded(one_each)
