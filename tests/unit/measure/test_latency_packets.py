"""The packets of a latency experiment are those that a sweep sends, also under numbers that routers read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_hdp.measure.latency.packets import Packets
from pytest_hdp.packet.family import IPV4
from pytest_hdp.packet.hdp import Header
from pytest_hdp.packet.tag import Tagger

LATER = 10 * 2**32  # ns: in more than 4.3 s the upper half of a timestamp is another one


def made(protocol: int, now: int) -> bytes:
    """The payload of such an experiment's first packet."""
    path = SimpleNamespace(
        next_index=iter(range(1, 9)).__next__,
        clock=SimpleNamespace(time_ns=lambda: now),
        tagger=Tagger(b"s" * 32, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
        family=IPV4,
    )
    kind = SimpleNamespace(protocol=protocol, wellformed=False)
    return Packets(path, [kind], [0], b"moo").data[0]  # type: ignore[arg-type]


def test_gre_reads_its_version_0() -> None:
    assert int.from_bytes(made(47, LATER)[:2], "big") & 7 == 0
    assert int.from_bytes(made(253, LATER)[:2], "big") == Header().source_port


@pytest.mark.parametrize("protocol", [51, 253])
def test_ah_has_one_spi_however_late_it_is(protocol: int) -> None:
    first, later = (made(protocol, now)[4:8] for now in (LATER, 2 * LATER))
    assert (first == later) is (protocol == 51)
