"""What raw IPv6 sockets and interfaces do to what is sent: facts of which the station takes care, measured again."""

import errno
import socket
import struct
from contextlib import ExitStack
from ipaddress import IPv6Address

import pytest
from wired import ETH_P_IPV6, FEW, MARK, OUTGOING, hdp

SOL_RAW = 255
IPV6_CHECKSUM, IPV6_FLOWINFO_SEND, IPV6_PKTINFO = 7, 33, 50


def refusal(act) -> str | None:
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def left(path) -> list[bytes]:
    """Our packets as they left the client."""
    path.settle()
    return [each for each in path.left["client"] if MARK in each]


def test_a_header_of_our_own_leaves_as_it_is(plain):
    """Length, hop limit 0, class, label and a source that is not ours; the station sends number 0 so."""
    ends = IPv6Address("2001:db8:9::9").packed + IPv6Address(plain.far).packed
    packet = struct.pack("!IHBB", 6 << 28 | 0xB8 << 20 | 0x12345, 7, 0, 0) + ends + hdp(0)
    with plain.raw("client", 255) as opened:
        opened.sendto(packet, (plain.far, 0))
        assert left(plain) == [packet]
        assert refusal(lambda: opened.sendto(packet[:39], (plain.far, 0))) == "EINVAL"
        assert refusal(lambda: opened.sendto(packet + bytes(1500), (plain.far, 0))) == "EMSGSIZE"


def test_labels_differ_between_numbers_unless_the_kernel_is_told(plain):
    """Paths of equal cost are chosen by them, among other things; and quotes are compared with what left."""
    with ExitStack() as opened:
        for number in (200, 201, 202, 203):
            opened.enter_context(plain.raw("client", number)).sendto(hdp(number), (plain.far, 0))
        labels = {struct.unpack_from("!I", each)[0] & 0xFFFFF for each in left(plain)}
    assert len(labels) == 4, "by chance once in 175,000"
    assert 0 not in labels


def test_a_source_that_is_not_ours_is_refused(plain):
    with plain.raw("client", 253) as opened:
        for source, refused in ((plain.near, None), (plain.far, "EINVAL")):
            beside = [(socket.IPPROTO_IPV6, IPV6_PKTINFO, IPv6Address(source).packed + bytes(4))]
            assert refusal(lambda of=beside: opened.sendmsg([hdp(253)], of, 0, (plain.far, 0))) == refused


def test_the_port_of_an_address_is_0_or_the_number(plain):
    with plain.raw("client", 253) as opened:
        assert refusal(lambda: opened.sendto(hdp(253), (plain.far, 253))) is None
        assert refusal(lambda: opened.sendto(hdp(253), (plain.far, 9))) == "EINVAL"


def test_above_the_mtu_a_plain_socket_sends_fragments(plain):
    """Under Next Header 44, which is another number: so the station lets none be made."""
    with plain.raw("client", 253) as opened, plain.raw("target", 253) as listener:
        opened.sendto(hdp(253, 3000), (plain.far, 0))
        plain.settle()
        packets = [each for each in plain.left["client"] if each[6] == 44]
        assert len(packets) == 3
        assert plain.delivered(listener) == [hdp(253, 3000)]


@pytest.mark.parametrize(("number", "offset", "other"), [(58, 2, "EINVAL"), (135, 4, None)])
def test_where_the_kernel_writes_a_checksum_and_how_it_is_told_not_to(plain, number, offset, other):
    with plain.raw("client", number) as opened:
        assert opened.getsockopt(SOL_RAW, IPV6_CHECKSUM) == offset
        off = struct.pack("i", -1)
        assert refusal(lambda: opened.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, off)) == other
        opened.setsockopt(SOL_RAW, IPV6_CHECKSUM, off)
        opened.sendto(hdp(number), (plain.far, 0))
        (packet,) = left(plain)
        assert packet[40:] == hdp(number)


def test_a_wrong_checksum_is_dropped_before_the_socket_unless_it_is_told_not_to(plain):
    for number in (58, 135):
        with plain.raw("target", number) as listener:
            plain.ask((number, hdp(number)))
            assert not any(MARK in each for each in plain.delivered(listener))
            listener.setsockopt(SOL_RAW, IPV6_CHECKSUM, -1)
            plain.ask((number, hdp(number)))
            assert hdp(number) in plain.delivered(listener)


def test_outgoing_copies_reach_taps_of_all_protocols_alone(plain):
    factory = plain.lab.socket_factory("client")
    with factory(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IPV6)) as of_ipv6:
        plain.send(253, hdp(253))
        assert [each[40:] for each in left(plain)] == [hdp(253)]
        kinds = set()
        while refusal(lambda: kinds.add(of_ipv6.recvfrom(2048)[1][2])) is None:
            pass
    assert OUTGOING not in kinds


@pytest.mark.parametrize("included", [False, True])
def test_a_rule_on_output_refuses_and_no_tap_sees_it(wired, included):
    wired.rules("client", "output", "ip6 nexthdr 253 drop")
    with wired.raw("client", 253) as opened:
        send = (lambda: wired.send(253, hdp(253))) if included else lambda: opened.sendto(hdp(253), (wired.far, 0))
        assert refusal(send) == "EPERM"
    assert left(wired) == []


def test_a_tentative_address_can_not_be_bound(wired):
    """Until duplicate address detection is done: then what is sent may leave from ::1."""
    wired.run("client", "ip", "addr", "del", f"{wired.near}/64", "dev", "eth0")
    wired.sysctls("client", **{"ipv6__conf__eth0__accept_dad": 1, "ipv6__conf__eth0__dad_transmits": 200})
    wired.run("client", "ip", "addr", "add", f"{wired.near}/64", "dev", "eth0")
    assert "tentative" in wired.run("client", "ip", "-6", "addr", "show", "dev", "eth0")
    with wired.lab.socket_factory("client")(socket.AF_INET6, socket.SOCK_DGRAM, 0) as opened:
        assert refusal(lambda: opened.bind((wired.near, 0))) == "EADDRNOTAVAIL"


def test_a_new_link_is_not_quiet(wired):
    """Reports of multicast listeners are packets of Next Header 0: a tap goes by the run's mark, never by silence."""
    wired.run("client", "ip", "link", "add", "new", "type", "veth", "peer", "name", "other")
    wired.run("client", "ip", "link", "set", "other", "up")
    wired.run("client", "ip", "link", "set", "new", "up")
    assert wired.await_packet("client", lambda packet: packet[6] == 0 and packet[24] == 0xFF)


def test_the_source_of_last_choice_is_link_local(wired):
    """It can't come back from beyond the link: whoever asks for the source sees that before anything is sent."""
    wired.run("client", "ip", "addr", "del", f"{wired.near}/64", "dev", "eth0")
    route = ("default", "via", wired.routers[0], "dev", "eth0", "onlink")
    wired.run("client", "ip", "-6", "route", "replace", *route)
    with wired.lab.socket_factory("client")(socket.AF_INET6, socket.SOCK_DGRAM, 0) as opened:
        opened.connect((wired.far, 9))
        assert opened.getsockname()[0].startswith("fe80::")


def test_of_two_links_of_equal_cost_numbers_take_different_ones_under_one_label(wired):
    """So a number may be lost on one link alone. Each stays on its own, which is why a train tells of one path."""
    numbers = (*range(1, 58), *range(59, 256))
    taken = by_which_links(wired, [(number, hdp(number)) for _ in range(3) for number in numbers])
    assert {len(each) for each in taken.values()} == {1}
    assert {"x1", "x2"} == set.union(*taken.values())


def test_of_two_links_of_equal_cost_bare_58_takes_both(wired):
    """It reads as an error, and the hash takes HDP's bytes for the addresses of what the error is about."""
    taken = by_which_links(wired, [(58, hdp(58)[:32] + bytes([each]) * 24) for each in range(40)])
    assert taken == {58: {"x1", "x2"}}, "by chance once in 10^11"


def by_which_links(wired, packets) -> dict[int, set[str]]:
    """Send these over two links of equal cost from the first router on; by number, which were taken."""
    node, beyond = wired.nodes[1], "2001:db8:77::1"
    for number in (1, 2):
        wired.run(node, "ip", "link", "add", f"x{number}", "type", "veth", "peer", "name", f"y{number}")
        for name in (f"y{number}", f"x{number}"):
            wired.run(node, "ip", "link", "set", name, "up")
        wired.run(node, "ip", "addr", "add", f"2001:db8:7{number}::1/64", "dev", f"x{number}", "nodad")
        neighbour = ("lladdr", "02:00:00:00:00:09", "dev", f"x{number}", "nud", "permanent")
        wired.run(node, "ip", "neigh", "add", f"2001:db8:7{number}::2", *neighbour)
    hops = [word for number in (1, 2) for word in ("nexthop", "via", f"2001:db8:7{number}::2", "dev", f"x{number}")]
    wired.run(node, "ip", "-6", "route", "add", f"{beyond}/128", *hops)
    far, taken = wired.far, {number: set() for number, _ in packets}
    with wired.tap(node) as tap:
        for place, (number, payload) in enumerate(packets, 1):
            wired.far = beyond
            wired.send(number, payload)
            wired.far = far
            if place % FEW and place < len(packets):
                continue
            wired.settle()
            while (seen := wired.next_packet(tap)) is not None:
                packet, (name, _, kind, *_) = seen
                if kind == OUTGOING and name in ("x1", "x2") and MARK in packet:
                    taken[packet[6]].add(name)
    return taken
