"""Bugs planted on purpose are found by the worlds: a net with holes would be worse than none.

A commit hunts for a few of them, each night for all: those that are rarely found in as many worlds as it takes.
"""

from __future__ import annotations

import pytest
from planted import BUGS, MOST, hunt

FEW = 300
RARE = ("second copy", "overflowed", "without the tag", "one in twenty")


@pytest.mark.parametrize("name", BUGS)
@pytest.mark.night(but=["*twice*", "*filed under*", "*off by one*"])
def test_a_planted_bug_is_found(name: str) -> None:
    most = MOST if any(word in name for word in RARE) else FEW
    assert hunt(name, most) is not None, f"not found in {most} worlds: {name}"
