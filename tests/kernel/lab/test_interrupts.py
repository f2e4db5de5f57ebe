"""Ctrl-C while a lab is being built, at any step: KeyboardInterrupt, and nothing is left running, open or warned of."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.topology import Lab
from pytest_hdp.vantage.interrupts import interrupts_later

WATCHED = ("pytest_hdp/lab/", "pytest_hdp/vantage/", "subprocess.py", "contextlib.py")
SAMPLES = 5 if os.environ.get("TESTS_PROFILE") == "brief" else 20


class CtrlC:
    """A trace function that presses Ctrl-C at the `at`th line that runs in the watched files."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.lines = 0

    def __call__(self, frame, event, arg):
        if not any(each in frame.f_code.co_filename for each in WATCHED):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                signal.raise_signal(signal.SIGINT)
        return self


def children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")


def build(at: int) -> CtrlC:
    """Build a lab, and take it down; Ctrl-C comes while it is built."""
    pressed, lab = CtrlC(at), Lab(make("loss-5"), seed=1)
    before = sys.gettrace()
    sys.settrace(pressed)
    try:
        lab.__enter__()
    finally:
        sys.settrace(before)
    lab.close()
    return pressed


@pytest.mark.night
@pytest.mark.long
def test_a_lab_that_is_being_built_is_taken_down_whole(monkeypatch):
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    steps = min(build(0).lines for _ in range(3))  # where the kernel is waited for, each build has lines of its own
    assert steps > 500
    before = children()
    opened = len(list(Path("/proc/self/fd").iterdir()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for at in [*range(1, 200, 20), *sorted(random.Random(1).sample(range(200, steps - 20), SAMPLES))]:
            with suppress(KeyboardInterrupt):
                assert build(at).lines < at, "Ctrl-C was lost"
            gc.collect()
            assert complaints == [], at
            assert len(list(Path("/proc/self/fd").iterdir())) == opened, at
            assert children() == before, at


class Presses:
    """Presses Ctrl-C so many times within a block in which it is put off, and says how far the block came."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        self.times, self.error = times, error
        self.pressed = 0
        self.whole = False

    def run(self) -> None:
        with interrupts_later():
            for _ in range(self.times):
                self.pressed += 1
                signal.raise_signal(signal.SIGINT)
            if self.error is not None:
                raise self.error
            self.whole = True


@pytest.mark.parametrize(("times", "whole"), [(1, True), (2, False)])
def test_ctrl_c_is_put_off_and_not_lost_and_a_second_one_is_not_put_off(times, whole):
    block = Presses(times)
    with pytest.raises(KeyboardInterrupt):
        block.run()
    assert (block.pressed, block.whole) == (times, whole)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_is_in_its_context():
    with pytest.raises(KeyboardInterrupt) as caught:
        Presses(1, ValueError("mine")).run()
    assert isinstance(caught.value.__context__, ValueError)


def test_other_threads_and_ignored_signals_are_left_alone():
    seen = []

    def look() -> None:
        with interrupts_later():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        look()
    finally:
        signal.signal(signal.SIGINT, usual)
    assert seen == [signal.default_int_handler, signal.SIG_IGN]
