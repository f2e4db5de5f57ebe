"""The line about a path that could not be measured is read back as it was meant, whatever it says of why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.not_measured import not_measured, path_of

NAMES = st.text(st.characters(exclude_characters="\r\n"), min_size=1, max_size=20).filter(
    lambda it: " could " not in it
)


@given(NAMES, st.text(max_size=40), st.booleans())
def test_a_line_tells_its_path_and_how_much_was_measured(name: str, why: str, hardly: bool) -> None:
    assert path_of(not_measured(name, why, hardly=hardly)) == (name, hardly)


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("h1 could not be measured from to the end: its host is gone", ("h1", False)),
        ("h2 could hardly be measured: 9 of 10 trains, forward, bare, are inconclusive; no control", ("h2", True)),
        ("something else", ("something else", False)),
    ],
)
def test_lines_of_every_version_are_read(line: str, meaning: tuple[str, bool]) -> None:
    assert path_of(line) == meaning
