"""Bugs planted on purpose are found by the worlds: a net with holes would be worse than none.

Those that are found within so few worlds that each commit can afford it; `planted.py` hunts for all of them.
"""

from __future__ import annotations

import pytest
from planted import BUGS, hunt

FEW = 300
RARE = ("second copy", "overflowed", "without the tag", "one in twenty")


@pytest.mark.parametrize("name", [each for each in BUGS if not any(word in each for word in RARE)])
@pytest.mark.night(but=["*twice*", "*filed under*", "*off by one*"])
def test_a_planted_bug_is_found(name: str) -> None:
    found = hunt(name, FEW)
    assert found is not None, f"not found in {FEW} worlds: {name}"
