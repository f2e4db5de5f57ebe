"""`hdp` itself: alone it shows what there is, and Ctrl-C ends it without a traceback, whenever it comes."""

import subprocess
import sys

import pytest

from pytest_hdp import cli


@pytest.mark.parametrize("words", [[], ["lab"]])
def test_alone_it_prints_its_help_and_nothing_was_done(words, capsys):
    assert cli.main(words) == 4
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"usage: {' '.join(['hdp', *words])} ")
    assert "list" in printed.err
    done = subprocess.run([sys.executable, "-m", "pytest_hdp.cli", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")


def test_ctrl_c_while_it_still_reads_its_own_modules_is_no_traceback(tmp_path, monkeypatch):
    (tmp_path / "interrupts_at_import.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(cli, "COMMANDS", ("interrupts_at_import",))
    assert cli.main(["listen"]) == 130
