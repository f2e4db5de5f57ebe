"""Chains of extension headers: the bytes of each, as a parser that knows nothing of how they are made reads them."""

import struct

import pytest

from pytest_hdp.judge.evidence import Train, behind
from pytest_hdp.packet.carrier import RUN_ID_AT, run_id_offsets, run_id_places, wrap, wrap_behind
from pytest_hdp.packet.chain import CHAINS, TRANSPORTS, chain_text, read_chain
from pytest_hdp.packet.checksums import transport_checksum
from pytest_hdp.packet.family import IPV4, IPV6, packed
from pytest_hdp.packet.ip import parse_ipv6

ENDS = {"source": "2001:db8:a::2", "destination": "2001:db8:b::2"}
HDP = bytes(range(100, 200))
EACH = pytest.mark.parametrize(("chain", "transport"), [(c, t) for c in CHAINS.values() for t in TRANSPORTS], ids=str)


def parsed(chain, transport):
    data = wrap_behind(chain_text(chain, transport), HDP, **ENDS)
    ends = packed(ENDS["source"]) + packed(ENDS["destination"])
    return parse_ipv6(struct.pack("!IHBB", 6 << 28, len(data), chain.numbers[0], 64) + ends + data)


@EACH
def test_whoever_walks_the_chain_comes_to_the_transport(chain, transport):
    packet = parsed(chain, transport)
    assert packet.extension_headers == chain.numbers
    assert packet.protocol == transport
    assert len(packet.body) - len(packet.payload) == chain.length
    assert packet.payload == (wrap(transport, HDP, **ENDS) or HDP)
    assert len(packet.body) + 40 <= 1280


@EACH
def test_checksums_are_right_behind_headers_too(chain, transport):
    payload = parsed(chain, transport).payload
    told = transport_checksum(transport, packed(ENDS["source"]), packed(ENDS["destination"]), payload)
    assert told == (None if transport == 253 else "right")


@EACH
def test_filters_look_where_the_run_id_stands(chain, transport):
    data = wrap_behind(chain_text(chain, transport), HDP, **ENDS)
    at = data.index(HDP) + RUN_ID_AT
    assert at in run_id_places(IPV6)
    assert at in run_id_offsets(chain.numbers[0], IPV6)


def test_what_ipv4_looks_for_is_as_it_was():
    assert run_id_offsets(60, IPV4) == (12, 12)
    assert 12 + 256 not in run_id_places(IPV4)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=str)
def test_no_option_is_more_padding_than_hosts_take(chain):
    """Linux drops a header with more than seven bytes of padding in a row (`ip6_parse_tlv`)."""
    body = wrap_behind(chain_text(chain, 253), HDP, **ENDS)
    for number, length in chain.headers:
        if number in {0, 60}:
            options, padding = body[2:length], 0
            while options:
                size = 1 if options[0] == 0 else 2 + options[1]
                padding = padding + size if options[0] in {0, 1} else 0
                assert padding <= 7
                assert options[0] >> 6 == 0, "who does not know it skips it"
                options = options[size:]
        body = body[length:]


def test_fragments_are_whole_and_each_has_an_identification_of_its_own():
    one, other = (wrap_behind("frag8/253", bytes(40) + bytes([each]) * 60, **ENDS) for each in (1, 2))
    assert one[2:4] == other[2:4] == bytes(2)
    tagged = [bytes(24) + bytes([each]) * 76 for each in (1, 2)]
    assert len({wrap_behind("frag8/253", hdp, **ENDS)[4:8] for hdp in tagged}) == 2


def test_a_routing_header_has_no_segments_left():
    for name, chain in CHAINS.items():
        if name.startswith("rt"):
            assert wrap_behind(chain_text(chain, 6), HDP, **ENDS)[2:4] == bytes([253, 0])


@pytest.mark.parametrize("text", ["", "dst64", "dst64/7", "dst65/6", "dst64/06", "dst64/6/6", "/6", "\0", "x" * 99])
def test_what_is_no_chain_of_ours_is_none(text):
    assert read_chain(text) is None
    assert Train(60, chain=text).behind is None
    assert Train(60, chain=text).transport == 60
    with pytest.raises(ValueError, match="is no chain"):
        wrap_behind(text, HDP, **ENDS)


def test_a_train_behind_headers_has_the_number_of_the_first_one():
    train = behind(CHAINS["hbh8-dst8"], 17)
    assert (train.protocol, train.transport, train.form, train.chain) == (0, 17, "wellformed", "hbh8-dst8/17")
    assert sorted([train, behind(CHAINS["hbh8"], 17), Train(0)])[0] == Train(0)
