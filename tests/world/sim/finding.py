"""One world by its seed: what was found wrong in it, and how to see it again."""

from __future__ import annotations

import gc
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_hdp.measure.path.endpoints import PathUnavailable
from sim.check import wrong
from sim.world import World, draw

LIMIT = 1_200  # seconds of simulated time, far more than any measurement of a dozen trains takes


@dataclass(slots=True)
class Outcome:
    """What came of one world. `found`: what is wrong, one line each."""

    seed: int
    families: tuple[str, ...] = ()
    found: list[str] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    packets: int = 0


def measured(
    seed: int,
    families: Sequence[str] | None = None,
    *,
    ties: int | None = None,
    trace: bool = False,
    known: bool = False,
) -> tuple[World, Outcome]:
    """Draw a world, measure in it, and hold what is said against what is true."""
    world = draw(seed, families, ties=ties, trace=trace)
    world.clock.limit = LIMIT * 1_000_000_000
    outcome = Outcome(seed, world.families)
    gc.disable()  # there is little garbage in so short a time, and looking for it takes a tenth
    try:
        world.run()
        outcome.found = wrong(world, known=known)
    except PathUnavailable as error:
        outcome.found = [] if _gone_before(world, str(error)) else [f"PathUnavailable: {error}"]
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        outcome.found = [f"{type(error).__name__}: {error} ({at.filename.rpartition('/')[2]}, line {at.lineno})"]
    finally:
        gc.enable()
    outcome.verdicts.update(str(each.verdict) for each in world.judgements.values())
    outcome.seconds, outcome.packets = world.clock.now / 1e9, len(world.network.fates)
    return world, outcome


def _gone_before(world: World, said: str) -> bool:
    """Whether the far end was gone before any number was asked for, as the world has it."""
    return not world.measurement.ledger.trains and any(f"is gone: {why}" in said for why in world.blueprint.gone)


def replay(outcome: Outcome, families: Sequence[str] | None = None) -> str:
    """The command that shows a world again, packet by packet."""
    chosen = f" --families {','.join(families)}" if families is not None else ""
    return f"python tests/world/run.py --replay {outcome.seed}{chosen}"


def told(outcome: Outcome, families: Sequence[str] | None = None) -> str:
    """What is wrong with a world, for whoever reads a failed test."""
    lines = [f"world {outcome.seed} ({', '.join(outcome.families) or 'plain'}):", *outcome.found[:6]]
    return "\n  ".join(lines) + f"\nto see each packet: {replay(outcome, families)}"


def record(world: World) -> str:
    """All that was said of a world, and all that happened in it, to the byte."""
    said = "\n".join(f"{each!r} {each.probes!r}" for each in world.judgements.values())
    happened = "\n".join(map(repr, world.network.fates))
    return "\n".join((said, happened, str(world.clock.now), *(world.network.notes or ())))
