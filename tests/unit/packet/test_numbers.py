from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.packet.numbers import HIGHEST, LOWEST, format_protocols, parse_protocols
from pytest_hdp.packet.registry import NUMBERS, Status, slug
from pytest_hdp.packet.registry import test_id as id_of


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0-255", range(256)),
        ("47,50-51,132", [47, 50, 51, 132]),
        ("gre", [47]),
        ("GRE, Esp ,ah", [47, 50, 51]),
        ("tp++,a/n,3PC,AX.25", [34, 39, 93, 107]),
        ("mpls-in-ip,experimental-1", [137, 253]),
        ("udplite,udp-lite", [136]),
        ("p006-tcp,p200-unassigned", [6, 200]),
        ("ospf,icmpv6", [58, 89]),
        ("assigned", range(148)),
        ("unassigned", range(148, 253)),
        ("experimental", [253, 254]),
        ("reserved", [255]),
        ("-1-263", range(-1, 264)),
        ("-1", [-1]),
        ("-3--1", [-3, -2, -1]),
        ("6,6,5-7,tcp", [5, 6, 7]),
        (" 17 ", [17]),
        ("-1024-65535", range(-1024, 65536)),
        ("007", [7]),
    ],
)
def test_lists(text: str, numbers: list[int]) -> None:
    assert parse_protocols(text) == tuple(numbers)


@pytest.mark.parametrize("entry", [e for e in NUMBERS if e.status is not Status.UNASSIGNED], ids=lambda e: e.keyword)
def test_every_keyword_slug_and_test_id_names_its_number(entry: object) -> None:
    number, keyword = entry.number, entry.keyword  # type: ignore[attr-defined]
    for name in (keyword, keyword.upper(), slug(number), id_of(number)):
        assert parse_protocols(name) == (number,)


@pytest.mark.parametrize(
    ("text", "piece", "advice"),
    [
        ("300-", "'300-'", "write its last number too"),
        ("banana", "'banana'", "did you mean bna"),
        ("6,scpt", "'scpt'", "did you mean sctp"),
        ("unasigned", "'unasigned'", "did you mean unassigned"),
        ("qqqqqqqqqqqq", "'qqqqqqqqqqqq'", "write numbers"),
        ("", "empty", "write numbers"),
        ("  ", "empty", "write numbers"),
        ("6,,7", "'6,,7'", "remove the surplus comma"),
        ("6,", "'6,'", "remove the surplus comma"),
        ("51-50", "'51-50'", "write 50-51"),
        ("0-99999999", "'0-99999999'", "from -1024 to 65535"),
        ("-1025", "'-1025'", "from -1024 to 65535"),
        ("65536", "'65536'", "from -1024 to 65535"),
        ("9" * 5000, "'9999", "from -1024 to 65535"),
        ("5 - 6", "'5 - 6'", "write numbers"),
        ("--", "'--'", "write numbers"),
        ("1.5", "'1.5'", "write numbers"),
        ("\u0663", "'\u0663'", "write numbers"),
        ("p047-tcp", "'p047-tcp'", "write numbers"),
        ("out-of-range", "'out-of-range'", "write numbers"),
    ],
)
def test_a_bad_list_is_told_in_one_sentence_with_advice(text: str, piece: str, advice: str) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as caught:
        parse_protocols(text)
    message = str(caught.value)
    assert piece in message
    assert advice in message
    assert len(message) < 250


@given(st.text(alphabet="0123456789-, gretcp\n", max_size=12) | st.text(max_size=20))
def test_any_text_is_a_list_or_a_value_error(text: str) -> None:
    try:
        numbers = parse_protocols(text)
    except ValueError as error:
        message = str(error)
        numbers = ()
    else:
        message = ""
    assert bool(message) != bool(numbers)
    assert "\n" not in message
    assert list(numbers) == sorted(set(numbers))


@given(st.sets(st.integers(LOWEST, HIGHEST) | st.integers(-5, 260), min_size=1))
def test_what_is_formatted_parses_back(numbers: set[int]) -> None:
    assert parse_protocols(format_protocols(numbers)) == tuple(sorted(numbers))


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([6], "6"),
        ([50, 47, 51, 132], "47,50-51,132"),
        (range(-1, 264), "-1-263"),
        ([-3, -2, -1, 1], "-3--1,1"),
        ([6, 6], "6"),
    ],
)
def test_formatting(numbers: list[int], text: str) -> None:
    assert format_protocols(numbers) == text
