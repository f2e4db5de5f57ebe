"""What `--hdp-needs` lists."""

from __future__ import annotations

import pytest

from pytest_hdp.packet.numbers import NEEDS, parse_needs
from pytest_hdp.packet.registry import lookup


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("esp,gre,vrrp", (47, 50, 112)),
        ("ipsec", (50, 51)),
        ("IPsec, sctp", (50, 51, 132)),
        ("routing,89", (2, 88, 89, 103, 112)),
        ("0,255", (0, 255)),
        ("overlay", (4, 41, 47, 137)),
    ],
)
def test_numbers_names_and_sets(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_needs(text) == numbers


@pytest.mark.parametrize("text", ["", " ", ",", "ipsec,", "ipsecc", "-1", "256", "9-5", "\x1b[31m", "x" * 10_000])
def test_a_bad_list_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"protocol|list|range|piece|pass") as error:
        parse_needs(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_the_sets_hold_what_the_page_says() -> None:
    keywords = {name: {lookup(number).keyword for number in numbers} for name, numbers in NEEDS.items()}
    assert keywords["routing"] == {"IGMP", "EIGRP", "OSPFIGP", "PIM", "VRRP"}
    assert keywords["ipsec"] == {"ESP", "AH"}
