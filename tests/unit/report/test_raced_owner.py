"""An ordinary user changes what a path leads to while root writes there under sudo, and wins nothing of root's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_hdp.cli.listen import writer
from pytest_hdp.report.files import make_folder, write_whole
from pytest_hdp.report.jsonl import LineWriter

NOBODY = 65534
TRIES = 5000
MOST_SECONDS = 120
# In a folder of its own: swaps two names, which renameat2(2) does at once, until its standard input ends.
ATTACK = f"""
import ctypes, os, select, sys, time
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})  # only now: the interpreter may lie where that user can't read
swap = ctypes.CDLL(None).renameat2
one, other = (name.encode() for name in sys.argv[1:])
ends = time.monotonic() + {MOST_SECONDS}
while time.monotonic() < ends and not select.select([0], [], [], 0)[0]:
    for _ in range(50):
        swap(-100, one, -100, other, 2)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an ordinary user, who has called sudo."""
    if os.geteuid():
        pytest.skip("privilege: needs root, from whom something may be won")
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    monkeypatch.setenv("SUDO_GID", str(NOBODY))
    made = tmp_path / "home"
    made.mkdir()
    os.chown(made, NOBODY, NOBODY)
    return made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A folder of root's, in which everything bears the name that will be written."""
    made = tmp_path / "secret"
    made.mkdir()
    (made / "report").mkdir()
    for name in ("results.jsonl", f".results.jsonl.{os.getpid()}.part", "report/kept"):
        (made / name).write_text("root's")
    return made


@pytest.fixture
def swapping(home: Path) -> Iterator[Callable[[str, str], None]]:
    attackers: list[subprocess.Popen[bytes]] = []

    def start(one: str, other: str) -> None:
        command = [sys.executable, "-Sc", ATTACK, one, other]
        attackers.append(subprocess.Popen(command, cwd=home, stdin=subprocess.PIPE))
        before = (home / one).lstat().st_ino
        while (home / one).lstat().st_ino == before:
            assert attackers[-1].poll() is None

    yield start
    for attacker in attackers:
        attacker.communicate(timeout=MOST_SECONDS)


def append(path: Path) -> None:
    LineWriter(path).close()


def listen(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    with writer(SimpleNamespace(write=path, all=False)):
        pass


def whole(path: Path) -> None:
    write_whole(path, "text")


def folder(path: Path) -> None:
    with suppress(OSError):
        path.with_name("report").rmdir()
    make_folder(path.with_name("report"))


def won(*places: Path) -> list[Path]:
    """What of root's belongs to somebody else now."""
    everything = [each for place in places for each in (place, *place.rglob("*"))]
    return [each for each in everything if each.lstat().st_uid]


@pytest.mark.parametrize("write", [append, listen, whole, folder])
@pytest.mark.night
def test_a_folder_swapped_for_a_link_to_roots(home: Path, secret: Path, swapping, write):
    (home / "d").mkdir()
    os.chown(home / "d", NOBODY, NOBODY)
    (home / "link").symlink_to("../secret")
    os.chown(home / "link", NOBODY, NOBODY, follow_symlinks=False)
    swapping("d", "link")
    done = 0
    for _ in range(TRIES):
        with suppress(OSError):
            write(home / "d" / "results.jsonl")
            done += 1
        assert not won(secret)
    assert done, "the folder itself was there now and then"


def test_a_new_folder_swapped_for_one_of_roots(home: Path, swapping):
    """Root's folder lies in the user's own, who may rename it, and owns nothing in it."""
    (home / "roots").mkdir()
    (home / "roots" / "kept").write_text("root's")
    (home / "other").mkdir()
    roots = os.open(home / "roots", os.O_RDONLY)
    swapping("other", "roots")
    for _ in range(TRIES):
        with suppress(OSError):
            (home / "other").rmdir()
            make_folder(home / "other")
        assert os.fstat(roots).st_uid == 0
    os.close(roots)
