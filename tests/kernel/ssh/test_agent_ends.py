"""An agent ends by itself, holds no privilege longer than it must, and leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agents import HERE, INET, PAYLOAD, PROGRAM, Packet

from pytest_hdp.packet.family import IPV4, IPV6
from pytest_hdp.plugin.vantage_specs import parse_vantage, vantage_point
from pytest_hdp.vantage.remote import launcher
from pytest_hdp.vantage.remote.channel import AgentGone
from pytest_hdp.vantage.remote.launcher import NotStarted, Terms


def test_a_budget_is_never_exceeded(start, beside):
    far = start(peers=(HERE,), budget=10)
    handle = far.sender(socket.AF_INET, 253)
    for _ in range(25):
        far.send_later(handle, PAYLOAD, HERE, 0, Packet())
    far.sync()
    assert far.gone == "its budget of 10 packets is spent"
    assert len([each for each in beside.poll(1) if each[2] == 4]) == 10


@pytest.mark.parametrize("terms", [{"silence": 1}, {"lifetime": 1}], ids=str)
def test_it_ends_by_itself(start, terms):
    """A controller that says nothing any more, and one that has been there for too long."""
    far = start(**terms)
    began = time.monotonic()
    while far.gone is None:
        far.poll(1)
        assert time.monotonic() - began < 10, "it lives on"
    assert time.monotonic() - began < 4.5, "the controller's next word would be heard by then"
    with pytest.raises(AgentGone, match="the agent is gone"):
        far.tap("lo", PROGRAM)


def test_one_that_never_begins_ends_by_itself(space):
    """Whoever asked is gone, and somebody else holds its standard input open: nothing comes, and no end."""
    program = launcher.program()
    enter = [f"--net=/proc/{os.getpid()}/fd/{space.descriptor}"]
    if space.supervisor.private:
        enter = [f"--user=/proc/{space.supervisor.pid}/ns/user", "--preserve-credentials", *enter]
    soon = program.replace(f"alarm({launcher.UNSTARTED})", "alarm(1)")
    assert soon != program
    waiting = subprocess.Popen(["nsenter", *enter, sys.executable, "-u", "-c", soon], stdin=subprocess.PIPE)
    try:
        assert waiting.wait(10) == -signal.SIGALRM
    finally:
        waiting.kill()
        waiting.communicate()


def test_the_first_process_of_a_container_ends_by_itself_too(space):
    """As in `docker run -i IMAGE python3`: the kernel delivers no alarm to process 1, whatever it is stuck in."""
    enter = [f"--net=/proc/{os.getpid()}/fd/{space.descriptor}"]
    if space.supervisor.private:
        enter = [f"--user=/proc/{space.supervisor.pid}/ns/user", "--preserve-credentials", *enter]
    first = ["nsenter", *enter, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    far = launcher.start([*first, *launcher.loader(sys.executable)], "the agent", Terms(silence=1))
    began = time.monotonic()
    while far.gone is None:
        far.poll(1)
        assert time.monotonic() - began < 10, "it lives on"
    far.close()
    assert time.monotonic() - began < 4.5, "the controller's next word would be heard by then"


def test_all_privilege_is_gone_and_all_sockets_are_there(start):
    if os.geteuid() != 0:
        pytest.skip("privilege: only root can become nobody")
    far = start(peers=(HERE,), drop=True)
    tap = far.tap("lo", PROGRAM, buffer=1 << 20)
    far.open_ahead(socket.AF_INET, socket.SOCK_RAW, range(-1, 264))
    for number in (-1, 0, 263):
        with pytest.raises(OSError, match=r"not supported|Invalid"):
            far.sender(socket.AF_INET, number)
    handles = {number: far.listen(socket.AF_INET, number, PROGRAM) for number in (1, 6, 253, 255)}
    for handle in handles.values():
        assert far.send(handle, PAYLOAD, HERE) is None
    observed = far.poll(0)
    assert {each[3][9] for each in observed if each[0] != tap} == set(handles)
    zero = [far.sender_of_zero(INET) for _ in range(2)]
    assert far.send(zero[1], PAYLOAD, HERE) is None
    assert {each[3][9] for each in far.poll(0) if each[0] == tap} == {0}
    far.listen(socket.AF_INET, 255, PROGRAM)
    far.listen(socket.AF_INET, 253, PROGRAM)
    with pytest.raises(OSError, match="given up its privilege"):
        far.listen(socket.AF_INET, 253, PROGRAM)
    assert far.datagram(HERE)[1] > 0, "this takes none"


def limited(enter, files):
    return [*enter, "prlimit", f"--nofile={files}:{files}", *launcher.loader(sys.executable)]


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_all_sockets_of_one_version_are_there_where_1024_files_may_be_open(enter, family):
    if os.geteuid() != 0:
        pytest.skip("privilege: only root can become nobody")
    terms = Terms(peers=(family.loopback,), drop=True, families=(family.socket_family,))
    with launcher.start(limited(enter, 1024), "the agent", terms) as far:
        handles = [far.listen(family.socket_family, number, PROGRAM) for number in range(1, 256)]
        assert far.send(handles[252], PAYLOAD, family.loopback) is None
        assert far.sender_of_zero(family.socket_family) > 0


def test_where_too_few_files_may_be_open_it_is_said_in_one_line(enter):
    if os.geteuid() != 0:
        pytest.skip("privilege: only root can become nobody")
    with pytest.raises(NotStarted, match=r"sockets are opened .* raise it \(ulimit -Hn\), or leave out drop$"):
        launcher.start(limited(enter, 400), "the agent", Terms(drop=True))


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_a_target_has_its_agent_open_sockets_of_its_version_alone(family):
    assert vantage_point(parse_vantage("ssh=root@far drop"), family=family).terms.families == (family.socket_family,)


def test_what_it_leaves_is_nothing(start, space):
    far = start()
    far.open_ahead(socket.AF_INET, socket.SOCK_RAW, range(1, 256))
    far.close()
    deadline = time.monotonic() + 1
    while (count := space.run(["/bin/cat", "/proc/net/raw"])[1].count("\n")) > 1:
        assert time.monotonic() < deadline, f"{count} raw sockets are left"
    assert not [each for each in Path("/proc/self/fd").iterdir() if "eventfd" in str(each.resolve())]
