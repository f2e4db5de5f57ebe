"""The controller's end of a connection, with commands that stand in for the other end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_hdp.vantage.clock import EventBell
from pytest_hdp.vantage.remote import pipes
from pytest_hdp.vantage.remote.channel import MOST_WAITING, Inbox
from pytest_hdp.vantage.remote.launcher import NotStarted, Terms, start
from pytest_hdp.vantage.remote.pipes import PipeChannel

HEARD = "import os, struct, time\ndata = b'A\\0\\0\\xff\\0' + bytes(0xff00) + b'Q'\n"
ENDLESS = HEARD + "os.write(1, b'1')\nwhile True: os.write(1, struct.pack('!bii', 4, 1, len(data)) + data)"


@contextmanager
def connected_to(program: str) -> Iterator[tuple[PipeChannel, subprocess.Popen[bytes]]]:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-Sc", program], bufsize=0, **pipes) as process:
        connected = PipeChannel(process)
        try:
            yield connected, process
        finally:
            process.kill()
            connected.close(10)


def test_who_reads_nothing_is_waited_for_only_so_long(monkeypatch):
    monkeypatch.setattr(pipes, "WRITE_PATIENCE", 0.2)
    with connected_to("import time; time.sleep(60)") as (connected, _):
        with pytest.raises(TimeoutError):
            connected.send(b"x" * 1_000_000)
        assert connected.failed == "it has read nothing for 0.2 s"
        began = time.monotonic()
        with pytest.raises(OSError, match="has read nothing"):
            connected.send(b"x")
        assert time.monotonic() - began < 0.2, "half of a message is in the pipe: nothing follows it"


def test_a_write_ends_with_who_should_read_it():
    with connected_to("import os, time; os.close(1); time.sleep(60)") as (connected, _):
        began = time.monotonic()
        with pytest.raises(BrokenPipeError):
            connected.send(b"x" * 1_000_000)
        assert time.monotonic() - began < pipes.WRITE_PATIENCE / 2


def test_what_nobody_takes_stays_in_the_pipe():
    inbox = Inbox(EventBell())
    with connected_to(ENDLESS) as (connected, process):
        connected.receive(time.monotonic() + 30)
        connected.setcallback(inbox.put)
        waiting, ends = -1, time.monotonic() + 30
        while waiting != inbox.cost or not waiting:
            assert time.monotonic() < ends
            waiting = inbox.cost
            time.sleep(0.2)
        assert MOST_WAITING <= waiting < MOST_WAITING + (1 << 20)
        assert sum(cost for _, cost in inbox.take()) == waiting
        inbox.bell.wait(30)
        assert inbox.take(), "it goes on"
        inbox.close()
        inbox.bell.close()
        assert process.poll() is None


def test_the_standard_error_is_kept_at_both_ends():
    program = "import os\nos.write(2, b'first\\n' + b'x' * 300000 + b'\\nlast\\n'); os.close(1)"
    with connected_to(program) as (connected, process):
        process.wait(30)
        connected.ended.wait(30)
        ends = time.monotonic() + 30
        while not connected.printed().endswith("last\n"):
            assert time.monotonic() < ends
        printed = connected.printed()
        assert printed.startswith("first\n")
        assert "[...]" in printed
        assert len(printed) < 70_000


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("print('Welcome')", ""),  # not our loader: whoever started the command knows what that means
        ("print('1' * 20)", "what it sends makes no sense"),
        ("import sys; sys.exit('no luck')", "no luck"),
        ("", ""),
    ],
)
def test_why_there_is_no_agent(program, why):
    with pytest.raises(NotStarted) as raised:
        start([sys.executable, "-Sc", program], "it", Terms())
    assert (raised.value.why or raised.value.printed).startswith(why)
