"""What is in the way of the files of a run is told in a line, and ends no run."""

from pathlib import Path

from pytest_hdp.judge.result import Made
from pytest_hdp.report.runfiles import CAPTURE, RunFiles


def test_a_folder_of_the_captures_name(tmp_path: Path):
    (tmp_path / CAPTURE).mkdir()
    files = RunFiles(tmp_path, None, Made())
    files.finish([], unmeasured=["tokyo could not be measured: no route"])
    assert files.troubles == [f"{tmp_path / CAPTURE} was not written: Is a directory"]
    assert "tokyo" in (tmp_path / "results.md").read_text(encoding="utf-8")
