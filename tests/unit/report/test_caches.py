"""Only what this run of root's made in a caller's folder is given to the caller, whatever lies in its place."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pytest_hdp.report.caches import give_back_caches

CALLER = (65534, 65533)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that root has made in a project of who calls sudo."""
    if os.geteuid():
        pytest.skip("privilege: needs root, to give files to another user")
    monkeypatch.setenv("SUDO_UID", str(CALLER[0]))
    monkeypatch.setenv("SUDO_GID", str(CALLER[1]))
    project = tmp_path / "project"
    (project / ".cache" / "v").mkdir(parents=True)
    os.chown(project, *CALLER)
    return project / ".cache"


def owner(path: Path) -> tuple[int, int]:
    return path.lstat().st_uid, path.lstat().st_gid


def aged(path: Path) -> Path:
    old = time.time() - 100_000
    os.utime(path, (old, old), follow_symlinks=False)
    return path


def test_what_this_run_made_is_given(cache: Path):
    made = cache / "v" / "file"
    made.touch()
    give_back_caches([cache])
    assert {owner(each) for each in (cache, cache / "v", made)} == {CALLER}


def test_new_files_in_a_folder_of_the_callers_are_given(cache: Path):
    aged(cache / "v")
    os.chown(cache, *CALLER)
    aged(cache)
    (cache / "new").touch()
    give_back_caches([cache])
    assert owner(cache / "new") == CALLER
    assert owner(cache / "v") == (0, 0)  # somebody else's, from before


def test_roots_older_file_moved_there_is_not_given(cache: Path):
    os.chown(cache, *CALLER)
    secret = cache / "secret"
    secret.touch()
    aged(secret)
    give_back_caches([cache])
    assert owner(secret) == (0, 0)


def test_links_are_not_followed_and_second_names_not_given(cache: Path, tmp_path: Path):
    for name in ("secret", "folder"):
        (tmp_path / name).touch() if name == "secret" else (tmp_path / name).mkdir()
    (cache / "hard").hardlink_to(tmp_path / "secret")
    (cache / "soft").symlink_to(tmp_path / "secret")
    (cache / "way").symlink_to(tmp_path / "folder")
    os.mkfifo(cache / "pipe")
    give_back_caches([cache])
    assert {owner(tmp_path / name) for name in ("secret", "folder")} == {(0, 0)}
    assert owner(cache / "pipe") == (0, 0)


def test_a_folder_exchanged_for_a_link_into_roots_is_not_given(cache: Path, tmp_path: Path):
    system = tmp_path / "system"
    (system / ".cache").mkdir(parents=True)
    (system / ".cache" / "file").touch()
    project = cache.parent.rename(tmp_path / "aside").parent / "project"
    project.symlink_to(system)
    give_back_caches([project / ".cache"])
    assert {owner(system / ".cache"), owner(system / ".cache" / "file")} == {(0, 0)}


def test_a_cache_exchanged_for_a_link_is_not_followed(cache: Path, tmp_path: Path):
    system = tmp_path / "system"
    system.mkdir()
    (system / "file").touch()
    cache.rename(cache.with_name("aside"))
    cache.symlink_to(system)
    give_back_caches([cache])
    assert {owner(system), owner(system / "file")} == {(0, 0)}


@pytest.mark.parametrize("value", ["", "0", "banana", "-1", "99999999999999"])
def test_a_strange_environment_changes_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("SUDO_UID", value)
    give_back_caches([cache])
    assert owner(cache) == (0, 0)
