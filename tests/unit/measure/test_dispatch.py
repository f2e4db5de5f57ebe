"""Whose socket got what is behind an extension header: only what came as sent tells."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Form
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.ledger.probes import SentProbe
from pytest_hdp.measure.schedule.dispatch import file_observation, numbers_inside
from pytest_hdp.packet.hdp import Header
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.packet.tag import Tagger

RUN, HEADER = b"\x01\x02\x03\x04\x05\x06\x07\x08", bytes(8)
TRAIN = Train(60, form=Form.WELLFORMED)


@pytest.mark.parametrize(("changed", "whole"), [(b"", True), (b"x", False), (b"longer than it was", False)])
def test_only_what_came_as_sent_tells_whose_socket_got_it(changed: bytes, whole: bool) -> None:
    content, header = b"which numbers get through?", Header(timestamp=1).pack()
    data = header + Tagger(b"s" * 32, RUN).make_tag(60, 1, header, content) + content
    book, entry = Ledger(RUN), SentProbe(1, 0, TRAIN, HEADER + data, start=len(HEADER), size=len(data))
    book.add(entry)
    inside = numbers_inside(TRAIN)[-1]
    end = object()
    path = SimpleNamespace(receiver_end=lambda _: end, sender_end=lambda _: None)
    control = SimpleNamespace(observe=lambda *_: False)
    observer = SimpleNamespace(kind="socket", protocol=inside, end=end)
    seen = data[: len(data) - len(changed)] + changed if len(changed) < 2 else data + changed
    packet = build_ipv4(seen, protocol=inside, source="192.0.2.1", destination="198.51.100.2", ttl=64, identification=7)
    assert file_observation(path, [(control, book)], observer, (0, 1, 0, packet, 0, "lo"))  # type: ignore[arg-type]
    assert entry.under == (inside if whole else None)
