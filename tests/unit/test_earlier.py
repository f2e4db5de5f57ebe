"""When a run over a path ended is known to the next one, and nothing in the user's folder can harm it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pytest_hdp.judge.result import PathInfo
from pytest_hdp.plugin.earlier import Earlier, state_folder

PATH = PathInfo("netns", "x", "netns=a, as root", "198.51.100.2", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "pytest-hdp"


def the_file(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def told(folder: Path, **changes: object) -> None:
    file = the_file(folder)
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_the_next_run_knows_how_long_ago(folder: Path) -> None:
    first = Earlier("one", folder)
    assert first.seconds(PATH) is None
    first.note(PATH)
    told(folder, time=json.loads(the_file(folder).read_text())["time"] - 90)
    assert Earlier("two", folder).seconds(PATH) == pytest.approx(90, abs=5)


def test_another_path_knows_nothing_and_another_agent_or_right_is_the_same_path(folder: Path) -> None:
    Earlier("one", folder).note(PATH)
    assert Earlier("two", folder).seconds(PathInfo("netns", "x", "netns=b", "198.51.100.2", None)) is None
    assert Earlier("two", folder).seconds(PathInfo("netns", "x", "netns=a", "198.51.100.3", None)) is None
    assert Earlier("two", folder).seconds(PathInfo("internet", "y", "netns=a", "198.51.100.2", "ssh=h")) is not None


def test_another_process_of_the_same_run_is_no_earlier_run(folder: Path) -> None:
    Earlier("one", folder).note(PATH)
    told(folder, time=json.loads(the_file(folder).read_text())["time"] - 90)
    workers = [Earlier("two", folder) for _ in range(2)]
    workers[0].note(PATH)
    assert workers[1].seconds(PATH) == pytest.approx(90, abs=5)
    alone = Earlier("three", folder)
    alone.note(PathInfo("netns", "x", "netns=b", "198.51.100.2", None))
    assert alone.seconds(PathInfo("netns", "x", "netns=b", "198.51.100.2", None)) is None


@pytest.mark.parametrize(
    "changes", [{"time": 1e30}, {"time": "x"}, {"time": None}, {"time": float("nan")}, {"run": []}]
)
def test_what_is_no_time_of_the_past_week_is_nothing(folder: Path, changes: dict[str, object]) -> None:
    Earlier("one", folder).note(PATH)
    told(folder, time=4e9)  # the clock was set back since
    assert Earlier("two", folder).seconds(PATH) is None
    told(folder, **{"time": 1.0, **changes})
    assert Earlier("two", folder).seconds(PATH) is None


@pytest.mark.parametrize("content", [b"", b"[1]", b"[" * 4000, b"\xff", b"{" + b" " * 10_000])
def test_nothing_in_the_file_raises(folder: Path, content: bytes) -> None:
    Earlier("one", folder).note(PATH)
    the_file(folder).write_bytes(content)
    assert Earlier("two", folder).seconds(PATH) is None


def test_no_link_and_no_pipe_is_read_and_none_is_written_through(folder: Path, tmp_path: Path) -> None:
    Earlier("one", folder).note(PATH)
    victim, file = tmp_path / "victim", the_file(folder)
    victim.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(victim)
    before = victim.read_bytes()
    other = Earlier("two", folder)
    assert other.seconds(PATH) is None
    other.note(PATH)
    assert victim.read_bytes() == before
    assert not file.is_symlink()
    file.unlink()
    os.mkfifo(file)
    assert Earlier("three", folder).seconds(PATH) is None  # and does not wait for a writer


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "pytest-hdp").write_text("a file")
    earlier = Earlier("one", tmp_path / "pytest-hdp")
    earlier.note(PATH)
    assert earlier.seconds(PATH) is None
    Earlier("one", None).note(PATH)


def test_where_states_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert state_folder() == Path(os.environ["XDG_STATE_HOME"]) / "pytest-hdp"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert state_folder() == tmp_path / ".local" / "state" / "pytest-hdp"
