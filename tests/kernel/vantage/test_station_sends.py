"""What a station sends: what the kernel refuses, builds and holds back."""

import os
import select
import socket
import struct
import subprocess
import sys
import time
from errno import EINVAL, EPROTONOSUPPORT
from functools import partial

import pytest
from on_loopback import HERE, LINK, NEEDLE, OURS, TOP, descriptors, send_all

from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.kernel import knows_mptcp
from pytest_hdp.vantage.receiving import PACKET_HOST, PACKET_OUTGOING
from pytest_hdp.vantage.station import Station


def test_a_rule_on_output_refuses_the_send(station, rules):
    rules("output", "meta l4proto 253 drop")
    station.tap("lo", OURS)
    refused, allowed = (station.sender(socket.AF_INET, number) for number in (253, 254))
    assert station.send(refused, NEEDLE, HERE) == "EPERM"
    assert station.send(allowed, NEEDLE, HERE) is None
    assert {each[3][9] for each in station.poll(1)} == {254}


def test_a_rule_on_input_holds_what_the_tap_sees(station, rules, gather):
    rules("input", "meta l4proto 253 drop")
    tap = station.tap("lo", OURS)
    for number in (253, 254):
        station.listen(socket.AF_INET, number, OURS)
        send_all(station, station.sender(socket.AF_INET, number), [NEEDLE])
    seen = gather(station, 5)
    assert sorted(each[3][9] for each in seen if each[0] == tap) == [253, 253, 254, 254]
    assert [each[3][9] for each in seen if each[0] != tap] == [254]


@pytest.mark.parametrize(
    ("protocol", "errno"),
    [(0, EPROTONOSUPPORT), *((number, EINVAL) for number in (-1, -2, 263, 2**31, -(2**40)))],
)
def test_numbers_that_the_kernel_refuses(opened, protocol, errno):
    station, sockets = opened
    for opening in (station.sender, partial(station.listen, program=OURS)):
        with pytest.raises(OSError, match=f"Errno {errno}]"):
            opening(socket.AF_INET, protocol)
    assert sockets == []


@pytest.mark.parametrize("protocol", [1, 6, 17, 255, *((256, 257, 262) if knows_mptcp() else ())])
def test_numbers_leave_as_their_low_byte(station, protocol):
    station.tap("lo", bpf.matching(NEEDLE, [8]))
    station.send(station.sender(socket.AF_INET, protocol), bytes(8) + NEEDLE, HERE)
    assert {each[3][9] for each in station.poll(1) if each[2] == PACKET_OUTGOING} == {protocol & 255}


def test_the_kernel_builds_the_header_unless_told_otherwise(station):
    station.tap("lo", OURS)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 7, 0, 9, 200, 0, bytes(4), socket.inet_aton(HERE))
    station.send(station.sender(socket.AF_INET, 255), NEEDLE, HERE)
    station.send(station.sender(socket.AF_INET, 255, header_included=True), header + NEEDLE, HERE)
    station.send(station.sender(socket.AF_INET, 77, header_included=True), header + NEEDLE, HERE)
    seen = [each[3] for each in station.poll(1) if each[2] == PACKET_OUTGOING]
    assert [(data[9], data[20:]) for data in seen] == [(255, NEEDLE), (200, NEEDLE), (200, NEEDLE)]
    assert [data[8] for data in seen] == [64, 9, 9]


def test_number_0_leaves_in_a_header_as_the_kernel_makes_them(ip, station, gather):
    ip(*LINK, "addr add 192.0.2.9/24 dev near", "neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev near")
    station.tap("near", OURS)
    zero, usual = station.sender_of_zero(), station.sender(socket.AF_INET, 253)
    for ttl, source in ((None, None), (7, "192.0.2.9")):
        for handle in (zero, usual):
            if ttl is not None:
                station.set_ttl(handle, ttl)
                station.send_from(source)
            assert station.send(handle, NEEDLE, "192.0.2.2") is None
    seen = [each[3] for each in gather(station, 4)]
    assert [data[9] for data in seen] == [0, 253] * 2
    for mine, kernels in (seen[:2], seen[2:]):
        header = [data[:4] + data[6:9] + data[12:20] for data in (mine, kernels)]  # all but IP-ID, number, checksum
        assert header[0] == header[1]
        assert mine[4:6] != b"\0\0"
    assert station.send(zero, bytes(1500), "192.0.2.2") == "EMSGSIZE"


def test_nobody_can_listen_to_number_0_and_a_linux_target_says_so(station, gather):
    """Not even a socket for 256, whose own packets leave as 0: net/ipv4/raw.c compares all of the number."""
    numbers = [*range(1, 256), *((256,) if knows_mptcp() else ())]
    listeners = {station.listen(socket.AF_INET, number, OURS) for number in numbers}
    tap = station.tap("lo", bpf.matching(NEEDLE, [0], icmp_errors_to=HERE))
    station.send(station.sender_of_zero(), NEEDLE, HERE)
    seen = [each for each in gather(station, 4) if each[2] != PACKET_OUTGOING]
    assert not [each for each in seen if each[0] in listeners]
    probe, error = (each[3] for each in seen if each[0] == tap)
    assert (probe[9], probe[20:]) == (0, NEEDLE)
    assert (error[9], error[20:22]) == (1, b"\3\2"), "protocol unreachable"


def test_taps_see_icmp_errors_if_told_to(station, gather):
    with_errors = station.tap("lo", bpf.matching(NEEDLE, [0], icmp_errors_to=HERE))
    without = station.tap("lo", bpf.matching(NEEDLE, [0]))
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 7, 0, 64, 253, 0, bytes(4), socket.inet_aton(HERE))
    # By way of 255: a sender for 253 would be a listener too, and the kernel would find no fault.
    send_all(station, station.sender(socket.AF_INET, 255, header_included=True), [header + NEEDLE])
    seen = gather(station, 6)
    errors = [(handle, kind, data) for handle, _, kind, data, _, _ in seen if data[9] == 1]
    assert [(handle, kind) for handle, kind, _ in errors] == [
        (with_errors, PACKET_OUTGOING),
        (with_errors, PACKET_HOST),
    ]
    assert all(data[20:22] == b"\3\2" and data.endswith(NEEDLE) for _, _, data in errors)
    assert len([each for each in seen if each[0] == without]) == 2


def test_ttl_and_options_hold_for_what_is_sent_next(station):
    station.tap("lo", OURS)
    sender = station.sender(socket.AF_INET, 253)
    for ttl in (1, 255):
        station.set_ttl(sender, ttl)
        station.opened(sender).setsockopt(socket.IPPROTO_IP, socket.IP_TOS, ttl & 0xFC)
        station.send(sender, NEEDLE, HERE)
    seen = [each[3] for each in station.poll(1) if each[2] == PACKET_OUTGOING]
    assert [(data[8], data[1]) for data in seen] == [(1, 0), (255, 0xFC)]
    with pytest.raises(OSError, match="Invalid argument"):
        station.set_ttl(sender, 256)


def test_what_is_sent_comes_from_the_address_asked_for(ip, station):
    """Sockets that are open and those opened later, raw and of UDP, and whatever the route prefers."""
    ip(
        *LINK,
        "addr add 192.0.2.9/24 dev near",
        "addr add 203.0.113.9/32 dev lo",
        "neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev near",
    )
    station.tap("near", OURS)
    station.tap("near", bpf.matching(NEEDLE, [8]))
    before = station.sender(socket.AF_INET, 253)

    def sources(*handles):
        for handle in handles:
            assert station.send(handle, NEEDLE, "192.0.2.2", 9) is None
        return [socket.inet_ntoa(each[3][12:16]) for each in station.poll(1)]

    assert sources(before) == ["192.0.2.1"]
    for address in ("203.0.113.9", "192.0.2.9"):
        station.send_from(address)
        datagram, _ = station.datagram("0.0.0.0")
        found = sources(before, station.listen(socket.AF_INET, 254, OURS), datagram)
        assert found == [address] * 3
    with pytest.raises(OSError, match="assign requested address"):
        station.send_from("198.51.100.77")
    assert sources(before) == ["192.0.2.9"]


def test_the_largest_packets_arrive_whole(station, gather):
    station.tap("lo", OURS, buffer=4 << 20)
    station.listen(socket.AF_INET, 253, OURS, buffer=4 << 20)
    packet = NEEDLE + os.urandom(65535 - 20 - len(NEEDLE))
    send_all(station, station.sender(socket.AF_INET, 253), [packet])
    assert all(each[3][20:] == packet for each in gather(station, 3))


def test_a_refusal_to_send_is_named(station):
    assert station.send(station.sender(socket.AF_INET, 253), bytes(70000), HERE) == "EMSGSIZE"
    assert station.send(station.sender(socket.AF_INET, 253), NEEDLE, "192.0.2.1") == "ENETUNREACH"


def test_a_full_send_queue_is_waited_for_and_then_reported(ip, station):
    """An unresolved neighbour holds packets, and with them the sender's buffer."""
    ip(*LINK)
    sender = station.sender(socket.AF_INET, 253)
    station.opened(sender).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    began = time.monotonic()
    answers = []
    while not any(answers) and time.monotonic() - began < 3:
        answers.append(station.send(sender, bytes(1000), "192.0.2.2"))
    assert answers[-1] in ("EAGAIN", "ENOBUFS")
    assert 0.4 < time.monotonic() - began < 2.5


def test_a_send_queue_that_empties_in_time_is_no_refusal(ip, space, station):
    ip(*LINK)
    sender = station.sender(socket.AF_INET, 253)
    station.opened(sender).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    resolve = ["/bin/sh", "-c", "sleep 0.2; ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev near"]
    running = space.start(resolve)
    assert [station.send(sender, bytes(1000), "192.0.2.2") for _ in range(20)] == [None] * 20
    assert running.wait() == 0


def test_ipv6(station, gather):
    program = bpf.matching_datagram(NEEDLE, [0])
    listener = station.listen(socket.AF_INET6, 253, program)
    sender = station.sender(socket.AF_INET6, 253)
    station.set_ttl(sender, 3)
    send_all(station, sender, [b"stranger", NEEDLE], "::1")
    control, port = station.datagram("::1")
    send_all(station, control, [b"moo"], "::1", port)
    seen = gather(station, 2)
    header = bytes([0x60, 0, 0, 0, 0, len(NEEDLE), 253, 3]) + 2 * socket.inet_pton(socket.AF_INET6, "::1")
    assert [(each[0], *each[2:]) for each in sorted(seen)] == [
        (listener, -1, header + NEEDLE, "::1", ""),
        (control, -1, b"moo", "::1", ""),
    ]


def test_datagrams_tell_the_source_and_the_payload(station, gather):
    ours, port = station.datagram(HERE)
    theirs, _ = station.datagram("127.0.0.9")
    send_all(station, theirs, [b"", b"moo"], port=port)
    assert [(each[0], each[2:]) for each in gather(station, 2)] == [
        (ours, (-1, b"", "127.0.0.9", "")),
        (ours, (-1, b"moo", "127.0.0.9", "")),
    ]
    with pytest.raises(OSError, match="in use"):
        station.datagram(HERE, port)


def test_waiting_ends_when_time_is_up_or_something_came(station, gather):
    station.listen(socket.AF_INET, 253, OURS)
    began = time.monotonic()
    assert station.poll(0.05) == []
    assert 0.04 < time.monotonic() - began < 1
    assert select.select([station], [], [], 0)[0] == []
    send_all(station, station.sender(socket.AF_INET, 253), [NEEDLE])
    assert select.select([station], [], [], 5)[0] == [station]
    gather(station, 1)
    assert select.select([station], [], [], 0)[0] == []


def test_a_discarded_socket_is_gone_and_its_handle_too(opened, gather):
    station, sockets = opened
    first = station.listen(socket.AF_INET, 253, OURS)
    sender = station.sender(socket.AF_INET, 253)
    held = os.dup(sockets[0].fileno())  # as a forked child would: then closing alone does not end the wait for it
    station.discard(first)
    assert sockets[0].fileno() == -1
    send_all(station, sender, [NEEDLE])
    assert station.poll(0) == []
    second = station.listen(socket.AF_INET, 253, OURS)
    assert second != first
    send_all(station, sender, [NEEDLE])
    assert [each[0] for each in gather(station, 1)] == [second]
    assert list(station.drops()) == [second]
    os.close(held)
    for call in (
        lambda: station.send(first, b"", HERE),
        lambda: station.set_ttl(first, 1),
        lambda: station.discard(first),
    ):
        with pytest.raises(KeyError):
            call()


def test_nothing_stays_open(space):
    before = descriptors()
    with Station(space.open_socket) as station:
        station.tap("lo", OURS)
        station.sender(socket.AF_INET, 253)
        for call in (
            lambda: station.tap("nosuch", OURS),
            lambda: station.tap("a name that is too long", OURS),
            lambda: station.listen(socket.AF_INET, 253, [(0xFF, 0, 0, 0)]),
            lambda: station.listen(socket.AF_INET, 253, OURS, address="192.0.2.1"),
            lambda: station.datagram("192.0.2.1"),
        ):
            open_before = descriptors()
            with pytest.raises(OSError, match=r"No such device|Invalid argument|Cannot assign"):
                call()
            assert descriptors() == open_before
    station.close()
    assert descriptors() == before


def test_an_interface_that_goes_down_is_no_error(ip, station, gather):
    ip(*LINK)
    station.tap("near", OURS)
    ip("link set near down")
    station.listen(socket.AF_INET, 253, OURS)
    send_all(station, station.sender(socket.AF_INET, 253), [NEEDLE])
    assert len(gather(station, 1)) == 1


def test_routes_name_source_interface_and_mtu(ip, station):
    ip(*LINK, "link set near mtu 1400", "addr add 198.51.100.7/32 dev lo")
    ip("route add 203.0.113.0/24 via 192.0.2.2 src 198.51.100.7")
    assert station.route(HERE) == (HERE, "lo", 65535)
    assert station.route("192.0.2.1") == ("192.0.2.1", "lo", 65535)  # our own address is reached through lo
    assert station.route("192.0.2.9") == ("192.0.2.1", "near", 1400)
    assert station.route("203.0.113.9") == ("198.51.100.7", "near", 1400)  # though the address is of lo
    assert station.route("::1")[:2] == ("::1", "lo")
    with pytest.raises(OSError, match="unreachable"):
        station.route("100.64.0.1")


@pytest.mark.parametrize("python", [sys.executable], ids=["this"])
def test_many_sockets_raise_the_limit_of_open_files(space, python):
    script = (
        "import resource, socket, sys; sys.path.insert(0, sys.argv[1]); from station import Station;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]));"
        "station = Station(); print([station.sender(socket.AF_INET, 253) for _ in range(200)] == list(range(200)))"
    )
    assert space.run([python, "-c", script, str(TOP / "pytest_hdp/vantage")]) == (0, "True\n")


def test_raw_sockets_are_refused_without_privilege(ordinary_user):
    script = (
        "import socket; from pytest_hdp.vantage.station import Station\n"
        "with Station() as station:\n"
        "  for call in (lambda: station.tap('lo', []), lambda: station.sender(socket.AF_INET, 253)):\n"
        "    try: call()\n"
        "    except PermissionError as error: print(error.errno)\n"
    )
    printed, errors = ordinary_user(script).communicate(timeout=30)
    assert (printed, errors) == ("1\n1\n", "")


def test_the_files_stand_alone():
    """They are shipped as source to hosts that have nothing but a Python 3.8."""
    script = (
        "import sys, types\n"
        "for name, file in zip(('rtnetlink', 'sockets', 'receiving', 'station'), sys.argv[1:]):\n"
        "    module = sys.modules['pytest_hdp.vantage.' + name] = types.ModuleType(name)\n"
        "    exec(compile(open(file).read(), name, 'exec'), module.__dict__)\n"
        "print(module.Station)"
    )
    files = [TOP / f"pytest_hdp/vantage/{name}.py" for name in ("rtnetlink", "sockets", "receiving", "station")]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, *files], capture_output=True, text=True, check=True
    )
    assert "Station" in done.stdout
    for file in files:
        compile(file.read_text(), file.name, "exec", flags=0x400, dont_inherit=True)


def test_a_header_of_somebody_else_s_leads_nowhere_but_where_it_is_sent(station, gather):
    """What has a source route is refused, and the addresses in it count for nothing."""
    tap, handle = station.tap("lo", bpf.matching(NEEDLE, [0], fragments=True)), station.sender_with_header()
    elsewhere = socket.inet_aton("203.0.113.2")
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 7, 1, 64, 253, 0, elsewhere, elsewhere)
    assert station.send(handle, header + NEEDLE, HERE) is None
    seen = gather(station, 2)
    assert {each[0] for each in seen} == {tap}
    assert {each[3][12:20] for each in seen} == {socket.inet_aton(HERE) * 2}
    assert {each[3][6:8] for each in seen} == {b"\0\1"}, "a later fragment"
    route = bytes([0x47]) + header[1:] + b"\x83\7\4" + elsewhere + b"\0"
    for wrong in (route + NEEDLE, b"", header[:19], b"\x4f" + header[1:], b"\x65" + header[1:]):
        assert station.send(handle, wrong, HERE) == "EINVAL"
    with pytest.raises(OSError, match="not supported"):
        station.sender_with_header(socket.AF_INET6)
