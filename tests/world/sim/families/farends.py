"""Families of far ends behind an agent's pipe: honest and far away, and those that die, stall, babble or lie."""

from __future__ import annotations

from dataclasses import replace

from pytest_hdp.measure.plan import REMOTE
from sim.blueprint import Blueprint, FarEnd
from sim.families.registry import MS, SECOND, family, own
from sim.liar import KINDS

DELAYS = (100_000, 5 * MS, 40 * MS, 150 * MS)


def far_away(print_: Blueprint) -> FarEnd:
    """Put the far end behind a pipe."""
    chance = print_.chance
    delay = chance.choice(DELAYS)
    print_.far_end = FarEnd(delay, chance.choice((0, delay // 4, 3 * delay)))
    print_.pace = replace(REMOTE, control=print_.pace.control)
    print_.notes.append(f"the far end's pipe takes {delay / MS:g} ms")
    return print_.far_end


@family(agent=True, group="far end", mild=True)
def agent_far_away(print_: Blueprint) -> None:
    """The far end is behind a pipe, and honest."""
    far_away(print_)


@family(group="far end", mild=True)
def source_far_away(print_: Blueprint) -> None:
    """The near end is behind a pipe, and honest; so is the far end, if there is one, or it is here."""
    if print_.agent and print_.chance.random() < 0.5:
        far_away(print_)
    delay = print_.chance.choice(DELAYS)
    print_.near_end = FarEnd(delay, print_.chance.choice((0, delay // 4, 3 * delay)))
    print_.pace = print_.pace if not print_.agent else replace(REMOTE, control=print_.pace.control)
    print_.notes.append(f"the near end's pipe takes {delay / MS:g} ms")


@family(agent=True, group="far end", mild=True)
def agent_dies(print_: Blueprint) -> None:
    """The agent dies while it is measured, its host with it or not."""
    far_away(print_)
    at, silently = print_.chance.randint(0, print_.chance.choice((150, 800, 4000))) * MS, print_.chance.random() < 0.3
    print_.events.append(lambda world: world.clock.at(world.clock.now + at, _die, world, silently))
    _goes(print_, "it has not answered for" if silently else "the connection ended")
    print_.notes.append(f"the agent dies {'silently ' if silently else ''}after {at / MS:g} ms")


def _goes(print_: Blueprint, *why: str) -> None:
    print_.excuses.add("agent gone")
    print_.gone = why


def _die(world: object, silently: bool) -> None:
    world.agent.die(silently=silently)  # type: ignore[attr-defined]


@family(agent=True, group="far end", mild=True)
def agent_spends_all(print_: Blueprint) -> None:
    """The agent's packets or its lifetime are spent before the measurement is over."""
    far = far_away(print_)
    if print_.chance.random() < 0.5:
        far.terms = replace(far.terms, budget=print_.chance.choice((0, 1, 10, 60, 200)))
        _goes(print_, "its budget of")
    else:
        opening = 6 * (far.delay + far.jitter) / SECOND  # what it takes at most until there is a path
        far.terms = replace(far.terms, lifetime=print_.chance.choice((1.0, 2.0, 5.0)) + opening)
        _goes(print_, "its lifetime of")
    print_.notes.append(f"the agent sends {far.terms.budget} packets, and lives for {far.terms.lifetime:g} s")


@family(agent=True, group="far end", mild=True)
def agent_stalls(print_: Blueprint) -> None:
    """The agent gets no time for a while, once or often; nobody waits for the longest of these."""
    far_away(print_)
    spans = [
        (print_.chance.randint(0, 2000) * MS, print_.chance.choice((20, 300, 2000, 10_000, 20_000)) * MS)
        for _ in range(print_.chance.randint(1, 4))
    ]

    def plan(world: object) -> None:
        now = world.clock.now  # type: ignore[attr-defined]
        world.agent.stalls = [(now + at, now + at + length) for at, length in sorted(spans)]  # type: ignore[attr-defined]

    print_.events.append(plan)
    if sum(length for _, length in spans) > 14 * SECOND:
        _goes(print_, "it has not answered for")
    print_.notes.append(f"the agent stalls: {sorted((at / MS, length / MS) for at, length in spans)} ms")


@family(agent=True, group="far end", mild=True)
def agent_babbles(print_: Blueprint) -> None:
    """The agent's connection brings something that no agent says: bytes, or values of any shape."""
    far_away(print_)
    chance, at = own(print_), print_.chance.randint(0, print_.chance.choice((150, 800, 4000))) * MS
    whole = print_.chance.random() < 0.6

    def babble(world: object) -> None:
        pipe = world.agent.pipe  # type: ignore[attr-defined]
        if whole:
            pipe.say(_nonsense(chance))
        else:
            pipe.say_bytes(chance.randbytes(chance.choice((1, 3, 40, 400))))

    print_.events.append(lambda world: world.clock.at(world.clock.now + at, babble, world))
    _goes(print_, "what it says makes no sense", "what it sends makes no sense")
    print_.notes.append(f"after {at / MS:g} ms the far end says what makes no sense")


def _nonsense(chance: object) -> object:
    pick = chance.choice  # type: ignore[attr-defined]
    atoms = (0, -1, 7, 1 << 40, 0.5, "", "seen", b"", b"x" * 30, True)
    words = ("seen", "answer", "refused", "gone?", "", 5)
    if pick((True, False)):
        return pick((*atoms, [], (), [[]], [()], [(1,)]))
    seen = [tuple(pick(atoms) for _ in range(pick((0, 5, 6, 6, 7)))) for _ in range(2)]
    return [(pick(words), *(pick((*atoms, seen, [], ())) for _ in range(pick((0, 1, 2, 3)))))]


@family(agent=True, group="far end", mild=True, only=4)
def agent_lies(print_: Blueprint) -> None:
    """The agent says what it likes of what it saw and sent."""
    far = far_away(print_)
    far.lies = tuple(print_.chance.sample(KINDS, print_.chance.randint(1, 3)))
    far.often = print_.chance.choice((0.1, 0.5, 1.0))
    print_.notes.append(f"the agent lies in {far.often:.0%}: {', '.join(far.lies)}")
