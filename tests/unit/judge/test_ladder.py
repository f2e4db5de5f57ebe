"""Each rung by example, the order of the rungs, and what stands beside the verdict."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pytest_hdp.judge.evidence import (
    Circumstances,
    IcmpReport,
    Means,
    Observers,
    Probe,
    Reference,
    Reply,
    RoundControl,
    Sighting,
    Train,
    TrainEvidence,
)
from pytest_hdp.judge.explain import bound_text, icmp_text, percent_above
from pytest_hdp.judge.facts import Facts
from pytest_hdp.judge.ladder import RUNGS, judge
from pytest_hdp.judge.result import IcmpCount, Judgement, Nat
from pytest_hdp.judge.verdict import Direction, Form, Place, Verdict
from pytest_hdp.untrusted.text import plain

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
    eyes: Observers = ALL
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
            eyes=self.eyes,
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

EXAMPLES = {
    # 1 and 2: refused
    "socket": Example(
        "", V.REFUSED_AT_SOCKET, P.SENDER_SOCKET, says=("EPROTONOSUPPORT",), options={"socket_errno": "EPROTONOSUPPORT"}
    ),
    "socket, and send": Example("EEE", V.REFUSED_AT_SOCKET, P.SENDER_SOCKET, options={"socket_errno": "EINVAL"}),
    "refused at send, agent soon gone": Example(
        "E", V.INCONCLUSIVE, UNKNOWN, options={"agent_gone": "ssh ended", "minimum_count": 5}, says=("too few to tell",)
    ),
    "send": Example("EEE", V.REFUSED_AT_SEND, P.SENDER_SEND, says=("3 of 3 with EPERM", "firewall or IPsec policy")),
    "send, too big": Example("MMM", V.REFUSED_AT_SEND, P.SENDER_SEND, says=("EMSGSIZE",)),
    "send, before the minimum": Example(
        "E", V.REFUSED_AT_SEND, P.SENDER_SEND, final=False, more=True, options={"minimum_count": 3}
    ),
    "send, some": Example("EdE", V.INCONCLUSIVE, UNKNOWN, says=("2 of 3 with EPERM", "1 of 1 left eth0")),
    "send, some, the rest unseen": Example("E.E", V.INCONCLUSIVE, UNKNOWN),
    "send, some, and one is enough": Example("E.E", V.INCONCLUSIVE, UNKNOWN, options={"minimum_count": 1}),
    "send, want of buffers": Example("OOO", V.INCONCLUSIVE, UNKNOWN, says=("want of resources", "ENOBUFS")),
    "send, no route": Example("UUU", V.REFUSED_AT_SEND, P.SENDER_SEND, says=("3 of 3 with ENETUNREACH",)),
    "send, no route for the control either": Example(
        "UUU",
        V.INCONCLUSIVE,
        UNKNOWN,
        control=((0, 0),) * 3,
        says=("no way out for 3 probes, and none for the control (ENETUNREACH)",),
        options={"control_refused": 4},
    ),
    "send, the route goes": Example(
        "dddUU",
        V.DELIVERED,
        P.RECEIVER_SOCKET,
        more=True,
        final=False,
        options={"control_refused": 1, "minimum_count": 5},
    ),
    "send, EPERM as the control": Example("EEE", V.REFUSED_AT_SEND, P.SENDER_SEND, options={"control_refused": 4}),
    "eyes elsewhere": Example(
        "lllll",
        V.INCONCLUSIVE,
        UNKNOWN,
        control=((64, 0),) * 5,
        more=True,
        final=True,
        says=("the agent is not there; 5 of 5 left eth0",),
        options={"names": {**NAMES, "elsewhere": "the agent is not there"}},
    ),
    "send, want of buffers once": Example("Oddddd", V.DELIVERED, P.RECEIVER_SOCKET),
    # 3: held by the sender
    "held by sender": Example("...", V.HELD_BY_SENDER, P.SENDER_KERNEL, says=("none left eth0",)),
    "held by sender, no agent": Example("...", V.HELD_BY_SENDER, P.SENDER_KERNEL, eyes=NO_AGENT),
    "unseen, and the control too": Example("...", V.INCONCLUSIVE, UNKNOWN, options={"control_left": 0}),
    "unseen, tap overflowed": Example(
        "...", V.INCONCLUSIVE, UNKNOWN, options={"spoiled": ("sender tap",)}, says=("sender tap",)
    ),
    "unseen, no tap": Example(".........", V.INCONCLUSIVE, UNKNOWN, eyes=BLIND_SENDER, says=("no tap at the sender",)),
    "unseen leaving, but delivered": Example("DDDDD", V.DELIVERED, P.RECEIVER_SOCKET),
    "unseen leaving, yet a reply": Example("...Q", V.REACHED, P.TARGET),
    "held by sender, control of one": Example("...", V.HELD_BY_SENDER, P.SENDER_KERNEL, control=((1, 1),) * 3),
    # 4: renumbered
    "renumbered": Example("nnn", V.RENUMBERED, P.SENDER_KERNEL, more=True, says=("as 4 (ipv4)",)),
    "renumbered, then rejected": Example("NNN", V.RENUMBERED, P.SENDER_KERNEL),
    "renumbered, one unseen": Example("nn.", V.RENUMBERED, P.SENDER_KERNEL, final=False, more=True),
    "renumbered, one unseen, at the cap": Example("nn.", V.RENUMBERED, P.SENDER_KERNEL),
    "renumbered on the tap only": Example("xxxxx", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL),
    "renumbered on the tap, delivered": Example("zzzzz", V.DELIVERED, P.RECEIVER_SOCKET),
    # 5: rejected
    "rejected by a hop with the target's words": Example("ppppp", V.REJECTED, P.HOP, eyes=NO_AGENT),
    "rejected by the target for a parameter": Example("ttttt", V.REJECTED, P.TARGET, eyes=NO_AGENT),
    "delivered, and the target's error": Example("FFFFF", V.DELIVERED, P.RECEIVER_SOCKET),
    "rejected by a hop": Example(
        "rrrrr", V.REJECTED, P.HOP, says=(f"{ROUTER} answered 5", "administratively prohibited (ICMP 3/13)")
    ),
    "rejected once, the rest limited": Example("rllll", V.REJECTED, P.HOP),
    "rejected by the target's firewall": Example("fffff", V.REJECTED, P.TARGET),
    "rejected in the target's name": Example("PPPPP", V.REJECTED, P.HOP),
    "rejected, no agent": Example("rrrrr", V.REJECTED, P.HOP, eyes=NO_AGENT),
    "rejected by the target, no agent": Example("AAAAA", V.REJECTED, P.TARGET, eyes=NO_AGENT),
    "rejected, forged": Example("uuuuu", V.LOST, P.PATH),
    "quench and redirect": Example("qqqqq", V.LOST, P.PATH),
    "rejected, control dead": Example("rrrrr", V.INCONCLUSIVE, UNKNOWN, control=((64, 0),) * 5),
    "rejected by the target's firewall, control dead": Example("fffff", V.REJECTED, P.TARGET, control=((64, 0),) * 5),
    "rejected by the target's stack, whose socket overflowed": Example(
        "fffff", V.INCONCLUSIVE, UNKNOWN, control=((64, 0),) * 5, options={"spoiled": ("the tap",)}
    ),
    "rejected by the target, no agent, control dead": Example(
        "AAAAA", V.REJECTED, P.TARGET, eyes=NO_AGENT, control=((4, 0),) * 5
    ),
    "rejected and delivered": Example(
        "rdddd", V.DELIVERED, P.RECEIVER_SOCKET, final=False, more=True, says=("4 of 5", f"{ROUTER} answered 1")
    ),
    "rejected, agent gone": Example(
        "rllll", V.INCONCLUSIVE, UNKNOWN, options={"agent_gone": "ssh ended"}, says=("ssh ended",)
    ),
    "a hop's error, but past it": Example("haaaa", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL),
    # 6: lost
    "lost": Example(
        "lllll", V.LOST, P.PATH, says=("5 of 5 left eth0", f"none reached {TARGET}", "all 320 control packets arrived")
    ),
    "lost, too few": Example("llll", V.INCONCLUSIVE, UNKNOWN, final=False, more=True, says=("0 of 4 arrived",)),
    "lost, too few, at the cap": Example("llll", V.INCONCLUSIVE, UNKNOWN),
    "lost beside echoes": Example(
        "lllll",
        V.LOST,
        P.PATH,
        says=("all 320 control packets arrived (ICMP echoes, since none of its UDP came through)",),
        options={"reference": Reference(Means.ECHOES)},
    ),
    "lost beside echoes, UDP refused": Example(
        "lllll",
        V.LOST,
        P.PATH,
        says=("(ICMP echoes, since sendto() refused the control's UDP with EPERM)",),
        options={"reference": Reference(Means.ECHOES, "EPERM")},
    ),
    "lost beside UDP that its firewall takes": Example(
        "lllll",
        V.LOST,
        P.PATH,
        says=(f"arrived at eth1 of {TARGET} (UDP, none of which came to its socket)",),
        options={"reference": Reference(Means.INTERFACE)},
    ),
    "nothing could be sent": Example(
        "lllll",
        V.INCONCLUSIVE,
        UNKNOWN,
        control=((0, 0),) * 5,
        says=("no control could be sent either (EPERM)",),
        options={"reference": Reference(Means.NOTHING, "EPERM"), "control_refused": 44},
    ),
    "lost, control too small": Example("lllll", V.INCONCLUSIVE, UNKNOWN, final=False, more=True, control=((1, 1),) * 5),
    "lost, control lossy": Example("lllll", V.INCONCLUSIVE, UNKNOWN, control=((64, 50),) * 5),
    "lost, control lossy, long": Example("l" * 20, V.LOST, P.PATH, control=((64, 50),) * 20),
    "lost, control dead": Example(
        "lllll", V.INCONCLUSIVE, UNKNOWN, control=((64, 0),) * 5, says=("control was lost too",)
    ),
    "lost, an outage": Example("llllllll", V.INCONCLUSIVE, UNKNOWN, control=((64, 64),) * 3 + ((64, 0),) * 5),
    "lost, overflow": Example("lllll", V.INCONCLUSIVE, UNKNOWN, options={"spoiled": ("receiver socket",)}),
    "lost, agent gone": Example("lllll", V.INCONCLUSIVE, UNKNOWN, options={"agent_gone": "ssh ended"}, more=True),
    "lost, in one burst": Example("lllllllll", V.INCONCLUSIVE, UNKNOWN, options={"per_round": 9}),
    "lost, no tap there": Example("lllllllll", V.INCONCLUSIVE, UNKNOWN, eyes=SOCKET_ONLY, more=True, says=("no tap",)),
    "lost, no control": Example("lllll", V.INCONCLUSIVE, UNKNOWN, control=((0, 0),) * 5),
    "lost, yet a reply": Example("yllllll", V.REACHED, P.TARGET),
    "lost, before the minimum": Example("lllll", V.INCONCLUSIVE, UNKNOWN, options={"minimum_count": 6}),
    "lost, in rounds that were dead": Example(
        "ll",
        V.INCONCLUSIVE,
        UNKNOWN,
        final=False,
        more=True,
        control=((64, 0), (64, 0), (64, 64)),
        says=("none of the",),
    ),
    "lost, overflow, more to come": Example(
        "lllll", V.INCONCLUSIVE, UNKNOWN, final=False, more=True, options={"spoiled": ("receiver socket",)}
    ),
    "few of many, the control lossy": Example(
        "d" + "l" * 20,
        V.INCONCLUSIVE,
        UNKNOWN,
        control=((64, 6),) * 21,
        says=("1 of 21 arrived: delivery probability below 21 % at 95 %, and the path itself loses most",),
    ),
    "two of five, most rounds dead": Example(
        "ddlll",
        V.INCONCLUSIVE,
        UNKNOWN,
        control=((64, 64), (64, 64), (64, 0), (64, 0), (64, 0)),
        more=True,
        final=False,
        says=("2 of 5 arrived",),
    ),
    "half of forty": Example("dl" * 20, V.DELIVERED, P.RECEIVER_SOCKET, control=((64, 32),) * 40),
    # 7 and 8: first only, lossy
    "first only": Example("dllllll", V.FIRST_ONLY, P.PATH, says=("the first came through and none of the 6 after",)),
    "first three only": Example("dddlllllll", V.FIRST_ONLY, P.PATH, says=("the first 3",)),
    "first only, then held": Example("daaaaaa", V.FIRST_ONLY, P.RECEIVER_KERNEL),
    "first only, too few": Example("dll", V.INCONCLUSIVE, UNKNOWN, final=False, more=True),
    "first four only": Example("ddddllllllll", V.FIRST_ONLY, P.PATH, says=("the first 4 came through",)),
    "first twenty only": Example("d" * 20 + "l" * 20, V.FIRST_ONLY, P.PATH, says=("the first 20 came through",)),
    "the last too few": Example("dddddll", V.INCONCLUSIVE, UNKNOWN, more=True, final=False),
    "one of the middle": Example("lllldllllll", V.LOSSY, P.PATH, says=("10 of 11",)),
    "half": Example("dl" * 15, V.LOSSY, P.PATH, says=("15 of 30", "all 1920 control packets arrived")),
    "half never leaves": Example("d." * 15, V.LOSSY, P.SENDER_KERNEL),
    "half, no taps": Example("dl" * 15, V.LOSSY, UNKNOWN, eyes=Observers(left=False, arrived=False)),
    "half, control as bad": Example("dl" * 15, V.DELIVERED, P.RECEIVER_SOCKET, control=((64, 32),) * 30),
    "half, at the path, and held": Example("al" * 15, V.LOSSY, P.PATH),
    "a third, unproven": Example("ddl" * 3, V.INCONCLUSIVE, UNKNOWN, final=False, more=True),
    "half, no tap there": Example("dl" * 15, V.LOSSY, UNKNOWN, eyes=SOCKET_ONLY),
    "half, no tap here": Example("D." * 15, V.LOSSY, UNKNOWN, eyes=BLIND_SENDER),
    "first only, unseen leaving": Example("Dllllll", V.FIRST_ONLY, P.PATH),
    "half, agent gone": Example("dl" * 15, V.INCONCLUSIVE, UNKNOWN, options={"agent_gone": "ssh ended"}),
    "half, before the minimum": Example("dl" * 15, V.INCONCLUSIVE, UNKNOWN, options={"minimum_count": 31}),
    "half, with replies": Example("dy" * 15, V.REACHED, P.TARGET),
    "a third, no tap there": Example("ddl" * 3, V.INCONCLUSIVE, UNKNOWN, eyes=SOCKET_ONLY, says=("too few",)),
    "first, and the last in an outage": Example(
        "d" + "l" * 12 + "d", V.LOSSY, P.PATH, control=((64, 64),) * 13 + ((64, 0),)
    ),
    # 9: held by the receiver
    "held by receiver, control of one": Example("aaaaa", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL, control=((1, 1),) * 5),
    "held by receiver": Example(
        "aaaaa", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL, says=("5 of 5 arrived at eth1", "none came to its socket")
    ),
    "held by receiver, overflow": Example("aaaaa", V.INCONCLUSIVE, UNKNOWN, options={"spoiled": ("receiver socket",)}),
    "held by receiver, control too": Example("aaaaa", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL, control=((64, 0),) * 5),
    "held by receiver, the control at its socket": Example(
        "aaaaa", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL, says=("none came to its socket, while the control did",)
    ),
    "held by receiver, as the control's UDP": Example(
        "aaaaa",
        V.HELD_BY_RECEIVER,
        P.RECEIVER_KERNEL,
        says=("none came to its socket, nor did the control's UDP",),
        options={"reference": Reference(Means.INTERFACE)},
    ),
    "held by receiver, beside echoes": Example(
        "aaaaa",
        V.HELD_BY_RECEIVER,
        P.RECEIVER_KERNEL,
        says=("none came to its socket: the receiver's kernel",),
        options={"reference": Reference(Means.ECHOES, "EPERM")},
    ),
    "held by receiver, no control": Example("aaaaa", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL, control=((0, 0),) * 5),
    "held by receiver, one of them mangled": Example("aabaa", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL),
    "held by receiver, beside altered copies": Example("ccccc", V.HELD_BY_RECEIVER, P.RECEIVER_KERNEL),
    # 10: modified
    "modified by the receiver's own kernel": Example("kkkkk", V.MODIFIED, P.RECEIVER_SOCKET),
    "modified": Example("mmmmm", V.MODIFIED, P.RECEIVER_SOCKET, says=("5 of 5", "payload changed")),
    "one modified": Example("dmddd", V.MODIFIED, P.RECEIVER_SOCKET, says=("1 of 5",)),
    "modified, and not at the socket": Example("bbbbb", V.MODIFIED, P.RECEIVER_SOCKET),
    "modified at the tap": Example("babaa", V.MODIFIED, P.RECEIVER_SOCKET, eyes=TAP_ONLY, says=("2 of 5",)),
    # 11: delivered
    "delivered": Example("ddddd", V.DELIVERED, P.RECEIVER_SOCKET, more=True, says=("5 of 5 arrived as sent",)),
    "delivered, before the minimum": Example(
        "ddd", V.DELIVERED, P.RECEIVER_SOCKET, final=False, more=True, options={"minimum_count": 5}
    ),
    "delivered, by too few before the minimum": Example(
        "dd", V.INCONCLUSIVE, UNKNOWN, final=False, more=True, options={"minimum_count": 5}
    ),
    "delivered, control dead": Example("ddddd", V.DELIVERED, P.RECEIVER_SOCKET, control=((64, 0),) * 5),
    "delivered, overflow": Example("ddddd", V.DELIVERED, P.RECEIVER_SOCKET, options={"spoiled": ("receiver tap",)}),
    "delivered, one lost": Example("ldddd", V.DELIVERED, P.RECEIVER_SOCKET, final=False, more=True),
    "delivered, one lost, at the cap": Example("ldddd", V.DELIVERED, P.RECEIVER_SOCKET),
    "delivered, one lost as of the control": Example(
        "ldddd", V.DELIVERED, P.RECEIVER_SOCKET, control=((64, 60),) * 5, more=True, says=("control lost 20 of 320",)
    ),
    "some, control dead": Example("ldddd", V.INCONCLUSIVE, UNKNOWN, control=((64, 0),) * 5),
    "delivered, before the minimum, at the cap": Example(
        "dd", V.INCONCLUSIVE, UNKNOWN, options={"minimum_count": 5}, says=("only 2 probes could be sent, of the 5",)
    ),
    "delivered, ended long before what was asked for": Example(
        "d" * 7, V.DELIVERED, P.RECEIVER_SOCKET, options={"minimum_count": 1000}, says=("7 of 7 arrived",)
    ),
    "delivered, ended too soon": Example("d" * 6, V.INCONCLUSIVE, UNKNOWN, options={"minimum_count": 1000}),
    "delivered, one lost, control small": Example(
        "ldddd", V.DELIVERED, P.RECEIVER_SOCKET, final=False, more=True, control=((1, 1),) * 5
    ),
    "delivered, one lost as of the control, twice": Example(
        "ldddd", V.DELIVERED, P.RECEIVER_SOCKET, final=False, more=True, control=((64, 64),) * 4 + ((64, 63),)
    ),
    "one lost, agent gone": Example("ddddl", V.INCONCLUSIVE, UNKNOWN, options={"agent_gone": "ssh ended"}, more=True),
    "delivered, agent gone": Example("ddddd", V.DELIVERED, P.RECEIVER_SOCKET, options={"agent_gone": "ssh ended"}),
    "delivered, too few, agent gone": Example(
        "dd", V.INCONCLUSIVE, UNKNOWN, options={"agent_gone": "ssh ended", "minimum_count": 5}, says=("ssh ended",)
    ),
    "never left, agent gone": Example(".....", V.INCONCLUSIVE, UNKNOWN, options={"agent_gone": "x"}),
    "some, agent gone": Example("dddll", V.INCONCLUSIVE, UNKNOWN, options={"agent_gone": "ssh ended"}),
    "some, one in an outage": Example(
        "ddldd", V.DELIVERED, P.RECEIVER_SOCKET, control=((64, 64), (64, 64), (64, 0), (64, 64), (64, 64))
    ),
    "delivered, and a reply": Example("YYYYY", V.DELIVERED, P.RECEIVER_SOCKET),
    # 12: reached
    "reached": Example("PPPPP", V.REACHED, P.TARGET, eyes=NO_AGENT, says=("protocol unreachable (ICMP 3/2)",)),
    "reached once": Example("lPlll", V.REACHED, P.TARGET, eyes=NO_AGENT),
    "replied": Example("yllll", V.REACHED, P.TARGET, eyes=NO_AGENT, says=(f"{TARGET} replied to 1 of 5",)),
    "reached the interface": Example(
        "aaaaa", V.REACHED, P.TARGET, eyes=TAP_ONLY, says=("no socket listens to its number",)
    ),
    "reached, and then nobody there listens": Example(
        "ffffa", V.REACHED, P.TARGET, eyes=TAP_ONLY, says=("198.51.100.2 answered 4 with",)
    ),
    "in the target's name, without a socket there": Example("PPPPP", V.REJECTED, P.HOP, eyes=TAP_ONLY),
    "reached the interface, once of nine": Example("l" * 8 + "a", V.LOSSY, P.PATH, eyes=TAP_ONLY),
    "reached nothing yet": Example("lll", V.INCONCLUSIVE, UNKNOWN, eyes=TAP_ONLY),
    # 13: silent
    "silent, enough": Example("lllll", V.SILENT, UNKNOWN, eyes=NO_AGENT, more=True),
    "silent": Example("lllll", V.SILENT, UNKNOWN, eyes=NO_AGENT, says=("dropped on the path", "without a reply")),
    "silent, forged": Example("uuuuu", V.SILENT, UNKNOWN, eyes=NO_AGENT, says=("5 ICMP errors that prove nothing",)),
    "silent, no tap": Example("lllll", V.SILENT, UNKNOWN, eyes=Observers(False, False, False)),
    "silent, few": Example("l", V.SILENT, UNKNOWN, eyes=NO_AGENT, final=False, more=True, options={"minimum_count": 5}),
    "silent, control too": Example("lllll", V.INCONCLUSIVE, UNKNOWN, eyes=NO_AGENT, control=((1, 0),) * 5),
    "an error in an outage": Example(
        "rl", V.INCONCLUSIVE, UNKNOWN, final=False, more=True, eyes=NO_AGENT, control=((1, 0), (1, 1))
    ),
    "silent, few, at the cap": Example("l", V.SILENT, UNKNOWN, eyes=NO_AGENT, options={"minimum_count": 5}),
    # 14: inconclusive
    "nothing sent yet": Example("", V.INCONCLUSIVE, UNKNOWN, final=False, more=True),
    "nothing sent": Example("", V.INCONCLUSIVE, UNKNOWN, says=("no probe was sent",)),
    "no control": Example("lllll", V.INCONCLUSIVE, UNKNOWN, options={"names": {}}, control=((0, 0),) * 5),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    example = EXAMPLES[name]
    judgement = example.judge()
    assert (judgement.verdict, judgement.place) == (example.verdict, example.place), judgement.explanation
    assert judgement.final is example.final, judgement.explanation
    for words in example.says:
        assert words in judgement.explanation
    assert judgement.explanation.isprintable()
    assert judgement.explanation.startswith("132 (sctp), forward: ")
    assert judgement.explanation.endswith(".")


def test_every_verdict_has_an_example() -> None:
    assert {example.verdict for example in EXAMPLES.values()} == set(Verdict)


def test_rungs_stand_in_the_order_of_the_verdicts() -> None:
    assert [rung.__name__ for rung in RUNGS] == [str(verdict) for verdict in Verdict]


EXCLUSIVE = {("held_by_sender", "renumbered"), ("lost", "first_only")}
"""Neighbours that no evidence reaches both: nothing left or something did; none came or some did."""


@pytest.mark.parametrize("lower", range(len(RUNGS) - 1))
def test_two_rungs_swapped_change_an_example(lower: int) -> None:
    swapped = list(RUNGS)
    swapped[lower], swapped[lower + 1] = swapped[lower + 1], swapped[lower]
    names = (RUNGS[lower].__name__, RUNGS[lower + 1].__name__)
    changed = [name for name, example in EXAMPLES.items() if example.judge(swapped).verdict != example.verdict]
    assert bool(changed) is (names not in EXCLUSIVE), f"{names}: {changed}"


@pytest.mark.parametrize("missing", RUNGS[:-1], ids=lambda rung: rung.__name__)
def test_a_rung_taken_out_changes_an_example(missing: Any) -> None:
    ladder = [rung for rung in RUNGS if rung is not missing]
    assert any(example.judge(ladder).verdict != example.verdict for example in EXAMPLES.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_order_is_nothing(name: str) -> None:
    example = EXAMPLES[name]
    evidence, circumstances = example.evidence(), example.circumstances()
    backwards = replace(
        evidence,
        probes=tuple(
            replace(p, left=p.left[::-1], arrived=p.arrived[::-1], delivered=p.delivered[::-1], icmp=p.icmp[::-1])
            for p in evidence.probes[::-1]
        ),
    )
    assert judge(backwards, replace(circumstances, control=circumstances.control[::-1])) == example.judge()


@pytest.mark.parametrize("name", EXAMPLES)
def test_counts_and_bound(name: str) -> None:
    example = EXAMPLES[name]
    judgement = example.judge()
    taken = [p for p in example.evidence().probes if p.errno is None]
    assert judgement.sent == len(taken)
    assert judgement.left == sum(bool(p.left) for p in taken)
    assert judgement.arrived == sum(bool(p.arrived) for p in taken)
    assert judgement.delivered == sum(any(s.genuine for s in p.delivered) for p in taken)
    control = example.circumstances().control
    assert judgement.control_sent == sum(c.sent for c in control)
    assert judgement.control_delivered == sum(c.delivered for c in control)
    if judgement.verdict in {V.LOST, V.LOSSY, V.FIRST_ONLY, V.HELD_BY_RECEIVER}:
        assert judgement.bound is not None
        assert " %" in judgement.bound
    if example.eyes in (NO_AGENT, Observers(False, False, False)) or judgement.verdict in {V.DELIVERED, V.REACHED}:
        assert judgement.bound is None


def test_bound_of_seven() -> None:
    assert Example("lllllll", V.LOST, P.PATH).judge().bound == "0 of 7 arrived: delivery probability below 35 % at 95 %"
    assert bound_text(5, 5) == "5 of 5 arrived"
    assert bound_text(0, 30).endswith("below 9.6 % at 95 %")


@pytest.mark.parametrize(("share", "text"), [(0.348, "35 %"), (0.35, "35 %"), (0.0487, "4.9 %"), (1.0, "100 %")])
def test_percentages_are_upper_bounds(share: float, text: str) -> None:
    assert percent_above(share) == text


def test_errno_and_wire_protocol() -> None:
    assert EXAMPLES["socket"].judge().errno == "EPROTONOSUPPORT"
    assert EXAMPLES["send"].judge().errno == "EPERM"
    assert Example("EM", V.REFUSED_AT_SEND, P.SENDER_SEND).judge().errno == "EMSGSIZE", "the first of equals by name"
    assert EXAMPLES["send, some"].judge().errno is None
    assert EXAMPLES["renumbered"].judge().wire_protocol == 4
    assert EXAMPLES["lost"].judge().wire_protocol == 132
    assert EXAMPLES["send"].judge().wire_protocol is None


def test_renumbered_says_why() -> None:
    at = SECOND
    left = Probe(0, 0, at, left=(seen(at, protocol=6),), arrived=(seen(at, protocol=6, changed=("protocol",)),))
    judgement = judge(TrainEvidence(Train(262), None, (left,)), Circumstances((RoundControl(0, 1, 1, 1),)))
    assert judgement.verdict is V.RENUMBERED
    assert judgement.final
    assert "as 6 (tcp), the low 8 bits of 262" in judgement.explanation


def test_what_left_without_a_header_left_under_the_number_that_was_inside() -> None:
    without = replace(seen(5, protocol=253, genuine=False, changed=("payload", "protocol")), moved=-8)
    judgement = attributes_of(*(replace(probe("l", i), left=(without,), arrived=(without,)) for i in range(5)))
    assert (judgement.verdict, judgement.wire_protocol) == (V.RENUMBERED, 253)
    left_as_sent = attributes_of(*(replace(probe("l", i), arrived=(without,)) for i in range(5)))
    assert (left_as_sent.verdict, left_as_sent.moved) == (V.MODIFIED, -8)


def test_another_number_on_arrival_is_not_as_sent() -> None:
    changed = [replace(probe("d", i), arrived=(), delivered=(seen(i, protocol=4),)) for i in range(5)]
    example = EXAMPLES["delivered"]
    judgement = judge(TrainEvidence(Train(132), None, tuple(changed)), example.circumstances())
    assert (judgement.verdict, judgement.modified) == (V.MODIFIED, ("protocol",))


def test_the_sentence_names_form_and_direction() -> None:
    train = Train(253, Direction.REVERSE, Form.WELLFORMED)
    judgement = judge(TrainEvidence(train, "EINVAL"), Circumstances(()))
    assert judgement.explanation.startswith("253 (experimental-1), wellformed, reverse: socket() refused")


def attributes_of(*probes: Probe, names: dict[str, str] | None = None) -> Judgement:
    control = tuple(RoundControl(i, 64, 64, 64) for i in range(len(probes)))
    return judge(TrainEvidence(Train(132), None, probes), Circumstances(control, names={**NAMES, **(names or {})}))


def from_source(index: int, source: str, **other: Any) -> Probe:
    return replace(probe("l", index), delivered=(seen(index * SECOND + 5, source=source, **other),))


@pytest.mark.parametrize(
    ("sources", "control", "nat"),
    [
        ((ME, ME), None, Nat("none", ME)),
        ((ME, ME), ME, Nat("none", ME)),
        ((ROUTER, ROUTER), ROUTER, Nat("translated", ROUTER)),
        ((ROUTER, ROUTER), ME, Nat("translated", ROUTER, ME)),
        ((ME, ME), ROUTER, Nat("leaked", ME, ROUTER)),
        ((ME, ROUTER), ROUTER, Nat("leaked", ME, ROUTER)),
        (("100.64.0.2",) * 2, "203.0.113.5", Nat("leaked", "100.64.0.2", "203.0.113.5")),
        (("203.0.113.5", "100.64.0.2"), "203.0.113.5", Nat("leaked", "100.64.0.2", "203.0.113.5")),
        (("203.0.113.6",) * 2, "203.0.113.5", Nat("translated", "203.0.113.6", "203.0.113.5")),
        (("100.64.0.2",) * 2, ME, Nat("translated", "100.64.0.2", ME)),
        (("100.64.0.2",) * 2, None, Nat("translated", "100.64.0.2")),
    ],
)
def test_nat(sources: tuple[str, ...], control: str | None, nat: Nat) -> None:
    probes = [from_source(i, source) for i, source in enumerate(sources)]
    assert attributes_of(*probes, names={"control_source": control} if control else {}).nat == nat


def test_nat_unknown_without_own_address() -> None:
    unseen = replace(from_source(0, ROUTER), left=())
    assert attributes_of(unseen, names={"source": None}).nat == Nat("none", ROUTER)  # type: ignore[dict-item]


def test_an_address_that_the_sender_itself_used_is_no_translation() -> None:
    """By policy the number leaves by another interface, under that one's address."""
    other = "192.0.2.77"
    own = replace(from_source(0, other), left=(seen(1, source=other),))
    assert attributes_of(own, names={"control_source": ME}).nat == Nat("none", other)
    assert attributes_of(own, names={"control_source": ROUTER}).nat == Nat("leaked", other, ROUTER)
    assert attributes_of(replace(own, left=())).nat == Nat("translated", other)


def test_what_was_seen_at_a_bridge_and_not_at_its_port_has_not_left() -> None:
    at_bridge = [replace(probe("l", i), left=(replace(seen(i * SECOND + 1), interface="br0"),)) for i in range(5)]
    control = tuple(RoundControl(i, 64, 64, 64) for i in range(5))
    for inner, verdict in ((frozenset({"br0"}), V.HELD_BY_SENDER), (frozenset({"br1"}), V.LOST)):
        shared = Circumstances(control, names=NAMES, inner=inner)
        judgement = judge(TrainEvidence(Train(132), None, tuple(at_bridge)), shared)
        assert (judgement.verdict, judgement.left) == (verdict, 5 * (verdict is V.LOST)), inner


def test_an_error_of_the_senders_own_kernel_says_nothing_of_the_path() -> None:
    """Its neighbour does not answer: nothing left, and the kernel says "host unreachable" to itself."""
    report = IcmpReport(5, ME, 3, 1, authenticated=True)
    probes = tuple(replace(probe(".", i), icmp=(report,)) for i in range(5))
    judgement = attributes_of(*probes)
    assert judgement.verdict is V.HELD_BY_SENDER
    assert judgement.icmp == (IcmpCount(ME, 3, 1, 5, authenticated=True),)


@pytest.mark.parametrize(
    ("moved", "said"), [(4, "4 bytes put before the payload"), (-1, "1 byte cut off its front"), (0, "")]
)
def test_bytes_at_the_front_are_told_with_their_number(moved: int, said: str) -> None:
    copy = replace(seen(5), genuine=False, changed=("payload",), moved=moved)
    judgement = attributes_of(*(replace(probe("l", i), arrived=(copy,)) for i in range(5)))
    assert (judgement.verdict, judgement.moved) == (V.MODIFIED, moved or None)
    assert said in judgement.explanation


def five(letter: str, *, counting: int, **circumstances: Any) -> Judgement:
    """Five probes, of whose rounds only some count: in the others an eye dropped packets."""
    control = tuple(RoundControl(i, 64, 64, 64, () if i < counting else ("the tap overflowed",)) for i in range(5))
    probes = tuple(probe(letter, i) for i in range(5))
    shared = Circumstances(control, names=NAMES, minimum_count=5, **circumstances)
    return judge(TrainEvidence(Train(132), None, probes), shared)


@pytest.mark.parametrize(("letter", "verdict"), [(".", V.HELD_BY_SENDER), ("a", V.HELD_BY_RECEIVER)])
@pytest.mark.parametrize("counting", [1, 4, 5])
def test_an_absence_is_final_only_if_all_of_it_was_watched(letter: str, verdict: Verdict, counting: int) -> None:
    going_on = five(letter, counting=counting, more_rounds=True)
    assert (going_on.verdict, going_on.final) == (verdict, counting == 5)
    assert five(letter, counting=counting).verdict is (verdict if counting == 5 else V.INCONCLUSIVE)


@pytest.mark.parametrize(("errors", "counting", "final"), [(1, 1, False), (1, 5, True), (5, 5, True), (4, 4, False)])
def test_one_error_beside_losses_that_nobody_can_explain_is_no_rejection(
    errors: int, counting: int, final: bool
) -> None:
    control = tuple(RoundControl(i, 64, 64 * (i < counting), 64) for i in range(5))
    report = IcmpReport(5, ROUTER, 3, 0, authenticated=True)
    probes = tuple(replace(probe("l", i), icmp=(report,) * (i < errors)) for i in range(5))
    for more_rounds in (True, False):
        shared = Circumstances(control, names=NAMES, minimum_count=5, more_rounds=more_rounds, trains=1)
        judgement = judge(TrainEvidence(Train(132), None, probes), shared)
        expected = V.REJECTED if final or more_rounds else V.INCONCLUSIVE
        assert judgement.verdict is expected, (more_rounds, judgement.explanation)
        assert judgement.final is (final or not more_rounds)


def test_what_a_number_became_is_told() -> None:
    copy = replace(seen(5), protocol=254, changed=("protocol",))
    judgement = attributes_of(*(replace(probe("l", i), arrived=(copy,)) for i in range(5)))
    assert (judgement.verdict, judgement.modified, judgement.changed_to) == (V.MODIFIED, ("protocol",), 254)
    assert "protocol changed (to 254 (experimental-2))" in judgement.explanation


def test_what_the_target_says_of_the_number_that_it_became_rejects_nothing() -> None:
    other = replace(seen(5), protocol=253, changed=("protocol", "payload"))
    became = attributes_of(*(replace(probe("f", i), arrived=(other,)) for i in range(5)))
    assert (became.verdict, became.changed_to) == (V.MODIFIED, 253)
    assert attributes_of(*(probe("f", i) for i in range(5))).verdict is V.REJECTED


def test_what_came_inside_a_tunnels_packets_is_told_and_is_no_arrival() -> None:
    judgement = attributes_of(*(replace(probe("l", i), carried=(4,)) for i in range(5)))
    assert (judgement.verdict, judgement.arrived) == (V.LOST, 0)
    assert "5 came there inside packets of 4 (" in judgement.explanation


@pytest.mark.parametrize("state", ["right", "stale", "none", None])
def test_a_stale_checksum_is_told_beside_the_delivery(state: str | None) -> None:
    came = (replace(seen(5), checksum=state),)
    judgement = attributes_of(*(replace(probe("l", index), delivered=came) for index in range(5)))
    assert (judgement.verdict, judgement.transport_checksum) == (V.DELIVERED, state)
    assert ("a real stack would drop it" in judgement.explanation) is (state == "stale")


def test_nat_unknown_without_arrivals() -> None:
    assert EXAMPLES["lost"].judge().nat == Nat("none", None)


def test_duplicates_replays_and_reordering() -> None:
    first, second, third = (probe("d", i) for i in range(3))
    twice = replace(first, delivered=(*first.delivered, seen(9 * SECOND), seen(10 * SECOND)))
    late = replace(second, delivered=(seen(8 * SECOND),))
    judgement = attributes_of(twice, late, third)
    assert judgement.verdict is V.DELIVERED
    assert (judgement.duplicated, judgement.reordered) == (2, 1)


def test_ttl_and_changes_in_good_faith() -> None:
    changed = ("ttl", "dscp", "source")
    judgement = attributes_of(
        from_source(0, ME, ttl=60, changed=changed), from_source(1, ME, ttl=60), from_source(2, ME, ttl=61)
    )
    assert (judgement.verdict, judgement.ttl) == (V.DELIVERED, 60)
    assert judgement.changed == ("dscp", "source", "ttl")
    assert judgement.modified == ()


def test_a_changed_copy_beside_a_good_one_is_no_modification() -> None:
    both = [
        replace(p, delivered=(*p.delivered, *probe("m", i).delivered))
        for i, p in enumerate(map(probe, "ddddd", range(5)))
    ]
    judgement = attributes_of(*both)
    assert (judgement.verdict, judgement.modified, judgement.duplicated) == (V.DELIVERED, (), 5)


def test_icmp_is_counted_by_kind() -> None:
    judgement = EXAMPLES["rejected once, the rest limited"].judge()
    assert judgement.icmp == (IcmpCount(ROUTER, 3, 13, 1, True),)
    forged = Example("uuurl", V.REJECTED, P.HOP).judge()
    assert [(i.count, i.authenticated) for i in forged.icmp] == [(3, False), (1, True)]


def test_modified_names_the_fields_that_no_router_may_change() -> None:
    judgement = EXAMPLES["modified"].judge()
    assert (judgement.modified, judgement.delivered, judgement.arrived) == (("payload",), 0, 5)


def test_a_changed_copy_with_only_harmless_changes_has_a_changed_payload() -> None:
    mangled = seen(9, genuine=False, changed=("ttl",))
    better = seen(9, protocol=4, changed=("protocol",))
    assert attributes_of(replace(probe("l", 0), delivered=(mangled,))).modified == ("payload",)
    assert attributes_of(replace(probe("l", 0), delivered=(mangled, better))).modified == ("protocol",)


def test_the_commonest_is_reported_and_the_least_of_equals() -> None:
    probes = [
        from_source(i, source, ttl=ttl)
        for i, (source, ttl) in enumerate([("203.0.113.9", 60), ("203.0.113.8", 50)] * 2)
    ]
    judgement = attributes_of(*probes, from_source(4, "203.0.113.9", ttl=40))
    assert (judgement.nat, judgement.ttl) == (Nat("translated", "203.0.113.9"), 50)


HOSTILE = "eth\x1b[2J0\u202e\ud800"


def test_hostile_text_is_escaped() -> None:
    assert plain(HOSTILE) == r"eth\x1b[2J0\u202e\ud800"
    assert plain("eth0 Straße") == "eth0 Straße"
    names = dict.fromkeys(NAMES, HOSTILE)
    for example in EXAMPLES.values():
        options = {**example.options, "names": names, "agent_gone": HOSTILE, "spoiled": (HOSTILE,)}
        assert replace(example, options=options).judge().explanation.isprintable()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ((3, 2), "protocol unreachable"),
        ((11, 0), "time to live exceeded"),
        ((12, 0), "parameter problem"),
        ((3, 99), "destination unreachable"),
        ((99, 0), "error"),
    ],
)
def test_icmp_in_words(kind: tuple[int, int], words: str) -> None:
    assert icmp_text("192.0.2.1", *kind) == f"{words} (ICMP {kind[0]}/{kind[1]})"


def test_many_kinds_of_errors_are_summed_up() -> None:
    errors = [replace(probe("l", i), icmp=tuple(error(i, f"100.64.0.{k}", 13) for k in range(1, 6))) for i in range(2)]
    errors.append(replace(probe("l", 2), icmp=(error(2, "100.64.0.3", 13), error(2, "100.64.0.3", 13))))
    said = attributes_of(*errors).explanation
    assert (
        "100.64.0.3 answered 3 with communication administratively prohibited (ICMP 3/13), 100.64.0.1 answered 2"
        in said
    )
    assert "and 2 more kinds of error came" in said


def test_looks_and_shares() -> None:
    """Each look after the minimum is one more; of 256 trains and four claims each has its share of the error rate."""
    facts = [Facts(Example("l" * n, V.LOST, P.PATH).evidence(), replace(COMMON, minimum_count=5)) for n in (1, 5, 6, 9)]
    assert [f.look for f in facts] == [1, 1, 2, 5]
    assert facts[0].alpha == pytest.approx(1e-6 / 256 / 4)


COMMON = Circumstances(tuple(RoundControl(i, 64, 64, 64) for i in range(9)), names=NAMES)


def test_several_controls_in_one_round_count_together() -> None:
    evidence = EXAMPLES["lost"].evidence()
    udp = tuple(RoundControl(i, 32, 32, 32) for i in range(5))
    echo = tuple(RoundControl(i, 32, 0, 32) for i in range(5))
    spoiled = tuple(RoundControl(i, 32, 32, 32, ("receiver tap",)) for i in range(5))
    verdicts = [
        judge(evidence, Circumstances(udp + more, names=NAMES, minimum_count=5)).verdict for more in ((), echo, spoiled)
    ]
    assert verdicts == [V.LOST, V.INCONCLUSIVE, V.INCONCLUSIVE]


def test_all_pairs_of_fates_raise_nothing() -> None:
    letters = "EMO.nNxzluqrpPAtahfFbmdDyY"
    for fates in itertools.product(letters, repeat=2):
        for eyes in (ALL, TAP_ONLY, SOCKET_ONLY, NO_AGENT, BLIND_SENDER, Observers(False, False, False)):
            judgement = Example("".join(fates), V.LOST, P.PATH, eyes=eyes).judge()
            assert judgement.verdict not in {V.LOST, V.LOSSY, V.FIRST_ONLY}, "two probes prove no loss"
