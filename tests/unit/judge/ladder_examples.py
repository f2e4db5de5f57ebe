"""An example of each rung of the ladder, by name."""

from __future__ import annotations

from fates import BLIND_SENDER, NAMES, NO_AGENT, ROUTER, SOCKET_ONLY, TAP_ONLY, TARGET, UNKNOWN, Example, P, V

from pytest_hdp.judge.evidence import (
    Means,
    Observers,
    Reference,
)

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
    "held by sender, the control beside some": Example(
        "...",
        V.HELD_BY_SENDER,
        P.SENDER_KERNEL,
        control=((64, 64), (64, 64), (0, 0)),
        says=("took 3 and none left eth0", "the control did beside 2 of them"),
        options={"minimum_count": 2},
    ),
    "held by sender, no agent": Example("...", V.HELD_BY_SENDER, P.SENDER_KERNEL, observers=NO_AGENT),
    "unseen, and the control too": Example("...", V.INCONCLUSIVE, UNKNOWN, options={"control_left": 0}),
    "unseen, tap overflowed": Example(
        "...", V.INCONCLUSIVE, UNKNOWN, options={"spoiled": ("sender tap",)}, says=("sender tap",)
    ),
    "unseen, no tap": Example(
        ".........", V.INCONCLUSIVE, UNKNOWN, observers=BLIND_SENDER, says=("no tap at the sender",)
    ),
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
    "rejected by a hop with the target's words": Example("ppppp", V.REJECTED, P.HOP, observers=NO_AGENT),
    "rejected by the target for a parameter": Example("ttttt", V.REJECTED, P.TARGET, observers=NO_AGENT),
    "delivered, and the target's error": Example("FFFFF", V.DELIVERED, P.RECEIVER_SOCKET),
    "rejected by a hop": Example(
        "rrrrr", V.REJECTED, P.HOP, says=(f"{ROUTER} answered 5", "administratively prohibited (ICMP 3/13)")
    ),
    "rejected once, the rest limited": Example("rllll", V.REJECTED, P.HOP),
    "rejected by the target's firewall": Example("fffff", V.REJECTED, P.TARGET),
    "rejected in the target's name": Example("PPPPP", V.REJECTED, P.HOP),
    "rejected, no agent": Example("rrrrr", V.REJECTED, P.HOP, observers=NO_AGENT),
    "rejected by the target, no agent": Example("AAAAA", V.REJECTED, P.TARGET, observers=NO_AGENT),
    "rejected, forged": Example("uuuuu", V.LOST, P.PATH),
    "quench and redirect": Example("qqqqq", V.LOST, P.PATH),
    "rejected, control dead": Example("rrrrr", V.INCONCLUSIVE, UNKNOWN, control=((64, 0),) * 5),
    "rejected by the target's firewall, control dead": Example("fffff", V.REJECTED, P.TARGET, control=((64, 0),) * 5),
    "rejected by the target's stack, whose socket overflowed": Example(
        "fffff", V.INCONCLUSIVE, UNKNOWN, control=((64, 0),) * 5, options={"spoiled": ("the tap",)}
    ),
    "rejected by the target, no agent, control dead": Example(
        "AAAAA", V.REJECTED, P.TARGET, observers=NO_AGENT, control=((4, 0),) * 5
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
    "lost, no tap there": Example(
        "lllllllll", V.INCONCLUSIVE, UNKNOWN, observers=SOCKET_ONLY, more=True, says=("no tap",)
    ),
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
    "half, no taps": Example("dl" * 15, V.LOSSY, UNKNOWN, observers=Observers(left=False, arrived=False)),
    "half, control as bad": Example("dl" * 15, V.DELIVERED, P.RECEIVER_SOCKET, control=((64, 32),) * 30),
    "half, at the path, and held": Example("al" * 15, V.LOSSY, P.PATH),
    "a third, unproven": Example("ddl" * 3, V.INCONCLUSIVE, UNKNOWN, final=False, more=True),
    "half, no tap there": Example("dl" * 15, V.LOSSY, UNKNOWN, observers=SOCKET_ONLY),
    "half, no tap here": Example("D." * 15, V.LOSSY, UNKNOWN, observers=BLIND_SENDER),
    "first only, unseen leaving": Example("Dllllll", V.FIRST_ONLY, P.PATH),
    "half, agent gone": Example("dl" * 15, V.INCONCLUSIVE, UNKNOWN, options={"agent_gone": "ssh ended"}),
    "half, before the minimum": Example("dl" * 15, V.INCONCLUSIVE, UNKNOWN, options={"minimum_count": 31}),
    "half, with replies": Example("dy" * 15, V.REACHED, P.TARGET),
    "a third, no tap there": Example("ddl" * 3, V.INCONCLUSIVE, UNKNOWN, observers=SOCKET_ONLY, says=("too few",)),
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
    "modified at the tap": Example("babaa", V.MODIFIED, P.RECEIVER_SOCKET, observers=TAP_ONLY, says=("2 of 5",)),
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
    "reached": Example("PPPPP", V.REACHED, P.TARGET, observers=NO_AGENT, says=("protocol unreachable (ICMP 3/2)",)),
    "reached once": Example("lPlll", V.REACHED, P.TARGET, observers=NO_AGENT),
    "replied": Example("yllll", V.REACHED, P.TARGET, observers=NO_AGENT, says=(f"{TARGET} replied to 1 of 5",)),
    "reached the interface": Example(
        "aaaaa", V.REACHED, P.TARGET, observers=TAP_ONLY, says=("no socket listens to its number",)
    ),
    "reached, and then nobody there listens": Example(
        "ffffa", V.REACHED, P.TARGET, observers=TAP_ONLY, says=("198.51.100.2 answered 4 with",)
    ),
    "in the target's name, without a socket there": Example("PPPPP", V.REJECTED, P.HOP, observers=TAP_ONLY),
    "reached the interface, once of nine": Example("l" * 8 + "a", V.LOSSY, P.PATH, observers=TAP_ONLY),
    "reached nothing yet": Example("lll", V.INCONCLUSIVE, UNKNOWN, observers=TAP_ONLY),
    # 13: silent
    "silent, enough": Example("lllll", V.SILENT, UNKNOWN, observers=NO_AGENT, more=True),
    "silent": Example("lllll", V.SILENT, UNKNOWN, observers=NO_AGENT, says=("dropped on the path", "without a reply")),
    "silent, forged": Example(
        "uuuuu", V.SILENT, UNKNOWN, observers=NO_AGENT, says=("5 ICMP errors that prove nothing",)
    ),
    "silent, no tap": Example("lllll", V.SILENT, UNKNOWN, observers=Observers(False, False, False)),
    "silent, few": Example(
        "l", V.SILENT, UNKNOWN, observers=NO_AGENT, final=False, more=True, options={"minimum_count": 5}
    ),
    "silent, control too": Example("lllll", V.INCONCLUSIVE, UNKNOWN, observers=NO_AGENT, control=((1, 0),) * 5),
    "an error in an outage": Example(
        "rl", V.INCONCLUSIVE, UNKNOWN, final=False, more=True, observers=NO_AGENT, control=((1, 0), (1, 1))
    ),
    "silent, few, at the cap": Example("l", V.SILENT, UNKNOWN, observers=NO_AGENT, options={"minimum_count": 5}),
    # 14: inconclusive
    "nothing sent yet": Example("", V.INCONCLUSIVE, UNKNOWN, final=False, more=True),
    "nothing sent": Example("", V.INCONCLUSIVE, UNKNOWN, says=("no probe was sent",)),
    "no control": Example("lllll", V.INCONCLUSIVE, UNKNOWN, options={"names": {}}, control=((0, 0),) * 5),
}
