"""Writes report files: whole or not at all, and owned by the user who asked for them.

Under sudo the folders are that user's, who can change what a path leads to at any moment. So everything is done by
descriptor: a folder is opened from the root on, following no link of somebody else's, and only what was made here
is given away.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_LINKS = 40  # as path_resolution(7)
_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SHARED = stat.S_IWOTH


def give_back(descriptor: int) -> None:
    """Under sudo, make what was made here belong to who called sudo; do nothing otherwise, or if that fails."""
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if user.isdecimal() and group.isdecimal() and os.geteuid() == 0:
        with suppress(OSError, OverflowError):
            os.fchown(descriptor, int(user), int(group))


def make_folder(path: Path) -> None:
    """Make `path` and the folders above it that are missing, each given back. Raises OSError.

    PermissionError, where it says so: a link in it is somebody else's, or root is to write where anybody could
    put another folder in its place.
    """
    with open_folder(path, make=True):
        pass
    above = path.absolute().parent.stat()
    if os.geteuid() == 0 and above.st_mode & _SHARED and not above.st_mode & stat.S_ISVTX:
        raise PermissionError(errno.EPERM, "anybody may put another folder in its place")


def create(path: Path, flags: int = 0) -> int:
    """Return the descriptor of a new file, given back and open for writing. Raises OSError, FileExistsError."""
    with open_folder(path.parent) as folder:
        return _create(path.name, folder, flags)


def replace(path: Path, flags: int = 0) -> int:
    """As `create`, but what was there before is removed: it may be somebody else's, and is not written through."""
    with open_folder(path.parent) as folder:
        with suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=folder)
        return _create(path.name, folder, flags)


def remove(path: Path) -> None:
    """Remove a file, if there is one. Raises OSError."""
    with open_folder(path.parent) as folder, suppress(FileNotFoundError):
        os.unlink(path.name, dir_fd=folder)


def write_whole(path: Path, text: str | bytes) -> None:
    """Write bytes, or text as UTF-8, to `path`, whole or not at all: whoever opens it sees the old text or the new.

    Lone surrogates are written as backslash escapes. Raises OSError, and leaves no temporary file behind
    then.
    """
    unfinished = f".{path.name}.{os.getpid()}.part"
    content = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
    with open_folder(path.parent) as folder:
        with suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=folder)  # of a process of the same number, killed
        try:
            with os.fdopen(_create(unfinished, folder), "wb") as stream:
                stream.write(content)
            os.replace(unfinished, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished, dir_fd=folder)
            raise


@contextmanager
def open_folder(path: Path, *, make: bool = False) -> Iterator[int]:
    """Open a folder, whose descriptor holds whatever its path leads to later on. Raises OSError."""
    parts = list(reversed(path.parts))
    links = 0
    folder = os.open(parts.pop() if path.is_absolute() else ".", _WALK | os.O_DIRECTORY)
    try:
        while parts:
            name = parts.pop()
            found = _child(name, folder, make=make)
            status = os.fstat(found)
            if not stat.S_ISLNK(status.st_mode):
                os.close(folder)
                folder = found
                if not stat.S_ISDIR(status.st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                continue
            try:
                links += 1
                target = Path(_target(found, status.st_uid, links))
            finally:
                os.close(found)
            parts += reversed(target.parts)
            if target.is_absolute():
                os.close(folder)
                folder = os.open(parts.pop(), _WALK | os.O_DIRECTORY)
        yield folder
    finally:
        os.close(folder)


def _create(name: str, folder: int, flags: int = 0) -> int:
    descriptor = os.open(name, _NEW | flags, 0o666, dir_fd=folder)
    give_back(descriptor)
    return descriptor


def _child(name: str, folder: int, *, make: bool) -> int:
    """Open what is in a folder under a name, a link itself; make a folder of that name if there is nothing."""
    try:
        return os.open(name, _WALK, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
        with suppress(OSError):
            made = os.open(name, _FOLDER, dir_fd=folder)
            try:
                if not os.listdir(made):  # noqa: PTH208 (of a descriptor)
                    give_back(made)  # else it is not the one just made: it was swapped for another
            finally:
                os.close(made)
    return os.open(name, _WALK, dir_fd=folder)


def _target(link: int, owner: int, links: int) -> str:
    """Where an open link leads to, if it is root's or our own."""
    if links > _MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if owner not in {0, os.geteuid()} and not _unmapped(owner):
        raise PermissionError(errno.EPERM, "a link in it is another user's: name the folder that it leads to")
    return os.readlink("", dir_fd=link)


def _unmapped(owner: int) -> bool:
    """Whether that is how a user namespace shows whoever is not in it, as the machine's root."""
    if Path("/proc/self/uid_map").read_text(encoding="ascii").split() == ["0", "0", "4294967295"]:
        return False
    return owner == int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
