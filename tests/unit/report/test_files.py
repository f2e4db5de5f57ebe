from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.report.files import create, give_back, make_folder, replace, write_whole

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
def test_what_a_link_points_to_is_neither_written_nor_given_back(tmp_path: Path):
    (tmp_path / "target").write_text("mine")
    for name in ("link", "other"):
        (tmp_path / name).symlink_to("target")
    with pytest.raises(FileExistsError):
        create(tmp_path / "link")
    os.close(replace(tmp_path / "link"))
    write_whole(tmp_path / "other", "text")
    assert owner(tmp_path / "target")[0] == 0
    assert (tmp_path / "target").read_text() == "mine"
    assert {owner(tmp_path / name) for name in ("link", "other")} == {(65534, 65533)}


@pytest.mark.usefixtures("under_sudo")
def test_a_folder_that_was_there_is_nobody_elses_afterwards(tmp_path: Path):
    (tmp_path / "a").mkdir()
    make_folder(tmp_path / "a" / "b")
    assert owner(tmp_path / "a")[0] == 0
    assert owner(tmp_path / "a" / "b") == (65534, 65533)


@pytest.mark.parametrize("target", ["../elsewhere", "{}/elsewhere", "."])
@pytest.mark.usefixtures("under_sudo")
def test_somebody_elses_link_is_not_followed(tmp_path: Path, target: str):
    for name in ("elsewhere", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "home" / "link").symlink_to(target.format(tmp_path))
    os.chown(tmp_path / "home" / "link", 65534, 65533, follow_symlinks=False)
    for act in (make_folder, create, replace, lambda path: write_whole(path, "text")):
        with pytest.raises(PermissionError, match="another user's"):
            act(tmp_path / "home" / "link" / "report")
    assert not list((tmp_path / "elsewhere").iterdir())
    os.chown(tmp_path / "home" / "link", 0, 0, follow_symlinks=False)
    make_folder(tmp_path / "home" / "link" / "report")
    write_whole(tmp_path / "home" / "link" / "report" / "results.md", "text")


def test_our_own_links_lead_somewhere_and_end_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a/../a")
    make_folder(tmp_path.relative_to(tmp_path) / "link" / "b" / ".." / "c")
    assert sorted(each.name for each in (tmp_path / "a").iterdir()) == ["b", "c"]
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match="symbolic links"):
        make_folder(tmp_path / "round")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "file" / "d")


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o1777, False), (0o755, False)], ids=oct)
def test_root_makes_no_report_where_anybody_may_swap_it(tmp_path: Path, mode: int, refused: bool):
    if os.geteuid():
        pytest.skip("privilege: not root")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(mode)
    if refused:
        with pytest.raises(PermissionError, match="anybody"):
            make_folder(tmp_path / "shared" / "report")
    else:
        make_folder(tmp_path / "shared" / "report")


@pytest.mark.parametrize("value", ["", "banana", "-1", "99999999999999"])
def test_a_strange_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("SUDO_UID", value)
    monkeypatch.setenv("SUDO_GID", value)
    before = owner(tmp_path)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    give_back(descriptor)
    os.close(descriptor)
    assert owner(tmp_path) == before
