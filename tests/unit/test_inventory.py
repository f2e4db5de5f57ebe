"""Inventories: what is read, and one line with file and line number for what can't be."""

from __future__ import annotations

import pytest

from pytest_hdp.plugin.inventory import Parsers, Target, load
from pytest_hdp.plugin.option_types import address, expect
from pytest_hdp.plugin.vantage_specs import VantageSpec, parse_vantage

PARSERS = Parsers(address, parse_vantage, expect)
WHOLE = """
[[target]]
name = "tokyo"
address = "198.51.100.2"
agent = "netns=tokyo"
profile = "linux-loopback"
tags = ["asia", "rented-2", "asia"]

[[target]]
address = "198.51.100.3"
"""


def test_reads_all_that_a_target_has():
    tokyo, other = load(WHOLE, "hosts.toml", PARSERS)
    assert (tokyo.name, tokyo.address, tokyo.agent) == ("tokyo", "198.51.100.2", VantageSpec("netns", "tokyo"))
    assert (tokyo.profile.name, tokyo.tags) == ("linux-loopback", ("asia", "rented-2"))
    assert other == Target("198.51.100.3", "198.51.100.3", listed=True)


def test_a_profile_lies_beside_its_inventory(tmp_path):
    (tmp_path / "mine.toml").write_text('[profile]\nname = "mine"\n')
    text = '[[target]]\naddress = "198.51.100.2"\nprofile = "mine.toml"\n'
    (target,) = load(text, str(tmp_path / "hosts.toml"), PARSERS)
    assert target.profile.name == "mine"
    (none,) = load(text.replace("mine.toml", "none"), "hosts.toml", PARSERS)
    assert none.profile == "none"


def changed(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "has no [[target]]"),
        ("[target]\naddress = '198.51.100.2'\n", 1, "two brackets"),
        ("target = 3\n", 1, "has no [[target]]"),
        ("target = [3]\n", 1, "is not a table"),
        (WHOLE + "[other]\n", 11, "'other' is not [[target]]"),
        ("[[target]\n", 1, ""),
        ("[[target]]\naddress = '198.51.100.2'\nname = 'a'\nname = 'b'\n", 4, "overwrite"),
        ("x = " + "[" * 5000, 1, "nested too deeply"),
        ("x = " + "9" * 5000, 1, "too many digits"),
        (changed("agent = ", "agnet = "), 5, "has no 'agnet'"),
        (changed('"198.51.100.3"', '"tokyo.example"'), 10, "'tokyo.example' is not a numeric address"),
        (changed('"198.51.100.3"', "3"), 10, "address is a text in quotes"),
        (changed('address = "198.51.100.3"', 'name = "x"'), 9, "needs an address"),
        (changed('"netns=tokyo"', '"ssh"'), 5, "agent: "),
        (changed('"linux-loopback"', '"solaris"'), 6, "'solaris' is neither"),
        (changed('"asia", ', '"and", '), 7, "'and' can't be a tag"),
        (changed('"asia", ', '"skip", '), 7, "'skip' can't be a tag"),
        (changed('"asia", ', '"a b", '), 7, "'a b' can't be a tag"),
        (changed('["asia", "rented-2", "asia"]', '"asia"'), 7, "a list of words"),
        (changed('"tokyo"\naddress', '"a/b"\naddress'), 3, "'a/b' is no name"),
        (changed('"tokyo"\naddress', '"a\\u001b[2J"\naddress'), 3, "is no name"),
        (changed('"tokyo"\naddress', '"198.51.100.3"\naddress'), 9, "two targets of the name '198.51.100.3'"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_where(text, line, said):
    with pytest.raises(ValueError, match=r".") as caught:
        load(text, "hosts.toml", PARSERS)
    told = str(caught.value)
    assert told.startswith(f"hosts.toml:{line}: ")
    assert said in told
    assert told.isprintable()
