"""The supervisor: many sockets in one request, the limit of open files, what programs inherit."""

import errno
import os
import resource
import socket
from pathlib import Path

import pytest

from pytest_hdp.vantage.netns.socket_pool import Opener
from pytest_hdp.vantage.station import Station

SO_PROTOCOL, SO_NETNS_COOKIE = 38, 71
RAW = (socket.AF_INET, socket.SOCK_RAW)
NUMBERS = [*range(-1, 264), 2**31 - 1]
REFUSED = {-1: errno.EINVAL, 0: errno.EPROTONOSUPPORT, 263: errno.EINVAL, 2**31 - 1: errno.EINVAL}
HERE = "127.0.0.1"


def files_open():
    return len(list(Path("/proc/self/fd").iterdir()))


def cookie(opened):
    return opened.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)


@pytest.fixture
def few_files():
    """Room for so many more open files, until somebody raises the soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def limit(more):
        # What is free is seen by taking it: a thread that waits in open() has a number and no file yet.
        taken = [os.dup(0) for _ in range(more + 1)]
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1], hard))

    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_each_number_in_its_namespace_and_each_refusal_in_its_place(space):
    before = files_open()
    opened = space.open_sockets(*RAW, NUMBERS)
    assert len(opened) == len(NUMBERS)
    with space.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        there = cookie(one)
    for number, each in zip(NUMBERS, opened, strict=True):
        if number in REFUSED:
            assert isinstance(each, OSError)
            assert each.errno == REFUSED[number]
        else:
            with each:
                assert each.getsockopt(socket.SOL_SOCKET, SO_PROTOCOL) == number
                assert cookie(each) == there
                assert not each.getblocking()
                assert not each.get_inheritable()
    assert files_open() == before


@pytest.mark.parametrize("room", [1, 10, 255])
def test_without_room_for_all_none_is_left_open(space, few_files, room):
    few_files(room)
    before = files_open()
    with pytest.raises(OSError, match="Too many open files"):
        space.open_sockets(*RAW, list(range(1, 257)))
    assert files_open() == before


def test_one_socket_at_the_limit_is_an_error_with_its_errno(space, few_files):
    few_files(0)
    with pytest.raises(OSError, match="Too many open files"):
        space.open_socket(*RAW, 253)


def test_a_station_takes_what_was_opened_ahead(space):
    before = files_open()
    with Opener(space) as opener, Station(opener) as station:
        station.open_ahead(*RAW, [0, 47, 253, 254, 255, 2**40])
        ahead = files_open()
        listener = station.listen(socket.AF_INET, 253, [(6, 0, 0, 0x7FFFFFFF)])
        with pytest.raises(OSError, match="Protocol not supported"):
            station.sender(socket.AF_INET, 0)
        sender = station.sender(socket.AF_INET, 254)
        assert files_open() == ahead
        assert station.send(sender, b"x", HERE) is None
        assert station.send(listener, b"through a listener", HERE) is None
        assert [(handle, data[20:]) for handle, _, _, data, _, _ in station.poll(5)] == [
            (listener, b"through a listener")
        ]
        station.sender(socket.AF_INET, 254)
        assert files_open() == 1 + ahead  # each is taken once
        with pytest.raises(OSError, match="Protocol not supported"):
            station.sender(socket.AF_INET, 0)
        with pytest.raises(OSError, match="not a C int"):
            station.sender(socket.AF_INET, 2**40)
    assert files_open() == before  # 47 and 255 too, which nobody took


def test_a_station_raises_the_limit_for_many(space, few_files):
    with Opener(space) as opener, Station(opener) as station:
        few_files(20)
        station.open_ahead(*RAW, list(range(1, 256)))
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def test_a_listener_under_255_sends_with_the_kernels_header(station):
    listener = station.listen(socket.AF_INET, 255, [(6, 0, 0, 0x7FFFFFFF)])
    assert station.send(listener, b"no header of mine", HERE) is None
    ((_, _, _, data, source, _),) = station.poll(5)
    assert (data[9], data[20:], source) == (255, b"no header of mine", HERE)


def test_a_program_inherits_what_it_was_given_and_nothing_else(space):
    status, printed = space.run(["/bin/ls", "/proc/self/fd"])
    assert status == 0
    assert printed.split() == ["0", "1", "2", "3"]  # 3 is the folder that ls reads
