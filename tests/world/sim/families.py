"""What a world may have beyond plain routers: each family adds one thing to a blueprint, and says so in its notes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from sim.blueprint import OUTSIDE, Blueprint, HostRule
from sim.elements import (
    Effect,
    FirstOnly,
    InvalidFilter,
    LengthFilter,
    Limit,
    Lossy,
    Mangle,
    Nat,
    NumberFilter,
    View,
    bursty,
    independent,
    periodic,
)
from sim.host import Bucket
from sim.packet import Packet

MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Family:
    """`agent`: whether it needs one, must have none (False), or takes either (None). Of one `group` a world has one.

    `fault`: what today's code gets wrong here; such a family is not drawn by default.
    """

    add: Callable[[Blueprint], None]
    agent: bool | None = None
    group: str = ""
    fault: str = ""


FAMILIES: dict[str, Family] = {}


def family(
    *, agent: bool | None = None, group: str = "", fault: str = ""
) -> Callable[[Callable[[Blueprint], None]], Callable[[Blueprint], None]]:
    """Register a family under its function's name."""

    def keep(add: Callable[[Blueprint], None]) -> Callable[[Blueprint], None]:
        FAMILIES[add.__name__.replace("_", "-")] = Family(add, agent, group, fault)
        return add

    return keep


def own(print_: Blueprint) -> random.Random:
    """A generator for one part, so that what one part draws changes nothing for another."""
    return random.Random(print_.chance.random())


# --- loss and delay


@family(group="loss")
def loss_independent(print_: Blueprint) -> None:
    """Each packet is lost with the same probability, on one link."""
    share = print_.chance.choice((0.005, 0.02, 0.05, 0.1, 0.2))
    print_.chance.choice(print_.links).loss = independent(own(print_), share)
    print_.loss = share
    print_.notes.append(f"{share:.1%} of all packets are lost")


@family(group="loss")
def loss_bursty(print_: Blueprint) -> None:
    """Loss comes in bursts of a few milliseconds."""
    share, mean = print_.chance.choice((0.01, 0.03)), print_.chance.choice((1, 3)) * MS
    print_.chance.choice(print_.links).loss = bursty(own(print_), share, mean)
    print_.loss = share
    print_.notes.append(f"bursts of {mean / MS:g} ms lose {share:.1%} of the time")


@family(group="loss")
def loss_periodic(print_: Blueprint) -> None:
    """One packet in so many is lost, whoever's it is."""
    every = print_.chance.choice((7, 13, 50, 101))
    print_.chance.choice(print_.links).loss = periodic(every, print_.chance.randrange(every))
    print_.loss = 1 / every
    print_.notes.append(f"one packet in {every} is lost")


@family()
def jitter(print_: Blueprint) -> None:
    """Delay varies by several times itself."""
    for link in print_.links:
        link.jitter = int(link.delay * print_.chance.choice((0.2, 1, 4)))
        link.fifo = print_.chance.random() < 0.5
    print_.notes.append("delay varies")


@family()
def reordering(print_: Blueprint) -> None:
    """Some packets are held back behind later ones."""
    link = print_.chance.choice(print_.links)
    link.held, link.held_for = print_.chance.choice((0.02, 0.2)), print_.chance.choice((1, 5)) * MS
    print_.notes.append(f"{link.held:.0%} are held back for {link.held_for / MS:g} ms")


@family()
def duplication(print_: Blueprint) -> None:
    """Some packets come twice."""
    link = print_.chance.choice(print_.links)
    link.doubled = print_.chance.choice((0.02, 0.3, 1.0))
    print_.notes.append(f"{link.doubled:.0%} come twice")


# --- boxes on the way


@family(group="nat")
def nat_linux(print_: Blueprint) -> None:
    """Linux's masquerade: translates what it can read, or knows nothing of; leaks the rest."""
    _nat(print_, "linux")


@family(group="nat")
def nat_by_address(print_: Blueprint) -> None:
    """A translator of any number."""
    _nat(print_, "address")


@family(group="nat")
def nat_by_ports(print_: Blueprint) -> None:
    """A translator of TCP, UDP and ICMP alone."""
    _nat(print_, "ports")


def _nat(print_: Blueprint, style: str) -> None:
    print_.extra.append((print_.chance.randrange(2 * len(print_.routers) + 1), Nat("nat", OUTSIDE, style)))
    print_.notes.append(f"NAT, {style}")


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
def number_reject(print_: Blueprint) -> None:
    """A router rejects some numbers, with an error for each packet."""
    word = print_.chance.choice(("reject 3 13", "reject 3 10", "reject 3 9", "reject 3 1"))
    rule = NumberFilter(print_.some_numbers() - {1, 17}, print_.ways(), word)
    router = print_.a_router()
    router.rules.append(rule)
    router.bucket = Bucket(0, 6)
    print_.notes.append(f"{router.name} answers {sorted(rule.numbers)} with {word} {sorted(rule.ways)}")


@family()
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
    rule = FirstOnly(print_.some_numbers() - {1, 17}, print_.chance.choice((1, 2, 3)))
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
    rule = Limit(
        print_.some_numbers() - {1, 17}, print_.chance.choice((5, 100, 1000)) * MS, print_.chance.choice((1, 5))
    )
    router = print_.a_router()
    router.rules.append(rule)
    print_.notes.append(f"{router.name} passes one in {rule.each / MS:g} ms of {sorted(rule.numbers)}")


@family(agent=True)
def changed_payload(print_: Blueprint) -> None:
    """A router changes the last byte of some numbers."""
    numbers, ways = print_.some_numbers() - {1, 17}, print_.ways()

    def change(packet: Packet) -> None:
        packet.payload = packet.payload[:-1] + bytes([packet.payload[-1] ^ 0xFF])

    print_.extra.append((1, Mangle("mangler", numbers, ways, change, "modify", ("payload",))))
    print_.notes.append(f"the last byte of {sorted(numbers)} is changed {sorted(ways)}")


@family()
def rewritten_headers(print_: Blueprint) -> None:
    """Headers are rewritten in good faith: DSCP, TTL."""
    numbers, ways = print_.some_numbers(), print_.ways()

    def change(packet: Packet) -> None:
        packet.tos = 0x28

    print_.extra.append((1, Mangle("marker", numbers, ways, change, "pass")))
    print_.notes.append(f"DSCP of {sorted(numbers)} is set")


# --- hosts


@family(agent=True)
def far_firewall(print_: Blueprint) -> None:
    """The target's own firewall drops some numbers, and lets the control pass."""
    numbers = print_.some_numbers() - {1, 17}
    print_.far_inputs.append(
        HostRule(
            lambda packet: "drop" if packet.protocol in numbers else None,
            lambda view: Effect("held-by-receiver", where="far") if view.number in numbers else None,
        )
    )
    print_.notes.append(f"the target's firewall drops {sorted(numbers)}")


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


@family()
def silent_routers(print_: Blueprint) -> None:
    """Some routers send no errors at all."""
    for router in print_.routers:
        router.speaks = router.speaks and print_.chance.random() < 0.5
    print_.excuses.add("silent router")
    print_.notes.append("some routers send no ICMP errors")


@family()
def short_quotes(print_: Blueprint) -> None:
    """Some routers quote 8 bytes only, which proves nothing."""
    for router in print_.routers:
        router.short = print_.chance.random() < 0.5
    print_.notes.append("some routers quote 8 bytes")


@family(agent=False)
def quiet_target(print_: Blueprint) -> None:
    """A target that calls no protocol unreachable."""
    print_.answers = False
    print_.notes.append("the target sends no ICMP errors")


@family(agent=False)
def deaf_to_echoes(print_: Blueprint) -> None:
    """A target that answers no echo."""
    print_.echoes = False
    print_.excuses.add("no echoes")
    print_.notes.append("the target answers no echo")


@family(agent=False)
def handles_more(print_: Blueprint) -> None:
    """A target whose kernel takes some numbers without a word."""
    print_.handled = print_.handled | print_.some_numbers()
    print_.notes.append(f"the target handles {sorted(print_.handled)}")


@family()
def clock_steps(print_: Blueprint) -> None:
    """The wall clock is set while it measures."""
    at, step = print_.chance.randint(1, 300) * MS, print_.chance.choice((-3600, -1, 1, 3600)) * 1_000_000_000

    def plan(world: object) -> None:
        clock = world.clock  # type: ignore[attr-defined]
        clock.at(at, lambda: setattr(clock, "wall", clock.wall + step))

    print_.events.append(plan)
    print_.notes.append(f"the clock is set by {step / 1e9:g} s after {at / MS:g} ms")


DEFAULT = tuple(sorted(name for name, each in FAMILIES.items() if not each.fault))


def faulty() -> dict[str, str]:
    """The families that today's code errs in, and how."""
    return {name: each.fault for name, each in sorted(FAMILIES.items()) if each.fault}


__all__ = ["DEFAULT", "FAMILIES", "Family", "View", "family", "faulty"]
