"""HDP for scapy.

After `from pytest_hdp.packet.scapy_layer import HDP`, `IP() / HDP() / b"moo"` builds and dissects.
`HDP` is bound to the numbers for experiments, 253 and 254, over IPv4 and IPv6; under any other number say so:
`IP(proto=47) / HDP()` builds, and `HDP(bytes(packet[IP].payload))` reads it back. Importing this imports
scapy.
"""

from __future__ import annotations

from typing import Any

from scapy.fields import IntField, LongField, ShortField, StrFixedLenField
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, bind_bottom_up, bind_layers

from pytest_hdp.packet.hdp import DEFAULT_PORT
from pytest_hdp.packet.tag import MAC_SIZE, RUN_ID_SIZE


class HDP(Packet):  # type: ignore[misc,unused-ignore]
    """The HDP header; `timestamp` in nanoseconds since the Unix epoch, 0 unless given."""

    name = "HDP"
    fields_desc = [  # noqa: RUF012 (scapy's metaclass reads it)
        ShortField("sport", DEFAULT_PORT),
        ShortField("dport", DEFAULT_PORT),
        LongField("timestamp", 0),
    ]

    def mysummary(self) -> Any:
        """Return the line that scapy prints."""
        return self.sprintf("HDP %HDP.sport% > %HDP.dport%")


class HDPTag(Packet):  # type: ignore[misc,unused-ignore]
    """The tag in front of a probe's content. Bound to nothing, since any payload may follow HDP.

    `HDP() / HDPTag(run_id=..., index=..., mac=...) / b"moo"` builds; `HDPTag(packet[HDP].load)` reads.
    """

    name = "HDP tag"
    fields_desc = [  # noqa: RUF012 (scapy's metaclass reads it)
        StrFixedLenField("run_id", bytes(RUN_ID_SIZE), RUN_ID_SIZE),
        IntField("index", 0),
        StrFixedLenField("mac", bytes(MAC_SIZE), MAC_SIZE),
    ]


bind_layers(IP, HDP, proto=253)
bind_layers(IPv6, HDP, nh=253)
# For reading only: 253 remains what building without a number writes.
bind_bottom_up(IP, HDP, proto=254)
bind_bottom_up(IPv6, HDP, nh=254)
