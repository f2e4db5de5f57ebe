from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet import hdp
from pytest_hdp.strategies import contents, headers


def test_the_header_is_twelve_bytes_in_network_order() -> None:
    header = hdp.Header(source_port=420, destination_port=421, timestamp=1739640243546134000)
    assert header.pack() == bytes.fromhex("01a4 01a5 18247195a18a95f0")
    assert header.timestamp == 0x18247195A18A95F0


def test_the_default_ports_are_those_of_the_article() -> None:
    assert hdp.Header().pack() == b"\x01\xa4\x01\xa4" + bytes(8)


@given(headers(), contents())
def test_what_is_packed_parses_back(header: hdp.Header, payload: bytes) -> None:
    assert hdp.parse(header.pack() + payload) == (header, payload)


@given(st.binary(max_size=64))
def test_parsing_takes_any_bytes_and_loses_none(data: bytes) -> None:
    parsed = hdp.parse(data)
    if len(data) < 12:
        assert parsed is None
    else:
        assert parsed is not None
        assert parsed[0].pack() + parsed[1] == data


@pytest.mark.parametrize(
    "fields",
    [{"source_port": -1}, {"source_port": 65536}, {"destination_port": 65536}, {"timestamp": -1}, {"timestamp": 2**64}],
)
def test_a_field_that_does_not_fit_is_a_value_error(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        hdp.Header(**fields).pack()
