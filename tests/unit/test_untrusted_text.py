from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.untrusted.text import LIMIT, safe

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)
"""Lone surrogates, controls and unassigned code points included."""


@given(ANY_TEXT)
def test_nothing_that_acts_on_a_terminal_survives(text: str):
    shown = safe(text)
    assert shown.isprintable()
    shown.encode("utf-8")


@given(ANY_TEXT)
def test_without_unicode_only_printable_ascii_is_left(text: str):
    shown = safe(text, unicode=False)
    assert shown.isascii()
    assert shown.isprintable() or not shown


@given(ANY_TEXT)
def test_showing_twice_changes_nothing(text: str):
    assert safe(safe(text)) == safe(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 100 % - ok", "plain text, 100 % - ok"),
        ("Grüße \N{SALUTING FACE}", "Grüße \N{SALUTING FACE}"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines\t\0", r"two\nlines\t\x00"),
        ("\x9b1m", r"\x9b1m"),
        ("abc\u202efed", r"abc\u202efed"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        (None, "None"),
        (b"\x1b", r"b'\x1b'"),
    ],
)
def test_escapes_are_readable(text: object, shown: str):
    assert safe(text) == shown


def test_a_flood_is_cut():
    assert safe("a" * (LIMIT + 1)) == "a" * LIMIT + "..."
    assert safe("a" * LIMIT) == "a" * LIMIT
