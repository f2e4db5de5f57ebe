"""Recorded runs, read back to be shown together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_hdp.judge.latency.result import LatencyResult
from pytest_hdp.judge.result import Made, Result
from pytest_hdp.report.jsonl import read
from pytest_hdp.report.latencyfile import read as read_latency
from pytest_hdp.report.runfiles import LATENCY
from pytest_hdp.untrusted.text import safe

RESULTS = "results.jsonl"


@dataclass(frozen=True, slots=True)
class Runs:
    """What several results files hold. `made`: how each run was made; `problems`: what could not be read, in lines.

    `latency`: what their latency experiments found.
    """

    results: tuple[Result, ...]
    made: tuple[Made, ...]
    problems: tuple[str, ...]
    latency: tuple[LatencyResult, ...] = ()


def load(places: Sequence[Path]) -> Runs:
    """Return the runs in results files, or in folders that hold one. Never raises.

    Where two of them measured the same path, the names of their folders keep them apart.
    """
    files = [place / RESULTS if place.is_dir() else place for place in places]
    found = [read(file) for file in files]
    problems = [problem for _, those in found for problem in those]
    paths = Counter(path for results, _ in found for path in {result.path for result in results})
    kept: list[Result] = []
    for label, (results, _) in zip(_labels(files), found, strict=True):
        kept += [_labelled(each, label) if paths[each.path] > 1 else each for each in results]
    made = [made_of(results, file) for file, (results, _) in zip(files, found, strict=True) if results]
    beside = [read_latency(file) for each in files if (file := each.parent / LATENCY).exists()]
    problems += [problem for _, those in beside for problem in those]
    return Runs(tuple(kept), tuple(made), tuple(problems), tuple(each for results, _ in beside for each in results))


def made_of(results: Sequence[Result], file: Path) -> Made:
    """Return how a run was made, by the line that says so, and when; at least the file's name."""
    made = next((result.made for result in results if result.made is not None), Made())
    if made.command is None and made.source is None:
        made = replace(made, source=file.name)
    return replace(made, time=min(result.time for result in results))


def _labels(files: Sequence[Path]) -> list[str]:
    """Return a name for each file, by its folder, numbered where folders have the same name."""
    names = [safe(file.resolve().parent.name) for file in files]
    return [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names, start=1)]


def _labelled(result: Result, label: str) -> Result:
    path = result.path
    return replace(result, path=replace(path, name=f"{path.name or path.kind} in {label}"))
