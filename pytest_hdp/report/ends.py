"""Where on the path each train ended: the nodes of a path, and the trains that ended at or between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.report import fields
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.report.fields import Record

MOST_HOPS = 40
_AT_SENDER = frozenset({Verdict.REFUSED_AT_SOCKET, Verdict.REFUSED_AT_SEND, Verdict.HELD_BY_SENDER, Verdict.RENUMBERED})
_AT_RECEIVER = frozenset({Verdict.HELD_BY_RECEIVER, Verdict.MODIFIED, Verdict.DELIVERED, Verdict.REACHED})
_ON_PATH = frozenset({Verdict.REJECTED, Verdict.LOST, Verdict.FIRST_ONLY, Verdict.LOSSY})


@dataclass(frozen=True, slots=True)
class Node:
    """A station on the path. `what`: "sender", "hop 2", "target"; `name`: its address, empty where nobody knows it."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class End:
    """So many trains with one verdict ended `at` a node (its index), between two (and a half), or who knows (None).

    `numbers`: which they were.
    """

    verdict: str
    at: float | None
    count: int
    numbers: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Course:
    """One path in one direction, drawn: its nodes from the sender on, and where trains ended."""

    nodes: tuple[Node, ...]
    ends: tuple[End, ...]

    def where(self, end: End) -> str:
        """Return where an end is, in words: "between 192.0.2.1 (hop 1) and 100.64.0.1 (hop 2)", or nothing."""
        if end.at is None or end.verdict not in _ON_PATH:
            return ""
        index = int(end.at)
        if end.at != index and len(self.nodes) > 2 and self.nodes[index].name and self.nodes[index + 1].name:
            return f"between {_named(self.nodes[index])} and {_named(self.nodes[index + 1])}"
        if end.at == index and index > 0 and self.nodes[index].name:
            return f"at {_named(self.nodes[index])}"
        return ""


def _named(node: Node) -> str:
    return f"{node.name} ({node.what})"


def course_of(records: Sequence[Record]) -> Course:
    """Return the picture of records of one path, direction and form."""
    nodes = _nodes(records)
    lasts = _last_hops(records, nodes)
    ended: dict[tuple[str, float | None], list[int]] = {}
    for each in records:
        ended.setdefault((fields.word(each, "verdict"), _at(each, nodes, lasts)), []).append(fields.protocol(each))
    rungs = [str(verdict) for verdict in Verdict]
    ends = [End(verdict, at, len(numbers), tuple(numbers)) for (verdict, at), numbers in ended.items()]
    ends.sort(
        key=lambda end: (
            end.at if end.at is not None else 1e9,
            rungs.index(end.verdict) if end.verdict in rungs else 99,
        )
    )
    return Course(nodes, tuple(ends))


def _nodes(records: Sequence[Record]) -> tuple[Node, ...]:
    path = fields.part(records[0], "path")
    ends = [safe(path.get(key) or "?") for key in ("source", "target")]
    if path.get("kind") == "loopback":
        return Node(ends[0], "sender's socket"), Node("lo", "interface"), Node(ends[1], "receiver's socket")
    whos = ["source", "target"]
    if records[0].get("direction") == "reverse":
        ends.reverse()
        whos.reverse()
    control = [hop for record in records for hop in fields.parts(record, "hops")]
    found = {
        ttl: safe(hop.get("address"))
        for hop in control or [fields.part(record, "last_hop") for record in records]  # which may stand on another way
        if (ttl := fields.number(hop, "ttl")) is not None and 0 < ttl <= MOST_HOPS
    }
    hops = [Node(found.get(ttl, ""), f"hop {ttl}") for ttl in range(1, max(found, default=0) + 1)]
    return Node(ends[0], whos[0]), *(hops or [Node("", "the path")]), Node(ends[1], whos[1])


def _last_hops(records: Sequence[Record], nodes: Sequence[Node]) -> dict[int, int]:
    """Return by number the TTL of the last hop that answered; 0 if none did and the control found hops.

    Of those that climbed: the others point to one of these. A hop that is none of the path's is another way's.
    """
    lasts: dict[int, int] = {}
    for record in records:
        last = fields.part(record, "last_hop")
        ttl = fields.number(last, "ttl")
        if ttl is not None and 0 < ttl < len(nodes) and nodes[ttl].name == safe(last.get("address")):
            lasts[fields.protocol(record)] = ttl
        elif ttl is None and "no hop answered" in fields.word(record, "explanation"):
            lasts[fields.protocol(record)] = 0
    return lasts


def _at(record: Record, nodes: tuple[Node, ...], lasts: dict[int, int]) -> float | None:
    verdict = fields.word(record, "verdict")
    last = len(nodes) - 1
    if verdict in _AT_SENDER:
        return 0
    if verdict in _AT_RECEIVER:
        held = verdict == Verdict.HELD_BY_RECEIVER and nodes[1].name == "lo"
        return last - 0.5 if held else last
    return _on_path(record, nodes, lasts) if verdict in _ON_PATH else None


def _on_path(record: Record, nodes: tuple[Node, ...], lasts: dict[int, int]) -> float | None:
    last = len(nodes) - 1
    if record.get("verdict") == Verdict.REJECTED:
        names = [node.name for node in nodes]
        for error in fields.parts(record, "icmp"):
            if error.get("authenticated") and (source := safe(error.get("from"))) in names[1:]:
                return names.index(source, 1)
    if last == 2 and not nodes[1].name:
        return 1
    by = fields.number(fields.part(record, "climb"), "with")
    after = lasts.get(fields.protocol(record) if by is None else by)
    return None if after is None else min(after, last - 1) + 0.5
