"""What each kind of socket sees, says and counts."""

import os
import socket
import struct
import sys
import time
from pathlib import Path

import pytest
from on_loopback import HERE, NEEDLE, OURS, TOP, send_all

from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.receiving import PACKET_HOST, PACKET_OUTGOING
from pytest_hdp.vantage.station import Station

SO_DETACH_FILTER, SO_MEMINFO = 27, 55


def numbered(count, size=0):
    return [NEEDLE + struct.pack("!I", number) + bytes(size) for number in range(count)]


def test_taps_see_a_packet_leave_and_arrive(station, gather):
    tap = station.tap("lo", OURS)
    send_all(station, station.sender(socket.AF_INET, 253), [NEEDLE])
    left, arrived = gather(station, 2)
    assert left[2] == PACKET_OUTGOING
    assert arrived[2] == PACKET_HOST
    for handle, _, _, data, source, interface in (left, arrived):
        assert (handle, source, interface) == (tap, "", "lo")
        assert (data[0], data[9], data[20:]) == (0x45, 253, NEEDLE)


def test_a_tap_on_every_interface_names_the_interface(station, gather):
    station.tap(None, OURS)
    send_all(station, station.sender(socket.AF_INET, 253), [NEEDLE])
    assert {each[5] for each in gather(station, 2)} == {"lo"}


def test_listeners_see_their_protocol_only(station, gather):
    listeners = {number: station.listen(socket.AF_INET, number, OURS) for number in (6, 17, 253, 254)}
    for number in listeners:
        send_all(station, station.sender(socket.AF_INET, number), numbered(3))
    seen = gather(station, 12)
    assert {(handle, data[9]) for handle, _, _, data, _, _ in seen} == {(h, n) for n, h in listeners.items()}
    for handle, _, kind, data, source, interface in seen:
        assert (kind, source, interface) == (-1, HERE, "")
        assert len(data) == 32, handle
    assert [data[20:] for handle, _, _, data, _, _ in seen if handle == listeners[6]] == numbered(3)


def test_a_listener_bound_to_an_address_sees_only_what_is_sent_to_it(station, gather):
    bound = station.listen(socket.AF_INET, 253, OURS, address="127.0.0.2")
    unbound = station.listen(socket.AF_INET, 253, OURS)
    sender = station.sender(socket.AF_INET, 253)
    send_all(station, sender, [NEEDLE + b"1"], "127.0.0.1")
    send_all(station, sender, [NEEDLE + b"2"], "127.0.0.2")
    seen = gather(station, 3)
    assert [each[3][-1:] for each in seen if each[0] == bound] == [b"2"]
    assert [each[3][-1:] for each in seen if each[0] == unbound] == [b"1", b"2"]


def test_strangers_are_neither_seen_nor_counted(station, gather):
    station.tap("lo", OURS, buffer=1)
    station.listen(socket.AF_INET, 253, OURS, buffer=1)
    sender = station.sender(socket.AF_INET, 253)
    send_all(station, sender, [b"stranger" * 100] * 500)
    send_all(station, sender, [NEEDLE])
    assert {each[3][20:] for each in gather(station, 3)} == {NEEDLE}
    assert set(station.drops().values()) == {0}


def test_noise_under_all_numbers_wakes_nobody(space, station, gather):
    station.tap("lo", OURS)
    for number in range(1, 256):
        station.listen(socket.AF_INET, number, OURS)
    noise = [sys.executable, str(TOP / "tests/kernel/noise.py"), "--count", "20000", "--seconds", "20"]
    assert space.run(noise) == (0, "20000 packets of noise\n")
    assert station.poll(0) == []
    send_all(station, station.sender(socket.AF_INET, 253), [NEEDLE])
    assert {each[3][20:] for each in gather(station, 3)} == {NEEDLE}
    assert set(station.drops().values()) == {0}


def test_what_came_before_the_filter_is_thrown_away(space, gather):
    """The kernel delivers to a raw socket from socket(2) on."""

    def factory(family, kind, protocol):
        late = space.open_socket(family, kind, protocol)
        with space.open_socket(family, kind, protocol) as other:
            for _ in range(3):
                other.sendto(b"stranger", (HERE, 0))
        return late

    with Station(factory) as station, Station(space.open_socket) as other:
        station.listen(socket.AF_INET, 253, OURS)
        send_all(other, other.sender(socket.AF_INET, 253), [NEEDLE])
        assert [each[3][20:] for each in gather(station, 1)] == [NEEDLE]


def test_filters_are_locked(opened):
    station, sockets = opened
    station.tap("lo", OURS)
    station.listen(socket.AF_INET, 253, OURS)
    station.sender(socket.AF_INET, 253)
    station.datagram(HERE, 0, bpf.matching_datagram(NEEDLE, [8]))
    for each in sockets:
        with pytest.raises(PermissionError):
            each.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def test_senders_queue_no_copies(opened, gather):
    station, sockets = opened
    sender = station.sender(socket.AF_INET, 253)
    station.listen(socket.AF_INET, 253, OURS)
    send_all(station, sender, numbered(100))
    gather(station, 100)
    memory = struct.unpack("=9I", sockets[0].getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
    assert memory[0] == 0  # SK_MEMINFO_RMEM_ALLOC
    assert sender not in station.drops()


@pytest.mark.parametrize("kind", ["tap", "listen", "datagram"])
def test_drops_count_what_found_no_room(station, gather, kind):
    if kind == "tap":
        observer, port, copies = station.tap("lo", OURS, buffer=1), 0, 2
    elif kind == "listen":
        observer, port, copies = station.listen(socket.AF_INET, 253, OURS, buffer=1), 0, 1
    else:
        (observer, port), copies = station.datagram(HERE, 0, buffer=1), 1
    sender = station.sender(socket.AF_INET, 253) if kind != "datagram" else observer
    assert station.drops() == {observer: 0}
    send_all(station, sender, numbered(400), port=port)
    seen = gather(station, lambda seen: len(seen) + station.drops()[observer] >= 400 * copies)
    dropped = station.drops()[observer]
    assert dropped > 0
    assert len(seen) + dropped == 400 * copies
    assert station.drops() == {observer: dropped}  # reading does not reset it


def test_what_an_ipsec_policy_refuses_is_no_overflow(space, station, gather):
    """The kernel counts it as a drop of the socket, whose buffer is empty: net/ipv4/raw.c."""
    commands = "echo 0 >/proc/sys/net/ipv4/conf/lo/disable_policy && ip xfrm policy add dir in proto 253 action block"
    status, said = space.run(["/bin/sh", "-c", commands])
    if status:
        pytest.skip(f"kernel: no IPsec policies: {said}")
    station.tap("lo", OURS)
    observer = station.listen(socket.AF_INET, 253, OURS)
    other = station.listen(socket.AF_INET, 254, OURS)
    send_all(station, station.sender(socket.AF_INET, 253), numbered(40))
    send_all(station, station.sender(socket.AF_INET, 254), numbered(40))
    gather(station, lambda seen: sum(each[0] == other for each in seen) == 40)
    assert struct.unpack("=9I", station.opened(observer).getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[8] == 40
    assert set(station.drops().values()) == {0}
    assert station.drops()[observer] == 0


def test_a_refusal_beside_a_full_buffer_may_be_an_overflow(station, gather):
    observer = station.listen(socket.AF_INET, 253, OURS, buffer=1)
    send_all(station, station.sender(socket.AF_INET, 253), numbered(50))
    assert station.drops()[observer] > 0
    assert station.poll(0)
    before = station.drops()[observer]
    send_all(station, station.sender(socket.AF_INET, 253), numbered(50))
    seen = station.poll(1)  # what was read meanwhile had filled it
    assert station.drops()[observer] - before == 50 - len(seen) > 0


def test_a_filtered_datagram_socket_has_no_drop_count(opened, gather):
    """Since the kernel counts what its filter rejects: a stranger could have a round called spoiled."""
    station, sockets = opened
    observer, port = station.datagram(HERE, 0, bpf.matching_datagram(NEEDLE, [8]))
    send_all(station, observer, [b"stranger", NEEDLE], port=port)
    gather(station, 1)
    assert struct.unpack("=9I", sockets[0].getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[8] == 1
    assert station.drops() == {}


def test_a_large_buffer_holds_a_burst(station, gather):
    station.tap("lo", OURS, buffer=4 << 20)
    sender = station.sender(socket.AF_INET, 253)
    # Copies are twice as many, and the default holds 256; without root, net.core.rmem_max usually allows 512.
    packets = numbered(1000 if os.geteuid() == 0 else 240)
    send_all(station, sender, packets)
    seen = station.poll(0)
    assert len(seen) >= len(packets)  # one call brings everything: on loopback a packet leaves before send returns
    seen += gather(station, 2 * len(packets) - len(seen))
    assert [each[3][20:] for each in seen if each[2] == PACKET_HOST] == packets
    assert set(station.drops().values()) == {0}


def test_buffers_go_beyond_the_limit_where_that_is_allowed(opened):
    station, sockets = opened
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    station.tap("lo", OURS, buffer=limit + 4096)
    station.listen(socket.AF_INET, 253, OURS, buffer=4096)
    sizes = [each.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for each in sockets]
    assert sizes == [2 * (limit + 4096 if os.geteuid() == 0 else limit), 2 * 4096]  # socket(7): doubled for overhead


def test_time_is_the_kernels_and_in_order(station, gather):
    observers = [station.tap("lo", OURS), station.listen(socket.AF_INET, 253, OURS)]
    control, port = station.datagram(HERE)
    sender = station.sender(socket.AF_INET, 253)
    # The kernel turns stamping on in the background: what comes until then is stamped when it is read.
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        send_all(station, sender, [NEEDLE])
        sent = time.time_ns()
        time.sleep(0.002)
        if all(each[1] < sent for each in gather(station, 3)):
            break
    before = time.time_ns()
    for packet in numbered(50):
        send_all(station, sender, [packet])
        send_all(station, control, [packet], port=port)
    after = time.time_ns()
    time.sleep(0.002)  # so that a time of reading would be seen as such
    seen = gather(station, 200)
    for observer in (*observers, control):
        times = [each[1] for each in seen if each[0] == observer]
        assert len(times) == (100 if observer == observers[0] else 50)
        assert times == sorted(times)
        assert before <= times[0] <= times[-1] <= after
