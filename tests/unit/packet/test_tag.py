from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet import hdp, ip
from pytest_hdp.packet.tag import RUN_ID_SIZE, TAG_SIZE, Tag, Tagger, parse
from pytest_hdp.strategies import contents, headers, tags

SECRET = bytes(range(32))
SEALER = Tagger(SECRET, b"run-id-8")
HEADER = hdp.Header(timestamp=1739640243546134000).pack()
PROTOCOLS = st.integers(-1024, 65535)


def flips(data: bytes) -> list[bytes]:
    number = int.from_bytes(data, "big")
    return [(number ^ 1 << bit).to_bytes(len(data), "big") for bit in range(8 * len(data))]


def sealed(protocol: int = 253, index: int = 7, header: bytes = HEADER, content: bytes = b"moo") -> Tag:
    parsed = parse(SEALER.make_tag(protocol, index, header, content))
    assert parsed is not None
    return parsed[0]


@given(PROTOCOLS, st.integers(0, 2**32 - 1), headers(), contents())
def test_a_tag_verifies_what_it_was_made_for(protocol: int, index: int, header: hdp.Header, content: bytes) -> None:
    payload = SEALER.make_tag(protocol, index, header.pack(), content) + content
    parsed = parse(payload)
    assert parsed is not None
    tag, rest = parsed
    assert (tag.run_id, tag.index, rest) == (SEALER.run_id, index, content)
    assert SEALER.verify(protocol, header.pack(), tag, rest)


def test_the_tag_on_the_wire_is_what_it_was_in_earlier_versions() -> None:
    tag = SEALER.make_tag(253, 7, HEADER, b"moo")
    assert len(tag) == TAG_SIZE == 28
    assert tag[:12] == b"run-id-8\x00\x00\x00\x07"
    assert tag[12:].hex() == "9f40546b25f209ea0308b2b3249e4225"


def test_any_flipped_bit_of_header_content_or_tag_fails() -> None:
    tag = sealed()
    whole = tag.run_id + tag.index.to_bytes(4, "big") + tag.mac
    assert SEALER.verify(253, HEADER, tag, b"moo")
    assert not any(SEALER.verify(253, header, tag, b"moo") for header in flips(HEADER))
    assert not any(SEALER.verify(253, HEADER, tag, content) for content in flips(b"moo"))
    forged = [parsed[0] for parsed in map(parse, flips(whole)) if parsed is not None]
    assert len(forged) == 28 * 8
    assert not any(SEALER.verify(253, HEADER, one, b"moo") for one in forged)


def test_any_other_protocol_fails() -> None:
    tag = sealed()
    assert not any(SEALER.verify(253 ^ 1 << bit, HEADER, tag, b"moo") for bit in range(31))
    assert not SEALER.verify(253 - 256, HEADER, tag, b"moo")
    assert not SEALER.verify(253 + 256, HEADER, tag, b"moo")


@given(st.binary(max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_bytes_cannot_move_between_header_and_content(data: bytes, here: int, there: int) -> None:
    tag = sealed(header=data[:here], content=data[here:])
    same = data[:there] == data[:here]
    assert SEALER.verify(253, data[:there], tag, data[there:]) == same


def test_a_longer_or_shorter_content_fails() -> None:
    tag = sealed()
    assert not SEALER.verify(253, HEADER, tag, b"moo\0")
    assert not SEALER.verify(253, HEADER, tag, b"mo")


def test_the_tag_of_another_run_or_secret_fails() -> None:
    tag = sealed()
    assert not Tagger(SECRET, b"other-id").verify(253, HEADER, tag, b"moo")
    assert not Tagger(bytes(32), b"run-id-8").verify(253, HEADER, tag, b"moo")
    renamed = dataclasses.replace(tag, run_id=b"other-id")
    assert not Tagger(SECRET, b"other-id").verify(253, HEADER, renamed, b"moo")


@given(
    ttl=st.integers(0, 255),
    identification=st.integers(0, 65535),
    dscp=st.integers(0, 63),
    ecn=st.integers(0, 3),
    source=st.ip_addresses(v=4).map(str),
    destination=st.ip_addresses(v=4).map(str),
)
def test_what_networks_rewrite_in_good_faith_is_not_covered(source: str, destination: str, **fields: int) -> None:
    probe = HEADER + SEALER.make_tag(253, 7, HEADER, b"moo") + b"moo"
    packet = ip.build_ipv4(probe, source=source, destination=destination, protocol=253, **fields)
    arrived = ip.parse_ipv4(packet)
    assert arrived is not None
    parsed = parse(arrived.payload[12:])
    assert parsed is not None
    assert SEALER.verify(arrived.protocol, arrived.payload[:12], *parsed)


@given(st.integers(-(2**40), 2**40), st.binary(max_size=20), tags(), st.integers(-(2**40), 2**40), contents(40))
def test_verifying_takes_anything(protocol: int, header: bytes, tag: Tag, index: int, content: bytes) -> None:
    assert not SEALER.verify(protocol, header, tag, content)
    assert not SEALER.verify(protocol, header, dataclasses.replace(tag, index=index), content)
    assert not SEALER.verify(protocol, header, Tag(b"", index, content), content)


@given(st.binary(max_size=64))
def test_parsing_takes_any_bytes_and_loses_none(payload: bytes) -> None:
    parsed = parse(payload)
    assert (parsed is None) == (len(payload) < TAG_SIZE)
    if parsed is not None:
        tag, content = parsed
        assert tag.run_id + tag.index.to_bytes(4, "big") + tag.mac + content == payload


@pytest.mark.parametrize(("protocol", "index"), [(253, -1), (253, 2**32), (2**31, 0), (-(2**31) - 1, 0)])
def test_a_number_that_does_not_fit_is_a_value_error(protocol: int, index: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        SEALER.make_tag(protocol, index, HEADER, b"")


def test_a_negative_protocol_is_not_its_unsigned_twin() -> None:
    assert sealed(protocol=-1).mac != sealed(protocol=255).mac


@pytest.mark.parametrize(("secret", "run_id"), [(bytes(31), bytes(8)), (bytes(32), bytes(7)), (b"", b"")])
def test_key_and_run_id_have_their_sizes(secret: bytes, run_id: bytes) -> None:
    with pytest.raises(ValueError, match=f"{RUN_ID_SIZE} bytes"):
        Tagger(secret, run_id)


def test_the_secret_is_not_shown() -> None:
    assert repr(SEALER) == "Tagger(run_id=72756e2d69642d38)"
    assert not hasattr(SEALER, "secret")
