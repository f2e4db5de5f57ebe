"""Is it a reply to this very message? TCP, DCCP and SCTP answer with a number that only who saw the message knows.

The numbers in question (see `_transports.py`) are made of the tag's MAC, so that they can't be foretold: 32 bits in TCP
and SCTP, 48 in DCCP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_SCTP_CHUNKS = {2: "SCTP INIT ACK", 6: "SCTP ABORT"}
_TAG_REFLECTED = 1
_DCCP_TYPES = {1: "DCCP-Response", 7: "DCCP-Reset"}


def reply_to(protocol: int, sent: bytes, got: bytes) -> str | None:
    """Return what `got` is ("TCP RST") if it answers `sent`, or None; both are IP payloads, `got` of anybody's.

    `sent`: as `carrier.wrap` makes it. Never raises.
    """
    recognise = REPLYING.get(protocol)
    mirrored = len(sent) >= 20 and len(got) >= 16 and got[:2] == sent[2:4] and got[2:4] == sent[:2]
    return recognise(sent, got) if recognise is not None and mirrored else None


def _tcp(sent: bytes, got: bytes) -> str | None:
    """RFC 9293 section 3.10.7: a reset or a SYN-ACK acknowledges the SYN, with its data or without."""
    if len(got) < 20 or not got[13] & _ACK:
        return None
    beyond = (int.from_bytes(got[8:12], "big") - int.from_bytes(sent[4:8], "big") - 1) % (1 << 32)
    data = len(sent) - (sent[12] >> 4) * 4
    if beyond not in {0, data}:
        return None
    if got[13] & _RST:
        return "TCP RST"
    return "TCP SYN-ACK" if got[13] & _SYN else None


def _dccp(sent: bytes, got: bytes) -> str | None:
    """RFC 4340 sections 5.3 and 5.6: with 48-bit sequence numbers, the acknowledged one is in bytes 18 to 23."""
    if len(got) < 24 or not got[8] & 1 or got[18:24] != sent[10:16]:
        return None
    return _DCCP_TYPES.get(got[8] >> 1 & 15)


def _sctp(sent: bytes, got: bytes) -> str | None:
    """RFC 9260 sections 8.4 and 8.5.1: the verification tag is our Initiate Tag, unless the T bit says otherwise."""
    if got[4:8] != sent[16:20] or got[13] & _TAG_REFLECTED:
        return None
    return _SCTP_CHUNKS.get(got[12])


REPLYING: Mapping[int, Callable[[bytes, bytes], str | None]] = MappingProxyType({6: _tcp, 33: _dccp, 132: _sctp})
"""The protocols whose replies bring no data of ours back, and can be recognised all the same."""
