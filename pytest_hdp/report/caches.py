"""Gives back, under sudo, the caches that root's run left in a user's project: pytest's, Hypothesis', Python's.

Whose project it is can't remove or replace root's folders in it, and a later run of theirs can't write to them.
Python has cached the first module before any code can forbid it, and `pytest --lf` wants pytest's cache, so these are
given away afterwards rather than not made.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_SPARE = 1.0  # seconds: a file's time is the clock's last tick, and this process's start is told in ticks


def give_back_caches(folders: Iterable[Path] = ()) -> None:
    """Under sudo, give the caller what this run made in cache folders, and the bytecode of what it imported.

    What the caller could have put there is not given: a folder must lie in one that is the caller's already, and an
    entry must be root's, a folder or a file of one link, and not older than this process. Everything is opened without
    following links and changed by its descriptor, so no name can be exchanged in between.
    """
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if not (user.isdecimal() and group.isdecimal()) or int(user) == 0 or os.geteuid() != 0:
        return
    with suppress(OSError, OverflowError):
        owner, since = (int(user), int(group)), _started()
        for folder in {*folders, *_bytecode()}:
            _give_folder(folder, owner, since)


def _give_folder(folder: Path, owner: tuple[int, int], since: float) -> None:
    with suppress(OSError):
        above = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if os.fstat(above).st_uid == owner[0]:
                _give(above, folder.name, owner, since)
        finally:
            os.close(above)


def _give(above: int, name: str, owner: tuple[int, int], since: float) -> None:
    """Give an entry of an open folder, and what is in it."""
    with suppress(OSError):  # gone meanwhile, or a link
        opened = os.open(name, _OPEN, dir_fd=above)
        try:
            found = os.fstat(opened)
            folder, made = stat.S_ISDIR(found.st_mode), found.st_uid == 0 and found.st_mtime >= since
            if made and (folder or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)):
                os.fchown(opened, *owner)
            if folder and (made or found.st_uid == owner[0]):
                for each in os.listdir(opened):  # noqa: PTH208 (a path can't be a descriptor)
                    _give(opened, each, owner, since)
        finally:
            os.close(opened)


def _bytecode() -> set[Path]:
    """Return where Python, and pytest in its place, cached what was imported here, or by our own subprocesses."""
    specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    cached = {Path(spec.cached).parent for spec in specs if spec is not None and spec.cached}
    return cached | set(Path(__file__).parents[1].rglob("__pycache__"))


def _started() -> float:
    """Return when this process began, as a file's time would tell it: proc_pid_stat(5), field 22."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age - _SPARE
