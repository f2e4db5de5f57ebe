"""The tag that makes a probe ours: run id, index and keyed MAC, the first 28 bytes of a probe's HDP payload.

The run id stands at a known offset, so that a kernel filter can drop what belongs to others before Python
wakes. The MAC covers what no network may change, and not what networks rewrite in good faith (addresses, TTL,
IP-ID, checksum, DSCP): those changes are reported, not judged.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

RUN_ID_SIZE = 8
MAC_SIZE = 16
SECRET_SIZE = 32
_LAYOUT = struct.Struct(f"!{RUN_ID_SIZE}sI{MAC_SIZE}s")
TAG_SIZE = _LAYOUT.size

# Protocol (signed: -1 was asked for too), index, and the length of the header. With these fixed-size fields
# in front of the header, and the content last, no two different probes give the hash the same bytes.
_FRAME = struct.Struct("!iII")
_INDEX = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as read, not verified. `run_id`: 8 bytes; `index`: which probe of the plan; `mac`: 16 bytes."""

    run_id: bytes
    index: int
    mac: bytes


def parse(payload: bytes) -> tuple[Tag, bytes] | None:
    """Return the tag and the content after it, or None if the HDP `payload` is too short."""
    if len(payload) < TAG_SIZE:
        return None
    return Tag(*_LAYOUT.unpack_from(payload)), bytes(payload[TAG_SIZE:])


class Tagger:
    """Makes and checks the tags of one run.

    `secret`: 32 bytes that never leave this process; `run_id`: 8 random bytes, public. ValueError for other
    sizes. The MAC is BLAKE2b (RFC 7693), keyed, 16 bytes.
    """

    __slots__ = ("_keyed", "run_id")

    def __init__(self, secret: bytes, run_id: bytes) -> None:
        if len(secret) != SECRET_SIZE or len(run_id) != RUN_ID_SIZE:
            raise ValueError(f"a secret of {SECRET_SIZE} and a run id of {RUN_ID_SIZE} bytes are needed")
        self.run_id = run_id
        # Key and run id are the same for every probe: hashed once here, copied for each.
        self._keyed = blake2b(run_id, digest_size=MAC_SIZE, key=secret, person=b"pytest-hdp tag 1")

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Tagger(run_id={self.run_id.hex()})"

    def make_tag(self, protocol: int, index: int, header: bytes, content: bytes) -> bytes:
        """Return the 28 bytes of the tag.

        `protocol`: the number asked for, signed 32 bits; `index`: unsigned 32 bits; `header`: the packed HDP
        header; `content`: what follows the tag. ValueError if a number does not fit.
        """
        try:
            return self.run_id + _INDEX.pack(index) + self._mac(protocol, index, header, content)
        except struct.error as error:
            raise ValueError(f"protocol {protocol} or index {index} does not fit 32 bits") from error

    def verify(self, protocol: int, header: bytes, tag: Tag, content: bytes) -> bool:
        """Tell whether this run's `make_tag` made `tag` for these very bytes; in constant time, never raises."""
        try:
            mac = self._mac(protocol, tag.index, header, content)
        except struct.error:
            return False
        return compare_digest(self.run_id + mac, tag.run_id + tag.mac)

    def _mac(self, protocol: int, index: int, header: bytes, content: bytes) -> bytes:
        state = self._keyed.copy()
        state.update(_FRAME.pack(protocol, index, len(header)) + header + content)
        return state.digest()
