from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet.checksums import checksum
from pytest_hdp.packet.icmp import (
    IcmpError,
    Meaning,
    build_echo,
    describe,
    meaning,
    parse_error,
    parse_error_v6,
)
from pytest_hdp.packet.ip import build_ipv4, parse_ipv4
from pytest_hdp.strategies import contents, damaged

QUOTED = build_ipv4(b"moo" * 12, source="192.0.2.7", destination="198.51.100.9", protocol=253)


def error(type: int, code: int = 0, rest: int = 0, quote: bytes = QUOTED) -> bytes:  # noqa: A002
    message = bytes([type, code, 0, 0]) + rest.to_bytes(4, "big") + quote
    return message[:2] + checksum(message).to_bytes(2, "big") + message[4:]


def extensions(*, right: bool = True) -> bytes:
    """One object of RFC 4884, with an MPLS label of RFC 4950."""
    data = bytes([0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 1, 64])
    value = checksum(data) if right else checksum(data) ^ 1
    return data[:2] + value.to_bytes(2, "big") + data[4:]


@pytest.mark.parametrize("type_", [3, 4, 5, 11, 12])
def test_each_error_is_read_with_its_quote(type_: int) -> None:
    assert parse_error(error(type_, 2, 0x01020304 & ~0xFF0000)) == IcmpError(type_, 2, 0x01000304, QUOTED)


@pytest.mark.parametrize("type_", [0, 8, 9, 10, 13, 30, 255])
def test_what_is_no_error_is_none(type_: int) -> None:
    assert parse_error(error(type_)) is None


def test_a_quote_of_eight_bytes_still_names_its_packet() -> None:
    parsed = parse_error(error(11, quote=QUOTED[:28]))
    assert parsed is not None
    packet = parse_ipv4(parsed.quote)
    assert packet is not None
    assert (packet.protocol, packet.payload, packet.truncated) == (253, b"moomoomo", True)


def test_no_quote_at_all() -> None:
    assert parse_error(error(3, 2, quote=b"")) == IcmpError(3, 2, 0, b"")
    assert parse_error(error(3, 2, quote=b"")[:7]) is None


def test_the_length_of_rfc_4884_parts_quote_and_extensions() -> None:
    padded = QUOTED.ljust(128, b"\0")
    parsed = parse_error(error(11, 0, rest=32 << 16, quote=padded + extensions()))
    assert parsed is not None
    assert parsed.quote == padded
    packet = parse_ipv4(parsed.quote)
    assert packet is not None
    assert packet.payload == b"moo" * 12


@pytest.mark.parametrize("type_", [4, 5])
def test_types_without_that_length_keep_every_byte(type_: int) -> None:
    parsed = parse_error(error(type_, 0, rest=1 << 16))
    assert parsed is not None
    assert parsed.quote == QUOTED


def test_a_length_beyond_the_message_gives_what_is_there() -> None:
    parsed = parse_error(error(11, 0, rest=255 << 16))
    assert parsed is not None
    assert parsed.quote == QUOTED


def test_extensions_of_routers_older_than_rfc_4884_are_no_quote() -> None:
    long_quote = build_ipv4(b"x" * 200, source="192.0.2.7", destination="198.51.100.9", protocol=253)
    with_extensions = parse_error(error(11, 0, quote=long_quote[:128] + extensions()))
    without = parse_error(error(11, 0, quote=long_quote))
    wrong = parse_error(error(11, 0, quote=long_quote[:128] + extensions(right=False)))
    assert with_extensions is not None
    assert without is not None
    assert wrong is not None
    assert with_extensions.quote == long_quote[:128]
    assert without.quote == long_quote
    assert len(wrong.quote) == 140


@pytest.mark.parametrize("type_", [1, 2, 3, 4])
def test_icmpv6_errors(type_: int) -> None:
    assert parse_error_v6(error(type_, 1, 1280)) == IcmpError(type_, 1, 1280, QUOTED)


@pytest.mark.parametrize("type_", [0, 5, 11, 128, 129])
def test_what_is_no_icmpv6_error_is_none(type_: int) -> None:
    assert parse_error_v6(error(type_)) is None


def test_icmpv6_counts_the_quote_in_words_of_eight_bytes() -> None:
    parsed = parse_error_v6(error(3, 0, rest=5 << 24, quote=bytes(40) + extensions()))
    too_big = parse_error_v6(error(2, 0, rest=5 << 24, quote=bytes(64)))
    assert parsed is not None
    assert too_big is not None
    assert (len(parsed.quote), len(too_big.quote)) == (40, 64)


MESSAGES = damaged(
    st.builds(
        error,
        st.sampled_from([3, 4, 5, 11, 12, 1, 2, 0]),
        st.integers(0, 255),
        st.integers(0, 2**32 - 1),
        contents(300),
    )
)


@given(MESSAGES)
def test_parsing_takes_any_bytes(data: bytes) -> None:
    for parsed in (parse_error(data), parse_error_v6(data)):
        if parsed is not None:
            assert data[8:].startswith(parsed.quote)


@pytest.mark.parametrize(
    ("version", "kind", "words", "says"),
    [
        (4, (3, 1), "host unreachable (ICMP 3/1)", Meaning.NO_HOST),
        (4, (3, 2), "protocol unreachable (ICMP 3/2)", Meaning.PROTOCOL),
        (4, (3, 3), "port unreachable (ICMP 3/3)", Meaning.PORT),
        (4, (3, 4), "fragmentation needed (ICMP 3/4)", Meaning.TOO_BIG),
        (4, (3, 13), "communication administratively prohibited (ICMP 3/13)", Meaning.PROHIBITED),
        (4, (3, 77), "destination unreachable (ICMP 3/77)", Meaning.UNREACHABLE),
        (4, (4, 0), "source quench (ICMP 4/0)", Meaning.ADVICE),
        (4, (11, 0), "time to live exceeded (ICMP 11/0)", Meaning.EXPIRED),
        (4, (12, 0), "parameter problem (ICMP 12/0)", Meaning.BAD_HEADER),
        (4, (77, 1), "error (ICMP 77/1)", Meaning.UNKNOWN),
        (6, (1, 1), "communication administratively prohibited (ICMPv6 1/1)", Meaning.PROHIBITED),
        (6, (1, 3), "address unreachable (ICMPv6 1/3)", Meaning.NO_HOST),
        (6, (1, 4), "port unreachable (ICMPv6 1/4)", Meaning.PORT),
        (6, (2, 0), "packet too big (ICMPv6 2/0)", Meaning.TOO_BIG),
        (6, (3, 0), "hop limit exceeded (ICMPv6 3/0)", Meaning.EXPIRED),
        (6, (3, 2), "time exceeded (ICMPv6 3/2)", Meaning.EXPIRED),
        (6, (4, 1), "unrecognized Next Header (ICMPv6 4/1)", Meaning.PROTOCOL),
        (6, (4, 0), "erroneous header field (ICMPv6 4/0)", Meaning.BAD_HEADER),
    ],
)
def test_errors_and_what_they_say(version: int, kind: tuple[int, int], words: str, says: Meaning) -> None:
    assert (describe(*kind, version=version), meaning(*kind, version=version)) == (words, says)


def test_advice_alone_drops_nothing_and_a_stack_says_two_things() -> None:
    assert {each for each in Meaning if not each.drops} == {Meaning.ADVICE, Meaning.UNKNOWN}
    assert {each for each in Meaning if each.by_stack} == {Meaning.PROTOCOL, Meaning.PORT}


def test_an_echo_request_to_the_byte() -> None:
    assert build_echo(0x1234, 1, b"moo") == bytes.fromhex("0800 095b 1234 0001 6d6f6f")
    six = build_echo(0x1234, 1, b"moo", ends=(bytes(15) + b"\1", bytes(15) + b"\1"))
    assert six[:2] + six[4:] == bytes.fromhex("8000 1234 0001 6d6f6f")
    assert checksum(bytes(15) + b"\1" + bytes(15) + b"\1" + bytes([0, 0, 0, 11, 0, 0, 0, 58]) + six) == 0


@given(st.integers(0, 65535), st.integers(0, 65535), contents(100))
def test_the_checksum_of_any_echo_is_right(identifier: int, sequence: int, payload: bytes) -> None:
    assert checksum(build_echo(identifier, sequence, payload)) == 0


@pytest.mark.parametrize(("identifier", "sequence"), [(-1, 0), (0, 65536)])
def test_echo_numbers_have_sixteen_bits(identifier: int, sequence: int) -> None:
    with pytest.raises(ValueError, match="16 bits"):
        build_echo(identifier, sequence)
