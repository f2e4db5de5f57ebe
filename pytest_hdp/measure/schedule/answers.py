"""What a target that nobody watches answers by the protocol's own means: an echo reply, a TCP reset. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Reply
from pytest_hdp.judge.verdict import Form
from pytest_hdp.packet.replies import REPLYING, reply_to
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.ledger.ledger import Ledger
    from pytest_hdp.measure.ledger.probes import Arrival, SentProbe
    from pytest_hdp.packet.view import PacketView

_ECHO_HEADER = 8
MOST_REPLIES = 8  # kept of one probe
BY_TAG, BY_NUMBER = "our tag", "a number that only our packet told"


def read_answer(ledger: Ledger, time: int, packet: PacketView | None, target: str) -> tuple[SentProbe, Reply] | None:
    """The probe that a packet from the target replies to, and the reply; None for anything else.

    Either it is an echo reply with our tag, or of a protocol that acknowledges what was sent (`packet.replies`). A
    probe that merely comes back is no reply: nobody answers so, and anybody on the path can return it.
    """
    if packet is None or packet.source != target:
        return None
    found = ledger.probe(time, packet, "")
    if found is not None:
        entry, copy = found
        asked = (
            packet.is_echo_reply and packet.protocol == entry.train.transport and entry.train.form is Form.WELLFORMED
        )
        if not (asked and _brings_back(entry, copy) and packet.payload[1:2] == b"\0"):
            return None
        return entry, Reply(time, packet.source, packet.hop_limit, f"an {packet.family.icmp_name} echo reply", BY_TAG)
    for train, entries in ledger.trains.items():
        if train.transport == packet.protocol and train.form is Form.WELLFORMED:
            for entry in reversed(entries):
                told = reply_to(packet.protocol, entry.data[_length_before(train) :], packet.payload)
                if told is not None:
                    return entry, Reply(time, packet.source, packet.hop_limit, f"a {told}", BY_NUMBER)
    return None


def _length_before(train: Train) -> int:
    """Bytes of the extension headers before what is answered: no answer has them."""
    return train.behind.length if train.behind is not None else 0


def _brings_back(entry: SentProbe, copy: Arrival) -> bool:
    """Whether an echo reply holds all that the request did, behind the headers of either."""
    at = _length_before(entry.train)
    return copy.genuine if not at else copy.packet.payload[_ECHO_HEADER:] == entry.data[at + _ECHO_HEADER :]


def file_answer(ledger: Ledger, time: int, data: bytes, target: str) -> bool:
    """File a reply under the probe that it is to. False if it is none."""
    found = read_answer(ledger, time, view(data), target)
    if found is None:
        return False
    entry, reply = found
    if len(entry.replies) < MOST_REPLIES:
        entry.replies.append(reply)
    return True


def replying(protocols: set[int]) -> frozenset[int]:
    """Of these numbers, those whose replies bring no tag back."""
    return frozenset(protocols & REPLYING.keys())
