"""The page's data: results as compact JSON values, everything in them harmless to show.

What the page shows is decided here and in `story`, `path_picture` and `letters`, which the terminal and the table use
too; the page's script only draws.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.trace import Trace, traces
from pytest_hdp.judge.verdict import Containment, Form, Outcome, Verdict
from pytest_hdp.report import fields, headers
from pytest_hdp.report.expected import expected_and_got
from pytest_hdp.report.groups import by_course
from pytest_hdp.report.letters import letter, words, words_for
from pytest_hdp.report.page import hops, latency
from pytest_hdp.report.page.meanings import meaning
from pytest_hdp.report.path_picture import picture_of
from pytest_hdp.report.summary import by_rung, surprises
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Made, Result
    from pytest_hdp.report.fields import Cell

MOST_PROBES = 60
"""Of one train on the page; the rest are only counted."""
_WIDE = 1_000_000
HEADERS = frozenset({0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254})
"""Numbers that are extension headers to IPv6 (IANA, IPv6 Extension Header Types): framed in its grids."""
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
    Containment.CONTAINED: "pass1",
    Containment.LEAKED: "path1",
    Containment.UNPROVEN: "open1",
    Containment.ALLOWED: "pass2",
    Containment.BLOCKED: "sender1",
}


def data(results: Iterable[Result], made: Sequence[Made], histograms: Iterable[latency.Histogram]) -> dict[str, Any]:
    """Return all that the page draws, as JSON values. `made`: of each run that the results come from."""
    groups = by_course(results)
    texts: dict[str, int] = {}
    return {
        "verdicts": _legend([result for group in groups for result in group]),
        "surprises": _surprises(groups),
        "courses": [_course(group, found, texts) for group, found in zip(groups, hops.of_courses(groups), strict=True)],
        "differ": _differing(groups),
        "headers": _tables(groups),
        "expected": any(result.expected is not None for group in groups for result in group),
        "texts": list(texts),
        "latency": latency.shown(histograms),
        "made": list(map(_run_details, made)),
    }


def _run_details(made: Made) -> dict[str, str]:
    """Return what is known of how a run was made, by the titles that the page shows."""
    return {name: safe(value, limit=10_000) for name, value in asdict(made).items() if value}


def _legend(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return each verdict and outcome that occurs, in the ladder's order, with its letter and how many."""
    cells = alike(results, fields.cell)
    counts = Counter({cell: len(those) for cell, those in cells.items()})
    held = any(result.expected is not None for result in results)
    notes = {Outcome.XFAILED: "expected", Outcome.FAILED: "not expected" if held else ""}
    return [
        {
            "verdict": verdict,
            "outcome": outcome,
            "words": words_for(verdict, fields.ways(cells[verdict, outcome])),
            "note": notes.get(outcome, ""),
            "letter": letter(verdict, outcome),
            "family": _FAMILIES[verdict],
            "means": meaning(verdict, fields.ways(cells[verdict, outcome])),
            "count": counts[verdict, outcome],
        }
        for verdict, outcome in sorted(counts, key=by_rung)
    ]


def _surprises(groups: Sequence[Sequence[Result]]) -> list[dict[str, Any]]:
    """Return what failed, then what is open, as sentences by path and direction."""
    said = []
    for number, group in enumerate(groups):
        for outcome in (Outcome.FAILED, Outcome.SKIPPED):
            those = [result for result in group if result.outcome == outcome]
            for line in surprises(those, width=_WIDE)[:-1]:
                text = "".join(part for part, _ in line)
                said.append({"course": number, "failed": outcome is Outcome.FAILED, "text": safe(text)})
    return sorted(said, key=lambda each: not each["failed"])


def _course(group: Sequence[Result], found: list[hops.Row], texts: dict[str, int]) -> dict[str, Any]:
    first, drawn = group[0], picture_of(group)
    path, direction = first.path, first.judgement.train.direction
    return (
        _framed(group)
        | _chain(group)
        | {
            "path": fields.path_title(path),
            "key": safe([safe(each) for each in (path.kind, path.name, path.source, path.target, path.agent)]),
            "course": fields.course(first),
            "box": first.judgement.containment is not None,
            "direction": direction,
            "title": fields.path_title(path, direction),
            "agent": None if path.agent is None else safe(path.agent),
            "one_clock": path.one_clock(),
            "control": _control(group),
            "nodes": [[node.name, node.what] for node in drawn.nodes],
            "ends": [[end.verdict, end.at, end.count, drawn.where(end)] for end in drawn.ends],
            "hops": found,
            "trains": [_train(result, found, texts) for result in group],
        }
    )


def _framed(group: Sequence[Result]) -> dict[str, list[int] | str]:
    """Return which numbers of a course are extension headers, if any may be, and what to say of that: by IPv4 none is.

    Bare, HDP's own bytes stand where the header would.
    """
    plain = [each for each in group if each.ip_version == 6 and each.judgement.train.behind is None]
    numbers = sorted(HEADERS & set(map(fields.protocol, plain)))
    read = ": who walks the chain reads HDP's bytes as one" if group[0].judgement.train.form is Form.BARE else ""
    return {"framed": numbers, "framed_note": f"Framed numbers are extension headers to IPv6{read}."} if numbers else {}


def _chain(group: Sequence[Result]) -> dict[str, Any]:
    """Return which extension headers a course is behind, if any: its row in the table of all that ran its way."""
    chain = group[0].judgement.train.behind
    if chain is None:
        return {}
    return {"chain": {"name": chain.name, "kinds": chain.kinds, "bytes": chain.length, "fates": headers.fates(group)}}


def _tables(groups: Sequence[Sequence[Result]]) -> list[dict[str, Any]]:
    """Return, for the chains of one path and direction, their courses, those of their control, and what they came to.

    `alone`: the control's courses are no more than that, and need no grid.
    """
    plain, behind = headers.parted(groups)
    number = {id(group): index for index, group in enumerate(groups)}
    tables = []
    for chains in behind:
        way = chains[0][0].path, chains[0][0].judgement.train.direction
        beside = [each for each in plain if (each[0].path, each[0].judgement.train.direction) == way]
        tables.append(
            {
                "courses": [number[id(each)] for each in chains],
                "controls": [number[id(each)] for each in beside],
                "alone": headers.are_controls(beside),
                "title": f"{way[1].capitalize()}, behind extension headers, IPv6",
                "counted": headers.counted(chains),
            }
        )
    return tables


def _control(group: Sequence[Result]) -> tuple[int, int]:
    """Return how many controls came through, and of how many, beside the train that had the worst of it."""
    counted = [(result.judgement.control_delivered, result.judgement.control_sent) for result in group]
    return min((each for each in counted if each[1]), key=lambda each: each[0] / each[1], default=(0, 0))


def _train(result: Result, found: list[hops.Row], texts: dict[str, int]) -> dict[str, Any]:
    """Return one train; what is null, empty or as usual is left out."""
    judgement, times = result.judgement, result.latency_us
    probes, hop, wire = traces(judgement.probes), judgement.last_hop, judgement.wire_protocol
    made: dict[str, Any] = {
        "p": fields.protocol(result),
        "k": fields.keyword(result),
        "v": fields.finding(result),
        "o": result.outcome,
        "x": texts.setdefault(fields.reason(result), len(texts)),
        "got": expected_and_got(result) if result.expected else "",
        "place": words(judgement.place),
        "n": list(fields.observed(result)),
        "errno": fields.word(judgement.errno),
        "wire": wire if wire != judgement.train.protocol else None,
        "control": [judgement.control_delivered, judgement.control_sent],
        "bound": fields.word(judgement.bound),
        "changed": ", ".join(map(safe, judgement.modified)),
        "rewritten": ", ".join(map(safe, judgement.changed)),
        "ttl": judgement.ttl,
        "nat": _source(result),
        "to": _sent_to(result),
        "hop": "" if hop is None else f"{safe(hop.address)} (hop {hop.ttl})",
        "dup": judgement.duplicated,
        "re": judgement.reordered,
        "icmp": list(map(fields.icmp_error, judgement.icmp)),
        "c": hops.of_train(result, found),
        "us": None if times is None else [times.min, times.median, times.p99],
        "t": [_probe(probe) for probe in probes[:MOST_PROBES]],
        "more": max(0, len(probes) - MOST_PROBES),
    }
    return {
        key: value for key, value in made.items() if value not in (None, "", []) and not (value == 0 and key in _ZEROS)
    }


def _source(result: Result) -> str:
    """Return what became of the source address, in words; nothing where that is as it was."""
    nat = result.judgement.nat
    return "" if nat.state == "none" else f"{nat.state} {fields.word(nat.source)}{fields.control_source(result)}"


def _sent_to(result: Result) -> str:
    """Return where answers went that did not go to the source's own address, in words."""
    to, control = fields.word(result.judgement.sent_to), fields.word(result.judgement.control_sent_to)
    return f"{to}, and the control to {control}" if to and control else to


_ZEROS = {"dup", "re", "more"}


def _probe(probe: Trace) -> list[Any]:
    """Return [round, sent, left, arrived, delivered, errno, [[after, type, code, from], ...]], times in ns."""
    times = [probe.round, probe.sent, probe.left, probe.arrived, probe.delivered]
    errors = [[each.after, each.type, each.code, safe(each.source)] for each in probe.icmp[:10]]
    return [*times, fields.word(probe.errno), errors]


def _differing(groups: Sequence[Sequence[Result]]) -> list[dict[str, Any]]:
    """Return the patterns of verdicts over several courses that are not all one, with their numbers, rarest first.

    Of courses without extension headers: those behind them have a table of their own.
    """
    if len(groups) < 2:
        return []
    cells: dict[int, list[Cell | None]] = {}
    keywords: dict[int, str] = {}
    for column, group in enumerate(groups):
        for result in () if headers.is_behind(group) else group:
            row = cells.setdefault(fields.protocol(result), [None] * len(groups))
            keywords[fields.protocol(result)] = fields.subject(result)
            row[column] = fields.cell(result)
    patterns = alike(sorted(cells), lambda number: tuple(cells[number]))
    rows: list[tuple[int, dict[str, Any]]] = []
    for pattern, numbers in patterns.items():
        if len({cell[0] for cell in pattern if cell}) > 1:  # one that was not asked everywhere differs in nothing
            told = {"numbers": _named(numbers, keywords), "count": len(numbers), "cells": pattern}
            rows.append((len(numbers), told))
    return [told for _, told in sorted(rows, key=itemgetter(0))][:200]


def _named(numbers: Sequence[int], keywords: Mapping[int, str]) -> str:
    """Return numbers with their keywords where they are few, else folded."""
    return ", ".join(keywords[number] for number in numbers) if len(numbers) <= 6 else fields.folded(numbers)
