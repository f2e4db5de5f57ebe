"""Where on the path each train ended: the nodes of a path, and the trains that ended at or between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.report import fields
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement, Result

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
class Ending:
    """So many trains with one verdict ended `at` a node (its index), between two (and a half), or who knows (None).

    `numbers`: which they were.
    """

    verdict: Verdict
    at: float | None
    count: int
    numbers: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class PathPicture:
    """One path in one direction, drawn: its nodes from the sender on, and where trains ended."""

    nodes: tuple[Node, ...]
    ends: tuple[Ending, ...]

    def where(self, end: Ending) -> str:
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


def picture_of(results: Sequence[Result]) -> PathPicture:
    """Return the picture of results of one path, direction and form."""
    nodes = _nodes(results)
    lasts = _last_hops(results, nodes)
    ended = alike(results, lambda each: (each.verdict, _at(each, nodes, lasts)))
    rungs = list(Verdict)
    ends = [
        Ending(verdict, at, len(those), tuple(map(fields.protocol, those))) for (verdict, at), those in ended.items()
    ]
    ends.sort(key=lambda end: (end.at if end.at is not None else 1e9, rungs.index(end.verdict)))
    return PathPicture(nodes, tuple(ends))


def _nodes(results: Sequence[Result]) -> tuple[Node, ...]:
    path = results[0].path
    ends = [safe(each or "?") for each in (path.source, path.target)]
    if path.kind == "loopback":
        return Node(ends[0], "sender's socket"), Node("lo", "interface"), Node(ends[1], "receiver's socket")
    whos = ["source", "target"]
    if results[0].judgement.train.direction is Direction.REVERSE:
        ends.reverse()
        whos.reverse()
    lasts = [hop for result in results if (hop := result.judgement.last_hop) is not None]  # may stand on another way
    known = hops_of_control(results) or {hop.ttl: safe(hop.address) for hop in lasts}
    found = {ttl: address for ttl, address in known.items() if 0 < ttl <= MOST_HOPS}
    hops = [Node(found.get(ttl, ""), f"hop {ttl}") for ttl in range(1, max(found, default=0) + 1)]
    return Node(ends[0], whos[0]), *(hops or [Node("", "the path")]), Node(ends[1], whos[1])


def hops_of_control(results: Iterable[Result]) -> dict[int, str]:
    """Return the routers that the control found beside any of these, by TTL."""
    return {hop.ttl: safe(hop.address) for result in results for hop in result.judgement.hops}


def _last_hops(results: Sequence[Result], nodes: Sequence[Node]) -> dict[int, int]:
    """Return by number the TTL of the last hop that answered; 0 if none did and the control found hops.

    Of those that climbed: the others point to one of these. A hop that is none of the path's is another way's.
    """
    lasts: dict[int, int] = {}
    for result in results:
        last = result.judgement.last_hop
        if last is None:
            if _none_answered(result.judgement):
                lasts[fields.protocol(result)] = 0
        elif 0 < last.ttl < len(nodes) and nodes[last.ttl].name == safe(last.address):
            lasts[fields.protocol(result)] = last.ttl
    return lasts


def _none_answered(judgement: Judgement) -> bool:
    """Return whether packets of its own, sent with short TTLs, brought no error, while the control's were answered."""
    asked = judgement.climb.rungs if judgement.climb is not None else ()
    if any(each.icmp for each in asked) or not any(each.sent for each in asked):
        return False
    return any(each.control or each.control_arrived for each in asked)


def _at(result: Result, nodes: tuple[Node, ...], lasts: dict[int, int]) -> float | None:
    verdict = result.verdict
    last = len(nodes) - 1
    if verdict in _AT_SENDER:
        return 0
    if verdict in _AT_RECEIVER:
        held = verdict == Verdict.HELD_BY_RECEIVER and nodes[1].name == "lo"
        return last - 0.5 if held else last
    return _on_path(result, nodes, lasts) if verdict in _ON_PATH else None


def _on_path(result: Result, nodes: tuple[Node, ...], lasts: dict[int, int]) -> float | None:
    last = len(nodes) - 1
    if result.verdict == Verdict.REJECTED:
        names = [node.name for node in nodes]
        for error in result.judgement.icmp:
            if error.authenticated and (source := safe(error.source)) in names[1:]:
                return names.index(source, 1)
    if last == 2 and not nodes[1].name:
        return 1
    after = lasts.get(fields.located_by(result))
    return None if after is None else min(after, last - 1) + 0.5
