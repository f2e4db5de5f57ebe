"""Making a probe and sending it."""

from __future__ import annotations

from errno import EPIPE, errorcode
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Form
from pytest_hdp.measure.ledger.probes import Part, SentProbe
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.packet import carrier, shapes
from pytest_hdp.packet.checksums import checksum, pseudo_header
from pytest_hdp.packet.family import IPV6, family_of, packed
from pytest_hdp.packet.hdp import Header
from pytest_hdp.packet.icmp import build_echo

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.ledger.ledger import Ledger
    from pytest_hdp.measure.path.confirmed import Numbered
    from pytest_hdp.measure.path.open_path import OpenPath

USUAL_PORTS = Header()
GRE, AH = 47, 51
_GRE_PORTS = Header(USUAL_PORTS.source_port & ~7)
_HALF = 32  # bits of a timestamp
ECHO_FLOWS = 16  # identifiers of echoes: each is a flow of its own to a translator
_MIXES = 2654435761  # Knuth, The Art of Computer Programming, vol. 3, sect. 6.4: no beat of indices meets one of flows
_FLOW = USUAL_PORTS.source_port << 16 | USUAL_PORTS.destination_port


def sealed(path: OpenPath, protocol: int, index: int, content: bytes, now: int, ports: Header = USUAL_PORTS) -> bytes:
    """HDP header (with `now` for its timestamp, ns), tag and encoded content of a packet under a protocol number."""
    header = Header(ports.source_port, ports.destination_port, now).pack()
    return header + path.tagger.make_tag(protocol, index, header, content) + content


def stamp(train: Train | None, now: int) -> tuple[int, Header]:
    """The timestamp and the ports of a train's packet for `now`, ns: that and the usual ones, but for two numbers.

    Bare HDP has its source port where GRE (47) has its version, in the low three bits. Linux translates addresses of
    version 0 alone, as of a number that it does not know, and drops what says another (gre_manip_pkt in
    nf_nat_proto.c): what was found of 420 would be told of GRE, and is not so of it.

    AH (51) has its SPI where HDP has the timestamp's upper half. By that, as by ports and by ESP's SPI, routers choose
    one of several ways (proto_ports_offset in include/linux/in.h). It goes up every 4.3 s: the number would go this way
    now, and that way in the next run. So both ports stand there, as they do where ESP has its SPI.
    """
    if train is None or train.form is not Form.BARE or train.protocol & 255 not in {GRE, AH}:
        return now, USUAL_PORTS
    if train.protocol & 255 == GRE:
        return now, _GRE_PORTS
    return _FLOW << _HALF | now & (1 << _HALF) - 1, USUAL_PORTS


def balanced(hdp: bytes, number: int, source: str, destination: str) -> bytes:
    """A packet with two bytes behind it that make its Internet checksum right.

    Of numbers whose protocol it does not know, netfilter's reject answers only such (nf_reject_verify_csum). Over IPv6
    it sums up the pseudo header too, with the packet's own number in it; over IPv4 none.
    """
    even = hdp + bytes(len(hdp) & 1)
    ends = packed(source), packed(destination)
    before = pseudo_header(*ends, number, len(even) + 2) if len(ends[0]) == 16 else b""
    return even + checksum(before + even).to_bytes(2, "big")


def build_payload(path: OpenPath, train: Train, hdp: bytes, address: str) -> bytes:
    """The IP payload of a train's packet to an address: HDP by itself, or inside the carrier of its number."""
    source = path.sender_end(train.direction).address
    if train.chain:
        return carrier.wrap_behind(train.chain, hdp, source=source, destination=address)
    if train.form is Form.BARE:
        return hdp
    number, held = train.protocol & 255, hdp
    if train.form is Form.FRAGMENTED:
        held = shapes.twice(hdp, carrier.hdp_offset(number, path.family))
    wrapped = carrier.wrap(number, held, source=source, destination=address)
    return wrapped or (balanced(hdp, number, source, address) if train.form is Form.WELLFORMED else held)


def packets(path: OpenPath, entry: SentProbe) -> tuple[bytes, ...]:
    """What is handed to the socket of a train's form: the payload, but for fragments and options."""
    number, data = entry.train.protocol & 255, entry.data
    if entry.train.form is Form.OPTIONS:
        return (shapes.behind_options(path.family, number, data, entry.index),)
    if entry.train.form is Form.FRAGMENTED:
        both = shapes.in_fragments(path.family, number, data, entry.start, entry.index)
        return both[1:] if entry.later_only else both
    return (data,)


def echo_request(index: int, hdp: bytes, source: str, destination: str) -> bytes:
    """An ICMP echo request in one of several flows, by which a translator's pool shows; IPv6's sum covers addresses."""
    ends = (packed(source), packed(destination)) if family_of(destination) is IPV6 else None
    return build_echo((index * _MIXES >> 16) % ECHO_FLOWS, index & 0xFFFF, hdp, ends=ends)


def sender_in_mid_run(path: OpenPath, direction: Direction, protocol: int) -> int | str:
    """A socket that nobody needed before, or the errno; also of a far end that is gone: the run is not lost with it."""
    try:
        return path.sender(direction, protocol)
    except PathUnavailable:
        if path.gone is None:
            raise
        return errorcode[EPIPE]


def hears(path: OpenPath, train: Train) -> bool:
    """Whether the receiver's kernel gives no reason to look for a train's packets at its interface alone.

    It gives one where socket() refuses to listen to their number.
    """
    return not isinstance(path.listener(train.direction, train.protocol), str)


def send_probe(
    path: OpenPath,
    ledger: Ledger,
    train: Train,
    number: int,
    content: bytes,
    address: str,
    ports: Header | None = None,
    *,
    later_only: bool = False,
) -> SentProbe:
    """Send one probe of a train in round `number` and register it before it leaves.

    `later_only`: of its fragments the later one, without the first.
    """
    now = path.clock.time_ns()
    index = path.next_index()
    stamped, usual = stamp(train, now)
    hdp = sealed(path, train.protocol, index, content, stamped, ports or usual)
    end = path.sender_end(train.direction)
    data = build_payload(path, train, hdp, address)
    entry = SentProbe(index, number, train, data, data.find(hdp), len(hdp), now, path.clock.monotonic())
    entry.handed, entry.heard, entry.later_only = False, hears(path, train), later_only
    ledger.add(entry)
    if path.traffic.solicits(train):
        ledger.solicited.add(train)
    if path.witness is not None:
        path.witness.sent(entry, ledger.purpose)
    handle = path.sender(train.direction, train.protocol, train.form)
    if isinstance(handle, int):
        ordinary = handle == path.controls[id(end)][0]  # then the kernel makes the header of UDP
        port = (ports or USUAL_PORTS).destination_port if ordinary else 0
        sent = (hdp,) if ordinary else packets(path, entry)
        parts: list[Part] = []
        told: list[Numbered] = [entry] if len(sent) == 1 else [Part(entry, parts) for _ in sent]
        for packet, part in zip(sent, told, strict=True):
            path.send(end, handle, packet, address, part, port)
        entry.sent_at = told[0].sent_at
        if entry.errno is None:
            path.traffic.note(train.direction, train.protocol)
    entry.handed = True
    return entry
