"""Draws worlds by their seeds, measures in each, and holds what is said against what is true.

    python tests/world/run.py --worlds 100000 --seed 1 --table worlds.jsonl     # seeds S * 1,000,000 and up
    python tests/world/run.py --replay 1000042                                  # one world, packet by packet

Run again with the same table and seed it goes on where it stopped, however that was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from sim.families import FAMILIES  # noqa: E402
from sim.finding import Outcome, measured, replay  # noqa: E402

CHUNK = 100
APART = 1_000_000  # worlds of one --seed


def chosen(text: str | None) -> tuple[str, ...] | None:
    """The families that were asked for: None for those in which nothing wrong is known."""
    if text is None:
        return None
    names = tuple(FAMILIES) if text == "all" else tuple(text.split(","))
    unknown = sorted(set(names) - set(FAMILIES))
    if unknown:
        raise SystemExit(f"no such family: {', '.join(unknown)}; there are: {', '.join(sorted(FAMILIES))}")
    return names


def chunk(first: int, count: int, families: tuple[str, ...] | None) -> dict[str, Any]:
    """What came of some worlds in a row."""
    verdicts, wrong, trains, packets = Counter[str](), [], 0, 0
    begun = time.process_time()
    for seed in range(first, first + count):
        _, outcome = measured(seed, families)
        verdicts.update(outcome.verdicts)
        packets += outcome.packets
        trains += sum(outcome.verdicts.values())
        if outcome.found:
            wrong.append({"seed": seed, "families": outcome.families, "found": outcome.found[:4]})
    return {
        "first": first,
        "worlds": count,
        "trains": trains,
        "packets": packets,
        "seconds": round(time.process_time() - begun, 2),
        "verdicts": dict(sorted(verdicts.items())),
        "wrong": wrong,
    }


def commit() -> str:
    """Which code this is."""
    asked = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"


def done_in(table: Path | None, wanted: dict[str, object]) -> dict[int, int]:
    """The chunks that a table has already, of the same code and families: first seed, and how many worlds.

    Code that is not committed may be other code by now.
    """
    if table is None or not table.exists() or str(wanted["commit"]).endswith("dirty"):
        return {}
    rows = []
    for line in table.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue  # an interrupted write
    return {row["first"]: row["worlds"] for row in rows if all(row.get(key) == wanted[key] for key in wanted)}


def results(todo: Sequence[tuple[int, int]], families: tuple[str, ...] | None, jobs: int) -> Iterator[dict[str, Any]]:
    """The chunks as they come."""
    if jobs == 1:
        for first, count in todo:
            yield chunk(first, count, families)
        return
    with ProcessPoolExecutor(jobs) as pool:
        asked = [pool.submit(chunk, first, count, families) for first, count in todo]
        try:
            for each in asked:
                yield each.result()
        finally:
            for each in asked:
                each.cancel()


def run(options: argparse.Namespace) -> int:
    """Draw so many worlds. Exit status 1 if anything in them is wrong."""
    families = chosen(options.families)
    start = options.seed * APART + options.from_
    marks: dict[str, object] = {"commit": commit(), "families": options.families or "default"}
    had = done_in(options.table, marks)
    end = options.seed * APART + options.worlds
    chunks = [(at, min(CHUNK, end - at)) for at in range(start, end, CHUNK)]
    todo = [(at, count) for at, count in chunks if had.get(at, 0) < count]
    if had:
        print(f"{len(had)} chunks are in {options.table} already")
    worlds, trains, wrong, begun = 0, 0, [], time.monotonic()
    verdicts = Counter[str]()
    try:
        for row in results(todo, families, options.jobs):
            worlds, trains = worlds + row["worlds"], trains + row["trains"]
            verdicts.update(row["verdicts"])
            wrong += row["wrong"]
            if options.table is not None:
                with options.table.open("a") as file:
                    file.write(json.dumps(marks | row) + "\n")
            for each in row["wrong"]:
                print(f"\nworld {each['seed']} ({', '.join(each['families'])}): {each['found'][0]}")
                print(f"  {replay(Outcome(each['seed']), families)}")
            speed = worlds / (time.monotonic() - begun)
            print(f"\r{worlds} worlds, {trains} trains, {len(wrong)} wrong, {speed:.0f} worlds/s  ", end="", flush=True)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here")
    counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    print(f"\n{worlds} worlds, {trains} trains, {len(wrong)} worlds with something wrong: {counted}")
    return bool(wrong)


def show(seed: int, families: tuple[str, ...] | None) -> int:
    """One world: what it is, what happened, what was said, and what of that is wrong."""
    world, outcome = measured(seed, families, trace=True, known=True)
    print(*(world.network.notes or ()), sep="\n")
    print(f"\nworld {seed}, {'with' if world.blueprint.agent else 'without'} an agent: {', '.join(world.families)}")
    print(*(f"  {note}" for note in world.blueprint.notes), sep="\n")
    print(*(f"  {each.name}" for each in world.network.elements), sep="\n")
    print(f"{outcome.packets} packets in {outcome.seconds:.3f} s\n")
    print(*(f"{each.verdict:18} {each.explanation}" for each in world.judgements.values()), sep="\n")
    print("\nwrong:" if outcome.found else "\nnothing is wrong", *outcome.found, sep="\n  ")
    return bool(outcome.found)


def main(arguments: Sequence[str] | None = None) -> int:
    """As a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which million of them (%(default)s)")
    parser.add_argument("--from", dest="from_", type=int, default=0, help="the first one's number (%(default)s)")
    parser.add_argument("--families", help="names, comma-separated, or all; by default those without known faults")
    parser.add_argument("--replay", type=int, metavar="SEED", help="show one world, packet by packet")
    parser.add_argument("--table", type=Path, help="JSON Lines to which each hundred worlds are appended")
    parser.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    options = parser.parse_args(arguments)
    if options.replay is not None:
        return show(options.replay, chosen(options.families))
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
