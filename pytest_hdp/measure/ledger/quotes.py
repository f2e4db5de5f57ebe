"""What an ICMP error says of a probe: the packet that it quotes, and what of that was changed on the way. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_hdp.judge.evidence import IcmpReport
from pytest_hdp.measure.ledger.likeness import HDP_SIZE, TAG_SIZE
from pytest_hdp.packet.carrier import INNER_PROTOCOL
from pytest_hdp.packet.icmp import PARAMETER_PROBLEM_V6, error_in
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from pytest_hdp.measure.ledger.probes import Arrival, SentProbe
    from pytest_hdp.packet.view import PacketView


class SentProbes(Protocol):
    """All probes that were sent, by what a quote may hold of one."""

    probes: dict[int, SentProbe]

    def index_of(self, data: bytes) -> tuple[int, int] | None:
        """(Where a tag starts, the probe's index), if there is one of this run."""

    def of_packet(self, protocol: int, identification: int) -> SentProbe | None:
        """The probe that left under a number with an IP-ID."""


def read_error(
    sent: SentProbes, time: int, packet: PacketView | None, *, own: bool = False
) -> tuple[SentProbe, IcmpReport] | None:
    """The probe that a packet with an ICMP error is about, and the error; None if it is about none of ours."""
    error = error_in(packet)
    quoted = view(error.quote) if error is not None else None
    if packet is None or error is None or quoted is None:
        return None
    entry, authenticated, altered = _quoted(sent, quoted)
    if entry is None:
        return None
    changed = (
        quoted.changes_from(entry.left[0].packet, quoted=True) if entry.left and not _inside(entry, quoted) else ()
    )
    return entry, IcmpReport(
        time,
        packet.source,
        error.type,
        error.code,
        authenticated=authenticated,
        changed=(*changed, "payload") if altered else changed,
        quoted_ttl=None if _inside(entry, quoted) else quoted.hop_limit,
        pointer=error.rest if packet.version == 6 and error.type == PARAMETER_PROBLEM_V6 else None,
        ttl=packet.hop_limit,
        own=own,
    )


def _quoted(sent: SentProbes, quoted: PacketView) -> tuple[SentProbe | None, bool, bool]:
    """Which probe it quotes, whether as only who saw the probe can, and whether the bytes differ from the probe's.

    A tag under another number than it was sent under proves nothing of either number; but a tunnel's end that
    has unpacked ours says so about what was inside.
    """
    found = sent.index_of(quoted.payload)
    if found is not None and found[0] >= HDP_SIZE and len(quoted.payload) >= found[0] + TAG_SIZE:
        entry = sent.probes.get(found[1])
        if entry is not None:
            as_sent = entry.data.startswith(quoted.payload)
            if (as_sent and quoted.protocol == entry.train.protocol & 255) or _inside(entry, quoted):
                return entry, True, False
            return (entry, False, not as_sent) if _same_packet(sent, quoted) is entry else (None, False, False)
    return _same_packet(sent, quoted), False, False


def _inside(entry: SentProbe, quoted: PacketView) -> bool:
    """Whether these are the bytes of a probe from the HDP header on, sent inside a tunnel's packet (`_tunnels.py`)."""
    unpacked = quoted.protocol == INNER_PROTOCOL != entry.train.protocol and entry.start > 0
    return (
        unpacked and entry.data[entry.start :].startswith(quoted.payload) and len(quoted.payload) >= HDP_SIZE + TAG_SIZE
    )


def _same_packet(sent: SentProbes, quoted: PacketView) -> SentProbe | None:
    """The probe that left under this number with this IP-ID for this address; None by IPv6, which has none."""
    number = quoted.identification
    entry = sent.of_packet(quoted.protocol, number) if number is not None else None
    return entry if entry is not None and any(_alike(quoted, copy) for copy in entry.left) else None


def _alike(quoted: PacketView, left: Arrival) -> bool:
    return (
        quoted.protocol == left.protocol
        and quoted.identification == left.packet.identification
        and quoted.destination == left.packet.destination
    )
