"""Families of loss and delay: what the path does to all packets alike."""

from __future__ import annotations

from dataclasses import replace

from sim.blueprint import Blueprint
from sim.elements import EveryNth, FirstLost, FirstOnly, bursty, independent, outages, periodic
from sim.families.registry import MS, SECOND, both_ways, family, own


@family(group="loss", mild=True)
def loss_independent(print_: Blueprint) -> None:
    """Each packet is lost with the same probability, on one link."""
    share = print_.chance.choice((0.005, 0.02, 0.05, 0.1, 0.2))
    print_.chance.choice(print_.links).loss = independent(own(print_), share)
    print_.loss = share
    print_.notes.append(f"{share:.1%} of all packets are lost")


@family(group="loss", mild=True)
def loss_bursty(print_: Blueprint) -> None:
    """Loss comes in bursts of a few milliseconds."""
    share, mean = print_.chance.choice((0.01, 0.03)), print_.chance.choice((1, 3)) * MS
    print_.chance.choice(print_.links).loss = bursty(own(print_), share, mean)
    print_.loss = share
    print_.notes.append(f"bursts of {mean / MS:g} ms lose {share:.1%} of the time")


@family(group="loss", mild=True)
def loss_periodic(print_: Blueprint) -> None:
    """One packet in so many is lost, whoever's it is."""
    every = print_.chance.choice((7, 13, 50, 101))
    print_.chance.choice(print_.links).loss = periodic(every, print_.chance.randrange(every))
    print_.loss = 1 / every
    print_.notes.append(f"one packet in {every} is lost")


@family(group="loss", mild=True)
def outage_short(print_: Blueprint) -> None:
    """For a few milliseconds nothing passes, once: less than a round."""
    start, length = print_.chance.randint(0, 300) * MS, print_.chance.randint(1, 10) * MS
    print_.chance.choice(print_.links).loss = outages([(start, start + length)])
    print_.loss = 0.05
    print_.notes.append(f"nothing passes for {length / MS:g} ms from {start / MS:g} ms on")


@family(group="loss", mild=True)
def outage_long(print_: Blueprint) -> None:
    """For a fraction of a second nothing passes, once: for many rounds."""
    _outage(print_, print_.chance.randint(100, 700))


@family(agent=True, group="loss")
def outage_of_most(print_: Blueprint) -> None:
    """For seconds nothing passes: for most of the measurement."""
    router = print_.a_router()
    router.rules.append(FirstOnly(print_.some_numbers() - {1, 17}, 2))
    _outage(print_, print_.chance.randint(1500, 5000))


def _outage(print_: Blueprint, milliseconds: int) -> None:
    start, length = print_.chance.randint(0, 300) * MS, milliseconds * MS
    print_.chance.choice(print_.links).loss = outages([(start, start + length)])
    print_.loss = 0.5
    print_.notes.append(f"nothing passes for {length / MS:g} ms from {start / MS:g} ms on")


@family(agent=True, group="loss")
def heavy_loss(print_: Blueprint) -> None:
    """The path loses four of five packets, or nine of ten."""
    share = print_.chance.choice((0.8, 0.9, 0.95))
    print_.chance.choice(print_.links).loss = independent(own(print_), share)
    print_.loss = print_.heavy = share
    print_.notes.append(f"{share:.0%} of all packets are lost")


@family(agent=True, group="loss")
def first_packets_lost(print_: Blueprint) -> None:
    """The first packets of each number are lost, and no others."""
    _many(print_)
    router = print_.a_router()
    router.rules.append(FirstLost(print_.chance.choice((1, 1, 2))))
    print_.notes.append(f"{router.name} loses the first packets of each number")


@family(agent=True, group="loss")
def every_nth_lost(print_: Blueprint) -> None:
    """One in so many packets of each number is lost."""
    _many(print_)
    rule = EveryNth(print_.chance.choice((2, 3, 5, 7)))
    router = print_.a_router()
    router.rules.append(rule)
    print_.notes.append(f"{router.name} loses one in {rule.step} of each number")


def _many(print_: Blueprint) -> None:
    """As many trains, and controls, as it takes to see what all have in common."""
    numbers = print_.chance.sample([number for number in range(2, 256) if number != 17], 16)
    both_ways(print_, tuple(numbers))
    print_.pace = replace(print_.pace, control=44)


@family(group="loss", mild=True)
def outages_many(print_: Blueprint) -> None:
    """Several outages, each of some milliseconds."""
    at, spans = 0, []
    for _ in range(print_.chance.randint(2, 12)):
        at += print_.chance.randint(10, 200) * MS
        spans.append((at, at + print_.chance.randint(1, 40) * MS))
        at = spans[-1][1]
    print_.chance.choice(print_.links).loss = outages(spans)
    print_.loss = 0.2
    print_.notes.append(f"{len(spans)} outages within {at / SECOND:.2g} s")


@family(agent=True, group="loss", mild=True)
def route_flaps(print_: Blueprint) -> None:
    """The sender has no route for a while: sendto() says so."""
    _flap(print_)


@family(agent=False, group="loss")
def route_flaps_unwatched(print_: Blueprint) -> None:
    """The same without an agent."""
    _flap(print_)


def _flap(print_: Blueprint) -> None:
    start, length = print_.chance.randint(0, 200) * MS, print_.chance.choice((2, 30, 300, 2000)) * MS

    def plan(world: object) -> None:
        clock, near = world.clock, world.near  # type: ignore[attr-defined]
        clock.at(start, lambda: setattr(near, "down", True))
        clock.at(start + length, lambda: setattr(near, "down", False))

    print_.events.append(plan)
    print_.loss = 0.2
    print_.excuses.add("no route")
    print_.notes.append(f"the sender has no route for {length / MS:g} ms from {start / MS:g} ms on")


@family(mild=True)
def jitter(print_: Blueprint) -> None:
    """Delay varies by several times itself."""
    for link in print_.links:
        link.jitter = int(link.delay * print_.chance.choice((0.2, 1, 4)))
        link.fifo = print_.chance.random() < 0.5
    print_.notes.append("delay varies")


@family(mild=True)
def reordering(print_: Blueprint) -> None:
    """Some packets are held back behind later ones."""
    link = print_.chance.choice(print_.links)
    link.held, link.held_for = print_.chance.choice((0.02, 0.2)), print_.chance.choice((1, 5)) * MS
    print_.notes.append(f"{link.held:.0%} are held back for {link.held_for / MS:g} ms")


@family(mild=True)
def duplication(print_: Blueprint) -> None:
    """Some packets come twice."""
    link = print_.chance.choice(print_.links)
    link.doubled = print_.chance.choice((0.02, 0.3, 1.0))
    print_.notes.append(f"{link.doubled:.0%} come twice")


@family(group="loss", mild=True)
def late_packets(print_: Blueprint) -> None:
    """Some packets come so late that nobody waits for them."""
    link = print_.chance.choice(print_.links)
    link.held, link.held_for = print_.chance.choice((0.01, 0.05)), print_.chance.choice((150, 700, 10_000)) * MS
    print_.loss = link.held
    print_.notes.append(f"{link.held:.0%} come {link.held_for / MS:g} ms late")


@family(agent=False, group="loss")
def late_answers(print_: Blueprint) -> None:
    """Some of what comes back is late, by more than anybody waits for."""
    link = print_.links[-1]
    link.held, link.held_for = print_.chance.choice((0.1, 0.5)), print_.chance.choice((300, 2_000, 10_000)) * MS
    link.held_ways = frozenset({-1})
    print_.loss = link.held
    print_.notes.append(f"{link.held:.0%} of what comes back is {link.held_for / MS:g} ms late")
