"""The line about what could not be measured or read is read back as it was meant, whatever it says of why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.not_measured import in_short, not_measured, not_read

NAMES = st.text(st.characters(exclude_characters="\r\n"), min_size=1, max_size=20).filter(
    lambda it: " could " not in it
)


@given(NAMES, st.text(max_size=40), st.booleans())
def test_a_line_tells_its_path_and_how_much_was_measured(name: str, why: str, hardly: bool) -> None:
    told = "hardly measured" if hardly else "not measured"
    assert in_short(not_measured(name, why, hardly=hardly)) == (name, told)


@given(NAMES, st.text(max_size=40), st.booleans())
def test_a_line_tells_its_file_and_how_much_was_read(name: str, why: str, partly: bool) -> None:
    told = "not read whole" if partly else "not read"
    assert in_short(not_read(name, why, partly=partly)) == (name, told)


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("h1 could not be measured from to the end: its host is gone", ("h1", "not measured")),
        ("h2 could hardly be measured: 9 of 10 trains, forward, bare, are inconclusive", ("h2", "hardly measured")),
        ("something else", ("something else", "not measured")),
    ],
)
def test_lines_of_every_version_are_read(line: str, meaning: tuple[str, str]) -> None:
    assert in_short(line) == meaning
