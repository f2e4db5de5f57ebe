"""The HDP header: the made-up transport protocol that the experiment sends under every protocol number.

Twelve bytes in network byte order: source port (u16), destination port (u16), timestamp (u64, nanoseconds
since the Unix epoch); then the payload. No field names the payload's encoding or length: whoever decodes must
be told the one, and takes the other from the IP header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

DEFAULT_PORT = 420
HEADER = struct.Struct("!HHQ")
HEADER_SIZE = HEADER.size


@dataclass(frozen=True, slots=True)
class Header:
    """An HDP header. Ports: 0..65535; `timestamp`: nanoseconds since the Unix epoch, 0..2**64-1."""

    source_port: int = DEFAULT_PORT
    destination_port: int = DEFAULT_PORT
    timestamp: int = 0

    def pack(self) -> bytes:
        """Return the 12 bytes of the header; ValueError if a field does not fit."""
        try:
            return HEADER.pack(self.source_port, self.destination_port, self.timestamp)
        except struct.error as error:
            raise ValueError(f"{self} does not fit 16, 16 and 64 bits") from error


def parse(data: bytes) -> tuple[Header, bytes] | None:
    """Return the header and the payload after it, or None if `data` is shorter than a header.

    Every 12 bytes are a valid header: this says nothing about whether the sender meant HDP.
    """
    if len(data) < HEADER_SIZE:
        return None
    return Header(*HEADER.unpack_from(data)), bytes(data[HEADER_SIZE:])
