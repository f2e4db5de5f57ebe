"""The page's data: records as compact JSON values, everything in them harmless to show.

What the page shows is decided here and in `story`, `ends` and `letters`, which the terminal and the table use too; the
page's script only draws.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.explain import icmp_text
from pytest_hdp.judge.result import PathName
from pytest_hdp.judge.verdict import Outcome, Verdict
from pytest_hdp.report import fields
from pytest_hdp.report.ends import course_of
from pytest_hdp.report.letters import letter, words
from pytest_hdp.report.page import hops, latency
from pytest_hdp.report.summary import by_rung, expected_and_got, surprises
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.report.fields import Record

Made = Mapping[str, str]
"""How a run was made: "command", "system", "version", "seed", "source"."""

MOST_PROBES = 60
"""Of one train on the page; the rest are only counted."""
_WIDE = 1_000_000
_FAMILIES: dict[str, str] = {
    Verdict.REFUSED_AT_SOCKET: "sender1",
    Verdict.REFUSED_AT_SEND: "sender2",
    Verdict.HELD_BY_SENDER: "sender3",
    Verdict.RENUMBERED: "sender4",
    Verdict.REJECTED: "path2",
    Verdict.LOST: "path1",
    Verdict.FIRST_ONLY: "path3",
    Verdict.LOSSY: "path4",
    Verdict.HELD_BY_RECEIVER: "far1",
    Verdict.MODIFIED: "far2",
    Verdict.DELIVERED: "pass1",
    Verdict.REACHED: "pass2",
    Verdict.SILENT: "open1",
    Verdict.INCONCLUSIVE: "open2",
}
MEANINGS: dict[str, str] = {
    Verdict.REFUSED_AT_SOCKET: "the sender's kernel gave no socket for this number",
    Verdict.REFUSED_AT_SEND: "the sender's kernel or firewall refused to send it",
    Verdict.HELD_BY_SENDER: "the kernel took it, and nothing left the interface",
    Verdict.RENUMBERED: "it left, but under another number",
    Verdict.REJECTED: "a router or the target answered with an ICMP error",
    Verdict.LOST: "it left and never arrived, while the control did",
    Verdict.FIRST_ONLY: "the first packet arrived, and none after it",
    Verdict.LOSSY: "clearly more was lost than of the control",
    Verdict.HELD_BY_RECEIVER: "it arrived at the interface, and never at the socket",
    Verdict.MODIFIED: "it arrived with bytes changed that nobody may change",
    Verdict.DELIVERED: "it arrived as sent",
    Verdict.REACHED: "the target itself answered",
    Verdict.SILENT: "no answer came back, and nobody watches at the far end",
    Verdict.INCONCLUSIVE: "the measurement could not tell",
}


def data(records: Iterable[Record], made: Sequence[Made], histograms: Iterable[latency.Histogram]) -> dict[str, Any]:
    """Return all that the page draws, as JSON values. `made`: of each run that the records come from."""
    groups = fields.by_course(records)
    texts: dict[str, int] = {}
    return {
        "verdicts": _legend([record for group in groups for record in group]),
        "surprises": _surprises(groups),
        "courses": [_course(group, found, texts) for group, found in zip(groups, hops.of_courses(groups), strict=True)],
        "differ": _differing(groups),
        "expected": any(record.get("expected") is not None for group in groups for record in group),
        "texts": list(texts),
        "latency": latency.shown(histograms),
        "made": [{safe(k): safe(v, limit=10_000) for k, v in each.items() if v} for each in made],
    }


def _legend(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return each verdict and outcome that occurs, in the ladder's order, with its letter and how many."""
    counts = Counter((fields.word(r, "verdict"), fields.word(r, "outcome")) for r in records)
    held = any(record.get("expected") is not None for record in records)
    notes = {Outcome.XFAILED: "expected", Outcome.FAILED: "not expected" if held else ""}
    return [
        {
            "verdict": verdict,
            "outcome": outcome,
            "words": words(verdict),
            "note": notes.get(Outcome(outcome), "") if outcome in set(Outcome) else "",
            "letter": letter(verdict, outcome),
            "family": _FAMILIES.get(verdict, "open2"),
            "means": MEANINGS.get(verdict, ""),
            "count": counts[verdict, outcome],
        }
        for verdict, outcome in sorted(counts, key=by_rung)
    ]


def _surprises(groups: Sequence[Sequence[Record]]) -> list[dict[str, Any]]:
    """Return what failed, then what is open, as sentences by path and direction."""
    said = []
    for number, group in enumerate(groups):
        for outcome in (Outcome.FAILED, Outcome.SKIPPED):
            those = [record for record in group if record.get("outcome") == outcome]
            for line in surprises(those, width=_WIDE)[:-1]:
                text = "".join(part for part, _ in line)
                said.append({"course": number, "failed": outcome is Outcome.FAILED, "text": safe(text)})
    return sorted(said, key=lambda each: not each["failed"])


def _course(group: Sequence[Record], found: list[hops.Row], texts: dict[str, int]) -> dict[str, Any]:
    first = group[0]
    path, drawn = fields.part(first, "path"), course_of(group)
    agent = path.get("agent")
    kind, named, source, target = (safe(path.get(key) or "") for key in ("kind", "name", "source", "target"))
    name = PathName(kind, named, source, target, None if agent is None else safe(agent))
    return {
        "path": fields.path_title({**first, "direction": "forward"}),
        "key": safe([safe(path.get(key)) for key in ("kind", "name", "source", "target", "agent")]),
        "course": fields.course(first),
        "direction": fields.word(first, "direction"),
        "title": fields.path_title(first),
        "agent": name.agent,
        "one_clock": name.one_clock(),
        "control": _control(group),
        "nodes": [[node.name, node.what] for node in drawn.nodes],
        "ends": [[end.verdict, end.at, end.count, drawn.where(end)] for end in drawn.ends],
        "hops": found,
        "trains": [_train(record, found, texts) for record in group],
    }


def _control(group: Sequence[Record]) -> tuple[int, int]:
    """Return how many controls came through, and of how many, beside the train that had the worst of it."""
    controls = [fields.part(record, "control") for record in group]
    counted = [(fields.number(each, "delivered") or 0, fields.number(each, "sent") or 0) for each in controls]
    return min((each for each in counted if each[1]), key=lambda each: each[0] / each[1], default=(0, 0))


def _train(record: Record, found: list[hops.Row], texts: dict[str, int]) -> dict[str, Any]:
    """Return one train; what is null, empty or as usual is left out."""
    probes = fields.parts(record, "probes")
    hop = fields.part(record, "last_hop")
    wire, latencies = fields.number(record, "wire_protocol"), fields.part(record, "latency_us")
    made: dict[str, Any] = {
        "p": fields.protocol(record),
        "k": fields.word(record, "keyword"),
        "v": fields.word(record, "verdict"),
        "o": fields.word(record, "outcome"),
        "x": texts.setdefault(fields.reason(record), len(texts)),
        "got": expected_and_got(record) if record.get("expected") else "",
        "place": words(fields.word(record, "place")),
        "n": [fields.observed(record, eye) for eye in fields.COUNTS],
        "errno": fields.word(record, "errno"),
        "wire": wire if wire != fields.protocol(record) else None,
        "control": [fields.number(fields.part(record, "control"), key) for key in ("delivered", "sent")],
        "bound": fields.word(record, "bound"),
        "changed": ", ".join(fields.words_in(record, "modified")),
        "rewritten": ", ".join(fields.words_in(record, "changed")),
        "ttl": fields.number(record, "ttl"),
        "nat": _source(record),
        "to": _sent_to(record),
        "hop": f"{safe(hop.get('address'))} (hop {safe(hop.get('ttl'))})" if hop else "",
        "dup": fields.number(record, "duplicated") or 0,
        "re": fields.number(record, "reordered") or 0,
        "icmp": [_icmp(error) for error in fields.parts(record, "icmp")],
        "c": hops.of_train(record, found),
        "us": [latencies.get(key) for key in ("min", "median", "p99")] if latencies else None,
        "t": [_probe(probe) for probe in probes[:MOST_PROBES]],
        "more": max(0, len(probes) - MOST_PROBES),
    }
    return {
        key: value for key, value in made.items() if value not in (None, "", []) and not (value == 0 and key in _ZEROS)
    }


def _source(record: Record) -> str:
    """Return what became of the source address, in words; nothing where that is as it was."""
    nat = fields.part(record, "nat")
    if nat.get("state") not in _TOLD_NAT:
        return ""
    return f"{safe(nat.get('state'))} {safe(nat.get('source') or '')}{fields.control_source(record)}"


def _sent_to(record: Record) -> str:
    """Return where answers went that did not go to the source's own address, in words."""
    to, control = fields.word(record, "sent_to"), fields.word(record, "control_sent_to")
    return f"{to}, and the control to {control}" if to and control else to


_TOLD_NAT = {"translated", "leaked"}
_ZEROS = {"dup", "re", "more"}


def _icmp(error: Record) -> str:
    kind, code = fields.number(error, "type"), fields.number(error, "code")
    who = safe(error.get("from"))
    what = "error of unknown type" if kind is None or code is None else icmp_text(who, kind, code)
    proof = "" if error.get("authenticated") else ", not authenticated"
    return f"{safe(error.get('count'))} x {what} from {who}{proof}"


def _probe(probe: Record) -> list[Any]:
    """Return [round, sent, left, arrived, delivered, errno, [[after, type, code, from], ...]], times in ns."""
    times = [fields.number(probe, key) for key in ("round", "sent", "left", "arrived", "delivered")]
    errors = [
        [
            fields.number(error, "after"),
            fields.number(error, "type"),
            fields.number(error, "code"),
            safe(error.get("from")),
        ]
        for error in fields.parts(probe, "icmp")[:10]
    ]
    return [*times, fields.word(probe, "errno"), errors]


def _differing(groups: Sequence[Sequence[Record]]) -> list[dict[str, Any]]:
    """Return the patterns of verdicts over several courses that are not all one, with their numbers, rarest first."""
    if len(groups) < 2:
        return []
    cells: dict[int, list[list[str] | None]] = {}
    keywords: dict[int, str] = {}
    for column, group in enumerate(groups):
        for record in group:
            row = cells.setdefault(fields.protocol(record), [None] * len(groups))
            keywords[fields.protocol(record)] = fields.subject(record)
            row[column] = [fields.word(record, "verdict"), fields.word(record, "outcome")]
    patterns: dict[tuple[tuple[str, ...] | None, ...], list[int]] = {}
    for number, row in sorted(cells.items()):
        patterns.setdefault(tuple(tuple(cell) if cell else None for cell in row), []).append(number)
    rows: list[tuple[int, dict[str, Any]]] = []
    for pattern, numbers in patterns.items():
        if len({cell[0] if cell else None for cell in pattern}) > 1:
            told = {"numbers": _named(numbers, keywords), "count": len(numbers), "cells": pattern}
            rows.append((len(numbers), told))
    return [told for _, told in sorted(rows, key=itemgetter(0))][:200]


def _named(numbers: Sequence[int], keywords: Mapping[int, str]) -> str:
    """Return numbers with their keywords where they are few, else folded."""
    return ", ".join(keywords[number] for number in numbers) if len(numbers) <= 6 else fields.folded(numbers)
