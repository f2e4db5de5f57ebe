"""A first fragment, which bears our tag, is not the packet: what became of the rest nobody has seen."""

from __future__ import annotations

from collections.abc import Container

import pytest

from pytest_hdp.judge.evidence import Circumstances, Observers, RoundControl, Train
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.ledger.probes import SentProbe
from pytest_hdp.packet.hdp import Header
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.packet.tag import Tagger
from pytest_hdp.packet.view import view

RUN, TRAIN = b"\x01\x02\x03\x04\x05\x06\x07\x08", Train(253)
SEALER = Tagger(b"s" * 32, RUN)
NAMES = {"source": "192.0.2.1", "target": "198.51.100.2", "sender_interface": "eth0", "receiver_interface": "eth1"}


def probe(index: int) -> bytes:
    header, content = Header(timestamp=1).pack(), b"y" * 1600
    return header + SEALER.make_tag(253, index, header, content) + content


def packet(payload: bytes, index: int, *, first: bool = False) -> bytes:
    ends = {"source": NAMES["source"], "destination": NAMES["target"]}
    return build_ipv4(payload, protocol=253, identification=index, flags=int(first), **ends)


def judged(
    observers: Observers, *, whole: int = 0, at_the_socket: bool = False, came: Container[int] = range(7)
) -> Judgement:
    """Seven probes of 1640 bytes; of those that `came` its interface shows the first fragment, of so many the whole."""
    book = Ledger(RUN)
    for index in range(7):
        entry = SentProbe(index + 1, index, TRAIN, probe(index + 1), 0)
        book.add(entry)
        first = packet(entry.data[:1376], index, first=True)
        seen = [(entry.left, first, "eth0")]
        if index in came:
            seen.append((entry.arrived, first if index >= whole else packet(entry.data, index), "eth1"))
        if at_the_socket:
            seen.append((entry.delivered, packet(entry.data, index), ""))
        for kept, data, interface in seen:
            found = book.probe(index, view(data), interface)
            assert found is not None
            entry.keep(kept, found[1])
    control = tuple(RoundControl(number, 44, 44, 44) for number in range(7))
    return judge(book.evidence(TRAIN, None), Circumstances(control, observers, names=NAMES, minimum_count=7))


@pytest.mark.parametrize("observers", [Observers(), Observers(delivered=False)], ids=["a socket", "no socket"])
def test_of_first_fragments_alone_nothing_is_claimed(observers: Observers) -> None:
    found = judged(observers)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert (
        "of 7 only first fragments came to 198.51.100.2: whether the rest came too nobody has seen" in found.explanation
    )


def test_at_the_socket_it_is_whole() -> None:
    assert judged(Observers(), at_the_socket=True).verdict is Verdict.DELIVERED


def test_whole_ones_are_held_and_reached_as_ever() -> None:
    assert judged(Observers(), whole=7).verdict is Verdict.HELD_BY_RECEIVER
    assert judged(Observers(delivered=False), whole=7).verdict is Verdict.REACHED


def test_of_some_first_fragments_no_share_and_no_order_is_claimed() -> None:
    """Every second one came, or the first alone."""
    for came in ({0}, {0, 2, 4, 6}):
        assert judged(Observers(), came=came).verdict is Verdict.INCONCLUSIVE
