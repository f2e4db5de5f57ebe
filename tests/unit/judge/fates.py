"""Probes and the trains of them, written as letters: what became of each, for the examples of the ladder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pytest_hdp.judge.evidence import (
    Circumstances,
    IcmpReport,
    Observers,
    Probe,
    Reference,
    Reply,
    RoundControl,
    Sighting,
    Train,
    TrainEvidence,
)
from pytest_hdp.judge.ladder import RUNGS, judge
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.verdict import Place, Verdict

ME, ROUTER, TARGET = "192.0.2.1", "100.64.0.1", "198.51.100.2"


NAMES = {"sender_interface": "eth0", "receiver_interface": "eth1", "source": ME, "target": TARGET}


SECOND = 1_000_000_000


ALL, TAP_ONLY, SOCKET_ONLY, NO_AGENT = (
    Observers(),
    Observers(delivered=False),
    Observers(arrived=False),
    Observers(True, False, False),
)


BLIND_SENDER = Observers(left=False)


def seen(
    time: int, *, protocol: int = 132, genuine: bool = True, changed: tuple[str, ...] = (), **other: Any
) -> Sighting:
    return Sighting(time, protocol, genuine, other.get("source", ME), TARGET, other.get("ttl", 62), changed)


def error(time: int, source: str, code: int, *, type_: int = 3, authenticated: bool = True) -> IcmpReport:
    return IcmpReport(time, source, type_, code, authenticated)


def probe(letter: str, index: int, per_round: int = 1) -> Probe:
    """One probe by the letter of its fate."""
    at = index * SECOND
    bare = Probe(index, index // per_round, at)
    left = replace(bare, left=(seen(at + 1),))
    arrived = replace(left, arrived=(seen(at + 2),))
    mangled = seen(at + 3, genuine=False, changed=("payload", "ttl"))
    return {
        "E": replace(bare, errno="EPERM"),
        "M": replace(bare, errno="EMSGSIZE"),
        "O": replace(bare, errno="ENOBUFS"),
        "U": replace(bare, errno="ENETUNREACH"),
        ".": bare,
        "n": replace(bare, left=(seen(at + 1, protocol=4),)),
        "N": replace(bare, left=(seen(at + 1, protocol=4),), icmp=(error(at + 2, ROUTER, 13),)),
        "l": left,
        "u": replace(left, icmp=(error(at + 2, ROUTER, 13, authenticated=False),)),
        "q": replace(left, icmp=(error(at + 2, ROUTER, 0, type_=4), error(at + 2, ROUTER, 1, type_=5))),
        "r": replace(left, icmp=(error(at + 2, ROUTER, 13),)),
        "P": replace(left, icmp=(error(at + 2, TARGET, 2),)),
        "A": replace(left, icmp=(error(at + 2, TARGET, 13),)),
        "a": arrived,
        "h": replace(arrived, icmp=(error(at + 2, ROUTER, 13),)),
        "f": replace(arrived, icmp=(error(at + 2, TARGET, 13),)),
        "b": replace(left, arrived=(mangled,)),
        "m": replace(left, arrived=(mangled,), delivered=(mangled,)),
        "c": replace(left, arrived=(seen(at + 2), mangled), delivered=(mangled,)),
        "k": replace(arrived, delivered=(mangled,)),
        "d": replace(arrived, delivered=(seen(at + 3),)),
        "D": replace(bare, delivered=(seen(at + 3),)),
        "p": replace(left, icmp=(error(at + 2, ROUTER, 2),)),
        "t": replace(left, icmp=(error(at + 2, TARGET, 2, type_=12),)),
        "F": replace(arrived, delivered=(seen(at + 3),), icmp=(error(at + 4, TARGET, 2),)),
        "x": replace(bare, left=(seen(at + 1, protocol=4),), arrived=(seen(at + 2),)),
        "z": replace(bare, left=(seen(at + 1, protocol=4),), delivered=(seen(at + 2),)),
        "Q": replace(bare, replies=(Reply(at + 4, TARGET, 62, "TCP RST", "our sequence number"),)),
        "y": replace(left, replies=(Reply(at + 4, TARGET, 62, "TCP RST", "our sequence number"),)),
        "Y": replace(
            arrived, delivered=(seen(at + 3),), replies=(Reply(at + 4, TARGET, 62, "TCP RST", "our sequence number"),)
        ),
    }[letter]


@dataclass(frozen=True)
class Example:
    """Fates by letter, one round each, and what they mean. `control`: per round, (sent, delivered)."""

    fates: str
    verdict: Verdict
    place: Place
    final: bool = True
    observers: Observers = ALL
    control: tuple[tuple[int, int], ...] = ()
    more: bool = False
    says: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def evidence(self) -> TrainEvidence:
        return TrainEvidence(
            Train(132),
            self.options.get("socket_errno"),
            tuple(probe(letter, i, self.options.get("per_round", 1)) for i, letter in enumerate(self.fates)),
        )

    def circumstances(self) -> Circumstances:
        rounds = -(-len(self.fates) // self.options.get("per_round", 1))
        counts = self.control or ((64, 64),) * rounds
        spoiled = self.options.get("spoiled", ())
        return Circumstances(
            control=tuple(
                RoundControl(
                    i,
                    sent,
                    came,
                    self.options.get("control_left", sent),
                    spoiled if came >= 0 else (),
                    self.options.get("control_refused", 0),
                )
                for i, (sent, came) in enumerate(counts)
            ),
            observers=self.observers,
            more_rounds=self.more,
            agent_gone=self.options.get("agent_gone"),
            names=self.options.get("names", NAMES),
            minimum_count=self.options.get("minimum_count", min(5, rounds)),
            reference=self.options.get("reference", Reference()),
        )

    def judge(self, ladder: Any = RUNGS) -> Judgement:
        return judge(self.evidence(), self.circumstances(), ladder)


V, P = Verdict, Place


UNKNOWN = P.UNKNOWN


def attributes_of(*probes: Probe, names: dict[str, str] | None = None) -> Judgement:
    control = tuple(RoundControl(i, 64, 64, 64) for i in range(len(probes)))
    return judge(TrainEvidence(Train(132), None, probes), Circumstances(control, names={**NAMES, **(names or {})}))
