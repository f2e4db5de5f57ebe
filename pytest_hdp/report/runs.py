"""Recorded runs, read back to be shown together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_hdp.judge.latency.result import LatencyResult
from pytest_hdp.report import fields
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

    records: tuple[dict[str, Any], ...]
    made: tuple[dict[str, str], ...]
    problems: tuple[str, ...]
    latency: tuple[LatencyResult, ...] = ()


def load(places: Sequence[Path]) -> Runs:
    """Return the runs in results files, or in folders that hold one. Never raises.

    Where two of them measured the same path, the names of their folders keep them apart.
    """
    files = [place / RESULTS if place.is_dir() else place for place in places]
    found = [read(file) for file in files]
    problems = [problem for _, those in found for problem in those]
    paths = Counter(key for records, _ in found for key in {_path_key(record) for record in records})
    kept: list[dict[str, Any]] = []
    for label, (records, _) in zip(_labels(files), found, strict=True):
        kept += [_labelled(each, label) if paths[_path_key(each)] > 1 else each for each in records]
    made = [how for file, (records, _) in zip(files, found, strict=True) if (how := made_of(records, file))]
    beside = [read_latency(file) for each in files if (file := each.parent / LATENCY).exists()]
    problems += [problem for _, those in beside for problem in those]
    return Runs(tuple(kept), tuple(made), tuple(problems), tuple(each for results, _ in beside for each in results))


def made_of(records: Iterable[Mapping[str, Any]], file: Path | None = None) -> dict[str, str]:
    """Return how a run was made, by the line that says so, and when; at least the file's name."""
    told: dict[str, str] = {}
    times: list[str] = []
    for record in records:
        told |= {str(key): value for key, value in fields.part(record, "made").items() if isinstance(value, str)}
        times.append(fields.word(record, "time"))
    if times:
        told["time"] = min(times)
        if "command" not in told and "source" not in told and file is not None:
            told["source"] = file.name
    return told


def _labels(files: Sequence[Path]) -> list[str]:
    """Return a name for each file, by its folder, numbered where folders have the same name."""
    names = [safe(file.resolve().parent.name) for file in files]
    return [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names, start=1)]


def _path_key(record: Mapping[str, Any]) -> str:
    return repr(sorted((str(key), str(value)) for key, value in fields.part(record, "path").items()))


def _labelled(record: dict[str, Any], label: str) -> dict[str, Any]:
    path = dict(fields.part(record, "path"))
    path["name"] = f"{path.get('name') or path.get('kind') or ''} in {label}"
    return {**record, "path": path}
