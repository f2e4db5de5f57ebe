"""Recorded runs, read back to be shown together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_hdp.judge.latency.result import LatencyResult
from pytest_hdp.judge.not_measured import not_read
from pytest_hdp.judge.result import Made, Result
from pytest_hdp.report.jsonl import read
from pytest_hdp.report.latencyfile import read as read_latency
from pytest_hdp.report.runfiles import LATENCY
from pytest_hdp.untrusted.text import safe

RESULTS = "results.jsonl"
SEVERAL = 3
"""So many of a file's problems are told in its line."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What several results files hold. `made`: how each run was made.

    `problems`: a line for each file of which not all could be read. `without`: how many of the files have no result.
    `latency`: what their latency experiments found.
    """

    results: tuple[Result, ...]
    made: tuple[Made, ...]
    problems: tuple[str, ...]
    latency: tuple[LatencyResult, ...] = ()
    without: int = 0

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """A line for whatever these runs did not measure, and for what can't be read of them."""
        return (*(line for made in self.made for line in made.missing), *self.problems)


def load(places: Sequence[Path]) -> Runs:
    """Return the runs in results files, or in folders that hold one. Never raises.

    Where two of them measured the same path, the names of their folders keep them apart.
    """
    files = [place / RESULTS if place.is_dir() else place for place in places]
    found = [read(file) for file in files]
    beside = [(file, *read_latency(file)) for each in files if (file := each.parent / LATENCY).exists()]
    unread = [(file, bool(results), those) for file, (results, those) in zip(files, found, strict=True)]
    unread += [(file, bool(latency), those) for file, latency, those in beside]
    paths = Counter(path for results, _ in found for path in {result.path for result in results})
    kept: list[Result] = []
    made: list[Made] = []
    for label, file, (results, _) in zip(_labels(files), files, found, strict=True):
        kept += [_labelled(each, label) if paths[each.path] > 1 else each for each in results]
        made += [made_of(results, file, label if len(files) > 1 else "")] if results else []
    return Runs(
        results=tuple(kept),
        made=tuple(made),
        problems=tuple(_unread(*each) for each in unread if each[-1]),
        latency=tuple(each for _, latency, _ in beside for each in latency),
        without=sum(not results for results, _ in found),
    )


def made_of(results: Sequence[Result], file: Path, label: str = "") -> Made:
    """Return how a run was made, by the first line that says so, and when; at least the file's name.

    What could not be measured is told by each such line: a file may have been made of several. `label`: which of the
    runs that are shown it is.
    """
    told = [result.made for result in results if result.made is not None]
    made = told[0] if told else Made()
    if made.command is None and made.source is None:
        made = replace(made, source=file.name)
    about = f"{label}: " if label else ""
    missing = "\n".join(dict.fromkeys(about + line for each in told for line in each.missing))
    return replace(made, unmeasured=missing or None, time=min(result.time for result in results))


def _unread(file: Path, partly: bool, problems: Sequence[str]) -> str:
    """Return the one line about a file with problems, which name it. `partly`: some of it could be read."""
    name = safe(file)
    why = [each.removeprefix(name).lstrip(",: ").removeprefix("cannot be read: ") for each in problems]
    more = f"; and {len(why) - SEVERAL} more like these" if len(why) > SEVERAL else ""
    return not_read(name, "; ".join(why[:SEVERAL]) + more, partly=partly)


def _labels(files: Sequence[Path]) -> list[str]:
    """Return a name for each file, by its folder, numbered where folders have the same name."""
    names = [safe(file.resolve().parent.name) for file in files]
    return [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names, start=1)]


def _labelled(result: Result, label: str) -> Result:
    path = result.path
    return replace(result, path=replace(path, name=f"{path.name or path.kind} in {label}"))
