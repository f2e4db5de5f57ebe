"""Writes report files: whole or not at all, and owned by the user who asked for them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def give_back(path: Path) -> None:
    """Under sudo, make `path` belong to the user who called sudo; do nothing otherwise, or if that fails."""
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if user.isdecimal() and group.isdecimal() and os.geteuid() == 0:
        with suppress(OSError, OverflowError):
            os.chown(path, int(user), int(group), follow_symlinks=False)


def make_folder(path: Path) -> None:
    """Make `path` and the folders above it that are missing, each given back. Raises OSError."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        give_back(folder)


def write_whole(path: Path, text: str | bytes) -> None:
    """Write bytes, or text as UTF-8, to `path`, whole or not at all: whoever opens it sees the old text or the new.

    Lone surrogates are written as backslash escapes. Raises OSError, and leaves no temporary file behind
    then.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    with suppress(FileNotFoundError):
        unfinished.unlink()  # of a process of the same number, killed
    content = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
    try:
        with unfinished.open("xb") as stream:
            stream.write(content)
        give_back(unfinished)
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
