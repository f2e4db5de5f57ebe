"""Measured once, whichever of several processes needs it first: a lock and a file in a folder they share."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def finished(folder: Path) -> Iterator[dict[str, Any]]:
    """The records of everything that any process has measured to its end in this folder."""
    for done in sorted(folder.glob("*.json")):
        yield from json.loads(done.read_text(encoding="utf-8"))


@contextmanager
def one_at_a_time(folder: Path, what: str) -> Iterator[None]:
    """Wait until no other process of the run does this: flock(2) lets go of it, however a process ends.

    Where there is no room for the lock, nobody waits.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{what}.lock").open("w")
    except OSError:
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def measured_once(folder: Path, key: str, measure: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The records that `measure` makes, from the first process that got here; the others wait and read.

    `key`: a file name that says what is measured. A process that dies while measuring releases the lock (flock(2)),
    and the next one measures. The file appears whole or not at all (rename(2)). Where there is no room for it, each
    process measures for itself.
    """
    done = folder / f"{key}.json"
    with one_at_a_time(folder, key):
        if done.exists():
            records: list[dict[str, Any]] = json.loads(done.read_text(encoding="utf-8"))
            return records
        records = measure()
        unfinished = done.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            try:
                unfinished.write_text(json.dumps(records), encoding="utf-8")
                unfinished.rename(done)
            except OSError:
                unfinished.unlink(missing_ok=True)
        return records
