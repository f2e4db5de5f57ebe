"""A judgement, and the result record that is written, compared and shown: its fields, and the range of each.

The annotations say how a result is written as a line of `results.jsonl`, and how strictly it is read (`record`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pytest_hdp import __version__
from pytest_hdp.judge.details import AS_SENT, AtTtl, Climb, Hop, IcmpCount, LatencyUs, Nat, ReadAs, SharedLimit
from pytest_hdp.judge.evidence import Probe, Train
from pytest_hdp.judge.trace import Trace, traces
from pytest_hdp.judge.verdict import Containment, Outcome, Place, Verdict
from pytest_hdp.untrusted.marks import (
    INLINE,
    SINCE,
    About,
    As,
    At,
    Count,
    LeftOut,
    Longest,
    Octet,
    OneOf,
    Unwritten,
    Whole,
)

__all__ = [
    "AtTtl",
    "Climb",
    "Hop",
    "IcmpCount",
    "Judgement",
    "LatencyUs",
    "Made",
    "Nat",
    "PathInfo",
    "ReadAs",
    "Result",
    "SharedLimit",
    "Tool",
    "TwinCount",
]

SCHEMA = 1
FIRST_RULES, RULES = 1, 2
"""Which rules turn evidence into verdicts. One more wherever the same network may get another verdict than before;
docs/verdicts.md says what each changed. What 0.1.0 wrote says nothing of it: those were the first."""
MOST_MOVED = 65_535


@dataclass(frozen=True, slots=True)
class Tool:
    """What judged a result: the `version` of this package, and its `rules`."""

    version: str = __version__
    rules: Annotated[int, Whole(1)] = RULES


ONE_MACHINE = frozenset({"loopback", "lab", "netns"})
"""Kinds of path whose ends share a kernel, and so a clock."""


@dataclass(frozen=True, slots=True)
class PathInfo:
    """Where a train ran."""

    kind: Annotated[str, About("loopback, lab, netns or internet")]
    name: str
    source: str
    target: str
    agent: Annotated[str | None, About("how the far eyes were reached; null without")]
    vantage: Annotated[
        str | None,
        LeftOut(null=True),
        About("the vantage point that measured, where a run has several (pytest --dist each); else it is missing"),
    ] = None

    def one_clock(self) -> bool:
        """Whether both ends' times can be compared: both are on one machine, or only one end has observers."""
        return self.kind in ONE_MACHINE or self.agent is None or self.agent == "popen"


@dataclass(frozen=True, slots=True)
class TwinCount:
    """What a containment rests on: of its twin's packets, how many were `sent`, and `arrived` at the deciding observer.

    Beside them of the box's own: `counted` went in rounds that count, `refused` its kernel did not take.
    """

    sent: Count
    arrived: Count
    counted: Count
    refused: Count = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the evidence of one train means.

    `final`: no further probe could change it. `explanation`: one sentence for an engineer. `bound`: for a
    non-delivery with an agent, "0 of 7 arrived: delivery probability below 35 % at 95 %".
    Counts are of probes, not copies, except `duplicated`.
    `probes`: what it rests on, as observed, or the times that a record kept; no part of what is judged. `climb`: None
    if the hop was not looked for. `shared_limit`: the limit by which the sweep itself lost packets of it.
    """

    train: Annotated[Train, INLINE]
    verdict: Verdict
    place: Place
    explanation: str
    final: Annotated[bool, Unwritten(True)]
    errno: Annotated[str | None, About("its name, as EPERM")] = None
    wire_protocol: Annotated[Octet | None, About("the number that was seen leaving")] = None
    sent: Annotated[Count, About("probes that sendto() took")] = 0
    left: Annotated[Count, About("probes that the sender's tap saw leave")] = 0
    arrived: Annotated[Count, About("probes that the receiver's tap saw")] = 0
    delivered: Annotated[Count, About("probes that came to the receiver's socket as sent")] = 0
    duplicated: Annotated[Count, About("surplus copies at the receiver")] = 0
    reordered: Annotated[Count, About("probes that arrived after one sent later")] = 0
    modified: Annotated[tuple[str, ...], About("fields that no router may change, and that were changed")] = ()
    nat: Nat = AS_SENT
    icmp: tuple[IcmpCount, ...] = ()
    last_hop: Hop | None = None
    control_sent: Annotated[Count, At("control", "sent")] = 0
    control_delivered: Annotated[Count, At("control", "delivered")] = 0
    bound: Annotated[str | None, About("what a non-delivery with an agent proves")] = None
    ttl: Annotated[
        Octet | None,
        SINCE,
        About("on arrival: at the receiver, or, without an agent, by the target's quotes; may be missing"),
    ] = None
    changed: Annotated[
        tuple[str, ...],
        SINCE,
        About("header fields that routers and translators may rewrite, and that were rewritten; may be missing"),
    ] = ()
    hops: Annotated[
        tuple[Hop, ...], LeftOut(), About("routers that the control found on the path; missing where nobody asked")
    ] = ()
    climb: Annotated[
        Climb | None, LeftOut(), About("how the hop was looked for where the train died; missing where it was not")
    ] = None
    budget_spent: Annotated[
        str | None,
        LeftOut(),
        About("of a lost one: the router that may have rejected it, and had no ICMP error left to say so"),
    ] = None
    solicited: Annotated[
        bool,
        SINCE,
        About("a packet of this number had gone the other way before in this run, controls aside: it is an answer"),
    ] = False
    moved: Annotated[
        Annotated[int, Whole(-MOST_MOVED, MOST_MOVED)] | None,
        LeftOut(),
        About("bytes put before the payload, or (below 0) cut off its front; missing where there were none"),
    ] = None
    changed_to: Annotated[
        Octet | None, LeftOut(), About("what the number became beyond the sender; missing where it was kept")
    ] = None
    transport_checksum: Annotated[
        Annotated[str, OneOf(("right", "stale", "none"))] | None,
        LeftOut(),
        About("of a well-formed message on arrival; missing where the protocol has none"),
    ] = None
    sent_to: Annotated[
        str | None,
        LeftOut(),
        About("in reverse: the address that was learnt from packets that came, if that is not the source's own"),
    ] = None
    control_sent_to: Annotated[
        str | None,
        LeftOut(),
        About("in reverse: where the control was sent, if its packets came from another address than the number's"),
    ] = None
    flow_label: Annotated[
        Annotated[int, Whole(0, 0xFFFFF)] | None,
        LeftOut(),
        About("over IPv6, on arrival at the receiver: all leave with label 0; missing without an agent"),
    ] = None
    extension_headers: Annotated[
        tuple[Octet, ...],
        LeftOut(),
        About("over IPv6, of a well-formed packet: the extension headers with which it arrived, in order"),
    ] = ()
    delivered_under: Annotated[
        Octet | None,
        LeftOut(),
        About("over IPv6: the number behind the extension headers, whose socket got what is behind them, too"),
    ] = None
    read_as: Annotated[
        ReadAs | None,
        LeftOut(),
        About("over IPv6, of a bare packet under 43, 44, 51 or 60: as which header its bytes are read on the way"),
    ] = None
    shared_limit: Annotated[
        SharedLimit | None,
        LeftOut(),
        About("a limit that numbers share, by which the sweep itself lost packets; missing where none was found"),
    ] = None
    containment: Annotated[
        Containment | None, LeftOut(), About("whether it stayed in the box that sent it; missing where nobody asked")
    ] = None
    containment_eye: Annotated[
        str | None, LeftOut(), About("who saw it outside the box, or would have; missing where nobody would")
    ] = None
    twin: Annotated[
        TwinCount | None, LeftOut(), About("what the containment rests on; missing where there was no twin")
    ] = None
    probes: Annotated[
        tuple[Probe | Trace, ...],
        LeftOut(),
        As(tuple[Trace, ...], traces),
        About("each probe in the order of sending; times are ns by the clock of the end that saw it"),
    ] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Made:
    """How a run was made, and when, which its results say themselves."""

    command: Annotated[str | None, LeftOut()] = None
    system: Annotated[str | None, LeftOut()] = None
    seed: Annotated[str | None, LeftOut()] = None
    version: Annotated[str | None, LeftOut()] = None
    unmeasured: Annotated[
        Annotated[str, Longest(1 << 20)] | None,
        LeftOut(),
        About("a line for each path that could not be measured at all"),
    ] = None
    source: Annotated[str | None, LeftOut(), About("of a record that this tool did not measure")] = None
    time: Annotated[str | None, Unwritten(None)] = None

    @property
    def missing(self) -> list[str]:
        """A line for each path that could not be measured."""
        return self.unmeasured.splitlines() if self.unmeasured is not None else []


@dataclass(frozen=True, slots=True)
class Result:
    """One line of `results.jsonl`: a judgement, where and when it was made, and how it compares with expectations."""

    run: Annotated[str, About("identifies the run")]
    time: Annotated[str, About("when the verdict was reached, ISO 8601")]
    path: PathInfo
    ip_version: Annotated[int, OneOf((4, 6))]
    keyword: str
    judgement: Annotated[Judgement, INLINE]
    expected: Verdict | None
    outcome: Outcome
    latency_us: LatencyUs | None = None
    expected_errno: Annotated[str | None, LeftOut(), About("the errno that was expected with it, where one was")] = None
    expected_wire_protocol: Annotated[
        Octet | None, LeftOut(), About("the number under which it was expected to leave, where one was")
    ] = None
    earlier_run: Annotated[
        float | None,
        SINCE,
        About("seconds since a run over this path ended, whose states may be open yet; null if none is known of"),
    ] = None
    tool: Annotated[
        Tool | None, LeftOut(), About("what judged it; missing in what 0.1.0 wrote, whose rules were the first")
    ] = None
    made: Annotated[Made | None, LeftOut(), About("how the run was made; in its first line only")] = None

    @property
    def rules(self) -> int:
        """Which rules judged it."""
        return FIRST_RULES if self.tool is None else self.tool.rules

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.judgement.verdict
