"""What processes of one run do one at a time, however the others end."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from pytest_hdp.measure.campaign.measured_once import measured_once, one_at_a_time

HOLDING = """
import sys
from pathlib import Path
from pytest_hdp.measure.campaign.measured_once import one_at_a_time

with one_at_a_time(Path(sys.argv[1]), "latency"):
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_who_comes_second_waits_until_the_first_one_is_over_or_dead(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "not there yet")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    running = [subprocess.Popen(command, **pipes) for _ in range(3)]
    try:
        while running:  # whoever it is: the others have said nothing before it ends
            (first,) = _begun(running)
            running.remove(first)
            first.kill()
            first.communicate()
    finally:
        for each in running:
            each.kill()
            each.communicate()


def test_where_there_is_no_room_for_a_lock_nobody_waits(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.touch()
    with one_at_a_time(file, "latency"), one_at_a_time(file, "latency"):
        pass


def test_what_one_has_measured_the_next_one_reads_and_without_room_each_measures(tmp_path: Path) -> None:
    measured: list[int] = []

    def measure() -> list[dict[str, object]]:
        measured.append(1)
        return [{"record": len(measured)}]

    for _ in range(2):
        assert measured_once(tmp_path / "shared", "key", measure) == [{"record": 1}]
    (tmp_path / "a file").touch()
    assert measured_once(tmp_path / "a file", "key", measure) == [{"record": 2}]
    assert measured_once(tmp_path / "a file", "key", measure) == [{"record": 3}]
    assert sorted(each.name for each in (tmp_path / "shared").iterdir()) == ["key.json", "key.lock"]


def _begun(running: list[subprocess.Popen[bytes]]) -> list[subprocess.Popen[bytes]]:
    """Those that have begun once one has, and within a moment after that."""
    pipes = [each.stdout for each in running]
    ready = select.select(pipes, (), (), 60)[0]
    assert ready, "none began"
    ready += select.select([each for each in pipes if each not in ready] or pipes[:1], (), (), 0.5)[0]
    return [each for each in running if each.stdout in ready and os.read(each.stdout.fileno(), 10)]
