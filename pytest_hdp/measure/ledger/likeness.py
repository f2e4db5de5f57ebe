"""What became of a probe's bytes on the way: as sent, changed, shifted, or inside a tunnel's packet. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Form

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train

HDP_SIZE = 12
TAG_SIZE = 28
MAC_OFFSET = 12  # inside the tag: run id (8), index (4)
UNFORGEABLE = 12  # of the MAC's 16 bytes: 96 bits as sent are no accident and no guess
PAYLOAD, LENGTH = "payload", "length"
ICMP, TCP, UDP, DCCP, SCTP, UDPLITE = 1, 6, 17, 33, 132, 136
PORTED = frozenset({TCP, UDP, DCCP, SCTP, UDPLITE})
_FIRST_FRAGMENT = 0x2000  # of flags and offset: more fragments follow, offset 0
_IPV4_HEADERS = range(20, 64, 4)  # sizes
# Where a translator writes that gives a packet another address: ports, an echo's identifier, checksums. An echo reply
# brings the request back as it was, under type 0.
_REWRITTEN = {
    ICMP: ((0, 1), (2, 6)),
    TCP: ((0, 4), (16, 18)),
    UDP: ((0, 4), (6, 8)),
    DCCP: ((0, 4), (6, 8)),
    SCTP: ((0, 4), (8, 12)),
    UDPLITE: ((0, 4), (6, 8)),
}


@dataclass(frozen=True, slots=True)
class Likeness:
    """`change`: None as sent, else what changed. `moved`: bytes put before it, or (below 0) cut off its front.

    `tunnel`: the number of the packet that it is whole inside of, with an IP header of its own.
    """

    change: str | None
    moved: int = 0
    tunnel: int | None = None


AS_SENT = Likeness(None)


def likeness(train: Train, sent: bytes, start: int, data: bytes, payload: bytes, position: int) -> Likeness | None:
    """Compare a packet's payload, with the run id at `position`, to a probe's, whose HDP header is at `start`.

    `data`: the packet from its IPv4 header on. None: a stranger's, since too little of the MAC is as sent.
    """
    if payload == sent:
        return AS_SENT
    at = position - HDP_SIZE  # of the HDP header
    seen, whole = payload[max(at, 0) :], sent[start:]
    moved = at - start
    if at < 0 or not as_sent(whole, data, seen):
        mac, sent_mac = position + MAC_OFFSET, start + HDP_SIZE + MAC_OFFSET
        pairs = zip(payload[mac : position + TAG_SIZE], sent[sent_mac : start + HDP_SIZE + TAG_SIZE], strict=False)
        if sum(a == b for a, b in pairs) < UNFORGEABLE:
            return None
    if moved > 0 and _has_header_before(payload, moved, train.protocol & 255):
        return Likeness(None, tunnel=data[9])
    if moved:
        return Likeness(PAYLOAD, moved)
    if not as_sent(whole, data, seen):
        # a carrier may pad (Ethernet's trailer is cut by the IP length, but some boxes count it in)
        same = whole.startswith(seen) or seen.startswith(whole)
        return Likeness(LENGTH if same and _carrier_alike(train, sent, payload, start) else PAYLOAD)
    return AS_SENT if _carrier_alike(train, sent, payload, start) else Likeness(PAYLOAD)


def as_sent(sent: bytes, data: bytes, seen: bytes) -> bool:
    """Whether `seen`, of the packet `data`, is all that was sent from the HDP header on, or a first fragment's part."""
    if seen == sent:
        return True
    first_fragment = (data[6] << 8 | data[7]) & 0x3FFF == _FIRST_FRAGMENT
    return first_fragment and len(seen) >= HDP_SIZE + TAG_SIZE and sent.startswith(seen)


def ports_kept(train: Train, seen: bytes, left: bytes) -> bool:
    """Whether the ports are those that left, where no address was translated with which they may change.

    Both are whole IPv4 packets.
    """
    if train.form is not Form.WELLFORMED or train.protocol not in PORTED:
        return True
    here, there = (seen[0] & 15) * 4, (left[0] & 15) * 4
    return all(
        seen[address] != left[address] or seen[here + at : here + at + 2] == left[there + at : there + at + 2]
        for at, address in ((0, slice(12, 16)), (2, slice(16, 20)))
    )


def _has_header_before(payload: bytes, end: int, protocol: int) -> bool:
    """Whether an IPv4 header for this number ends there."""
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
    for first, end in _REWRITTEN.get(train.protocol, ()):
        before[first:end] = after[first:end] = bytes(end - first)
    return before == after and (train.protocol != ICMP or payload[0] in {0, sent[0]})


_ADDRESSES = (("source", slice(12, 16)), ("destination", slice(16, 20)))


def changed_fields(seen: bytes, left: bytes, *, quoted: bool = False) -> tuple[str, ...]:
    """Header fields that differ from what left. A lower TTL is a router's duty and no change; a higher one is.

    Both hold a whole IPv4 header.
    """
    if seen == left:
        return ()
    changed = []
    if seen[1] != left[1]:
        changed += ["dscp"] * (seen[1] >> 2 != left[1] >> 2) + ["ecn"] * (seen[1] & 3 != left[1] & 3)
    if seen[4:6] != left[4:6]:
        changed.append("identification")
    if seen[6] >> 5 != left[6] >> 5 and not (seen[6] & 0x1F or seen[7]):  # the offset: of a fragment flags tell nothing
        changed.append("flags")
    if seen[20 : (seen[0] & 15) * 4] != left[20 : (left[0] & 15) * 4]:
        changed.append("options")
    if seen[9] != left[9]:
        changed.append("protocol")
    changed += [name for name, at in _ADDRESSES if seen[at] != left[at]]
    if seen[8] > left[8] and not quoted:
        changed.append("ttl")
    return tuple(changed)
