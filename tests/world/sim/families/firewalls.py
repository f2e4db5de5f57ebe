"""Families of firewalls on routers and hosts."""

from __future__ import annotations

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction
from sim.blueprint import WELL_KNOWN, Blueprint, HostRule
from sim.elements import (
    Effect,
    Established,
    FirstOnly,
    InvalidFilter,
    LengthFilter,
    Limit,
    Lossy,
    NumberFilter,
    View,
    independent,
)
from sim.families.registry import MS, SECOND, both_ways, family, own
from sim.families.stateful import HostState
from sim.host import Bucket
from sim.packet import Packet

EITHER = frozenset({1, -1})
CHECKED = frozenset({47, 50, 51, 132})  # of which netfilter's reject asks for no checksum over all of it
UDP = frozenset({17})
REJECTIONS = ("reject 3 13", "reject 3 10", "reject 3 9", "reject 3 1", "reject 3 2", "reject 3 3")


@family()
def number_filter(print_: Blueprint) -> None:
    """A router drops some numbers, or all but some."""
    numbers, ways = print_.some_numbers(), print_.ways()
    if print_.chance.random() < 0.3:
        rule = NumberFilter(numbers | {1, 17}, ways, only=True)
    else:
        rule = NumberFilter(numbers - {1, 17}, ways)
    router = print_.a_router()
    router.rules.append(rule)
    print_.notes.append(f"{router.name} drops {'all but ' if rule.only else ''}{sorted(rule.numbers)} {sorted(ways)}")


@family()
def several_firewalls(print_: Blueprint) -> None:
    """Each router drops a number of its own."""
    numbers = [number for number in print_.numbers if number not in (1, 17)]
    for at, number in enumerate(numbers):
        print_.routers[at % len(print_.routers)].rules.append(NumberFilter(frozenset({number}), frozenset({1, -1})))
    print_.notes.append("each router drops a number of its own")


@family()
def number_reject(print_: Blueprint) -> None:
    """A router rejects some numbers, with an error for each packet."""
    word = print_.chance.choice(REJECTIONS)
    rule = NumberFilter(print_.some_numbers() - {1, 17}, print_.ways(), word)
    router = print_.a_router()
    router.rules.append(rule)
    router.bucket = Bucket(0, 6)
    print_.notes.append(f"{router.name} answers {sorted(rule.numbers)} with {word} {sorted(rule.ways)}")


@family(group="mangle")  # what a box before it has cut is shorter there
def length_filter(print_: Blueprint) -> None:
    """A router drops what is long, of some numbers."""
    rule = LengthFilter(print_.some_numbers() - {1, 17}, print_.chance.choice((80, 100, 115, 200)))
    router = print_.a_router()
    router.rules.append(rule)
    print_.notes.append(f"{router.name} drops {sorted(rule.numbers)} beyond {rule.longest} bytes")


@family()
def invalid_filter(print_: Blueprint) -> None:
    """A router drops what is no valid message of its protocol."""
    router = print_.a_router()
    router.rules.append(InvalidFilter(print_.ways()))
    print_.notes.append(f"{router.name} drops invalid messages")


@family(agent=True)
def first_only(print_: Blueprint) -> None:
    """A router lets the first packets of some numbers pass, and then none."""
    rule = FirstOnly(print_.some_numbers() - {1, 17}, print_.chance.choice((1, 2, 3, 5)))
    router = print_.a_router()
    router.rules.append(rule)
    print_.notes.append(f"{router.name} passes the first {rule.count} of {sorted(rule.numbers)}")


@family(agent=True)
def lossy_numbers(print_: Blueprint) -> None:
    """A router loses a share of some numbers."""
    rule = Lossy(print_.some_numbers() - {1, 17}, print_.chance.choice((0.3, 0.5, 0.7, 0.9)), own(print_))
    router = print_.a_router()
    router.rules.append(rule)
    print_.notes.append(f"{router.name} loses {rule.share:.0%} of {sorted(rule.numbers)}")


@family(agent=True)
def rate_limit(print_: Blueprint) -> None:
    """A router lets so many a second of some numbers pass, each by itself."""
    each, burst = print_.chance.choice((5, 100, 1000)) * MS, print_.chance.choice((1, 5))
    rule = Limit(print_.some_numbers() - {1, 17}, each, burst)
    router = print_.a_router()
    router.rules.append(rule)
    print_.notes.append(f"{router.name} passes one in {rule.each / MS:g} ms of {sorted(rule.numbers)}")


@family(agent=True)
def established_outward(print_: Blueprint) -> None:
    """A router lets everything out, and in what answers that: a home's, as it comes."""
    rule = Established(1, print_.chance.choice((30 * SECOND, 600 * SECOND)))
    router = print_.a_router()
    router.rules.append(rule)
    print_.notes.append(f"{router.name} lets in what answers, for {rule.timeout / SECOND:g} s")


@family(agent=True)
def near_established(print_: Blueprint) -> None:
    """The sender's own firewall lets in what answers, as ufw's does."""
    state = HostState(print_.chance.choice((30 * SECOND, 600 * SECOND)))
    print_.events.append(state.tell_time)
    print_.near_output.append(HostRule(state.out, state.opens(1)))
    print_.near_inputs.append(HostRule(state.into, state.answers(-1)))
    print_.notes.append(f"the sender's firewall lets in what answers, for {state.timeout / SECOND:g} s")


@family(agent=True, group="state")
def established_inward(print_: Blueprint) -> None:
    """A router lets in from the near side only what answers the far side: a security group."""
    both_ways(print_)
    router = print_.a_router()
    router.rules.append(Established(-1, print_.chance.choice((30, 600)) * SECOND, exempt=UDP))
    print_.notes.append(f"{router.name} lets nothing new in")


@family(agent=True, group="state")
def far_established(print_: Blueprint) -> None:
    """The target's own firewall lets in only what answers: ufw as it comes."""
    both_ways(print_)
    state = HostState(print_.chance.choice((30, 600)) * SECOND, exempt=UDP)
    print_.events.append(state.tell_time)
    print_.far_output.append(HostRule(state.out, state.opens(-1)))
    print_.far_inputs.append(HostRule(state.into, state.answers(1)))
    print_.notes.append("the target's firewall lets nothing new in")


# --- hosts


@family(agent=True)
def far_firewall(print_: Blueprint) -> None:
    """The target's own firewall drops some numbers, and lets the control pass."""
    numbers = print_.some_numbers() - {1, 17}
    print_.far_inputs.append(
        HostRule(
            lambda packet: "drop" if packet.protocol in numbers else None,
            lambda view: Effect("held-by-receiver", where="far") if view.number in numbers and view.way == 1 else None,
        )
    )
    print_.notes.append(f"the target's firewall drops {sorted(numbers)}")


@family(agent=False)
def port_unreachable(print_: Blueprint) -> None:
    """The target's firewall rejects some numbers with port unreachable, the default of REJECT."""
    _says_port(print_, print_.some_numbers() - {1, 17, 136})


@family(agent=False)
def port_unreachable_for_all(print_: Blueprint) -> None:
    """The target's firewall rejects all but echoes with port unreachable."""
    _says_port(print_, frozenset(range(2, 256)))


def _says_port(print_: Blueprint, numbers: frozenset[int]) -> None:
    print_.far_inputs.append(
        HostRule(
            lambda packet: "reject 3 3" if packet.protocol in numbers and packet.quote is None else None,
            lambda view: Effect("reject", (3, 3), "far") if view.way == 1 and view.number in numbers else None,
        )
    )
    print_.notes.append(f"the target's firewall answers {sorted(numbers)[:5]} with port unreachable")


@family(agent=False)
def tunnel_handlers(print_: Blueprint) -> None:
    """The target's kernel has handlers for tunnels and IPsec, and says port unreachable of what is not for these."""
    numbers = frozenset(print_.chance.sample((4, 41, 47, 50, 51, 108), print_.chance.randint(1, 6)))
    print_.trains = tuple(sorted({*print_.trains, *map(Train, numbers)}))
    print_.far_inputs.append(
        HostRule(
            lambda packet: "reject 3 3" if packet.protocol in numbers and packet.quote is None else None,
            lambda view: Effect("handled", (3, 3), "far") if view.way == 1 and view.number in numbers else None,
            handler=True,
        )
    )
    print_.notes.append(f"the target's kernel handles {sorted(numbers)}")


@family(agent=False)
def far_firewall_says_little(print_: Blueprint) -> None:
    """The target's firewall rejects what it can check, and drops all else but echoes: firewalld's default."""
    word = print_.chance.choice(("reject 3 13", "reject 3 10"))
    code = tuple(map(int, word.split()[1:]))

    def judge(packet: Packet) -> str | None:
        if packet.protocol == 1 or packet.quote is not None:
            return None
        return word if packet.protocol in CHECKED or (packet.valid and packet.protocol == 17) else "drop"

    def effect(view: View) -> Effect | None:
        if view.way != 1 or view.number == 1:
            return None
        checked = view.number in CHECKED or (view.wellformed and view.number == 17)
        return Effect("reject", code, "far") if checked else Effect("drop", where="far")

    print_.far_inputs.append(HostRule(judge, effect))
    print_.notes.append(f"the target's firewall answers {sorted(CHECKED)} with {word}, and drops all else")


@family()
def far_firewall_rejects(print_: Blueprint) -> None:
    """The target's own firewall rejects some numbers; without an agent not as a closed port does."""
    numbers = print_.some_numbers() - {1, 17}
    word = print_.chance.choice([each for each in REJECTIONS if print_.agent or each != "reject 3 2"])
    code = tuple(map(int, word.split()[1:]))
    print_.far_inputs.append(
        HostRule(
            lambda packet: word if packet.protocol in numbers and packet.quote is None else None,
            lambda view: Effect("reject", code, "far") if view.number in numbers and view.way == 1 else None,
        )
    )
    if print_.agent:
        print_.target_bucket = Bucket(0, 6)
    print_.notes.append(f"the target's firewall answers {sorted(numbers)} with {word}")


@family()
def near_firewall(print_: Blueprint) -> None:
    """The sender's own firewall refuses some numbers, or drops them behind sendto()."""
    numbers, word = print_.some_numbers() - {1, 17}, print_.chance.choice(("drop", "hold"))
    kind = "refused-at-send" if word == "drop" else "held-by-sender"
    print_.near_output.append(
        HostRule(
            lambda packet: word if packet.protocol in numbers else None,
            lambda view: Effect(kind, where="near") if view.number in numbers and view.way == 1 else None,
        )
    )
    print_.notes.append(f"the sender's firewall: {word} {sorted(numbers)}")


@family(agent=True)
def receiver_firewall(print_: Blueprint) -> None:
    """The near host's own firewall drops some numbers that come to it."""
    numbers = print_.some_numbers() - {1, 17}
    print_.near_inputs.append(
        HostRule(
            lambda packet: "drop" if packet.protocol in numbers else None,
            lambda view: (
                Effect("held-by-receiver", where="near") if view.number in numbers and view.way == -1 else None
            ),
        )
    )
    print_.notes.append(f"the sender's firewall lets no {sorted(numbers)} in")


# --- what takes the control


@family(agent=True, group="control")
def udp_blocked(print_: Blueprint) -> None:
    """A router drops UDP, and one other number."""
    numbers = frozenset({17, print_.chance.choice(WELL_KNOWN[4:])})
    print_.a_router().rules.append(NumberFilter(numbers, EITHER))
    print_.notes.append(f"a router drops {sorted(numbers)}")


@family(agent=True, group="control")
def far_firewall_takes_all(print_: Blueprint) -> None:
    """The target's own firewall drops some numbers, and UDP."""
    numbers = print_.some_numbers() | {17}
    print_.far_inputs.append(
        HostRule(
            lambda packet: "drop" if packet.protocol in numbers else None,
            lambda view: Effect("held-by-receiver", where="far") if view.way == 1 and view.number in numbers else None,
        )
    )
    print_.notes.append(f"the target's firewall drops {sorted(numbers)}")


@family(agent=True, group="control")
def near_firewall_takes_udp(print_: Blueprint) -> None:
    """The sender's own firewall refuses UDP."""
    print_.near_output.append(
        HostRule(
            lambda packet: "drop" if packet.protocol == 17 else None,
            lambda view: Effect("refused-at-send", where="near") if view.way == 1 and view.number == 17 else None,
        )
    )
    numbers = print_.some_numbers() - {1, 17}
    print_.a_router().rules.append(NumberFilter(numbers, EITHER))
    print_.notes.append(f"the sender's firewall refuses UDP, and a router drops {sorted(numbers)}")


@family(agent=True)
def far_firewall_refuses(print_: Blueprint) -> None:
    """The target's own firewall refuses some numbers that are to be sent there, or drops them behind sendto()."""
    numbers, word = print_.some_numbers() - {1, 17}, print_.chance.choice(("drop", "hold"))
    kind = "refused-at-send" if word == "drop" else "held-by-sender"
    print_.far_output.append(
        HostRule(
            lambda packet: word if packet.protocol in numbers else None,
            lambda view: Effect(kind, where="far") if view.number in numbers and view.way == -1 else None,
        )
    )
    print_.notes.append(f"the target's firewall, outward: {word} {sorted(numbers)}")


@family(agent=True, group="control")
def tcp_and_sctp_only(print_: Blueprint) -> None:
    """A router lets TCP and SCTP pass, and nothing else."""
    numbers = (1, 6, 17, 47, 132, 253)
    print_.trains = tuple(sorted(Train(number, direction) for number in numbers for direction in Direction))
    print_.a_router().rules.append(NumberFilter(frozenset({6, 132}), EITHER, only=True))
    print_.notes.append("a router passes TCP and SCTP only")


@family(agent=True, group="control", alone=True)
def control_blocked_lossy(print_: Blueprint) -> None:
    """A router drops UDP and echoes, and the path loses a third or half of all: some number passes by luck."""
    share = print_.chance.choice((0.3, 0.5))
    print_.a_router().rules.append(NumberFilter(frozenset({1, 17}), EITHER))
    print_.chance.choice(print_.links).loss = independent(own(print_), share)
    print_.loss = share
    print_.notes.append(f"a router drops 1 and 17, and {share:.0%} of all packets are lost")


@family(agent=True, group="control")
def udp_limited(print_: Blueprint) -> None:
    """A router lets few UDP datagrams pass, and drops some numbers."""
    numbers = print_.some_numbers() - {1, 17}
    router = print_.a_router()
    router.rules += [
        Limit(frozenset({17}), print_.chance.choice((20, 100, 1000)) * MS, 5),
        NumberFilter(numbers, EITHER),
    ]
    print_.notes.append(f"{router.name} passes few datagrams, and drops {sorted(numbers)}")
