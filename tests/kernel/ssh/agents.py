"""What the tests of an agent let it send, and by which filter it is seen."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from pytest_hdp.vantage import bpf

MARK = b"hdp-test"


PAYLOAD = bytes(12) + MARK + b"moo"


PROGRAM = bpf.assemble(bpf.matching(MARK, (12,)))


HERE, OTHER = "127.0.0.1", "127.0.0.2"


INET, PACKET = int(socket.AF_INET), int(socket.AF_PACKET)


@dataclass
class Packet:
    errno: str | None = None
    sent_at: int = 0
