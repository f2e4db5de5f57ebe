from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.report.files import give_back, make_folder, write_whole

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def under_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        pytest.skip("privilege: needs root, to give files to another user")
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65533")


def owner(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path):
    path = tmp_path / "results.md"
    path.write_text("old")
    write_whole(path, "new \ud800\r\n")
    assert path.read_bytes() == b"new \\ud800\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path):
    path = tmp_path / "folder"
    (path / "full").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_whole(path, "text")
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_no_obstacle(tmp_path: Path):
    (tmp_path / f".results.md.{os.getpid()}.part").write_text("half")
    write_whole(tmp_path / "results.md", "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["results.md"]


@pytest.mark.usefixtures("under_sudo")
def test_under_sudo_files_and_new_folders_belong_to_the_caller(tmp_path: Path):
    make_folder(tmp_path / "a" / "b")
    write_whole(tmp_path / "a" / "b" / "results.md", "text")
    assert {owner(p) for p in tmp_path.rglob("*")} == {(65534, 65533)}
    assert owner(tmp_path)[0] == 0


@pytest.mark.usefixtures("under_sudo")
def test_a_link_is_given_back_not_what_it_points_to(tmp_path: Path):
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to("target")
    give_back(tmp_path / "link")
    assert owner(tmp_path / "target")[0] == 0


@pytest.mark.parametrize("value", ["", "banana", "-1", "99999999999999"])
def test_a_strange_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("SUDO_UID", value)
    monkeypatch.setenv("SUDO_GID", value)
    before = owner(tmp_path)
    give_back(tmp_path)
    assert owner(tmp_path) == before
