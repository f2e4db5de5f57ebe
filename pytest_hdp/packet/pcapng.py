"""Writes captures in the pcapng format (draft-ietf-opsawg-pcapng): pure bytes, block by block.

An own writer of one page, because what we need is what the others leave out: scapy's `RawPcapNgWriter` stamps in
microseconds, names no interface, and takes half a second to import; the libraries on PyPI that write nanoseconds and
comments are younger or larger than the format's five options that are used here.

A file is one `section`, then every `interface`, then `packet`s in any order, each written whole: what is cut off in
the middle of a block is readable up to there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

LINKTYPE_RAW = 101
"""Packets begin with the IPv4 or IPv6 header (https://www.tcpdump.org/linktypes.html)."""

LONGEST_OPTION = 0xFFFF - 3
"""Bytes of an option's value that surely fit its 16-bit length, padding included."""

_SECTION_HEADER, _INTERFACE, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_END, _COMMENT = 0, 1
_SECTION_OS, _SECTION_APPLICATION = 3, 4
_INTERFACE_NAME, _INTERFACE_DESCRIPTION, _INTERFACE_RESOLUTION = 2, 3, 9
_PACKET_FLAGS = 2
_INBOUND, _OUTBOUND = 1, 2
_NANOSECONDS = b"\x09"


def section(*, application: str, system: str, comment: str = "") -> bytes:
    """Return the header that begins a file: who wrote it, on which operating system, and why."""
    fixed = struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, -1)
    texts = ((_COMMENT, comment), (_SECTION_OS, system), (_SECTION_APPLICATION, application))
    return _block(_SECTION_HEADER, fixed, [(code, _text(text)) for code, text in texts if text])


def interface(name: str, description: str = "") -> bytes:
    """Return an interface of raw IP packets, stamped in nanoseconds; they are numbered from 0 as they are written."""
    options = [(_INTERFACE_NAME, _text(name)), (_INTERFACE_RESOLUTION, _NANOSECONDS)]
    if description:
        options.insert(1, (_INTERFACE_DESCRIPTION, _text(description)))
    return _block(_INTERFACE, struct.pack("<HHI", LINKTYPE_RAW, 0, 0), options)


def packet(interface_id: int, time: int, data: bytes, *, outgoing: bool | None, comment: str = "") -> bytes:
    """Return one packet. `time`: nanoseconds since the Unix epoch, 0..2**64-1; `outgoing`: None if not known."""
    fixed = struct.pack("<IIIII", interface_id, time >> 32, time & 0xFFFFFFFF, len(data), len(data))
    options = [(_COMMENT, _text(comment))] if comment else []
    if outgoing is not None:
        options.append((_PACKET_FLAGS, struct.pack("<I", _OUTBOUND if outgoing else _INBOUND)))
    return _block(_ENHANCED_PACKET, fixed + _padded(data), options)


def _block(kind: int, fixed: bytes, options: Iterable[tuple[int, bytes]]) -> bytes:
    body = fixed + b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options)
    if options:
        body += struct.pack("<HH", _END, 0)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _text(text: str) -> bytes:
    """UTF-8, cut between characters to what an option holds; no NUL, which readers take for the end."""
    encoded = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace")
    return encoded[:LONGEST_OPTION].decode("utf-8", "ignore").encode()


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)
