"""When did a run over a path last end? States that it opened in firewalls and translators outlive it.

One small file for each path, named by a digest, in the user's state folder. Nothing in it is believed but a time. Where
the folder can't be read or written, nothing is known, and that is no failure.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_hdp.report import files

if TYPE_CHECKING:
    from pytest_hdp.judge.result import PathInfo

KEPT = 7 * 24 * 3600  # seconds: connection tracking forgets nothing later than TCP, in five days
_LARGEST = 4096
_MOST_FILES = 1000
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def state_folder() -> Path | None:
    """The folder of this program among the user's states: under sudo, of who called it. None: there is none."""
    named = os.environ.get("XDG_STATE_HOME", "")
    if Path(named).is_absolute():
        return Path(named) / "pytest-hdp"
    user = os.environ.get("SUDO_UID", "")
    try:
        home = Path(pwd.getpwuid(int(user)).pw_dir) if user.isdecimal() and os.geteuid() == 0 else Path.home()
    except (KeyError, OverflowError, RuntimeError):
        return None
    return home / ".local" / "state" / "pytest-hdp" if home.is_absolute() else None


class Earlier:
    """What this run knows of those before it. `run`: tells the processes of one run from those of another."""

    def __init__(self, run: str, folder: Path | None) -> None:
        self._run = run
        self._folder = folder
        self._before: dict[str, float | None] = {}

    def seconds(self, path: PathInfo) -> float | None:
        """How many seconds ago a run over this path ended; None if none is known of. Ask before `note`."""
        name = _file_of(path)
        if name not in self._before:
            self._before[name] = self._read(name)
        before, now = self._before[name], time.time()
        return round(now - before, 1) if before is not None and 0 <= now - before <= KEPT else None

    def note(self, path: PathInfo) -> None:
        """Take note that this run is at work over a path; the last such note is when it ended."""
        if self._folder is None:
            return
        self.seconds(path)
        name = _file_of(path)
        told = {"run": self._run, "time": time.time(), "before": self._before[name]}
        with suppress(OSError):
            _prune(self._folder)
            files.make_folder(self._folder)
            files.write_whole(self._folder / name, json.dumps(told))

    def _read(self, name: str) -> float | None:
        try:
            told: Any = json.loads(_bytes_of(self._folder / name)) if self._folder is not None else None
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(told, dict):
            return None
        found = told.get("before") if told.get("run") == self._run else told.get("time")  # by another of its processes
        return float(found) if isinstance(found, (int, float)) and abs(found) < 1 << 40 else None


def _file_of(path: PathInfo) -> str:
    """The name of a path's file: by where it begins and ends, whoever watches there and with what right."""
    ends = (path.vantage, path.source.partition(",")[0], path.target)
    return hashlib.blake2b(repr(ends).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _bytes_of(file: Path) -> bytes:
    with files.open_folder(file.parent) as folder:
        descriptor = os.open(file.name, _READ, dir_fd=folder)
    try:
        return os.read(descriptor, _LARGEST) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    finally:
        os.close(descriptor)


def _prune(where: Path) -> None:
    """Remove what is older than anybody asks for, if there is much."""
    with suppress(OSError), files.open_folder(where) as folder:
        inside = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            names = os.listdir(inside)  # noqa: PTH208 (of a descriptor)
            for name in names if len(names) > _MOST_FILES else ():
                with suppress(OSError):
                    if time.time() - os.stat(name, dir_fd=inside, follow_symlinks=False).st_mtime > KEPT:
                        os.unlink(name, dir_fd=inside)
        finally:
            os.close(inside)
