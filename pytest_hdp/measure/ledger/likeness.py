"""What became of a probe's bytes on the way: as sent, changed, shifted, inside a tunnel's packet, or a stranger's.

Bytes that differ are attributed to a probe only if most of the MAC is as sent, which a stranger cannot guess. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Form
from pytest_hdp.packet.family import IPV4, IPV6
from pytest_hdp.packet.shapes import halves

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.packet.view import PacketView

HDP_SIZE = 12
TAG_SIZE = 28
MAC_OFFSET = 12  # inside the tag: run id (8), index (4)
UNFORGEABLE = 12  # of the MAC's 16 bytes: 96 bits as sent are no accident and no guess
PAYLOAD, LENGTH = "payload", "length"
ICMP, TCP, UDP, DCCP, ICMPV6, SCTP, UDPLITE = 1, 6, 17, 33, 58, 132, 136
PORTED = frozenset({TCP, UDP, DCCP, SCTP, UDPLITE})
_IPV4_HEADERS, _IPV6_HEADER = range(20, 64, 4), IPV6.header_size  # sizes
# Where a translator writes that gives a packet another address: ports, an echo's identifier, checksums. An echo reply
# brings the request back as it was, under type 0.
_REWRITTEN = {
    ICMP: ((0, 1), (2, 6)),
    TCP: ((0, 4), (16, 18)),
    UDP: ((0, 4), (6, 8)),
    DCCP: ((0, 4), (6, 8)),
    SCTP: ((0, 4), (8, 12)),
    ICMPV6: ((0, 1), (2, 6)),
    UDPLITE: ((0, 4), (6, 8)),
}
_ECHO_REPLIES = {ICMP: IPV4.echo_reply, ICMPV6: IPV6.echo_reply}


@dataclass(frozen=True, slots=True)
class Likeness:
    """`change`: None as sent, else what changed. `moved`: bytes put before it, or (below 0) cut off its front.

    `tunnel`: the number of the packet that it is whole inside of, with an IP header of its own.
    """

    change: str | None
    moved: int = 0
    tunnel: int | None = None


AS_SENT = Likeness(None)


def likeness(train: Train, sent: bytes, start: int, packet: PacketView, position: int) -> Likeness | None:
    """Compare a packet's payload, with the run id at `position`, to a probe's, whose HDP header is at `start`.

    None: a stranger's, since too little of the MAC is as sent.
    """
    payload = packet.payload
    if payload == sent or (train.form is Form.FRAGMENTED and payload in halves(sent, start)):
        return AS_SENT
    at = position - HDP_SIZE  # of the HDP header
    seen, whole = payload[max(at, 0) :], sent[start:]
    moved = at - start
    if at < 0 or not as_sent(whole, packet, seen):
        mac, sent_mac = position + MAC_OFFSET, start + HDP_SIZE + MAC_OFFSET
        pairs = zip(payload[mac : position + TAG_SIZE], sent[sent_mac : start + HDP_SIZE + TAG_SIZE], strict=False)
        if sum(a == b for a, b in pairs) < UNFORGEABLE:
            return None
    if moved > 0 and _has_header_before(payload, moved, train.protocol & 255):
        return Likeness(None, tunnel=packet.protocol)
    if moved:
        return Likeness(PAYLOAD, moved)
    if not as_sent(whole, packet, seen):
        # a carrier may pad (Ethernet's trailer is cut by the IP length, but some boxes count it in)
        same = whole.startswith(seen) or seen.startswith(whole)
        return Likeness(LENGTH if same and _carrier_alike(train, sent, payload, start) else PAYLOAD)
    return AS_SENT if _carrier_alike(train, sent, payload, start) else Likeness(PAYLOAD)


def as_sent(sent: bytes, packet: PacketView, seen: bytes) -> bool:
    """Whether `seen`, of a packet, is all that was sent from the HDP header on, or a first fragment's part."""
    if seen == sent:
        return True
    return packet.is_first_fragment and len(seen) >= HDP_SIZE + TAG_SIZE and sent.startswith(seen)


def ports_kept(train: Train, seen: PacketView, left: PacketView) -> bool:
    """Whether the ports are those that left, where no address was translated with which they may change."""
    if train.form is not Form.WELLFORMED or train.transport not in PORTED:
        return True
    start = headers_before(train)
    translated = seen.source_bytes != left.source_bytes, seen.destination_bytes != left.destination_bytes
    return all(translated[at // 2] or seen.payload[start + at :][:2] == left.payload[start + at :][:2] for at in (0, 2))


def headers_before(train: Train) -> int:
    """How many bytes of extension headers stand before what a train carries, where these are the question."""
    return train.behind.length if train.behind is not None else 0


def _has_header_before(payload: bytes, end: int, protocol: int) -> bool:
    """Whether an IP header for this number ends there."""
    at = end - _IPV6_HEADER
    if at >= 0 and payload[at] >> 4 == IPV6.version and payload[at + IPV6.protocol_at] == protocol:
        return True
    return any(
        payload[end - size] == 0x40 | size >> 2 and payload[end - size + 9] == protocol
        for size in _IPV4_HEADERS
        if size <= end
    )


def _carrier_alike(train: Train, sent: bytes, payload: bytes, start: int) -> bool:
    """Whether what stands before the HDP header is as sent, but for what translators rewrite."""
    if payload[:start] == sent[:start]:
        return True
    before, after = bytearray(sent[:start]), bytearray(payload[:start])
    at = headers_before(train)
    for first, end in _REWRITTEN.get(train.transport, ()):
        before[at + first : at + end] = after[at + first : at + end] = bytes(end - first)
    reply = _ECHO_REPLIES.get(train.transport)
    return before == after and (reply is None or payload[at] in {reply, sent[at]})
