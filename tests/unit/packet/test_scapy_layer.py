from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib import ospf, pim
from scapy.contrib.etherip import EtherIP
from scapy.contrib.mpls import MPLS
from scapy.layers import inet, inet6, ipsec, l2, sctp, vrrp
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from pytest_hdp.packet import carrier, hdp, icmp, ip, tag
from pytest_hdp.packet.scapy_layer import HDP, HDPTag
from pytest_hdp.strategies import contents, headers, ipv4_packets, tags

ENDS = {"source": "192.0.2.7", "destination": "198.51.100.9"}
PROBE = hdp.Header(timestamp=1739640243546134123).pack() + b"moo moo moo!"


def test_the_example_of_the_documentation() -> None:
    packet = IP(bytes(IP(proto=253) / HDP() / b"moo"))
    assert packet.proto == 253
    assert packet[HDP].sport == packet[HDP].dport == 420
    assert packet[HDP].load == b"moo"
    assert "HDP 420 > 420" in packet.summary()


def test_one_import_is_enough() -> None:
    code = (
        "from pytest_hdp.packet.scapy_layer import HDP\n"
        "from scapy.layers.inet import IP\n"
        "assert IP(bytes(IP(proto=253)/HDP()/b'moo'))[HDP].load == b'moo'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_building_without_a_number_writes_253() -> None:
    assert (IP() / HDP()).proto == 253
    assert bytes(IP() / HDP())[9] == 253
    assert bytes(IPv6() / HDP())[6] == 253


@pytest.mark.parametrize("number", [253, 254])
def test_both_experimental_numbers_dissect(number: int) -> None:
    assert HDP in IP(bytes(IP(proto=number) / HDP()))
    assert HDP in IPv6(bytes(IPv6(nh=number) / HDP()))
    assert IP(bytes(IP(proto=number) / HDP())).proto == number


def test_no_other_number_dissects() -> None:
    assert HDP not in IP(bytes(IP(proto=252) / HDP()))


@given(headers(), contents(100))
def test_scapy_reads_what_the_codec_writes(header: hdp.Header, payload: bytes) -> None:
    packet = HDP(header.pack() + payload)
    assert (packet.sport, packet.dport, packet.timestamp) == (
        header.source_port,
        header.destination_port,
        header.timestamp,
    )
    assert bytes(packet.payload) == payload


@given(headers(), contents(100))
def test_the_codec_reads_what_scapy_writes(header: hdp.Header, payload: bytes) -> None:
    packet = HDP(sport=header.source_port, dport=header.destination_port, timestamp=header.timestamp) / payload
    assert hdp.parse(bytes(packet)) == (header, payload)


@given(tags(), contents(40))
def test_tags_both_ways(one: tag.Tag, content: bytes) -> None:
    built = bytes(HDPTag(run_id=one.run_id, index=one.index, mac=one.mac) / content)
    assert tag.parse(built) == (one, content)
    read = HDPTag(built)
    assert (read.run_id, read.index, read.mac, bytes(read.payload)) == (one.run_id, one.index, one.mac, content)


# numbers whose payload scapy leaves alone: it pads SCTP's chunks when it builds them again, say
@given(ipv4_packets(st.sampled_from([61, 99, 200, 254, 255]), hostile=False))
@settings(max_examples=50)
def test_scapy_reads_our_ipv4_packets_as_we_do(data: bytes) -> None:
    ours, theirs = ip.parse_ipv4(data), IP(data)
    assert ours is not None
    assert (ours.source, ours.destination, ours.ttl, ours.protocol) == (
        theirs.src,
        theirs.dst,
        theirs.ttl,
        theirs.proto,
    )
    assert (ours.identification, int(ours.flags), ours.fragment_offset) == (
        theirs.id,
        theirs.flags.value,
        theirs.frag,
    )
    assert (ours.checksum, ours.total_length, ours.header_length) == (theirs.chksum, theirs.len, theirs.ihl * 4)
    assert rebuilt(theirs, IP, "chksum") == data


# ---- Carriers: scapy knows each message, and computes the lengths and checksums that are there. ----


def carried(protocol: int) -> Packet:
    payload = carrier.wrap(protocol, PROBE, **ENDS)
    assert payload is not None
    return IP(ip.build_ipv4(payload, protocol=protocol, **ENDS))


def rebuilt(packet: Packet, layer: Any, *computed: str) -> bytes:
    """The bytes of `packet` with these fields of `layer` computed anew."""
    for name in computed:
        packet[layer].delfieldval(name)
    for above in reversed([packet, *packet.iterpayloads()]):
        above.raw_packet_cache = None
    return bytes(packet)


@pytest.mark.parametrize(
    ("protocol", "layer", "computed"),
    [
        (1, ICMP, ["chksum"]),
        (6, TCP, ["chksum", "dataofs"]),
        (17, UDP, ["chksum", "len"]),
        (41, IPv6, ["plen"]),
        (47, l2.GRE, []),
        (50, ipsec.ESP, []),
        (51, ipsec.AH, []),
        (89, ospf.OSPF_Hdr, ["chksum", "len"]),
        (97, EtherIP, []),
        (103, pim.PIMv2Hdr, ["chksum"]),
        (132, sctp.SCTPChunkInit, []),
        (132, sctp.SCTP, ["chksum"]),
        (137, MPLS, []),
    ],
)
def test_scapy_finds_the_message_and_computes_the_same_bytes(protocol: int, layer: Any, computed: list[str]) -> None:
    packet = carried(protocol)
    before = bytes(packet)
    assert layer in packet
    assert rebuilt(packet, layer, *computed) == before


def test_ospf_holds_a_hello_and_a_link_local_block() -> None:
    packet = carried(89)
    block = packet[ospf.OSPF_LLS_Hdr]
    before = bytes(packet)[-len(block) :]
    assert (packet[ospf.OSPF_Hello].deadinterval, [tlv.type for tlv in block.llstlv]) == (40, [0x8000])
    assert rebuilt(block, ospf.OSPF_LLS_Hdr, "chksum", "len") == before


def test_vrrp() -> None:
    # By itself: scapy drops what follows when it computes the checksum.
    message = bytes(carried(112).payload)[:20]
    advertisement = vrrp.VRRP(message)
    assert (advertisement.version, advertisement.type, advertisement.addrlist) == (2, 1, ["192.0.2.7"])
    assert rebuilt(advertisement, vrrp.VRRP, "chksum", "ipcount") == message


def test_igmp() -> None:
    try:
        from scapy.layers.igmp import IGMP
    except ImportError:  # where it was before scapy 2.7
        from scapy.contrib.igmp import IGMP
    report = IGMP(bytes(carried(2).payload))
    assert (report.type, report.gaddr) == (0x16, "233.252.0.1")


def test_ipip() -> None:
    packet = carried(4)
    before = bytes(packet)
    inner = packet[IP].payload
    assert isinstance(inner, inet.IP)
    assert inner[HDP].timestamp == 1739640243546134123
    inner.delfieldval("chksum")
    inner.delfieldval("len")
    assert bytes(packet) == before


def test_ipv6_in_ip_holds_hdp() -> None:
    packet = carried(41)
    assert packet[inet6.IPv6][HDP].load == b"moo moo moo!"


def test_ethernet() -> None:
    frame = l2.Ether(bytes(carried(143).payload))
    assert (frame.type, bytes(frame[Raw])) == (0x88B5, PROBE)


def test_scapy_answers_for_our_icmp() -> None:
    error = bytes(ICMP(type=3, code=4, nexthopmtu=1280) / IP(bytes(carried(17))))
    parsed = icmp.parse_error(error)
    assert parsed is not None
    assert (parsed.rest & 0xFFFF, icmp.describe(parsed.type, parsed.code)) == (1280, "fragmentation needed (ICMP 3/4)")
    assert parsed.quote == bytes(carried(17))
    echo = ICMP(icmp.build_echo(7, 9, b"moo"))
    assert (echo.type, echo.id, echo.seq, echo.load) == (8, 7, 9, b"moo")
