"""Bugs planted on purpose are found by the worlds: a net with holes would be worse than none."""

from __future__ import annotations

import pytest
from planted import BUGS, MOST, hunt


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    found = hunt(name)
    assert found is not None, f"not found in {MOST} worlds: {name}"
