"""A judgement, and the result record that is written, compared and shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_hdp import __version__
from pytest_hdp.judge.evidence import Probe, Train, meaning_of
from pytest_hdp.judge.trace import Trace
from pytest_hdp.judge.verdict import Outcome, Place, Verdict
from pytest_hdp.packet.icmp import Meaning

SCHEMA = 1
FIRST_RULES, RULES = 1, 2
"""Which rules turn evidence into verdicts. One more wherever the same network may get another verdict than before;
docs/verdicts.md says what each changed. What 0.1.0 wrote says nothing of it: those were the first."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What judged a result: the `version` of this package, and its `rules`."""

    version: str = __version__
    rules: int = RULES


@dataclass(frozen=True, slots=True)
class Nat:
    """What became of the source address, by what the receiver saw. `source`: the address it saw.

    `state`: "translated", "none", or "leaked": a source from inside was seen although the control's was translated.
    `control`: the address that the control came from, where that is another.
    """

    state: str
    source: str | None
    control: str | None = None


@dataclass(frozen=True, slots=True)
class IcmpCount:
    """Equal ICMP errors, counted."""

    source: str
    type: int
    code: int
    count: int
    authenticated: bool

    @property
    def meaning(self) -> Meaning:
        """What it says, by whatever IP."""
        return meaning_of((self.source, self.type, self.code))


@dataclass(frozen=True, slots=True)
class Hop:
    """The last router known to have forwarded the train."""

    ttl: int
    address: str


@dataclass(frozen=True, slots=True)
class AtTtl:
    """What packets of one TTL brought: `sent` ones of a train, and beside each of them one control.

    `icmp`: errors about the train's own. `control`: how many controls a router answered, `router`: which;
    `control_arrived`: how many needed no router's answer, since they came through. `silent`: that the train's own
    were not answered means something, by the control's answers; else it is open.
    """

    ttl: int
    sent: int
    icmp: tuple[IcmpCount, ...] = ()
    control: int = 0
    router: str | None = None
    control_arrived: int = 0
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Climb:
    """How the hop was looked for at which a train died: by its own packets, or `by` those of another number."""

    rungs: tuple[AtTtl, ...] = ()
    by: int | None = None


ONE_MACHINE = frozenset({"loopback", "lab", "netns"})
"""Kinds of path whose ends share a kernel, and so a clock."""


@dataclass(frozen=True, slots=True)
class PathName:
    """Where a train ran. `kind`: "loopback", "lab", "netns", "internet"; `agent`: how the far eyes were reached.

    `vantage`: the vantage point that measured, where one run has several of them (pytest --dist each).
    """

    kind: str
    name: str
    source: str
    target: str
    agent: str | None
    vantage: str | None = None

    def one_clock(self) -> bool:
        """Whether both ends' times can be compared: both are on one machine, or only one end has eyes."""
        return self.kind in ONE_MACHINE or self.agent is None or self.agent == "popen"


@dataclass(frozen=True, slots=True)
class SharedLimit:
    """A limit that numbers share, so that what the one sends takes from what the other may.

    `rate`: packets a second that it let through once `burst` packets were, which came in a row after a rest.
    `interval`: seconds between two packets of the pace at which they were asked again, None if that would have taken
    too long. `numbers`: which they are, as a list of numbers and ranges.
    """

    rate: float
    burst: int
    interval: float | None
    numbers: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the evidence of one train means.

    `final`: no further probe could change it. `explanation`: one sentence for an engineer. `bound`: for a
    non-delivery with an agent, "0 of 7 arrived: delivery probability below 35 % at 95 %".
    Counts are of probes, not copies, except `duplicated`: surplus copies at the receiver.
    `probes`: what it rests on, as observed, or the times that a record kept; no part of what is judged. `hops`: the
    routers that the control found on the path, by TTL. `climb`: how the hop was looked for, None if it was not.
    `budget_spent`: of a lost one, the router that may have rejected it, and had no ICMP error left to say so.
    `solicited`: a packet of its number had gone the other way before in this run, controls aside: it is an answer.
    `moved`: bytes by which the payload was shifted. `changed_to`: what the number became beyond the sender.
    `transport_checksum`: "right", "stale" or "none" on arrival, where the form has one. `sent_to`: in reverse, the
    address that was learnt from packets that came, and `control_sent_to` where the control's is another.
    `shared_limit`: the limit by which the sweep itself lost packets of it.
    """

    train: Train
    verdict: Verdict
    place: Place
    explanation: str
    final: bool
    errno: str | None = None
    wire_protocol: int | None = None
    sent: int = 0
    left: int = 0
    arrived: int = 0
    delivered: int = 0
    duplicated: int = 0
    reordered: int = 0
    modified: tuple[str, ...] = ()
    nat: Nat = Nat("none", None)
    icmp: tuple[IcmpCount, ...] = ()
    last_hop: Hop | None = None
    control_sent: int = 0
    control_delivered: int = 0
    bound: str | None = None
    ttl: int | None = None
    changed: tuple[str, ...] = ()
    hops: tuple[Hop, ...] = ()
    climb: Climb | None = None
    budget_spent: str | None = None
    solicited: bool = False
    moved: int | None = None
    changed_to: int | None = None
    transport_checksum: str | None = None
    sent_to: str | None = None
    control_sent_to: str | None = None
    shared_limit: SharedLimit | None = None
    probes: tuple[Probe | Trace, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """One line of `results.jsonl`: a judgement, where and when it was made, and how it compares with expectations.

    `expected_errno`, `expected_wire_protocol`: what was expected beside the verdict, where that was stated.
    `earlier_run`: seconds since a run over this path ended, None if none is known of. `tool`: what judged it; None: a
    version that did not say so.
    """

    run: str
    time: str
    path: PathName
    ip_version: int
    keyword: str
    judgement: Judgement
    expected: Verdict | None
    outcome: Outcome
    latency_us: tuple[float, float, float] | None = None
    expected_errno: str | None = None
    expected_wire_protocol: int | None = None
    earlier_run: float | None = None
    tool: Tool | None = None

    @property
    def rules(self) -> int:
        """Which rules judged it."""
        return FIRST_RULES if self.tool is None else self.tool.rules

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.judgement.verdict
