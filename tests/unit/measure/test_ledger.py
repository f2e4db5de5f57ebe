"""The ledger: which copies of which probe were seen, from bytes that anybody may have sent."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.evidence import Train, behind
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.ledger.probes import SentProbe, content_of, evidence_of
from pytest_hdp.packet.carrier import wrap, wrap_behind
from pytest_hdp.packet.chain import CHAINS
from pytest_hdp.packet.hdp import Header
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.packet.tag import Tagger
from pytest_hdp.packet.view import view
from pytest_hdp.vantage.remote.channel import NOBODY_KNOWS

RUN = b"\x01\x02\x03\x04\x05\x06\x07\x08"
SEALER = Tagger(b"s" * 32, RUN)
SOURCE, TARGET = "192.0.2.1", "198.51.100.2"
SOURCE6, TARGET6 = "2001:db8::1", "2001:db8:b::2"
CONTENT = b"which numbers get through?"
TRAIN = Train(253)
HDP, TAG = 12, 28


def hdp_bytes(index: int, content: bytes = CONTENT, protocol: int = 253) -> bytes:
    header = Header(timestamp=123456789).pack()
    return header + SEALER.make_tag(protocol, index, header, content) + content


def ip(
    payload: bytes,
    *,
    protocol: int = 253,
    ttl: int = 64,
    source: str = SOURCE,
    identification: int = 7,
    **more,
):
    return build_ipv4(
        payload,
        protocol=protocol,
        source=source,
        destination=TARGET,
        ttl=ttl,
        identification=identification,
        **more,
    )


@pytest.fixture
def ledger() -> Ledger:
    book = Ledger(RUN)
    for index in (1, 2, 3):
        book.add(SentProbe(index, index - 1, TRAIN, hdp_bytes(index)))
    return book


def test_a_copy_as_sent_is_genuine(ledger):
    entry, copy = ledger.probe(5, view(ip(hdp_bytes(2))), "lo")
    assert (entry.index, copy.genuine, copy.alike.change, copy.interface) == (2, True, None, "lo")


@pytest.mark.parametrize("inserted", [1, 4, 8, 16, 20])
def test_bytes_put_before_it_are_a_change(ledger, inserted):
    entry, copy = ledger.probe(5, view(ip(b"\x00" * inserted + hdp_bytes(3))), "lo")
    assert (entry.index, copy.genuine, copy.alike.change, copy.alike.moved) == (3, False, "payload", inserted)


@pytest.mark.parametrize("cut", range(1, HDP + 1))
def test_bytes_cut_off_its_front_are_a_change(ledger, cut):
    entry, copy = ledger.probe(5, view(ip(hdp_bytes(3)[cut:])), "lo")
    assert (entry.index, copy.genuine, copy.alike.change, copy.alike.moved) == (3, False, "payload", -cut)


def test_a_cut_front_with_another_mac_is_a_strangers(ledger):
    forged = bytearray(hdp_bytes(1))
    forged[HDP + 12 : HDP + 28] = b"\xaa" * 16
    assert ledger.probe(5, view(ip(bytes(forged)[4:])), "lo") is None


@pytest.mark.parametrize("before", [b"", b"\x13\x88\x13\x88" + bytes(4), bytes(4)], ids=["IPIP", "UDP", "GRE"])
@pytest.mark.parametrize("options", [b"", b"\x01" * 8])
def test_a_whole_packet_inside_another_is_a_tunnels(ledger, before, options):
    inner = ip(hdp_bytes(3))
    inner = bytes([inner[0] + len(options) // 4]) + inner[1:20] + options + inner[20:]
    entry, copy = ledger.probe(5, view(ip(before + inner, protocol=4)), "lo")
    assert (entry.index, copy.genuine, copy.alike.tunnel) == (3, False, 4)
    other = ip(hdp_bytes(3), protocol=254)
    assert ledger.probe(5, view(ip(before + other, protocol=4)), "lo")[1].alike.tunnel is None


def test_a_carriers_changed_header_is_a_change_and_a_translators_is_none():
    book = Ledger(RUN)
    sent = wrap(33, hdp_bytes(1, protocol=33), source=SOURCE, destination=TARGET)
    entry = SentProbe(1, 0, Train(33, form=Form.WELLFORMED), sent, start=20, size=len(hdp_bytes(1)))
    book.add(entry)
    entry.left.append(book.probe(1, view(ip(sent, protocol=33)), "eth0")[1])
    flag = sent[:8] + b"\xff" + sent[9:]
    port = b"\xff" + sent[1:]
    for data, source, genuine in (
        (sent, SOURCE, True),
        (flag, SOURCE, False),
        (port, SOURCE, False),
        (port, "203.0.113.5", True),
        (sent[:6] + b"\0\0" + sent[8:], SOURCE, True),
    ):
        entry.arrived = [book.probe(2, view(ip(data, protocol=33, source=source)), "eth0")[1]]
        (seen,) = evidence_of(entry).arrived
        assert seen.genuine is genuine, data
        assert ("payload" in seen.changed) is not genuine


@pytest.mark.parametrize(
    ("protocol", "change", "source", "state"),
    [
        (33, None, SOURCE, "right"),
        (33, None, "203.0.113.5", "stale"),
        (17, None, "203.0.113.5", "stale"),
        (17, 6, "203.0.113.5", "none"),
        (6, None, SOURCE, "right"),
        (1, None, "203.0.113.5", "right"),
        (132, None, "203.0.113.5", "right"),
        (132, -1, SOURCE, "stale"),
        (136, None, SOURCE, "right"),
        (47, None, SOURCE, None),
    ],
)
def test_the_checksum_is_told_as_a_stack_would_find_it(protocol, change, source, state):
    book = Ledger(RUN)
    sent = wrap(protocol, hdp_bytes(1, protocol=protocol), source=SOURCE, destination=TARGET)
    entry = SentProbe(
        1, 0, Train(protocol, form=Form.WELLFORMED), sent, start=sent.find(hdp_bytes(1, protocol=protocol))
    )
    book.add(entry)
    data = bytearray(sent)
    if change is not None:
        data[change:][:2] = data[change : change + 2 or None] = bytes(len(data[change:][:2]))
    entry.arrived.append(book.probe(2, view(ip(bytes(data), protocol=protocol, source=source)), "eth0")[1])
    assert [each.checksum for each in entry.evidence().arrived] == [state]


def ip6(payload, *, protocol, source):
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, TARGET6)
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload


@pytest.mark.parametrize("name", ["dst8", "frag8", "hbh8-dst8-rt8-frag8", "dst256"])
@pytest.mark.parametrize(
    ("transport", "at", "source", "genuine", "state"),
    [
        (17, None, SOURCE6, True, "right"),
        (17, 0, SOURCE6, False, "stale"),
        (17, 2, SOURCE6, False, "stale"),
        (17, 0, "2001:db8:9::5", True, "stale"),
        (17, 6, SOURCE6, True, "none"),
        (6, None, SOURCE6, True, "right"),
        (6, 0, SOURCE6, False, "stale"),
        (58, None, SOURCE6, True, "right"),
        (253, None, SOURCE6, True, None),
    ],
)
def test_behind_headers_ports_and_checksum_are_the_transports(name, transport, at, source, genuine, state):
    book, train = Ledger(RUN), behind(CHAINS[name], transport)
    hdp = hdp_bytes(1, protocol=train.protocol)
    sent = wrap_behind(train.chain, hdp, source=SOURCE6, destination=TARGET6)
    entry = SentProbe(1, 0, train, sent, start=sent.find(hdp), size=len(hdp))
    book.add(entry)
    entry.left.append(book.probe(1, view(ip6(sent, protocol=train.protocol, source=SOURCE6)), "eth0")[1])
    data = bytearray(sent)
    if at is not None:
        start = CHAINS[name].length + at
        data[start : start + 2] = b"\0\0" if at == 6 else b"\xff\xff"
    entry.arrived.append(book.probe(2, view(ip6(bytes(data), protocol=train.protocol, source=source)), "eth0")[1])
    (seen,) = evidence_of(entry).arrived
    assert (seen.genuine, "payload" in seen.changed, seen.checksum) == (genuine, not genuine, state)


@pytest.mark.parametrize(
    ("mangled", "change"),
    [
        (hdp_bytes(1)[:-1], "length"),
        (hdp_bytes(1) + b"\x00", "length"),
        (hdp_bytes(1)[:-3] + b"!" + hdp_bytes(1)[-2:], "payload"),
        (b"\xff" + hdp_bytes(1)[1:], "payload"),
        (hdp_bytes(1)[: HDP + 15] + b"\x00" + hdp_bytes(1)[HDP + 16 :], "payload"),
    ],
    ids=["truncated", "padded", "content byte", "header byte", "one byte of the MAC"],
)
def test_a_copy_with_changed_bytes_is_ours_but_not_genuine(ledger, mangled, change):
    entry, copy = ledger.probe(5, view(ip(mangled)), "lo")
    assert (entry.index, copy.genuine, copy.alike.change) == (1, False, change)


def test_a_forged_mac_is_a_strangers(ledger):
    forged = bytearray(hdp_bytes(1))
    forged[HDP + 12 : HDP + 28] = b"\xaa" * 16
    assert ledger.probe(5, view(ip(bytes(forged))), "lo") is None


def test_an_unknown_index_is_a_strangers(ledger):
    assert ledger.probe(5, view(ip(hdp_bytes(99))), "lo") is None


@given(st.binary(max_size=200))
def test_hostile_bytes_never_raise_and_are_never_ours(data):
    book = Ledger(RUN)
    book.add(SentProbe(1, 0, TRAIN, hdp_bytes(1)))
    for packet in (data, ip(data), ip(RUN + data), ip(b"\0" * HDP + RUN + b"\0\0\0\x01" + data)):
        found = book.probe(5, view(packet), "lo")
        assert found is None or found[1].alike.change is not None
        assert not book.icmp_error(5, view(packet))


@given(st.integers(0, len(hdp_bytes(1)) - 1), st.integers(1, 255))
def test_no_changed_byte_passes_for_genuine(position, flip):
    book = Ledger(RUN)
    book.add(SentProbe(1, 0, TRAIN, hdp_bytes(1)))
    changed = bytearray(hdp_bytes(1))
    changed[position] ^= flip
    found = book.probe(5, view(ip(bytes(changed))), "lo")
    assert found is None or not found[1].genuine


def icmp(kind: int, code: int, quote: bytes) -> bytes:
    return ip(bytes([kind, code]) + b"\0" * 6 + quote, protocol=1, source="203.0.113.9")


@pytest.mark.parametrize("kind", [3, 11, 12])
def test_an_error_that_quotes_the_tag_is_authenticated(ledger, kind):
    assert ledger.icmp_error(9, view(icmp(kind, 2, ip(hdp_bytes(2)))))
    (report,) = ledger.probes[2].icmp
    assert (report.source, report.type, report.code, report.authenticated) == ("203.0.113.9", kind, 2, True)


def test_an_error_with_a_damaged_tag_is_not_ours(ledger):
    quoted = bytearray(hdp_bytes(2))
    quoted[HDP + 20] ^= 1
    assert not ledger.icmp_error(9, view(icmp(3, 2, ip(bytes(quoted)))))
    assert not ledger.probes[2].icmp


def test_an_error_that_quotes_other_bytes_before_or_after_the_tag_is_not_ours():
    book = Ledger(RUN)
    data = b"carrier!" + hdp_bytes(1) + b"trailer"
    book.add(SentProbe(1, 0, TRAIN, data, start=8, size=len(hdp_bytes(1))))
    for damaged in (b"Carrier!" + data[8:], data[:-1] + b"!", data[:-10] + b"?" + data[-9:]):
        assert not book.icmp_error(9, view(icmp(3, 2, ip(damaged))))
    assert book.icmp_error(9, view(icmp(3, 2, ip(data))))
    assert book.icmp_error(9, view(icmp(3, 3, ip(data)[: 20 + 8 + HDP + TAG])))
    assert [report.authenticated for report in book.probes[1].icmp] == [True, True]


def test_a_carriers_trailer_belongs_to_the_probe():
    book = Ledger(RUN)
    data = b"carrier!" + hdp_bytes(1) + b"trailer"
    book.add(SentProbe(1, 0, TRAIN, data, start=8, size=len(hdp_bytes(1))))
    entry, copy = book.probe(5, view(ip(data)), "lo")
    assert copy.genuine
    assert content_of(entry, copy) == CONTENT
    assert not book.probe(5, view(ip(data[:-1])), "lo")[1].genuine


def test_a_short_quote_is_matched_by_what_left_and_not_authenticated(ledger):
    entry, copy = ledger.probe(5, view(ip(hdp_bytes(3), identification=4711)), "eth0")
    entry.left.append(copy)
    assert ledger.icmp_error(9, view(icmp(3, 2, ip(hdp_bytes(3), identification=4711)[:28])))
    assert [report.authenticated for report in ledger.probes[3].icmp] == [False]
    assert not ledger.icmp_error(9, view(icmp(3, 2, ip(hdp_bytes(3), identification=4712)[:28])))


def test_a_quote_with_other_bytes_is_told_and_proves_nothing(ledger):
    entry, copy = ledger.probe(5, view(ip(hdp_bytes(3), identification=4711)), "eth0")
    entry.left.append(copy)
    assert ledger.icmp_error(9, view(icmp(3, 2, ip(hdp_bytes(3)[:-1] + b"!", identification=4711))))
    (report,) = entry.icmp
    assert (report.authenticated, report.changed) == (False, ("payload",))


def test_the_tag_of_an_earlier_probe_in_a_quote_of_another_number_proves_nothing(ledger):
    """Somebody who saw the probe of 253 makes an error about 47 of it."""
    ledger.add(SentProbe(4, 3, Train(47), hdp_bytes(4, protocol=47)))
    for index, protocol in ((4, 47), (1, 253)):
        entry, copy = ledger.probe(5, view(ip(hdp_bytes(index, protocol=protocol), protocol=protocol)), "eth0")
        entry.left.append(copy)
    assert ledger.icmp_error(9, view(icmp(3, 2, ip(hdp_bytes(1), protocol=47)))) is False
    assert not ledger.probes[4].icmp
    assert not ledger.probes[1].icmp


def test_an_error_repeated_without_end_is_kept_once(ledger):
    for time in range(1000):
        assert ledger.icmp_error(time, view(icmp(3, 2, ip(hdp_bytes(2)))))
        assert ledger.icmp_error(time, view(icmp(3, time % 256, ip(hdp_bytes(2)))))
    assert len(ledger.probes[2].icmp) == 32


def test_quotes_that_prove_nothing_crowd_out_none_that_do(ledger):
    entry, copy = ledger.probe(5, view(ip(hdp_bytes(3), identification=4711)), "eth0")
    entry.left.append(copy)
    short = ip(hdp_bytes(3), identification=4711)[:28]
    for time in range(1000):
        assert ledger.icmp_error(time, view(icmp(3, time % 256, short)))
    assert ledger.icmp_error(9, view(icmp(3, 2, ip(hdp_bytes(3), identification=4711))))
    assert [each.authenticated for each in entry.icmp].count(True) == 1
    assert len(entry.icmp) == 33


def test_a_flood_of_replays_keeps_few_copies(ledger):
    for time in range(1000):
        entry, copy = ledger.probe(time, view(ip(hdp_bytes(1))), "eth0")
        entry.keep(entry.arrived, copy)
    assert len(entry.arrived) == 8


def test_a_tunnels_end_that_unpacked_it_speaks_for_the_tunnel():
    book = Ledger(RUN)
    sent = wrap(4, hdp_bytes(1, protocol=4), source=SOURCE, destination=TARGET)
    book.add(SentProbe(1, 0, Train(4, form=Form.WELLFORMED), sent, start=20, size=len(hdp_bytes(1))))
    assert book.icmp_error(9, view(icmp(3, 2, ip(sent[20:], protocol=253))))
    assert [report.authenticated for report in book.probes[1].icmp] == [True]
    bare = Ledger(RUN)
    bare.add(SentProbe(1, 0, Train(4), hdp_bytes(1, protocol=4)))
    assert not bare.icmp_error(9, view(icmp(3, 2, ip(hdp_bytes(1, protocol=4), protocol=253))))


def test_changed_header_fields_are_named_and_a_lower_ttl_is_none(ledger):
    entry, left = ledger.probe(5, view(ip(hdp_bytes(1), dscp=46)), "eth0")
    entry.left.append(left)
    _, seen = ledger.probe(6, view(ip(hdp_bytes(1), ttl=60, source="203.0.113.5", identification=8)), "eth0")
    entry.delivered.append(seen)
    (probe,) = ledger.evidence(TRAIN, None).probes[:1]
    assert set(probe.delivered[0].changed) == {"dscp", "identification", "source"}
    assert probe.delivered[0].ttl == 60


def test_a_raised_ttl_is_a_change(ledger):
    entry, left = ledger.probe(5, view(ip(hdp_bytes(1), ttl=10)), "eth0")
    entry.left.append(left)
    entry.delivered.append(ledger.probe(6, view(ip(hdp_bytes(1), ttl=64)), "eth0")[1])
    assert ledger.evidence(TRAIN, None).probes[0].delivered[0].changed == ("ttl",)


def test_the_first_fragment_of_what_left_is_genuine(ledger):
    cut = ip(hdp_bytes(1)[:48], flags=1)
    _, copy = ledger.probe(5, view(cut), "eth0")
    assert copy.genuine


def test_what_a_far_end_refused_and_tells_later_was_not_sent(ledger):
    entry = ledger.probes[1]
    assert ledger.evidence(TRAIN, None).probes[0].errno is None
    entry.errno = "EPERM"
    assert ledger.evidence(TRAIN, None).probes[0].errno == "EPERM"


def test_of_what_nobody_knows_whether_it_was_sent_a_copy_tells(ledger):
    entry = ledger.probes[2]
    entry.errno = NOBODY_KNOWS
    assert ledger.evidence(TRAIN, None).probes[1].errno == NOBODY_KNOWS
    entry.arrived.append(ledger.probe(5, view(ip(hdp_bytes(2))), "lo")[1])
    assert ledger.evidence(TRAIN, None).probes[1].errno is None


def test_an_error_that_is_shown_by_who_sent_nothing_is_made_up(ledger):
    error = icmp(3, 13, ip(hdp_bytes(1)))
    assert ledger.icmp_error(5, view(error), lambda way: way is Direction.REVERSE)
    assert not ledger.probes[1].icmp
    assert ledger.icmp_error(5, view(error), lambda way: way is Direction.FORWARD)
    assert ledger.probes[1].icmp
