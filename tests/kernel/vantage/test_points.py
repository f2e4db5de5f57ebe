"""The ways to reach a place: that sockets are there, that this process stays here, and that nothing is left behind."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_hdp.vantage import bpf, points
from pytest_hdp.vantage.points import Host, Namespace, PrivateNamespace, VantageError, loopback_point

HERE = "127.0.0.1"
NEEDLE = b"run id 8"
OURS = bpf.matching(NEEDLE, [0])
TOP = Path(__file__).parents[3]

# Works with loopback in whatever place it is given, and prints what it saw there.
SWEEP = """
import socket, sys
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.points import *
with {place}.station() as station:
    tap = station.tap("lo", bpf.matching(b"run id 8", [0]), buffer=1 << 22)
    station.listen(socket.AF_INET, 253, bpf.matching(b"run id 8", [0]), buffer=1 << 22)
    print(station.send(station.sender(socket.AF_INET, 253), b"run id 8", "127.0.0.1"))
    seen = []
    while len(seen) < 3:
        seen += station.poll(5)
    print(sorted(each[2] for each in seen))
"""


def descendants() -> list[int]:
    """The processes that this one and its children have started."""
    found = [os.getpid()]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found[1:]


def ended(pidfd: int) -> bool:
    """Whether a process ends within ten seconds."""
    with os.fdopen(pidfd):
        return bool(select.select([pidfd], [], [], 10)[0])


def sees_itself(station) -> None:
    listener = station.listen(socket.AF_INET, 253, OURS)
    assert station.send(station.sender(socket.AF_INET, 253), NEEDLE, HERE) is None
    assert [each[3][20:] for each in station.poll(5)] == [NEEDLE]
    station.discard(listener)


@contextlib.contextmanager
def named(name):
    """A namespace that `ip netns` has made, with loopback up."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_a_private_namespace_is_ours_alone():
    with PrivateNamespace().station() as one, PrivateNamespace().station() as other:
        sees_itself(one)
        one.tap("lo", OURS)
        other.tap("lo", OURS)
        assert other.send(other.sender(socket.AF_INET, 253), NEEDLE, HERE) is None
        assert len(other.poll(5)) == 2
        assert one.poll(0) == []
        with pytest.raises(OSError, match="unreachable"):
            one.route("192.0.2.1")


def test_the_child_of_a_private_place_ends_with_it():
    before = set(descendants())
    with PrivateNamespace().station() as station:
        station.sender(socket.AF_INET, 253)
        started = [os.pidfd_open(each) for each in set(descendants()) - before]
        assert started
    assert all(map(ended, started))


def test_the_child_of_a_private_place_ends_with_an_error_too():
    before = set(descendants())
    with contextlib.suppress(ZeroDivisionError), PrivateNamespace().station():
        started = [os.pidfd_open(each) for each in set(descendants()) - before]
        raise ZeroDivisionError
    assert all(map(ended, started))


def test_the_child_of_a_private_place_does_not_survive_kill_9():
    script = (
        "import os, sys, time\n"
        "from pytest_hdp.vantage.points import PrivateNamespace\n"
        "with PrivateNamespace().station():\n    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    before = set(descendants())
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=TOP) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        started = [os.pidfd_open(each) for each in set(descendants()) - before - {process.pid}]
        assert len(started) >= 2  # the supervisor, and the process that serves
        process.send_signal(signal.SIGKILL)
        assert all(map(ended, started))


def test_refused_numbers_are_refused_with_the_same_errno_everywhere(supervisor):
    answers = []
    for place in [PrivateNamespace(), *([Host()] if os.geteuid() == 0 else [])]:
        with place.station() as station:
            for number in (-1, 0, 263):
                with pytest.raises(OSError, match="Errno") as raised:
                    station.sender(socket.AF_INET, number)
                answers.append(raised.value.errno)
    assert answers[:3] * (len(answers) // 3) == answers


def test_an_ordinary_user_gets_a_private_place(ordinary_user):
    place = "loopback_point()"
    printed, errors = ordinary_user(SWEEP.format(place=place)).communicate(timeout=30)
    assert (printed, errors) == ("None\n[-1, 0, 4]\n", "")
    printed, _ = ordinary_user(f"from pytest_hdp.vantage.points import *; print({place}.describe())").communicate()
    assert printed == "private network namespace, no privilege needed\n"


def test_root_gets_this_host(as_own_root):
    @as_own_root
    def inside():
        assert loopback_point().describe() == "this host, as root"
        with loopback_point().station() as station:
            sees_itself(station)
            with Host().station() as other:
                station.tap("lo", OURS)
                assert other.send(other.sender(socket.AF_INET, 253), NEEDLE, HERE) is None
                assert len(station.poll(5)) == 2


def test_without_any_privilege_one_line_says_what_to_do():
    """In a user namespace where root has lost CAP_NET_RAW and CAP_SYS_ADMIN, and which allows no further ones."""
    script = (
        "from pytest_hdp.vantage.points import *\ntry: loopback_point()\nexcept VantageError as error: print(error)"
    )
    without = "--bounding-set=-net_raw,-sys_admin"
    inside = f'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv {without} "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", inside, sys.executable, script],
        capture_output=True, text=True, cwd=TOP, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert "CAP_NET_RAW" in done.stdout
    assert 'sudo "$(command -v pytest)"' in done.stdout
    assert done.stdout.endswith("sudo sysctl user.max_user_namespaces=10000\n")


def test_an_ordinary_user_may_not_enter_a_namespace(ordinary_user):
    script = (
        "from pytest_hdp.vantage.points import *\n"
        "for spec in ('/proc/self/ns/net', 'pid:1'):\n"
        "  try: Namespace(spec)\n"
        "  except VantageError as error: print(error)\n"
    )
    printed, errors = ordinary_user(script).communicate(timeout=30)
    assert errors == ""
    lines = printed.splitlines()
    assert len(lines) == 2
    assert all("may not be entered: run as root (sudo" in line for line in lines)


def test_a_named_namespace_is_reached_and_this_process_stays_here(as_own_root):
    @as_own_root
    def inside():
        ours = Path("/proc/self/ns/net").readlink()
        with named("a"), Host().station() as outside:
            place = Namespace("a")
            assert place.describe() == "network namespace a"
            with place.station() as station:
                sees_itself(station)
                for number, errno in ((0, 93), (263, 22)):
                    with pytest.raises(OSError, match=f"Errno {errno}"):
                        station.sender(socket.AF_INET, number)
                with pytest.raises(OSError, match="unreachable"):
                    station.route("192.0.2.1")
                station.tap("lo", OURS)
                assert outside.send(outside.sender(socket.AF_INET, 253), NEEDLE, HERE) is None
                assert station.poll(0) == []
                assert Path("/proc/self/ns/net").readlink() == Path("/proc/thread-self/ns/net").readlink() == ours
            assert threading.active_count() == 1


def test_a_namespace_is_reached_by_path_process_and_descriptor(as_own_root):
    @as_own_root
    def inside():
        with named("a"), Path("/run/netns/a").open("rb") as held, Namespace("a").station() as beside:
            sleeper = subprocess.Popen(["ip", "netns", "exec", "a", "sh", "-c", "echo; exec sleep 60"], stdout=-1)
            with sleeper:
                sleeper.stdout.read(1)
                sender = beside.sender(socket.AF_INET, 254)
                for spec in ("/run/netns/a", f"pid:{sleeper.pid}", held.fileno()):
                    with Namespace(spec).station() as station:
                        station.tap("lo", OURS)
                        assert beside.send(sender, NEEDLE, HERE) is None
                        assert len(station.poll(5)) == 2
                sleeper.kill()


def test_stations_go_on_working_when_the_name_is_gone(as_own_root):
    @as_own_root
    def inside():
        with contextlib.ExitStack() as stack:
            with named("a"):
                station = stack.enter_context(Namespace("a").station())
            sees_itself(station)
            with pytest.raises(VantageError, match="there is no network namespace 'a'; /run/netns has none"):
                Namespace("a")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nosuch", "there is no network namespace 'nosuch'; "),
        ("", "there is no network namespace ''"),
        ("..", "there is no network namespace"),
        ("a\0b", "there is no network namespace"),
        ("x" * 300, "there is no network namespace 'xxx"),
        ("pid:999999999", "there is no process 999999999"),
        ("pid:", "after pid: comes the number of a process"),
        ("pid:-1", "after pid: comes the number of a process"),
        ("pid:²", "after pid: comes the number of a process"),
        ("/nosuch", "there is no file /nosuch"),
        ("/etc/passwd", "/etc/passwd is not a network namespace"),
        ("/proc/self/ns/uts", "/proc/self/ns/uts is not a network namespace"),
        (999999, "descriptor 999999 is not open"),
        (-1, "descriptor -1 is not open"),
    ],
)
def test_what_is_no_namespace_is_refused_in_one_line(spec, says):
    before = {each.name for each in Path("/proc/self/fd").iterdir()}
    with pytest.raises(VantageError) as raised:
        Namespace(spec)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert {each.name for each in Path("/proc/self/fd").iterdir()} == before


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "has none (make one: sudo ip netns add NAME)"),
        (["b", "a"], "has a, b"),
        ([f"n{number:02}" for number in range(12)], "has n00, n01, n02, n03, n04, n05, n06, n07, n08, n09 and 2 more"),
    ],
)
def test_an_unknown_name_is_answered_with_those_that_exist(tmp_path, monkeypatch, names, says):
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.setattr(points, "NAMED", tmp_path)
    with pytest.raises(VantageError) as raised:
        Namespace("nosuch")
    assert str(raised.value).endswith(f"; {tmp_path} {says}")
